"""What the rows of S3, SQS, SNS, DynamoDB and Lambda refuse as AWS does, and what they do beyond a resource's life."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isostack.engine.provider import ProviderError, Resource
from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider


class Account:
    """An account, and what is done in it by the provider as the engine calls it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.provider = LocalCloudProvider(cloud, {})

    def check(self, type_: str, inputs: dict[str, Any], name: str = "subject") -> dict[str, Any]:
        checked = self.provider.check(type_, f"urn:pulumi:test::test::{type_}::{name}", None, inputs)
        assert checked.failures == ()
        return checked.inputs

    def create(self, type_: str, inputs: dict[str, Any], name: str = "subject") -> Resource:
        return self.provider.create(type_, self.check(type_, inputs, name))

    def update(self, type_: str, made: Resource, inputs: dict[str, Any]) -> dict[str, Any]:
        checked = self.check(type_, inputs)
        changed = self.provider.diff(type_, made.inputs, made.outputs, checked).changed
        return self.provider.update(type_, made.id, made.inputs, made.outputs, checked, changed)


BUCKET = "aws:s3/bucket:Bucket"
QUEUE = "aws:sqs/queue:Queue"
TABLE = "aws:dynamodb/table:Table"


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)


def public_policy(bucket: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_bucket_with_versions_goes_only_when_it_may_be_emptied(account: Account) -> None:
    made = account.create(BUCKET, {"versioning": {"enabled": True}, "forceDestroy": True})
    s3 = account.cloud.client("s3")
    for body in (b"1", b"2"):
        s3.put_object(Bucket=made.id, Key="k", Body=body)
    s3.delete_object(Bucket=made.id, Key="k")
    with pytest.raises(ProviderError, match=r"BucketNotEmpty.*force_destroy"):
        account.provider.delete(BUCKET, made.id, {**made.outputs, "forceDestroy": False})
    account.provider.delete(BUCKET, made.id, made.outputs)
    assert account.provider.read(BUCKET, made.id, made.inputs, made.outputs) is None


def test_a_public_policy_needs_a_bucket_that_allows_it(account: Account) -> None:
    bucket = account.create(BUCKET, {}).id
    policy = {"bucket": bucket, "policy": public_policy(bucket)}
    with pytest.raises(ProviderError, match=r"AccessDenied.*block_public_policy=False"):
        account.create("aws:s3/bucketPolicy:BucketPolicy", policy)
    account.create("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"bucket": bucket})
    account.create("aws:s3/bucketPolicy:BucketPolicy", policy)


def test_a_policy_for_another_bucket_is_malformed(account: Account) -> None:
    bucket = account.create(BUCKET, {}).id
    with pytest.raises(ProviderError, match=r"MalformedPolicy.*other"):
        account.create("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": public_policy("other")})


def test_a_policy_may_be_given_as_an_object(account: Account) -> None:
    bucket = account.create(BUCKET, {}).id
    account.create("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"bucket": bucket})
    policy = json.loads(public_policy(bucket))
    made = account.create("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": policy})
    assert json.loads(made.outputs["policy"]) == policy


def test_a_bucket_takes_acls_only_after_ownership_has_been_changed(account: Account) -> None:
    bucket = account.create(BUCKET, {}).id
    acl = {"bucket": bucket, "acl": "private"}
    with pytest.raises(ProviderError, match=r"AccessControlListNotSupported.*BucketOwnershipControls"):
        account.create("aws:s3/bucketAcl:BucketAcl", acl)
    with pytest.raises(ProviderError, match="AccessControlListNotSupported"):
        account.create("aws:s3/bucketObject:BucketObject", {"bucket": bucket, "content": "x", "acl": "public-read"})
    rule = {"bucket": bucket, "rule": {"objectOwnership": "ObjectWriter"}}
    account.create("aws:s3/bucketOwnershipControls:BucketOwnershipControls", rule)
    assert account.create("aws:s3/bucketAcl:BucketAcl", acl).id == f"{bucket},private"


@pytest.mark.parametrize("name", ["Upper", "ab", "a..b", "192.168.0.1", "-a-"])
def test_a_name_that_s3_refuses_is_refused(account: Account, name: str) -> None:
    with pytest.raises(ProviderError, match="InvalidBucketName"):
        account.create(BUCKET, {"bucket": name})


def test_an_existing_bucket_is_not_taken_over_in_the_region_where_aws_would(account: Account) -> None:
    made = account.create(BUCKET, {"region": "us-east-1"})
    with pytest.raises(ProviderError, match=r"BucketAlreadyOwnedByYou.*import it"):
        account.create(BUCKET, {"bucket": made.id, "region": "us-east-1"})


def test_what_the_state_does_not_cover_is_refused_by_name(account: Account) -> None:
    replication = {"role": "arn:aws:iam::123456789012:role/r", "rules": []}
    with pytest.raises(ProviderError, match="replicationConfiguration"):
        account.create(BUCKET, {"replicationConfiguration": replication})
    keys = {"hashKey": "id", "attributes": [{"name": "id", "type": "S"}], "billingMode": "PAY_PER_REQUEST"}
    with pytest.raises(ProviderError, match="replicas"):
        account.create(TABLE, {**keys, "replicas": [{"regionName": "us-east-1"}]})


def test_an_object_is_deleted_with_all_its_versions_and_no_other(account: Account) -> None:
    bucket = account.create(BUCKET, {"versioning": {"enabled": True}}).id
    type_ = "aws:s3/bucketObjectv2:BucketObjectv2"
    kept = account.create(type_, {"bucket": bucket, "key": "object-2", "content": "x"})
    made = account.create(type_, {"bucket": bucket, "key": "object", "content": "1"})
    outputs = account.update(type_, made, {"bucket": bucket, "key": "object", "content": "2"})
    assert outputs["versionId"] != made.outputs["versionId"]
    account.provider.delete(type_, made.id, outputs)
    left = account.cloud.client("s3").list_object_versions(Bucket=bucket)["Versions"]
    assert [item["Key"] for item in left] == ["object-2"]
    assert kept.id == f"{bucket}/object-2"


def test_an_object_can_be_looked_up_with_its_text(account: Account) -> None:
    bucket = account.create(BUCKET, {}).id
    inputs = {"bucket": bucket, "key": "a/b", "content": "hello", "contentType": "text/plain", "tags": {"a": "1"}}
    account.create("aws:s3/bucketObjectv2:BucketObjectv2", inputs)
    found = account.provider.invoke("aws:s3/getObject:getObject", {"bucket": bucket, "key": "a/b"})
    assert (found["body"], found["tags"], found["contentLength"]) == ("hello", {"a": "1"}, 5)
    listed = account.provider.invoke("aws:s3/getObjects:getObjects", {"bucket": bucket, "prefix": "a/"})
    assert listed["keys"] == ["a/b"]


def test_a_change_of_a_queue_keeps_its_policy(account: Account) -> None:
    queue = account.create(QUEUE, {})
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:*"}]})
    type_ = "aws:sqs/queuePolicy:QueuePolicy"
    policy = account.create(type_, {"queueUrl": queue.id, "policy": text})
    account.update(QUEUE, queue, {**queue.inputs, "delaySeconds": 3})
    read = account.provider.read(type_, policy.id, policy.inputs, policy.outputs)
    assert read is not None
    assert read.outputs["policy"] == text


def test_a_missing_dead_letter_queue_is_no_missing_queue(account: Account) -> None:
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:none", "maxReceiveCount": 3})
    queue = account.create(QUEUE, {})
    with pytest.raises(ProviderError, match="dead-letter queue does not exist"):
        account.update(QUEUE, queue, {**queue.inputs, "redrivePolicy": policy})
    with pytest.raises(ProviderError, match="dead-letter queue does not exist"):
        account.create(QUEUE, {"redrivePolicy": policy}, "other")


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"visibilityTimeoutSeconds": 43_201}, "between 0 and 43200"),
        ({"name": "a", "fifoQueue": True}, r"ends in \.fifo"),
        ({"deduplicationScope": "queue"}, "FIFO queues only"),
        ({"kmsMasterKeyId": "k", "sqsManagedSseEnabled": True}, "either kmsMasterKeyId or"),
        ({"policy": "{"}, "MalformedPolicyDocument"),
    ],
)
def test_what_sqs_refuses_is_refused(account: Account, inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderError, match=reason):
        account.create(QUEUE, inputs)


