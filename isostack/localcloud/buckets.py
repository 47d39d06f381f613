"""Buckets inside moto, where moto 5.2.5 gets them wrong: what policies allow and deny, when a lock may change, and whose it is.

It takes a statement whose condition is not met for a denial, so that a bucket with the commonest policy of all, "nothing
without TLS", would give and take no objects; it looks for the permission to write access logs in policies of one form; it
changes the lock of empty buckets only; and it shows a bucket also to whoever expects another owner. Runs inside the local
cloud's process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from typing import Any


def mend_buckets() -> None:
    """From now on statements with conditions decide nothing: the local cloud knows nothing that they could ask about."""
    from moto.s3.models import FakeBucket, S3Backend

    bucket: Any = FakeBucket
    bucket.get_permission = _permission
    bucket._log_permissions_enabled_policy = staticmethod(_takes_access_logs)
    backend: Any = S3Backend
    backend.put_object_lock_configuration = _put_object_lock
    _ask_for_the_owner()


@cache
def _ask_for_the_owner() -> None:
    from moto.s3.exceptions import MissingBucket
    from moto.s3.responses import S3Response

    answers: Any = S3Response
    head = answers.head_bucket

    def head_of_the_expected_owner(self: Any) -> Any:
        expected = self.headers.get("x-amz-expected-bucket-owner")
        with suppress(MissingBucket):
            if expected and self.backend.head_bucket(self.bucket_name).account_id != expected:
                return 403, {}, ""
        return head(self)

    answers.head_bucket = head_of_the_expected_owner


def _put_object_lock(
    backend: Any, bucket_name: str, lock_enabled: bool, mode: str | None = None, days: int = 0, years: int = 0
) -> None:
    """As S3 does it: for what is put into the bucket from now on, whatever is in it already."""
    from moto.s3.exceptions import InvalidBucketState

    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days, years


def _permission(bucket: Any, action: str, resource: str) -> Any:
    from moto.iam.access_control import IAMPolicy, PermissionResult

    unconditional = [one for one in _statements(bucket) if not one.get("Condition")]
    if not unconditional:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({"Statement": unconditional})).is_action_permitted(action, resource)


def _takes_access_logs(target_bucket: Any, target_prefix: str | None) -> bool:
    """Whether the policy lets S3's logging service write objects that begin with the prefix."""
    target = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}"
    return any(
        one.get("Effect") == "Allow"
        and isinstance(principal := one.get("Principal"), dict)
        and "logging.s3.amazonaws.com" in _listed(principal.get("Service"))
        and any(fnmatchcase("s3:PutObject", action) for action in _listed(one.get("Action")))
        and any(fnmatchcase(f"{target}log", resource) for resource in _listed(one.get("Resource")))
        for one in _statements(target_bucket)
    )


def _statements(bucket: Any) -> Iterator[dict[str, Any]]:
    if bucket.policy is not None:
        yield from _listed(json.loads(bucket.policy)["Statement"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
