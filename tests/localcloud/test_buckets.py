"""Buckets in the local cloud: what their policies do, and when their lock may change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isostack.localcloud.client import Cloud

OVER_TLS = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}


@pytest.fixture
def s3(cloud: Cloud) -> Any:
    return cloud.client("s3")


def bucket(s3: Any, cloud: Cloud, role: str, *statements: dict[str, Any]) -> str:
    """A bucket with a policy of these statements, for everything in it where they do not say."""
    name = f"{role}-{cloud.account_id}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.region})
    everything = {"Resource": f"arn:aws:s3:::{name}/*"}
    policy = {"Version": "2012-10-17", "Statement": [{**everything, **statement} for statement in statements]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


@pytest.mark.parametrize("everybody", ["*", {"AWS": "*"}])
def test_a_bucket_that_is_reached_over_tls_only_gives_and_takes_objects(s3: Any, cloud: Cloud, everybody: Any) -> None:
    name = bucket(s3, cloud, "closed", {**OVER_TLS, "Principal": everybody})
    s3.put_object(Bucket=name, Key="a", Body=b"content")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"content"
    s3.delete_object(Bucket=name, Key="a")
    assert "Contents" not in s3.list_objects_v2(Bucket=name)


def test_what_a_policy_denies_without_a_condition_is_denied(s3: Any, cloud: Cloud) -> None:
    name = bucket(s3, cloud, "read-only", OVER_TLS, {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"})
    with pytest.raises(s3.exceptions.ClientError, match="403"):
        s3.put_object(Bucket=name, Key="a", Body=b"content")


def log_to(s3: Any, cloud: Cloud, prefix: str, *resources: str) -> dict[str, Any]:
    """Where a bucket logs to, told to log under a prefix of a bucket that takes logs for these resources in it."""
    target = f"arn:aws:s3:::logs-{cloud.account_id}/"
    service = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    takes = [{**service, "Resource": [f"{target}{one}" for one in resources]}] if resources else []
    logs = bucket(s3, cloud, "logs", OVER_TLS, *takes)
    name = bucket(s3, cloud, "logged", OVER_TLS)
    logging = {"TargetBucket": logs, "TargetPrefix": prefix}
    s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": logging})
    shown: dict[str, Any] = s3.get_bucket_logging(Bucket=name)["LoggingEnabled"]
    return shown


@pytest.mark.parametrize("resources", [("*",), ("other/*", "access/*"), ("acc*",)])
def test_access_logs_go_where_the_policy_takes_them(s3: Any, cloud: Cloud, resources: tuple[str, ...]) -> None:
    assert log_to(s3, cloud, "access/", *resources)["TargetPrefix"] == "access/"


@pytest.mark.parametrize("resources", [(), ("other/*",), ("access/x*",)])
def test_access_logs_go_nowhere_else(s3: Any, cloud: Cloud, resources: tuple[str, ...]) -> None:
    with pytest.raises(s3.exceptions.ClientError, match="permissions to the logging service"):
        log_to(s3, cloud, "access/", *resources)


def test_the_lock_of_a_bucket_changes_while_there_is_something_in_it(s3: Any, cloud: Cloud) -> None:
    name = f"locked-{cloud.account_id}"
    region = {"LocationConstraint": cloud.region}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=region, ObjectLockEnabledForBucket=True)
    for days in (1, 2):
        s3.put_object(Bucket=name, Key="a", Body=b"content", ChecksumAlgorithm="SHA256")
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
        lock = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
        assert lock["Rule"]["DefaultRetention"]["Days"] == days


def test_a_bucket_without_versions_takes_no_lock(s3: Any, cloud: Cloud) -> None:
    name = bucket(s3, cloud, "plain", OVER_TLS)
    with pytest.raises(s3.exceptions.ClientError, match="Versioning"):
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
