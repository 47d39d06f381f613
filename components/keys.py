"""The KMS keys of an environment: one for its data, one for its logs.

Owns who may use a key, and by which service. That somebody of the account may do so at all is said by their own role: the
account's statements here only let IAM decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import kms

from components.base import Component
from components.documents import policy_document

# Everything but using the key: a policy with kms:* would let each administrator decrypt.
ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
USE = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
DATA_SERVICES = ("elasticache", "rds", "s3", "secretsmanager", "sns", "sqs")
# They keep disks encrypted after the request that made them has ended, and need a grant for it.
SERVICES_WITH_DISKS = ("elasticache", "rds")

Statement = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class KeysValues:
    """A deleted key can be had back for ``deletion_days`` (7 to 30); new material every ``rotation_days`` (90 to 2560)."""

    deletion_days: int
    rotation_days: int


@dataclass(frozen=True, kw_only=True)
class KeysArgs(KeysValues):
    """The keys serve this account in this region."""

    tags: Mapping[str, str]
    account_id: str
    region: str


class Keys(Component):
    """Gives ``data_key_arn`` and ``logs_key_arn``."""

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.data_key_arn = self._key("data", "Data at rest", self._data_statements())
        self.logs_key_arn = self._key("logs", "Logs and the audit trail", self._logs_statements())
        self.register_outputs({"data_key_arn": self.data_key_arn, "logs_key_arn": self.logs_key_arn})

    def _key(self, role: str, description: str, statements: list[Statement]) -> pulumi.Output[str]:
        key = kms.Key(
            self.child(role),
            description=description,
            deletion_window_in_days=self.args.deletion_days,
            enable_key_rotation=True,
            rotation_period_in_days=self.args.rotation_days,
            policy=policy_document(self._of_account("Administration", ADMINISTRATION), *statements),
            tags=self.named(role),
            opts=self.options(),
        )
        kms.Alias(self.child(role), target_key_id=key.key_id, opts=self.options())
        return key.arn

    # -- who may use them ------------------------------------------------------------------------------------------------

    def _data_statements(self) -> list[Statement]:
        args = self.args
        return [
            self._of_account("UseThroughServices", USE, StringEquals={"kms:ViaService": self._hosts(DATA_SERVICES)}),
            self._of_account(
                "GrantsToServices",
                ("kms:CreateGrant",),
                StringEquals={"kms:ViaService": self._hosts(SERVICES_WITH_DISKS)},
                Bool={"kms:GrantIsForAWSResource": "true"},
            ),
            # To publish to an encrypted topic.
            _of_service(
                "Alarms",
                "cloudwatch.amazonaws.com",
                ("kms:Decrypt", "kms:GenerateDataKey*"),
                StringEquals={"aws:SourceAccount": args.account_id},
                ArnLike={"aws:SourceArn": f"arn:aws:cloudwatch:{args.region}:{args.account_id}:alarm:*"},
            ),
        ]

    def _logs_statements(self) -> list[Statement]:
        args = self.args
        groups = f"arn:aws:logs:{args.region}:{args.account_id}:log-group:*"
        trails = f"arn:aws:cloudtrail:{args.region}:{args.account_id}:trail/*"
        return [
            _of_service(
                "LogGroups",
                f"logs.{args.region}.amazonaws.com",
                USE,
                ArnLike={"kms:EncryptionContext:aws:logs:arn": groups},
            ),
            _of_service(
                "Trails",
                "cloudtrail.amazonaws.com",
                ("kms:GenerateDataKey*",),
                StringLike={"kms:EncryptionContext:aws:cloudtrail:arn": trails},
                ArnLike={"aws:SourceArn": trails},
            ),
            # CloudTrail looks at the key without an encryption context.
            _of_service("TrailsLook", "cloudtrail.amazonaws.com", ("kms:DescribeKey",), ArnLike={"aws:SourceArn": trails}),
            self._of_account("ReadTrails", ("kms:Decrypt",), StringEquals={"kms:ViaService": self._hosts(("s3",))}),
        ]

    def _of_account(self, sid: str, actions: tuple[str, ...], **condition: Mapping[str, Any]) -> Statement:
        """Leaves it to the account's IAM policies."""
        principal = {"AWS": f"arn:aws:iam::{self.args.account_id}:root"}
        return _statement(sid, principal, actions, condition)

    def _hosts(self, services: tuple[str, ...]) -> list[str]:
        return [f"{service}.{self.args.region}.amazonaws.com" for service in services]


def _of_service(sid: str, service: str, actions: tuple[str, ...], **condition: Mapping[str, Any]) -> Statement:
    return _statement(sid, {"Service": service}, actions, condition)


def _statement(sid: str, principal: Mapping[str, str], actions: tuple[str, ...], condition: Mapping[str, Any]) -> Statement:
    """A statement of a key's policy, in which ``*`` is the key itself."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": dict(principal),
        "Action": list(actions),
        "Resource": "*",
    }
    return {**statement, **({"Condition": dict(condition)} if condition else {})}
