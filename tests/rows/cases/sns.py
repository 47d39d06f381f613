"""SNS's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref


def _policy(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


_TOPIC = Need("aws:sns/topic:Topic", {"name": "orders"})
_OTHER = Need("aws:sns/topic:Topic", {"name": "returns"})
_QUEUE = Need("aws:sqs/queue:Queue", {"name": "orders"})
_DEAD = Need("aws:sqs/queue:Queue", {"name": "dead"})
_ROLE = "arn:aws:iam::123456789012:role/feedback"

CASES = [
    Case(
        token="aws:sns/topic:Topic",
        needs={"key": Need("aws:kms/key:Key")},
        inputs={
            "name": "alarms",
            "displayName": "Alarms",
            "deliveryPolicy": json.dumps({"http": {"disableSubscriptionOverrides": False}}),
            "kmsMasterKeyId": Ref("key", "keyId"),
            "policy": _policy("sns:Publish"),
            "signatureVersion": 2,
            "sqsFailureFeedbackRoleArn": _ROLE,
            "sqsSuccessFeedbackSampleRate": 50,
            "tracingConfig": "Active",
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "displayName": None,
            "kmsMasterKeyId": None,
            "policy": _policy("sns:Subscribe"),
            "sqsSuccessFeedbackSampleRate": 10,
            "tags": {"a": "2"},
        },
        replace={"name": "warnings"},
        expect={"arn": str, "owner": str, "fifoTopic": False},
    ),
    Case(
        token="aws:sns/topic:Topic",
        name="fifo",
        inputs={"fifoTopic": True, "contentBasedDeduplication": True, "fifoThroughputScope": "MessageGroup"},
        update={"contentBasedDeduplication": False},
        replace={"fifoTopic": False, "contentBasedDeduplication": None, "fifoThroughputScope": None},
        expect={"policy": str, "fifoTopic": True, "contentBasedDeduplication": True},
    ),
    Case(
        token="aws:sns/topicPolicy:TopicPolicy",
        needs={"topic": _TOPIC, "other": _OTHER},
        inputs={"arn": Ref("topic", "arn"), "policy": _policy("sns:Publish")},
        update={"policy": _policy("sns:*")},
        replace={"arn": Ref("other", "arn")},
        expect={"owner": str},
    ),
    Case(
        token="aws:sns/topicSubscription:TopicSubscription",
        needs={"topic": _TOPIC, "other": _OTHER, "queue": _QUEUE, "dead": _DEAD},
        inputs={
            "topic": Ref("topic", "arn"),
            "protocol": "sqs",
            "endpoint": Ref("queue", "arn"),
            "filterPolicy": json.dumps({"kind": ["order", "return"]}, indent=1),
            "rawMessageDelivery": True,
            "redrivePolicy": Ref("dead", "arn", wrap='{{"deadLetterTargetArn": "{}"}}'),
        },
        update={
            "filterPolicy": json.dumps({"order": {"kind": ["a"]}}),
            "filterPolicyScope": "MessageBody",
            "rawMessageDelivery": None,
            "redrivePolicy": None,
        },
        replace={"topic": Ref("other", "arn")},
        expect={"arn": str, "ownerId": str, "pendingConfirmation": False, "filterPolicyScope": "MessageAttributes"},
    ),
    Case(
        token="aws:sns/topicSubscription:TopicSubscription",
        name="by-mail",
        needs={"topic": _TOPIC},
        inputs={"topic": Ref("topic", "arn"), "protocol": "email", "endpoint": "someone@example.com"},
        update={"filterPolicy": json.dumps({"kind": ["order"]})},
        replace={"endpoint": "nobody@example.com"},
        expect={"rawMessageDelivery": False, "confirmationTimeoutInMinutes": 1},
    ),
]
