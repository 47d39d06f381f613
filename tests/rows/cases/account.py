"""What an account has once: IAM's password policy and alias."""

from __future__ import annotations

from tests.rows.case import Case

CASES = [
    Case(
        token="aws:iam/accountPasswordPolicy:AccountPasswordPolicy",
        inputs={"minimumPasswordLength": 14, "requireSymbols": True, "maxPasswordAge": 90},
        update={"minimumPasswordLength": 16, "requireNumbers": True, "passwordReusePrevention": 5},
        expect={"allowUsersToChangePassword": True, "expirePasswords": True},
    ),
    Case(
        token="aws:iam/accountAlias:AccountAlias",
        inputs={"accountAlias": "the-shop"},
        replace={"accountAlias": "the-other-shop"},
    ),
]
