"""AWS IAM: the rows of its parts, together. Each part says what it owns."""

from __future__ import annotations

from isostack.localcloud.resource_types import (
    iam_account,
    iam_identity_providers,
    iam_policies,
    iam_policy_document,
    iam_roles,
    iam_users,
)

RESOURCE_TYPES = (
    *iam_roles.RESOURCE_TYPES,
    *iam_policies.RESOURCE_TYPES,
    *iam_users.RESOURCE_TYPES,
    *iam_identity_providers.RESOURCE_TYPES,
    *iam_account.RESOURCE_TYPES,
)

FUNCTIONS = (
    *iam_roles.FUNCTIONS,
    *iam_policies.FUNCTIONS,
    *iam_users.FUNCTIONS,
    *iam_identity_providers.FUNCTIONS,
    *iam_policy_document.FUNCTIONS,
)