def test_messages_of_a_topic_arrive_as_the_subscription_wants_them(account: Account) -> None:
    queue, topic = account.create(QUEUE, {}), account.create("aws:sns/topic:Topic", {})
    sns, sqs = account.cloud.client("sns"), account.cloud.client("sqs")
    type_ = "aws:sns/topicSubscription:TopicSubscription"
    inputs = {"topic": topic.id, "protocol": "sqs", "endpoint": queue.outputs["arn"]}
    wrapped = account.create(type_, inputs)
    sns.publish(TopicArn=topic.id, Message="one")
    account.update(type_, wrapped, {**inputs, "rawMessageDelivery": True, "filterPolicy": '{"kind": ["a"]}'})
    sns.publish(TopicArn=topic.id, Message="two")
    kind = {"kind": {"DataType": "String", "StringValue": "a"}}
    sns.publish(TopicArn=topic.id, Message="three", MessageAttributes=kind)
    bodies = [item["Body"] for item in sqs.receive_message(QueueUrl=queue.id, MaxNumberOfMessages=10)["Messages"]]
    assert [json.loads(bodies[0])["Message"], *bodies[1:]] == ["one", "three"]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"attributes": [{"name": "id", "type": "S"}, {"name": "x", "type": "S"}]}, "unused: x"),
        ({"attributes": []}, "lacks id"),
        ({"billingMode": "PROVISIONED"}, "readCapacity and writeCapacity"),
        ({"streamEnabled": True}, "streamViewType"),
    ],
)
def test_what_dynamodb_refuses_is_refused(account: Account, inputs: dict[str, Any], reason: str) -> None:
    keys = {"hashKey": "id", "attributes": [{"name": "id", "type": "S"}], "billingMode": "PAY_PER_REQUEST"}
    with pytest.raises(ProviderError, match=reason):
        account.create(TABLE, {**keys, **inputs})


