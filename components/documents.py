"""IAM policy documents. Owns their frame; which statements stand in one is said by the component that needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


def policy_document(*statements: Mapping[str, Any]) -> pulumi.Output[str]:
    """A policy document in JSON from statements as IAM's grammar has them; their values may be outputs."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str) -> pulumi.Output[str]:
    """The trust policy of a role that an AWS service assumes, such as ``ecs-tasks.amazonaws.com``."""
    return policy_document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})
