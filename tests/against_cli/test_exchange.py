"""States that go from one engine to the other and back: neither sees a change then. Skipped, and said so, without the CLI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from isostack.localcloud.client import Cloud
from tests.against_cli.shell import ROOT, Shell
from tests.command_line import project

pytestmark = pytest.mark.skipif(
    not shutil.which("pulumi"), reason="PULUMI IS NOT ON THE PATH: whether it takes our states, and we its, is not tried"
)

# Secrets in configuration, inputs, outputs and names of providers' own; a component, providers, options that the state keeps.
PROGRAM = """
import pulumi
import pulumi_aws as aws
import pulumi_random as random

config = pulumi.Config()
token = config.require_secret("token")


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("test:index:Group", name, {"size": 3}, opts)
        self.register_outputs({"token": token})


role = [{"role_arn": config.require("role")}]
mine = aws.Provider("mine", region="eu-central-1", default_tags={"tags": {"team": "a"}}, assume_roles=role)
group = Group("group", pulumi.ResourceOptions(providers=[mine]))
before = [pulumi.Alias(name="before")]
inside = pulumi.ResourceOptions(parent=group, protect=True, aliases=before, ignore_changes=["delaySeconds"])
queue = aws.sqs.Queue("jobs", tags={"token": token, "a.b": "c"}, opts=inside)
password = random.RandomPassword("password", length=12)
after = pulumi.ResourceOptions(provider=mine, depends_on=[queue])
aws.ssm.Parameter("kept", type="SecureString", value=password.result, opts=after)
aws.s3.Bucket("files", force_destroy=True, opts=pulumi.ResourceOptions(provider=mine))
pulumi.export("arn", queue.arn)
pulumi.export("token", token)
pulumi.export("both", {"token": token, "plain": "word"})
"""


def same(folder: Path, shell: Shell, stack: str) -> None:
    """Neither engine would change anything."""
    shell.pulumi("preview", "--stack", stack, "--expect-no-changes", cwd=folder)
    changes = shell.ours("preview", stack, "--json", cwd=folder).json["changes"]
    assert {kind for kind, count in changes.items() if count} == {"same"}


def to_pulumi(folder: Path, shell: Shell, stack: str) -> None:
    shell.pulumi("stack", "import", "--stack", stack, cwd=folder, stdin=shell.ours("export", stack, cwd=folder).out)


def to_ours(folder: Path, shell: Shell, stack: str) -> None:
    shell.ours("import", stack, "-", cwd=folder, stdin=shell.pulumi("stack", "export", "--stack", stack, cwd=folder))


@pytest.mark.parametrize("first", ["embedded", "pulumi"])
def test_a_state_goes_over_and_comes_back(shell: Shell, cloud: Cloud, tmp_path: Path, first: str) -> None:
    role = f"arn:aws:iam::{cloud.account_id}:role/tests"
    folder = project(tmp_path, PROGRAM, name="exchanged", **{first: f"config:\n  exchanged:role: {role}\n"})
    shell.pulumi("stack", "init", first, cwd=folder)
    shell.pulumi("config", "set", "--secret", "token", "hunter22", "--stack", first, cwd=folder)
    assert "hunter22" not in (folder / f"Pulumi.{first}.yaml").read_text()
    if first == "embedded":
        shell.ours("up", first, "--skip-preview", cwd=folder)
        to_pulumi(folder, shell, first)
        same(folder, shell, first)
        shell.pulumi("up", "--yes", "--skip-preview", "--stack", first, cwd=folder)
        to_ours(folder, shell, first)
    else:
        shell.pulumi("up", "--yes", "--skip-preview", "--stack", first, cwd=folder)
        to_ours(folder, shell, first)
        same(folder, shell, first)
        shell.ours("up", first, "--skip-preview", cwd=folder)
        to_pulumi(folder, shell, first)
    same(folder, shell, first)

    ours = shell.ours("outputs", first, "--json", "--show-secrets", cwd=folder).json
    theirs = json.loads(shell.pulumi("stack", "output", "--json", "--show-secrets", "--stack", first, cwd=folder))
    assert ours == theirs
    assert ours["both"] == {"token": "hunter22", "plain": "word"}
    shown = shell.ours("outputs", first, cwd=folder).out + shell.pulumi("stack", "--stack", first, cwd=folder)
    sealed = shell.ours("export", first, cwd=folder).out + shell.pulumi("stack", "export", "--stack", first, cwd=folder)
    assert "hunter22" not in shown + sealed
    assert "hunter22" in shell.pulumi("stack", "export", "--show-secrets", "--stack", first, cwd=folder)

    # Either takes down what the other made, once it is protected no more.
    shell.pulumi("state", "unprotect", "--all", "--yes", "--stack", first, cwd=folder)
    if first == "embedded":
        shell.pulumi("destroy", "--yes", "--skip-preview", "--stack", first, cwd=folder)
    else:
        to_ours(folder, shell, first)
        shell.ours("destroy", first, "--yes", cwd=folder)
    german = Cloud(cloud.endpoint, "eu-central-1", cloud.account_id)
    assert "QueueUrls" not in german.client("sqs").list_queues()


def test_what_pulumi_shows_in_the_clear_is_taken_and_sealed(shell: Shell, cloud: Cloud, tmp_path: Path) -> None:
    source = 'import pulumi\npulumi.export("token", pulumi.Output.secret("hunter22"))\n'
    folder = project(tmp_path, source, name="clear", dev="config: {}\n")
    shell.pulumi("stack", "init", "dev", cwd=folder)
    shell.pulumi("up", "--yes", "--skip-preview", cwd=folder)
    open_ = shell.pulumi("stack", "export", "--show-secrets", cwd=folder)
    assert "hunter22" in open_
    shell.ours("import", "dev", "-", cwd=folder, stdin=open_)
    assert "hunter22" not in shell.ours("export", "dev", cwd=folder).out
    to_pulumi(folder, shell, "dev")
    assert shell.pulumi("stack", "output", "token", "--show-secrets", cwd=folder).strip() == "hunter22"


def test_our_own_environment_goes_over(shell: Shell, clone: Path) -> None:
    shell.pulumi("stack", "init", "dev", cwd=clone)
    shell.ours("up", "dev", "--skip-preview", cwd=clone)
    to_pulumi(clone, shell, "dev")
    shell.pulumi("preview", "--stack", "dev", "--expect-no-changes", "--policy-pack", ROOT / "policies", cwd=clone)
    urls = [shell.ours("outputs", "dev", "database_url", "--show-secrets", cwd=clone).out]
    urls.append(shell.pulumi("stack", "output", "database_url", "--show-secrets", "--stack", "dev", cwd=clone))
    assert urls[0] == urls[1]
    shell.pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev", cwd=clone)