def test_a_protected_table_is_not_deleted(account: Account) -> None:
    keys = {"hashKey": "id", "attributes": [{"name": "id", "type": "S"}], "billingMode": "PAY_PER_REQUEST"}
    table = account.create(TABLE, {**keys, "deletionProtectionEnabled": True})
    with pytest.raises(ProviderError, match="DeletionProtectionEnabled"):
        account.provider.delete(TABLE, table.id, table.outputs)


def test_an_item_does_not_overwrite_another(account: Account) -> None:
    keys = {"hashKey": "id", "attributes": [{"name": "id", "type": "S"}], "billingMode": "PAY_PER_REQUEST"}
    inputs = {"tableName": account.create(TABLE, keys).id, "hashKey": "id", "item": '{"id": {"S": "1"}}'}
    account.create("aws:dynamodb/tableItem:TableItem", inputs)
    with pytest.raises(ProviderError, match="holds an item with this key already"):
        account.create("aws:dynamodb/tableItem:TableItem", inputs)


FUNCTION = "aws:lambda/function:Function"


def function_inputs(account: Account) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = account.create("aws:iam/role:Role", {"assumeRolePolicy": document}).outputs["arn"]
    code = {SIGNATURE_KEY: ARCHIVE_SIGNATURE, "assets": {"a.py": {SIGNATURE_KEY: ASSET_SIGNATURE, "text": "1"}}}
    return {"role": role, "handler": "a.b", "runtime": "python3.12", "code": code}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"code": None}, "one of code, imageUri and s3Bucket"),
        ({"s3Bucket": "b", "s3Key": "k"}, "found code and s3Bucket"),
        ({"handler": None}, "handler must be given"),
        ({"packageType": "Image"}, "imageUri and packageType Image"),
        ({"timeout": 901}, "between 1 and 900"),
        ({"role": "arn:aws:iam::123456789012:role/none"}, "cannot be assumed|Cross-account"),
    ],
)
def test_what_lambda_refuses_is_refused(account: Account, inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderError, match=reason):
        account.create(FUNCTION, {**function_inputs(account), **inputs})


def test_a_published_function_counts_its_versions_up(account: Account) -> None:
    inputs = {**function_inputs(account), "publish": True}
    made = account.create(FUNCTION, inputs)
    assert (made.outputs["version"], made.outputs["qualifiedArn"]) == ("1", f"{made.outputs['arn']}:1")
    outputs = account.update(FUNCTION, made, {**made.inputs, "memorySize": 512})
    assert (outputs["version"], outputs["qualifiedArn"]) == ("2", f"{made.outputs['arn']}:2")


def test_a_queue_that_is_too_impatient_for_its_function_is_refused(account: Account) -> None:
    function = account.create(FUNCTION, {**function_inputs(account), "timeout": 60})
    queue = account.create(QUEUE, {"visibilityTimeoutSeconds": 30})
    mapping = {"eventSourceArn": queue.outputs["arn"], "functionName": function.id}
    with pytest.raises(ProviderError, match="visibility timeout of 30 seconds is less than"):
        account.create("aws:lambda/eventSourceMapping:EventSourceMapping", mapping)


def test_a_statement_is_added_once(account: Account) -> None:
    function = account.create(FUNCTION, function_inputs(account)).id
    inputs = {"function": function, "action": "lambda:*", "principal": "s3.amazonaws.com", "statementId": "s3"}
    account.create("aws:lambda/permission:Permission", inputs)
    with pytest.raises(ProviderError, match="ResourceConflictException"):
        account.create("aws:lambda/permission:Permission", inputs)
