"""A bucket that is closed: encrypted, versioned, without ACLs, shut to the public, reached over TLS only, cleaned up after.

Owns what is the same for every bucket of an environment. Who may write to one is said by the component that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import s3

from components.base import Component
from components.documents import policy_document
from components.naming import fitted

ABANDONED_UPLOAD_DAYS = 7


def _nobody(_bucket_arn: pulumi.Output[str]) -> Sequence[Mapping[str, Any]]:
    return ()


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """``key_arn`` is None where what writes to the bucket can use no key but S3's own.

    Objects go after ``expire_days`` (None: never), their overwritten and deleted versions after another ``noncurrent_days``.
    For ``lock_days`` (None: not at all) nobody deletes a version without ``s3:BypassGovernanceRetention``. With
    ``force_destroy`` a bucket is deleted with all that is in it. Accesses are logged to ``access_logs_bucket_name`` under
    ``access/``. ``statements`` gives further statements of the bucket's policy, from the bucket's ARN.

    What is None decides which resources there are, so it is to be the same in every environment.
    """

    tags: Mapping[str, str]
    key_arn: pulumi.Input[str] | None
    noncurrent_days: int
    force_destroy: bool
    expire_days: int | None = None
    lock_days: int | None = None
    access_logs_bucket_name: pulumi.Input[str] | None = None
    statements: Callable[[pulumi.Output[str]], Sequence[Mapping[str, Any]]] = _nobody


class Bucket(Component):
    """Gives ``bucket_name``, known when the policy is in force, and ``arn``. The bucket's name begins with the component's."""

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.bucket = self._bucket()
        self.versioning = self._versioning()
        self._encryption()
        self.access_block = self._access_block()
        self._ownership()
        self.policy = self._policy()
        self._lifecycle()
        if args.lock_days is not None:
            self._lock(args.lock_days)
        if args.access_logs_bucket_name is not None:
            self._access_logs(args.access_logs_bucket_name)
        self.bucket_name = self.policy.bucket
        self.arn = self.bucket.arn
        self.register_outputs({"bucket_name": self.bucket_name, "arn": self.arn})

    def _bucket(self) -> s3.Bucket:
        return s3.Bucket(
            fitted(self.name, "aws:s3/bucket:Bucket"),
            # S3 takes a lock for a bucket that was made for it, and makes that one versioned.
            object_lock_enabled=self.args.lock_days is not None,
            force_destroy=self.args.force_destroy,
            tags={**self.tags, "Name": self.name},
            opts=self.options(protect=not self.args.force_destroy),
        )

    def part(self, **options: Any) -> pulumi.ResourceOptions:
        """The options of what goes when its bucket does, without a call of its own."""
        return self.options(deleted_with=self.bucket, **options)

    def _versioning(self) -> s3.BucketVersioning:
        return s3.BucketVersioning(
            self.name,
            bucket=self.bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=self.part(),
        )

    def _encryption(self) -> None:
        key = self.args.key_arn
        algorithm: s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = (
            {"sse_algorithm": "AES256"} if key is None else {"sse_algorithm": "aws:kms", "kms_master_key_id": key}
        )
        s3.BucketServerSideEncryptionConfiguration(
            self.name,
            bucket=self.bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": algorithm, "bucket_key_enabled": key is not None}],
            opts=self.part(),
        )

    def _access_block(self) -> s3.BucketPublicAccessBlock:
        return s3.BucketPublicAccessBlock(
            self.name,
            bucket=self.bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.part(),
        )

    def _ownership(self) -> None:
        s3.BucketOwnershipControls(
            self.name,
            bucket=self.bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self.part(),
        )

    def _policy(self) -> s3.BucketPolicy:
        arn = self.bucket.arn
        over_tls = {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:*",
            "Resource": [arn, pulumi.Output.concat(arn, "/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        return s3.BucketPolicy(
            self.name,
            bucket=self.bucket.bucket,
            policy=policy_document(over_tls, *self.args.statements(arn)),
            # S3 refuses two changes to who may access a bucket at the same time.
            opts=self.part(depends_on=[self.access_block]),
        )

    def _lifecycle(self) -> None:
        expiration: s3.BucketLifecycleConfigurationRuleExpirationArgsDict | None = (
            None if self.args.expire_days is None else {"days": self.args.expire_days}
        )
        s3.BucketLifecycleConfiguration(
            self.name,
            bucket=self.bucket.bucket,
            rules=[
                {
                    "id": "clean-up",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": expiration,
                    "noncurrent_version_expiration": {"noncurrent_days": self.args.noncurrent_days},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
                }
            ],
            # A rule for versions needs versions.
            opts=self.part(depends_on=[self.versioning]),
        )

    def _lock(self, days: int) -> None:
        s3.BucketObjectLockConfiguration(
            self.name,
            bucket=self.bucket.bucket,
            rule={"default_retention": {"mode": "GOVERNANCE", "days": days}},
            opts=self.part(depends_on=[self.versioning]),
        )

    def _access_logs(self, target: pulumi.Input[str]) -> None:
        s3.BucketLogging(
            self.name,
            bucket=self.bucket.bucket,
            target_bucket=target,
            target_prefix="access/",
            # By the bucket's name and the day, so that one target serves many buckets.
            target_object_key_format={"partitioned_prefix": {"partition_date_source": "EventTime"}},
            # It ends before its bucket does: emptying that is logged, too, in a bucket that may just be going.
            opts=self.options(),
        )
