"""SQS's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref


def _policy(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


def _redrive(need: str, count: int) -> Ref:
    """A redrive policy to the queue of a need."""
    return Ref(need, "arn", wrap=f'{{{{"deadLetterTargetArn": "{{}}", "maxReceiveCount": {count}}}}}')


_QUEUE = Need("aws:sqs/queue:Queue", {"name": "orders", "visibilityTimeoutSeconds": 60})
_DEAD = Need("aws:sqs/queue:Queue", {"name": "dead-orders"})
_NEEDS = {"queue": _QUEUE, "dead": _DEAD}

CASES = [
    Case(
        token="aws:sqs/queue:Queue",
        needs={"dead": _DEAD},
        inputs={
            "name": "jobs",
            "delaySeconds": 5,
            "maxMessageSize": 2048,
            "messageRetentionSeconds": 86400,
            "policy": _policy("sqs:SendMessage"),
            "receiveWaitTimeSeconds": 10,
            "redrivePolicy": _redrive("dead", 4),
            "redriveAllowPolicy": '{"redrivePermission": "denyAll"}',
            "sqsManagedSseEnabled": False,
            "visibilityTimeoutSeconds": 60,
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "delaySeconds": 0,
            "redrivePolicy": _redrive("dead", 5),
            "sqsManagedSseEnabled": True,
            "visibilityTimeoutSeconds": None,
            "tags": {"a": "2"},
        },
        replace={"name": "tasks"},
        import_id="https://queue.amazonaws.com/123456789012/{name}",
        expect={"arn": str, "url": str, "policy": _policy("sqs:SendMessage")},
    ),
    Case(
        token="aws:sqs/queue:Queue",
        name="fifo",
        inputs={"fifoQueue": True, "contentBasedDeduplication": True, "deduplicationScope": "messageGroup"},
        update={"contentBasedDeduplication": False, "fifoThroughputLimit": "perMessageGroupId"},
        replace={"fifoQueue": False, "contentBasedDeduplication": None, "deduplicationScope": None},
        expect={"fifoQueue": True, "fifoThroughputLimit": "perQueue"},
    ),
    Case(
        token="aws:sqs/queue:Queue",
        name="encrypted",
        needs={"key": Need("aws:kms/key:Key")},
        inputs={
            "namePrefix": "secret-",
            "kmsMasterKeyId": Ref("key", "keyId"),
            "kmsDataKeyReusePeriodSeconds": 600,
        },
        update={"kmsMasterKeyId": None, "kmsDataKeyReusePeriodSeconds": None},
        replace={"namePrefix": "other-"},
        expect={"sqsManagedSseEnabled": False},
    ),
    Case(
        token="aws:sqs/queuePolicy:QueuePolicy",
        needs=_NEEDS,
        inputs={"queueUrl": Ref("queue", "url"), "policy": _policy("sqs:SendMessage")},
        update={"policy": _policy("sqs:*")},
        replace={"queueUrl": Ref("dead", "url")},
    ),
    Case(
        token="aws:sqs/redrivePolicy:RedrivePolicy",
        needs=_NEEDS,
        inputs={"queueUrl": Ref("queue", "url"), "redrivePolicy": _redrive("dead", 3)},
        update={"redrivePolicy": _redrive("dead", 9)},
        replace={"queueUrl": Ref("dead", "url")},
    ),
    Case(
        token="aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
        needs=_NEEDS,
        inputs={"queueUrl": Ref("dead", "id"), "redriveAllowPolicy": '{"redrivePermission": "allowAll"}'},
        update={"redriveAllowPolicy": '{"redrivePermission": "denyAll"}'},
        replace={"queueUrl": Ref("queue", "url")},
        outlives_delete=True,  # moto tells nobody about it
    ),
]
