"""The program that most tests of the command line run: a component with two queues, and a third queue."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import project

SECRET = "tr0ub4dor-and-3-staples"
PROGRAM = """
import pulumi
import pulumi_aws as aws

config = pulumi.Config()


class Mail(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("small:mail:Mail", name)
        child = pulumi.ResourceOptions(parent=self)
        self.inbox = aws.sqs.Queue(
            f"{name}-inbox",
            visibility_timeout_seconds=config.get_int("timeout") or 30,
            fifo_queue=config.get_bool("fifo"),
            tags={"key": config.require_secret("key")},
            opts=child,
        )
        aws.sqs.Queue(f"{name}-copy", tags={"of": self.inbox.arn}, opts=child)
        self.register_outputs({})


mail = Mail("mail")
if not config.get_bool("short"):
    aws.sqs.Queue("extra")
pulumi.export("inbox", mail.inbox.name)
pulumi.export("nested", {"list": [1, "two"], "key": config.require_secret("key")})
"""
RESOURCES = ("small:mail:Mail mail", "aws:sqs:Queue mail-inbox", "aws:sqs:Queue mail-copy", "aws:sqs:Queue extra")


def mail_project(folder: Path, name: str, **values: str) -> Path:
    """The program as a project called ``name`` with one stack, ``dev``."""
    made = project(folder / name, PROGRAM, name=name)
    configure(made, **values)
    return made


def configure(folder: Path, **values: str) -> None:
    """Write the configuration of ``dev``."""
    lines = (f"  {folder.name}:{key}: {value}\n" for key, value in {"key": SECRET, **values}.items())
    (folder / "Pulumi.dev.yaml").write_text("config:\n" + "".join(lines))
