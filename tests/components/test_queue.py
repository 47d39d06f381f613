"""The queue, alone in somebody else's program."""

from __future__ import annotations

import json

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
from pulumi_aws import kms

from components.queue import Queue, QueueArgs

values = pulumi.Config().require_object("values")
key = kms.Key("mine")
queue = Queue("shop", QueueArgs(tags={"team": "orders"}, key_arn=key.arn, **values))
for name in ("url", "arn", "queue_name", "dead_letter_arn", "dead_letter_name"):
    pulumi.export(name, getattr(queue, name))
pulumi.export("key_arn", key.arn)
"""
VALUES = {"visibility_timeout_seconds": 45, "retention_seconds": 86400, "max_receives": 3}
QUEUE = "aws:sqs/queue:Queue"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def test_jobs_have_the_given_times_and_dead_letters_are_kept_as_long_as_sqs_can(shop: Program) -> None:
    queues = shop.all(QUEUE)
    jobs, dead_letters = queues["shop-jobs"], queues["shop-dead-letters"]
    assert (jobs["visibilityTimeoutSeconds"], jobs["messageRetentionSeconds"]) == (45, 86400)
    assert dead_letters["messageRetentionSeconds"] == 14 * 24 * 3600
    assert {queue["tagsAll"]["team"] for queue in queues.values()} == {"orders"}


def test_outputs_are_those_of_the_queues(shop: Program) -> None:
    queues, outputs = shop.all(QUEUE), shop.outputs
    jobs, dead_letters = queues["shop-jobs"], queues["shop-dead-letters"]
    assert (outputs["url"], outputs["arn"], outputs["queue_name"]) == (jobs["url"], jobs["arn"], jobs["name"])
    assert (outputs["dead_letter_arn"], outputs["dead_letter_name"]) == (dead_letters["arn"], dead_letters["name"])


def test_both_queues_are_encrypted_with_the_given_key(shop: Program) -> None:
    assert {queue["kmsMasterKeyId"] for queue in shop.all(QUEUE).values()} == {shop.outputs["key_arn"]}


def test_nobody_uses_a_queue_without_tls(shop: Program) -> None:
    policies = {found["queueUrl"]: found["policy"] for found in shop.all("aws:sqs/queuePolicy:QueuePolicy").values()}
    for queue in shop.all(QUEUE).values():
        (statement,) = policy(policies[queue["url"]])
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:*")
        assert statement["Resource"] == queue["arn"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_dead_letters_are_taken_from_the_jobs_alone(shop: Program) -> None:
    allowed = shop.one("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
    assert allowed["queueUrl"] == shop.all(QUEUE)["shop-dead-letters"]["url"]
    assert json.loads(allowed["redriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [shop.outputs["arn"]],
    }


def test_a_message_that_fails_too_often_becomes_a_dead_letter(shop: Program) -> None:
    client, outputs = shop.cloud.client("sqs"), shop.outputs
    dead_letters = shop.all(QUEUE)["shop-dead-letters"]["url"]
    client.send_message(QueueUrl=outputs["url"], MessageBody="an order")
    for _ in range(VALUES["max_receives"] + 1):
        for message in client.receive_message(QueueUrl=outputs["url"]).get("Messages", []):
            client.change_message_visibility(QueueUrl=outputs["url"], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (dead,) = client.receive_message(QueueUrl=dead_letters)["Messages"]
    assert dead["Body"] == "an order"


def test_it_stays_as_it_is_changes_where_a_value_does_and_goes_without_a_trace(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0

    shop.up(visibility_timeout_seconds=60)
    assert shop.steps == {f"{QUEUE} shop-jobs": {"update"}}
    shop.up(max_receives=7)
    assert shop.steps == {f"{QUEUE} shop-jobs": {"update"}}
    redrive = json.loads(shop.all(QUEUE)["shop-jobs"]["redrivePolicy"])
    assert redrive == {"deadLetterTargetArn": shop.outputs["dead_letter_arn"], "maxReceiveCount": 7}

    shop.destroy()
    assert shop.left == {}
