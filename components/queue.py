"""A queue with its dead-letter queue."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import sqs

from components.base import Component


@dataclass(frozen=True)
class QueueArgs:
    """After ``max_receives`` failed attempts a message goes to the dead-letter queue, where it is kept for 14 days."""

    visibility_timeout_seconds: int
    max_receives: int


class Queue(Component):
    """Gives ``url`` and ``arn`` of the queue, and ``dead_letter_arn``."""

    def __init__(
        self, name: str, args: QueueArgs, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, tags, opts)
        dead_letters = sqs.Queue(
            self.child("dead-letters"),
            message_retention_seconds=14 * 24 * 3600,
            sqs_managed_sse_enabled=True,
            tags=self.named("dead-letters"),
            opts=self.options(),
        )
        queue = sqs.Queue(
            self.child("jobs"),
            visibility_timeout_seconds=args.visibility_timeout_seconds,
            redrive_policy=dead_letters.arn.apply(
                lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": args.max_receives})
            ),
            sqs_managed_sse_enabled=True,
            tags=self.named("jobs"),
            opts=self.options(),
        )
        self.url = queue.url
        self.arn = queue.arn
        self.dead_letter_arn = dead_letters.arn
        self.register_outputs({"url": self.url, "arn": self.arn, "dead_letter_arn": self.dead_letter_arn})
