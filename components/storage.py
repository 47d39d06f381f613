"""The buckets of an environment: its assets, and the logs of who accessed them and of the load balancer.

The audit trail's bucket is :mod:`components.audit`'s; who may use the assets is said by the roles of the services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.base import Component
from components.bucket import Bucket, BucketArgs


@dataclass(frozen=True, kw_only=True)
class StorageValues:
    """Overwritten and deleted assets are kept for ``noncurrent_days``, logs of accesses for ``access_log_days``.

    With ``force_destroy`` the buckets are deleted with all that is in them.
    """

    noncurrent_days: int
    access_log_days: int
    force_destroy: bool


@dataclass(frozen=True, kw_only=True)
class StorageArgs(StorageValues):
    """``key_arn`` is the KMS key of the assets. Logs are taken from ``account_id`` alone."""

    tags: Mapping[str, str]
    account_id: str
    key_arn: pulumi.Input[str]


class Storage(Component):
    """Gives ``bucket_name`` and ``bucket_arn`` of the assets, ``logs_bucket_name`` and ``logs_bucket_arn``.

    Load balancers of the account may log to the logs bucket with any prefix, buckets of the account with ``access/``.
    """

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.logs = self._logs()
        self.assets = self._assets()
        self.bucket_name = self.assets.bucket_name
        self.bucket_arn = self.assets.arn
        self.logs_bucket_name = self.logs.bucket_name
        self.logs_bucket_arn = self.logs.arn
        self.register_outputs(
            {
                "bucket_name": self.bucket_name,
                "bucket_arn": self.bucket_arn,
                "logs_bucket_name": self.logs_bucket_name,
                "logs_bucket_arn": self.logs_bucket_arn,
            }
        )

    def _assets(self) -> Bucket:
        args = BucketArgs(
            tags=self.tags,
            key_arn=self.args.key_arn,
            noncurrent_days=self.args.noncurrent_days,
            force_destroy=self.args.force_destroy,
            access_logs_bucket_name=self.logs.bucket_name,
        )
        return Bucket(self.child("assets"), args, self.options())

    def _logs(self) -> Bucket:
        args = BucketArgs(
            tags=self.tags,
            key_arn=None,  # load balancers cannot write to a bucket with another key than S3's own
            noncurrent_days=self.args.noncurrent_days,
            expire_days=self.args.access_log_days,
            force_destroy=self.args.force_destroy,
            statements=self._log_statements,
        )
        return Bucket(self.child("logs"), args, self.options())

    def _log_statements(self, arn: pulumi.Output[str]) -> tuple[Mapping[str, Any], ...]:
        """Log delivery by AWS's services, for this account."""
        account = self.args.account_id
        balancers = [pulumi.Output.concat(arn, f"/{prefix}AWSLogs/{account}/*") for prefix in ("", "*/")]
        return (
            self._delivery("LoadBalancerLogs", "logdelivery.elasticloadbalancing.amazonaws.com", balancers),
            self._delivery("AccessLogs", "logging.s3.amazonaws.com", pulumi.Output.concat(arn, "/access/*")),
        )

    def _delivery(self, sid: str, service: str, resources: object) -> Mapping[str, Any]:
        return {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "s3:PutObject",
            "Resource": resources,
            "Condition": {"StringEquals": {"aws:SourceAccount": self.args.account_id}},
        }
