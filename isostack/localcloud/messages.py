"""The messages that wait in a queue of the local cloud, seen and removed without receiving them.

Runs inside the local cloud's process.
"""

from __future__ import annotations

import base64
from html import unescape
from typing import Any


def waiting(arn: str) -> list[dict[str, Any]]:
    """The queue's messages, oldest first: ``body``, ``attributes`` by name, ``group`` and ``deduplication``.

    A message that somebody has received and not yet deleted is among them: it would be delivered again.
    """
    queue = _queue(arn)
    return [_plain(message) for message in queue._messages] if queue else []


def drop(arn: str) -> None:
    """Empty a queue; unlike AWS's PurgeQueue as often as one likes."""
    if queue := _queue(arn):
        queue._messages.clear()
        queue._pending_messages.clear()


def _queue(arn: str) -> Any:
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = arn.split(":")
    return sqs_backends[account][region].queues.get(name)


def _plain(message: Any) -> dict[str, Any]:
    attributes = {
        name: {"type": value["DataType"]}
        | (
            {"binary": base64.b64encode(value["BinaryValue"]).decode()}
            if value.get("BinaryValue")
            else {"string": value.get("StringValue", "")}
        )
        for name, value in message.message_attributes.items()
    }
    return {
        "body": unescape(message.body),  # moto keeps it as it stands in XML
        "attributes": attributes,
        "group": message.group_id,
        "deduplication": message.deduplication_id,
    }
