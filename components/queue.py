"""A queue of jobs, and the dead letters of those that could not be done. Who may send and receive is said by their roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import sqs

from components.base import Component
from components.documents import policy_document
from components.naming import fitted

DEAD_LETTER_SECONDS = 14 * 24 * 3600  # SQS keeps a message no longer


@dataclass(frozen=True, kw_only=True)
class QueueValues:
    """A message is hidden for ``visibility_timeout_seconds`` once received, and kept for ``retention_seconds``.

    Received ``max_receives`` times and not deleted, it becomes a dead letter, which is kept for 14 days.
    """

    visibility_timeout_seconds: int
    retention_seconds: int
    max_receives: int


@dataclass(frozen=True, kw_only=True)
class QueueArgs(QueueValues):
    """``key_arn`` is the KMS key of both queues: who sends or receives needs its use through SQS."""

    tags: Mapping[str, str]
    key_arn: pulumi.Input[str]


class Queue(Component):
    """Gives ``url``, ``arn`` and ``queue_name`` of the jobs, and ``dead_letter_arn`` and ``dead_letter_name``."""

    def __init__(self, name: str, args: QueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.dead_letters = self._dead_letters()
        self.jobs = self._jobs()
        self._allow_dead_letters()
        self._allow_tls_only("dead-letters", self.dead_letters)
        self._allow_tls_only("jobs", self.jobs)
        self.url = self.jobs.url
        self.arn = self.jobs.arn
        self.queue_name = self.jobs.name
        self.dead_letter_arn = self.dead_letters.arn
        self.dead_letter_name = self.dead_letters.name
        self.register_outputs(
            {
                "url": self.url,
                "arn": self.arn,
                "queue_name": self.queue_name,
                "dead_letter_arn": self.dead_letter_arn,
                "dead_letter_name": self.dead_letter_name,
            }
        )

    def _dead_letters(self) -> sqs.Queue:
        return sqs.Queue(
            fitted(self.child("dead-letters"), "aws:sqs/queue:Queue"),
            message_retention_seconds=DEAD_LETTER_SECONDS,
            kms_master_key_id=self.args.key_arn,
            tags=self.named("dead-letters"),
            opts=self.options(),
        )

    def _jobs(self) -> sqs.Queue:
        redrive = {"deadLetterTargetArn": self.dead_letters.arn, "maxReceiveCount": self.args.max_receives}
        return sqs.Queue(
            fitted(self.child("jobs"), "aws:sqs/queue:Queue"),
            visibility_timeout_seconds=self.args.visibility_timeout_seconds,
            message_retention_seconds=self.args.retention_seconds,
            redrive_policy=pulumi.Output.json_dumps(redrive),
            kms_master_key_id=self.args.key_arn,
            tags=self.named("jobs"),
            opts=self.options(),
        )

    def _allow_dead_letters(self) -> None:
        """Only the jobs' dead letters are taken: no other queue of the account can put its own there."""
        allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [self.jobs.arn]}
        sqs.RedriveAllowPolicy(
            self.child("dead-letters"),
            queue_url=self.dead_letters.url,
            redrive_allow_policy=pulumi.Output.json_dumps(allowed),
            opts=self.options(deleted_with=self.dead_letters),
        )

    def _allow_tls_only(self, role: str, queue: sqs.Queue) -> None:
        sqs.QueuePolicy(
            self.child(role),
            queue_url=queue.url,
            policy=policy_document(
                {
                    "Sid": "OnlyOverTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": queue.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ),
            opts=self.options(deleted_with=queue),
        )
