"""A restricted environment in an account, by the official CLI: who somebody is by his own credentials, approvals from another
machine.

A local cloud stands for the accounts. That a local cloud never counts as one is switched off here, and only here, in the process.
"""

from __future__ import annotations

import random
import shutil
import sys
import uuid
from pathlib import Path

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.launchers import environment_for_cli
from isostack.localcloud.server import LocalCloud
from tests.command_line import CommandLine
from tests.gates.small import ACCOUNT, Small

pytestmark = pytest.mark.skipif(
    not shutil.which("pulumi"), reason="PULUMI IS NOT ON THE PATH: whether gates stand in an account is not tried"
)

STANDING_FOR_AN_ACCOUNT = """
from isostack.gates import account
account._is_loopback = lambda endpoint: False
from isostack.cli import main
main()
"""
CLI = ("--engine", "pulumi")
WIDER = "role small-operations may now s3:DeleteBucket"


class Team:
    """Two machines with the project, one bucket and one backend; whoever works at one has credentials in its environment."""

    def __init__(self, folder: Path, local_cloud: LocalCloud) -> None:
        self.url = local_cloud.ensure().url
        self.account = str(random.SystemRandom().randrange(10**11, 10**12))
        self.one = Small(folder)
        for file in (self.one.root / "parameters.py", self.one.root / "__main__.py"):
            file.write_text(file.read_text().replace(ACCOUNT, self.account))
        stack = self.one.root / "Pulumi.staging.yaml"
        stack.write_text(stack.read_text() + "  isostack:cloud: aws\n")
        config = folder / "config"
        config.write_text(
            f"[profile tools]\nregion = eu-west-1\nendpoint_url = {self.url}\n"
            "aws_access_key_id = isostack\naws_secret_access_key = isostack\n"
        )
        backend = folder / "backend"
        backend.mkdir()
        self.environment = {
            **environment_for_cli(local_cloud.home),
            "AWS_CONFIG_FILE": str(config),
            "ISOSTACK_HOME": f"s3://state/{uuid.uuid4().hex}",
            "ISOSTACK_STATE_PROFILE": "tools",
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_HOME": str(folder / "pulumi-home"),
        }
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)  # absent where a passphrase is set

    def another_machine(self, folder: Path) -> Small:
        folder.mkdir()
        two = Small(folder)
        shutil.rmtree(two.root)
        shutil.copytree(self.one.root, two.root, ignore=shutil.ignore_patterns(".isostack", "__pycache__"))
        return two

    def sits(self, machine: Small, person: str, role: str) -> None:
        """Somebody takes on a role by his own means, and works there from now on."""
        sts = Cloud(self.url, account_id=self.account).client("sts")
        arn = f"arn:aws:iam::{self.account}:role/{role}"
        taken = sts.assume_role(RoleArn=arn, RoleSessionName=person)["Credentials"]
        names = {
            "AWS_ACCESS_KEY_ID": "AccessKeyId",
            "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
            "AWS_SESSION_TOKEN": "SessionToken",
        }
        own = {variable: str(taken[name]) for variable, name in names.items()}
        command = (sys.executable, "-c", STANDING_FOR_AN_ACCOUNT)
        machine.command = CommandLine(machine.home, {**self.environment, **own}, command=command)

    def physical(self, role: str) -> str:
        roles = Cloud(self.url, account_id=self.account).client("iam").list_roles()["Roles"]
        return next(str(one["RoleName"]) for one in roles if one["RoleName"].startswith(role))


def test_a_saved_plan_that_widens_is_approved_on_one_machine_and_done_on_another(
    tmp_path: Path, local_cloud: LocalCloud, state_bucket: Cloud
) -> None:
    team = Team(tmp_path, local_cloud)
    one = team.one
    team.sits(one, "alice", "entry")
    assert one.done("up", "staging", *CLI)["engine"] == "pulumi"
    assert "entry makes staging, and staging is there" in one.refused("up", "staging", *CLI)

    operations = team.physical("small-operations")
    team.sits(one, "alice", operations)
    one.says(actions=("s3:GetObject", "s3:DeleteBucket"))
    plan = str(tmp_path / "plan.json")
    assert one("preview", "staging", *CLI, "--save", plan).code == 0
    assert WIDER in one.refused("up", "staging", *CLI, "--plan", plan)
    two = team.another_machine(tmp_path / "two")
    team.sits(two, "alice", operations)
    two.done("approve", "staging", *CLI, "--plan", plan, "--yes")
    assert WIDER in one.refused("up", "staging", *CLI, "--plan", plan), "nobody approves his own, wherever he sits"
    team.sits(two, "bob", operations)
    approval = two.done("approve", "staging", *CLI, "--plan", plan, "--yes")
    assert approval["arn"].endswith(f":assumed-role/{operations}/bob")
    assert one.done("up", "staging", *CLI, "--plan", plan)["changes"]["update"] == 1

    entries = two.done("record")["entries"]
    assert [(entry["kind"], entry["person"]) for entry in entries] == [
        ("run", "alice"), ("approval", "alice"), ("approval", "bob"), ("run", "alice")]  # fmt: skip
    assert (entries[-1]["approvals"], entries[-1]["engine"]) == ([approval["number"]], "pulumi")
    assert not (one.root / ".isostack" / "record.jsonl").exists()

    team.sits(two, "carol", team.physical("small-break-glass"))
    assert "without a ticket on record" in two.refused("refresh", "staging", *CLI)
    reason = "the queue does not drain and nobody answers"
    two.done("break-glass", "staging", *CLI, "--ticket", "INC-1", "--reason", reason)
    assert two.done("refresh", "staging", *CLI)["result"] == "succeeded"
    assert one.done("record")["entries"][-1]["ticket"] == "INC-1"
    assert "nobody else has approved" in one.refused("destroy", "staging", *CLI, "--confirm", "staging")
