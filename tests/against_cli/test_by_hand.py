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


def test_a_stack_lives_its_life(shell: Shell, cloud: Cloud, tmp_path: Path) -> None:
    role = json.dumps([{"roleArn": f"arn:aws:iam::{cloud.account_id}:role/tests"}])
    stack = f"config:\n  aws:region: eu-west-1\n  aws:assumeRoles: '{role}'\n"
    folder = project(tmp_path / "producing", PROGRAM, name="producing", dev=stack)
    sqs, ssm = cloud.client("sqs"), cloud.client("ssm")
    ssm.put_parameter(Name="/found", Type="SecureString", Value="hunter33")
    shell.pulumi("stack", "init", "dev", cwd=folder)
    assert "[secret]" in shell.pulumi("up", "--yes", "--skip-preview", cwd=folder)
    assert "hunter33" not in shell.pulumi("stack", "export", cwd=folder)
    shell.pulumi("preview", "--expect-no-changes", cwd=folder)
    outputs = json.loads(shell.pulumi("stack", "output", "--json", cwd=folder))
    assert outputs["region"] == "eu-west-1"
    [url] = sqs.list_queues()["QueueUrls"]
    assert outputs["queue"] == url

    # The program changes: the diff names what differs by its path.
    (folder / "__main__.py").write_text(PROGRAM.replace('"x"', '"y"').replace("delay_seconds=3", "fifo_queue=True"))
    diff = shell.pulumi("preview", "--diff", cwd=folder)
    assert "+-aws:sqs/queue:Queue: (replace)" in diff
    assert "~ kubernetes.io/name" in diff
    assert "~ delaySeconds" in diff
    (folder / "__main__.py").write_text(PROGRAM)

    # The cloud changes: a refresh sees it, and an up mends it.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "8"})
    shell.pulumi("refresh", "--yes", "--skip-preview", cwd=folder)
    assert "1 updated" in shell.pulumi("up", "--yes", "--skip-preview", cwd=folder)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"] == "3"
    sqs.delete_queue(QueueUrl=url)
    assert "1 deleted" in shell.pulumi("refresh", "--yes", "--skip-preview", cwd=folder)
    assert "1 created" in shell.pulumi("up", "--yes", "--skip-preview", cwd=folder)

    # Another stack takes what this one gives.
    consumer = project(tmp_path / "consuming", CONSUMER, name="consuming", dev="config: {}\n")
    shell.pulumi("stack", "init", "dev", cwd=consumer)
    shell.pulumi("up", "--yes", "--skip-preview", cwd=consumer)
    taken = json.loads(shell.pulumi("stack", "output", "--json", "--show-secrets", cwd=consumer))
    assert taken == {"queue": sqs.list_queues()["QueueUrls"][0], "secret": "hunter33"}

    # What is there is taken over, and what is not is said.
    there = sqs.create_queue(QueueName="there", Attributes={"DelaySeconds": "9"})["QueueUrl"]
    queue = "aws:sqs/queue:Queue"
    written = shell.pulumi("import", queue, "there", there, "--yes", cwd=folder)
    assert 'there = aws.sqs.Queue("there",' in written
    assert "    delay_seconds=9,\n" in written
    missing = shell.pulumi("import", queue, "nothing", f"{there}-not", "--yes", "--generate-code=false", cwd=folder, fails=True)
    assert "does not exist" in missing
    [imported] = [resource for resource in shell.state(folder, "dev") if resource.get("id") == there]
    assert (imported["inputs"]["delaySeconds"], imported["protect"]) == (9, True)

    shell.pulumi("stack", "tag", "set", "owner", "platform", cwd=folder)
    assert "platform" in shell.pulumi("stack", "tag", "ls", cwd=folder)
    shell.pulumi("state", "unprotect", "--all", "--yes", cwd=folder)
    sqs.delete_queue(QueueUrl=there)  # what is gone already is no reason to fail
    shell.pulumi("destroy", "--yes", "--skip-preview", cwd=folder)
    assert "QueueUrls" not in sqs.list_queues()
    assert [resource["type"] for resource in shell.state(folder, "dev")] in ([], ["pulumi:pulumi:Stack"])


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
