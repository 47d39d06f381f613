"""The buckets for assets and logs, alone in somebody else's program."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.conftest import Alone, Failed, Program, policy

SOURCE = """
import pulumi
import pulumi_aws as aws

from components.storage import Storage, StorageArgs

values = pulumi.Config().require_object("values")
account = aws.get_caller_identity().account_id
key = aws.kms.Key("mine")
storage = Storage("shop", StorageArgs(tags={"team": "media"}, account_id=account, key_arn=key.arn, **values))
for name in ("bucket_name", "bucket_arn", "logs_bucket_name", "logs_bucket_arn"):
    pulumi.export(name, getattr(storage, name))
pulumi.export("key_arn", key.arn)
"""
VALUES = {"noncurrent_days": 14, "access_log_days": 90, "force_destroy": False}
BUCKET = "aws:s3/bucket:Bucket"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
BOTH = ("shop-assets", "shop-logs")


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def companion(shop: Program, kind: str, name: str) -> dict[str, Any]:
    """The bucket's companion of a kind, such as ``BucketPolicy``; it is of that very bucket."""
    found = shop.one(f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}", name)
    assert found["bucket"] == shop.one(BUCKET, name)["bucket"]
    return found


def encryption(shop: Program, name: str) -> dict[str, Any]:
    (rule,) = companion(shop, "BucketServerSideEncryptionConfiguration", name)["rules"]
    default: dict[str, Any] = rule["applyServerSideEncryptionByDefault"]
    return default


def test_outputs_are_those_of_the_buckets(shop: Program) -> None:
    assets, logs = (shop.one(BUCKET, name) for name in BOTH)
    outputs = shop.outputs
    assert (outputs["bucket_name"], outputs["bucket_arn"]) == (assets["bucket"], assets["arn"])
    assert (outputs["logs_bucket_name"], outputs["logs_bucket_arn"]) == (logs["bucket"], logs["arn"])
    assert assets["tagsAll"] == {"team": "media", "Name": "shop-assets"}


def test_assets_are_encrypted_with_the_given_key_and_logs_as_load_balancers_can_write_them(shop: Program) -> None:
    assets, logs = (encryption(shop, name) for name in BOTH)
    assert (assets["sseAlgorithm"], assets["kmsMasterKeyId"]) == ("aws:kms", shop.outputs["key_arn"])
    assert logs["sseAlgorithm"] == "AES256"


@pytest.mark.parametrize("name", BOTH)
def test_a_bucket_is_shut_to_the_public(shop: Program, name: str) -> None:
    block = companion(shop, "BucketPublicAccessBlock", name)
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert [block[one] for one in names] == [True] * 4
    assert companion(shop, "BucketOwnershipControls", name)["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


@pytest.mark.parametrize("name", BOTH)
def test_a_bucket_is_not_reached_without_tls(shop: Program, name: str) -> None:
    arn = shop.one(BUCKET, name)["arn"]
    (denied,) = [one for one in policy(companion(shop, "BucketPolicy", name)["policy"]) if one["Effect"] == "Deny"]
    assert (denied["Principal"], denied["Action"], denied["Resource"]) == ({"AWS": "*"}, "s3:*", [arn, f"{arn}/*"])
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("name", BOTH)
def test_old_versions_go_after_the_given_days(shop: Program, name: str) -> None:
    assert companion(shop, "BucketVersioning", name)["versioningConfiguration"]["status"] == "Enabled"
    (rule,) = companion(shop, "BucketLifecycleConfiguration", name)["rules"]
    assert rule["status"] == "Enabled"
    assert rule["noncurrentVersionExpiration"]["noncurrentDays"] == 14
    assert rule["abortIncompleteMultipartUpload"]["daysAfterInitiation"] == 7


def test_assets_stay_and_logs_go_after_the_given_days(shop: Program) -> None:
    (assets,), (logs,) = (companion(shop, "BucketLifecycleConfiguration", name)["rules"] for name in BOTH)
    assert not assets.get("expiration")
    assert logs["expiration"]["days"] == 90


def test_accesses_to_the_assets_are_logged_where_s3_may_write_them(shop: Program) -> None:
    logging = companion(shop, "BucketLogging", "shop-assets")
    assert logging["targetBucket"] == shop.outputs["logs_bucket_name"]
    statements = {one["Sid"]: one for one in policy(companion(shop, "BucketPolicy", "shop-logs")["policy"])}
    allowed = statements["AccessLogs"]
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "logging.s3.amazonaws.com"}, "s3:PutObject")
    assert allowed["Resource"] == f"{shop.outputs['logs_bucket_arn']}/{logging['targetPrefix']}*"


def test_logs_are_taken_from_this_account_alone(shop: Program) -> None:
    statements = policy(companion(shop, "BucketPolicy", "shop-logs")["policy"])
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    services = {"logdelivery.elasticloadbalancing.amazonaws.com", "logging.s3.amazonaws.com"}
    assert {one["Principal"]["Service"] for one in allowed} == services
    for statement in allowed:
        assert statement["Action"] == "s3:PutObject"
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": shop.account}}


def test_changed_periods_change_the_rules_of_the_buckets_and_nothing_else(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0
    shop.up(noncurrent_days=30)
    assert shop.steps == {f"{LIFECYCLE} {name}": {"update"} for name in BOTH}
    shop.up(access_log_days=365)
    assert shop.steps == {f"{LIFECYCLE} shop-logs": {"update"}}


def test_a_bucket_with_content_goes_only_where_that_is_allowed(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    shop.cloud.client("s3").put_object(Bucket=shop.outputs["bucket_name"], Key="logo.svg", Body=b"<svg/>")
    with pytest.raises(Failed, match="is protected and would be deleted"):
        shop.destroy()
    shop.up(force_destroy=True)
    shop.destroy()
    assert shop.left == {}
