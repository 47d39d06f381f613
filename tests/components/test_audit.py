"""The audit trail, alone in somebody else's program."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
import pulumi_aws as aws

from components.audit import Audit, AuditArgs
from components.bucket import Bucket, BucketArgs

values = pulumi.Config().require_object("values")
account = aws.get_caller_identity().account_id
key = aws.kms.Key("mine")
audit = Audit(
    "shop", AuditArgs(tags={"team": "audit"}, account_id=account, region="eu-west-1", key_arn=key.arn, **values)
)
for name in ("trail_arn", "bucket_name", "log_group_name"):
    pulumi.export(name, getattr(audit, name))
pulumi.export("key_arn", key.arn)
"""
LOGGED = """
logs = Bucket(
    "mine",
    BucketArgs(
        tags={},
        key_arn=None,
        noncurrent_days=1,
        force_destroy=True,
        statements=lambda arn: [
            {
                "Effect": "Allow",
                "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": pulumi.Output.concat(arn, "/access/*"),
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    ),
)
"""
VALUES = {"retention_days": 90, "lock_days": 7, "force_destroy": True}
TRAIL = "aws:cloudtrail/trail:Trail"
BUCKET = "aws:s3/bucket:Bucket"
GROUP = "aws:cloudwatch/logGroup:LogGroup"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
LOGGING = "aws:s3/bucketLogging:BucketLogging"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def record(shop: Program) -> str:
    """Put a record into the trail's bucket; gives its version. S3 takes nothing to be locked without a checksum."""
    content = {"Bucket": shop.outputs["bucket_name"], "Key": "record", "Body": b"who did what", "ChecksumAlgorithm": "SHA256"}
    return str(shop.cloud.client("s3").put_object(**content)["VersionId"])


def test_the_trail_covers_every_region_and_proves_that_nothing_was_changed(shop: Program) -> None:
    trail = shop.one(TRAIL)
    assert (trail["isMultiRegionTrail"], trail["includeGlobalServiceEvents"]) == (True, True)
    assert (trail["enableLogFileValidation"], trail["enableLogging"]) == (True, True)
    assert trail["kmsKeyId"] == shop.outputs["key_arn"]
    assert trail["tagsAll"]["team"] == "audit"
    assert not trail.get("eventSelectors"), "that is management events and no data events"


def test_outputs_are_those_of_the_trail(shop: Program) -> None:
    outputs = shop.outputs
    assert outputs["trail_arn"] == shop.one(TRAIL)["arn"]
    assert outputs["bucket_name"] == shop.one(TRAIL)["s3BucketName"] == shop.one(BUCKET)["bucket"]
    assert outputs["log_group_name"] == shop.one(GROUP)["name"]


def test_records_are_locked_for_the_given_days(shop: Program) -> None:
    assert shop.one(BUCKET)["objectLockEnabled"] is True
    assert shop.one(LOCK)["rule"]["defaultRetention"] == {"mode": "GOVERNANCE", "days": 7}
    client, version = shop.cloud.client("s3"), record(shop)
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=shop.outputs["bucket_name"], Key="record", VersionId=version)


def test_records_are_kept_for_the_given_days(shop: Program) -> None:
    (rule,) = shop.one(LIFECYCLE)["rules"]
    assert (rule["status"], rule["expiration"]["days"]) == ("Enabled", 90)
    assert shop.one(GROUP)["retentionInDays"] == 90


def test_the_bucket_is_encrypted_and_shut_to_the_public(shop: Program) -> None:
    (rule,) = shop.one("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == shop.outputs["key_arn"]
    block = shop.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert [block[one] for one in names] == [True] * 4


def test_only_this_trail_writes_to_the_bucket_and_only_its_own_records(shop: Program) -> None:
    statements = policy(shop.one("aws:s3/bucketPolicy:BucketPolicy")["policy"])
    allowed = {one["Action"]: one for one in statements if one["Effect"] == "Allow"}
    assert allowed.keys() == {"s3:GetBucketAcl", "s3:PutObject"}
    for statement in allowed.values():
        assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
        assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == shop.outputs["trail_arn"]
    bucket = shop.one(BUCKET)["arn"]
    assert allowed["s3:GetBucketAcl"]["Resource"] == bucket
    assert allowed["s3:PutObject"]["Resource"] == f"{bucket}/AWSLogs/{shop.account}/*"
    (denied,) = [one for one in statements if one["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_copy_in_cloudwatch_is_encrypted_and_written_by_a_role_that_can_do_nothing_else(shop: Program) -> None:
    group, trail, role = shop.one(GROUP), shop.one(TRAIL), shop.one("aws:iam/role:Role")
    assert group["kmsKeyId"] == shop.outputs["key_arn"]
    assert trail["cloudWatchLogsGroupArn"] == f"{group['arn']}:*"
    assert trail["cloudWatchLogsRoleArn"] == role["arn"]
    (trusted,) = policy(role["assumeRolePolicy"])
    assert trusted["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    (statement,) = policy(shop.one("aws:iam/rolePolicy:RolePolicy")["policy"])
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == f"{group['arn']}:log-stream:{shop.account}_CloudTrail_*"


def test_accesses_to_the_bucket_are_logged_where_a_bucket_for_that_is_given(alone: Alone) -> None:
    source = SOURCE.replace("audit = ", f"{LOGGED}audit = ").replace(
        "**values", "access_logs_bucket_name=logs.bucket_name, **values"
    )
    shop = alone(source, VALUES)
    logging: dict[str, Any] = shop.one(LOGGING)
    assert logging["bucket"] == shop.outputs["bucket_name"]
    assert logging["targetBucket"] == shop.one(BUCKET, "mine")["bucket"]
    shop.destroy()
    assert shop.left == {}


def test_it_stays_as_it_is_changes_in_place_and_goes_without_a_trace(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0

    shop.up(retention_days=365)
    assert shop.steps == {f"{LIFECYCLE} shop-audit": {"update"}, f"{GROUP} shop-trail": {"update"}}
    record(shop)
    shop.up(lock_days=30)
    assert shop.steps == {f"{LOCK} shop-audit": {"update"}}

    shop.destroy()
    assert shop.left == {}
