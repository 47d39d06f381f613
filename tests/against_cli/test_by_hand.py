"""What a person does with the official CLI on the local cloud, step by step. Skipped, and said so, where there is no CLI."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from tests.against_cli.shell import ROOT, Shell
from tests.command_line import project

pytestmark = pytest.mark.skipif(
    not shutil.which("pulumi"), reason="PULUMI IS NOT ON THE PATH: what a person types there is not tried"
)

PROGRAM = """
import pulumi
import pulumi_aws as aws

queue = aws.sqs.Queue("jobs", delay_seconds=3, tags={"team": "a", "kubernetes.io/name": "x"})
aws.s3.Bucket("files", force_destroy=True)
found = aws.ssm.Parameter.get("found", "/found")
pulumi.export("queue", queue.url)
pulumi.export("region", aws.get_region().region)
pulumi.export("found", found.value)
"""
CONSUMER = """
import pulumi

producer = pulumi.StackReference("organization/producing/dev")
pulumi.export("queue", producer.require_output("queue"))
pulumi.export("secret", producer.require_output("found"))
"""


QUEUE = "aws:sqs/queue:Queue"


@pytest.fixture
def producing(shell: Shell, cloud: Cloud, tmp_path: Path) -> Path:
    """The program as a stack in an account of the test's own, up."""
    role = json.dumps([{"roleArn": f"arn:aws:iam::{cloud.account_id}:role/tests"}])
    stack = f"config:\n  aws:region: eu-west-1\n  aws:assumeRoles: '{role}'\n"
    folder = project(tmp_path / "producing", PROGRAM, name="producing", dev=stack)
    cloud.client("ssm").put_parameter(Name="/found", Type="SecureString", Value="hunter33")
    shell.pulumi("stack", "init", "dev", cwd=folder)
    assert "[secret]" in shell.pulumi("up", "--yes", "--skip-preview", cwd=folder)
    return folder


def test_a_stack_lives_its_life(shell: Shell, cloud: Cloud, producing: Path) -> None:
    sqs = cloud.client("sqs")
    assert "hunter33" not in shell.pulumi("stack", "export", cwd=producing)
    shell.pulumi("preview", "--expect-no-changes", cwd=producing)
    outputs = json.loads(shell.pulumi("stack", "output", "--json", cwd=producing))
    [url] = sqs.list_queues()["QueueUrls"]
    assert (outputs["region"], outputs["queue"]) == ("eu-west-1", url)

    # The program changes: the diff names what differs by its path.
    (producing / "__main__.py").write_text(PROGRAM.replace('"x"', '"y"').replace("delay_seconds=3", "fifo_queue=True"))
    diff = shell.pulumi("preview", "--diff", cwd=producing)
    assert f"+-{QUEUE}: (replace)" in diff
    assert "~ kubernetes.io/name" in diff
    assert "~ delaySeconds" in diff
    (producing / "__main__.py").write_text(PROGRAM)

    # The cloud changes: a refresh sees it, and an up mends it.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "8"})
    shell.pulumi("refresh", "--yes", "--skip-preview", cwd=producing)
    assert "1 updated" in shell.pulumi("up", "--yes", "--skip-preview", cwd=producing)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"] == "3"
    sqs.delete_queue(QueueUrl=url)
    assert "1 deleted" in shell.pulumi("refresh", "--yes", "--skip-preview", cwd=producing)
    assert "1 created" in shell.pulumi("up", "--yes", "--skip-preview", cwd=producing)
    shell.pulumi("destroy", "--yes", "--skip-preview", cwd=producing)
    assert "QueueUrls" not in sqs.list_queues()


def test_another_stack_takes_what_one_gives(shell: Shell, cloud: Cloud, producing: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "consuming", CONSUMER, name="consuming", dev="config: {}\n")
    shell.pulumi("stack", "init", "dev", cwd=folder)
    shell.pulumi("up", "--yes", "--skip-preview", cwd=folder)
    taken = json.loads(shell.pulumi("stack", "output", "--json", "--show-secrets", cwd=folder))
    assert taken == {"queue": cloud.client("sqs").list_queues()["QueueUrls"][0], "secret": "hunter33"}


