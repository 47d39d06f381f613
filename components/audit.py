"""The audit trail: who did what in the account, in every region, in a bucket where nobody can take it back.

Owns the trail, where it is kept, and its copy in CloudWatch. Alarms on that copy are
:mod:`components.observability`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudtrail, cloudwatch, iam

from components.base import Component
from components.bucket import Bucket, BucketArgs
from components.documents import policy_document, trust
from components.naming import fitted

SERVICE = "cloudtrail.amazonaws.com"
NONCURRENT_DAYS = 30  # so long after its deletion a record can be had back


@dataclass(frozen=True, kw_only=True)
class AuditValues:
    """Records are kept for ``retention_days``, one of the periods that CloudWatch Logs has, and locked for ``lock_days``.

    With ``force_destroy`` the bucket is deleted with all that is in it, the lock notwithstanding.
    """

    retention_days: int
    lock_days: int
    force_destroy: bool


@dataclass(frozen=True, kw_only=True)
class AuditArgs(AuditValues):
    """``key_arn`` is a KMS key for CloudTrail and for the region's CloudWatch Logs.

    Accesses to the trail's bucket are logged to ``access_logs_bucket_name``; that it is None is to be the same in every
    environment.
    """

    tags: Mapping[str, str]
    account_id: str
    region: str
    key_arn: pulumi.Input[str]
    access_logs_bucket_name: pulumi.Input[str] | None = None
    permissions_boundary_arn: pulumi.Input[str] | None = None


class Audit(Component):
    """Gives ``trail_arn``, ``bucket_name`` and ``log_group_name``. The trail has management events, no data events."""

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        # The bucket's policy names the trail, and the trail needs the policy: so its name is ours, and not automatic.
        self.trail_name = self.child("trail")
        self.bucket = self._bucket()
        self.log_group = self._log_group()
        self.role = self._role()
        self.trail = self._trail(self._permissions())
        self.trail_arn = self.trail.arn
        self.bucket_name = self.bucket.bucket_name
        self.log_group_name = self.log_group.name
        self.register_outputs(
            {"trail_arn": self.trail_arn, "bucket_name": self.bucket_name, "log_group_name": self.log_group_name}
        )

    def _trail(self, permissions: iam.RolePolicy) -> cloudtrail.Trail:
        return cloudtrail.Trail(
            self.trail_name,
            name=self.trail_name,
            s3_bucket_name=self.bucket.bucket_name,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            kms_key_id=self.args.key_arn,
            cloud_watch_logs_group_arn=pulumi.Output.concat(self.log_group.arn, ":*"),
            cloud_watch_logs_role_arn=self.role.arn,
            tags=self.named("trail"),
            # CloudTrail tries the role when the trail is made.
            opts=self.options(depends_on=[permissions]),
        )

    # -- the bucket ------------------------------------------------------------------------------------------------------

    def _bucket(self) -> Bucket:
        args = BucketArgs(
            tags=self.tags,
            key_arn=self.args.key_arn,
            expire_days=self.args.retention_days,
            noncurrent_days=NONCURRENT_DAYS,
            lock_days=self.args.lock_days,
            force_destroy=self.args.force_destroy,
            access_logs_bucket_name=self.args.access_logs_bucket_name,
            statements=self._bucket_statements,
        )
        return Bucket(self.child("audit"), args, self.options())

    def _bucket_statements(self, arn: pulumi.Output[str]) -> tuple[Mapping[str, Any], ...]:
        """What CloudTrail needs of a trail's bucket, for this trail alone."""
        args = self.args
        trail = {"aws:SourceArn": f"arn:aws:cloudtrail:{args.region}:{args.account_id}:trail/{self.trail_name}"}
        return (
            {
                "Sid": "TrailLooks",
                "Effect": "Allow",
                "Principal": {"Service": SERVICE},
                "Action": "s3:GetBucketAcl",
                "Resource": arn,
                "Condition": {"StringEquals": trail},
            },
            {
                "Sid": "TrailWrites",
                "Effect": "Allow",
                "Principal": {"Service": SERVICE},
                "Action": "s3:PutObject",
                "Resource": pulumi.Output.concat(arn, f"/AWSLogs/{args.account_id}/*"),
                "Condition": {"StringEquals": {**trail, "s3:x-amz-acl": "bucket-owner-full-control"}},
            },
        )

    # -- the copy in CloudWatch ------------------------------------------------------------------------------------------

    def _log_group(self) -> cloudwatch.LogGroup:
        return cloudwatch.LogGroup(
            self.child("trail"),
            retention_in_days=self.args.retention_days,
            kms_key_id=self.args.key_arn,
            tags=self.named("trail"),
            opts=self.options(),
        )

    def _role(self) -> iam.Role:
        return iam.Role(
            fitted(self.child("trail"), "aws:iam/role:Role"),
            description="Copies the audit trail to CloudWatch",
            # CloudTrail names no source here: a condition on the account would shut it out.
            assume_role_policy=trust(SERVICE),
            permissions_boundary=self.args.permissions_boundary_arn,
            tags=self.named("trail"),
            opts=self.options(),
        )

    def _permissions(self) -> iam.RolePolicy:
        """CloudTrail writes to streams that it names after the account and itself."""
        streams = f":log-stream:{self.args.account_id}_CloudTrail_*"
        return iam.RolePolicy(
            self.child("trail"),
            role=self.role.id,
            policy=policy_document(
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": pulumi.Output.concat(self.log_group.arn, streams),
                }
            ),
            opts=self.options(),
        )
