"""What isostack does for a person who types ``pulumi``; the CLI itself is not needed here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.mail import mail_project
from tests.command_line import CommandLine, project

TAGGED = """
import pulumi
import pulumi_aws as aws

provider = aws.Provider("mine", region="eu-west-1", default_tags={"tags": {"owner": "o'brien", "environment": "dev"}})
options = pulumi.ResourceOptions(provider=provider)
aws.sqs.Queue("jobs", tags={"role": "jobs"}, opts=options)
aws.sqs.Queue("mails", tags={"role": "mails", "token": pulumi.Output.secret("hunter22")}, opts=options)
"""


def test_a_shell_takes_what_cloud_env_says(isostack: CommandLine, tmp_path: Path) -> None:
    stray = {"AWS_PROFILE": "company", "AWS_ENDPOINT_URL_S3": "https://elsewhere.example"}
    lines = isostack("cloud", "env", cwd=tmp_path, env=stray)
    assert lines.code == 0
    said = isostack("cloud", "env", "--json", cwd=tmp_path, env=stray).json
    assert said["AWS_ENDPOINT_URL"] == isostack("cloud", "status", "--json", cwd=tmp_path).json["endpoint"]
    script = lines.out + "env -0"
    shell = subprocess.run(["/bin/sh", "-c", script], env=isostack.env(stray), capture_output=True, text=True, check=True)  # noqa: S603 - ours
    taken = dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)
    assert {name: taken.get(name) for name in said} == said
    assert said["AWS_PROFILE"] is said["AWS_ENDPOINT_URL_S3"] is None


def test_a_provider_says_its_port_and_ends_on_ctrl_c(isostack: CommandLine, tmp_path: Path) -> None:
    with isostack.starts("cloud", "provider", "random", "--json", cwd=tmp_path) as running:
        assert running.stdout is not None
        said = json.loads("".join(iter(running.stdout.readline, "}\n")) + "}")
        running.send_signal(signal.SIGINT)
        assert (running.wait(timeout=60), running.stdout.read()) == (0, "")
    assert said["package"] == "random"
    assert said["port"] > 0


def test_a_provider_whose_parent_is_gone_before_it_serves_ends_as_well(isostack: CommandLine, tmp_path: Path) -> None:
    ran = isostack("cloud", "provider", "random", "--with-parent", "999999999", cwd=tmp_path)
    assert (ran.code, ran.out.strip().isdigit()) == (0, True)


def test_launchers_are_written_where_they_are_wanted(isostack: CommandLine, tmp_path: Path) -> None:
    ran = isostack("cloud", "provider", "--install", "bin", "--json", cwd=tmp_path)
    assert ran.json == {"folder": str(tmp_path / "bin"), "packages": ["aws", "docker", "random"]}
    assert os.access(tmp_path / "bin" / "pulumi-resource-aws", os.X_OK)


@pytest.mark.parametrize("arguments", [[], ["aws", "--install", "bin"], ["gcp"]])
def test_a_provider_that_there_is_not_is_refused(isostack: CommandLine, tmp_path: Path, arguments: list[str]) -> None:
    ran = isostack("cloud", "provider", *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "aws, docker, random" in ran.err


def test_tags_that_all_resources_share_are_the_stacks(isostack: CommandLine, tmp_path: Path) -> None:
    folder = project(tmp_path, TAGGED, name="tagged", dev="config: {}\n")
    assert isostack("tags", "dev", cwd=folder).code == 2
    assert isostack("up", "dev", "--skip-preview", cwd=folder).code == 0
    assert isostack("tags", "dev", "--json", cwd=folder).json == {"environment": "dev", "owner": "o'brien"}
    assert isostack("tags", "dev", cwd=folder).out.splitlines() == [
        "pulumi stack tag set -s dev environment dev",
        """pulumi stack tag set -s dev owner 'o'"'"'brien'""",
    ]


@pytest.mark.parametrize("operation", ["up", "preview"])
def test_a_stack_that_lives_in_an_account_is_refused(isostack: CommandLine, tmp_path: Path, operation: str) -> None:
    folder = mail_project(tmp_path, "away")
    file = folder / "Pulumi.dev.yaml"
    file.write_text(file.read_text() + "  isostack:cloud: aws\n")
    ran = isostack(operation, "dev", cwd=folder)
    assert (ran.code, "isostack:cloud is aws" in ran.err) == (3, True)
    assert isostack("preview", "dev", "--format", "json", cwd=folder).code == 0  # which needs no cloud