def test_what_is_there_is_taken_over_and_what_is_not_is_said(shell: Shell, cloud: Cloud, producing: Path) -> None:
    sqs = cloud.client("sqs")
    there = sqs.create_queue(QueueName="there", Attributes={"DelaySeconds": "9"})["QueueUrl"]
    written = shell.pulumi("import", QUEUE, "there", there, "--yes", cwd=producing)
    assert 'there = aws.sqs.Queue("there",' in written
    assert "    delay_seconds=9,\n" in written
    missing = shell.pulumi("import", QUEUE, "nothing", f"{there}-not", "--yes", cwd=producing, fails=True)
    assert "does not exist" in missing
    [imported] = [resource for resource in shell.state(producing, "dev") if resource.get("id") == there]
    assert (imported["inputs"]["delaySeconds"], imported["protect"]) == (9, True)

    shell.pulumi("stack", "tag", "set", "owner", "platform", cwd=producing)
    assert "platform" in shell.pulumi("stack", "tag", "ls", cwd=producing)
    shell.pulumi("state", "unprotect", "--all", "--yes", cwd=producing)
    sqs.delete_queue(QueueUrl=there)  # what is gone already is no reason to fail
    shell.pulumi("destroy", "--yes", "--skip-preview", cwd=producing)
    assert "QueueUrls" not in sqs.list_queues()
    assert [resource["type"] for resource in shell.state(producing, "dev")] in ([], ["pulumi:pulumi:Stack"])


MANY = """
import pulumi_aws as aws

for number in range(120):
    aws.sqs.Queue(f"jobs-{number}")
"""


def test_an_up_that_is_interrupted_records_what_it_made(shell: Shell, cloud: Cloud, tmp_path: Path) -> None:
    role = json.dumps([{"roleArn": f"arn:aws:iam::{cloud.account_id}:role/tests"}])
    folder = project(tmp_path, MANY, name="interrupted", dev=f"config:\n  aws:assumeRoles: '{role}'\n")
    sqs = cloud.client("sqs")
    shell.pulumi("stack", "init", "dev", cwd=folder)
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--parallel", "4"],  # noqa: S607 - from the path
        cwd=folder,
        env=dict(shell.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        while "QueueUrls" not in sqs.list_queues() and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=120) != 0
    made = {resource["id"] for resource in shell.state(folder, "dev") if resource["type"] == "aws:sqs/queue:Queue"}
    assert made == {*sqs.list_queues()["QueueUrls"]}
    assert 0 < len(made) < 120
    shell.pulumi("destroy", "--yes", "--skip-preview", cwd=folder)
    assert "QueueUrls" not in sqs.list_queues()


def test_this_project_is_previewed_and_judged_in_a_fresh_clone(shell: Shell, clone: Path, local_cloud: LocalCloud) -> None:
    shell.pulumi("stack", "init", "dev", cwd=clone)
    shown = shell.pulumi("preview", "--stack", "dev", "--policy-pack", ROOT / "policies", cwd=clone)
    assert "to create" in shown
    assert "database-backups" in shown
    assert "[mandatory]" not in shown

    # Pulumi has written its salt into the stack's file: the embedded engine reads on, and goes by it.
    assert "encryptionsalt" in (clone / "stacks/Pulumi.dev.yaml").read_text()
    report = shell.ours("preview", "dev", "--format", "json", cwd=clone).json
    assert report

    shell.pulumi("config", "set", "isostack:cloud", "aws", "--stack", "dev", cwd=clone)
    refused = shell.pulumi("preview", "--stack", "dev", cwd=clone, fails=True)
    assert "isostack:cloud is aws, and this shell leads to a local cloud" in refused
    assert "Traceback" not in refused
