"""The job queue: JSON messages on SQS, each delivered at least once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shop import aws

WAIT_SECONDS = aws.READ_SECONDS // 2  # a receive that waits longer than the client reads would fail


@dataclass(frozen=True)
class Message:
    """``receipt`` is what the queue wants when the message is done with."""

    body: str
    receipt: str


class Queue:
    """The queue at a URL. Every method raises BotoCoreError or ClientError where it does not answer."""

    def __init__(self, url: str, region: str) -> None:
        self._url = url
        self._client: Any = aws.client("sqs", region)

    def send(self, body: Mapping[str, str]) -> None:
        self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps(body))

    def receive(self, most: int, wait_seconds: int = WAIT_SECONDS) -> list[Message]:
        """Up to ``most`` messages, 10 at the most; they come again after the queue's visibility timeout if they are not done."""
        answer = self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=most, WaitTimeSeconds=wait_seconds)
        return [Message(message["Body"], message["ReceiptHandle"]) for message in answer.get("Messages", [])]

    def done(self, message: Message) -> None:
        """The message shall not come again."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)

    def check(self) -> None:
        self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
