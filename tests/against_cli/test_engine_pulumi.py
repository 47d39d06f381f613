"""``--engine pulumi`` says, counts, refuses and ends as the embedded engine does. Skipped, and said so, where there is no CLI."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from isostack.localcloud.server import LocalCloud
from tests.command_line import CommandLine, Ran, project
from tests.gates.small import Small
from tests.policy_packs.packs import write

pytestmark = pytest.mark.skipif(
    not shutil.which("pulumi"), reason="PULUMI IS NOT ON THE PATH: whether --engine pulumi does as the embedded one is not tried"
)

PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("test:index:Group", name, {"size": 3}, opts)

config = pulumi.Config()
inside = pulumi.ResourceOptions(parent=Group("group"))
kept = aws.sqs.Queue("kept", visibility_timeout_seconds=config.get_int("timeout") or 7, opts=inside,
                     tags={"password": pulumi.Output.secret(config.get("password") or "hunter22")})
role = aws.iam.Role("worker", path=config.get("path"), assume_role_policy=json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}))
aws.iam.RolePolicy("allowed", role=role.name, policy=kept.arn.apply(lambda arn: json.dumps({
    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]})))
if not config.get_bool("without"):
    aws.sqs.Queue("away", opts=pulumi.ResourceOptions(depends_on=[role]))
if config.get_bool("failing"):
    nowhere = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:nowhere", "maxReceiveCount": 3})
    bad = aws.sqs.Queue("bad", redrive_policy=nowhere)
    aws.sqs.Queue("after", opts=pulumi.ResourceOptions(depends_on=[bad]))
print("the program runs")
pulumi.log.warn("be careful", kept)
pulumi.export("arn", kept.arn)
pulumi.export("password", pulumi.Output.secret("s3cret"))
pulumi.export("size", 3)
"""
SECRETS = ("hunter22", "hunter33", "s3cret")
NO_QUEUES = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, Severity

def no_queue(args, report):
    if args.resource_type == "aws:sqs/queue:Queue":
        report(f"{args.name} is a queue")

PolicyPack("taste", [
    ResourceValidationPolicy("no-queues", "No queues", no_queue, EnforcementLevel.MANDATORY, severity=Severity.HIGH),
    ResourceValidationPolicy("hmm", "Hmm", no_queue, EnforcementLevel.ADVISORY),
])
"""


class Both:
    """The same project once for each engine, with what each says about it."""

    def __init__(self, home: Path, folder: Path, source: str = PROGRAM) -> None:
        # Each has resources of its own: the projects have names of one length, so that what is told has one width.
        self.names = {engine: f"by-{engine[:3]}-{secrets.token_hex(2)}" for engine in ("embedded", "pulumi")}
        self.folders = {engine: project(folder / engine, source, name=name) for engine, name in self.names.items()}
        self.run = CommandLine(home, {"PULUMI_HOME": str(home / "pulumi-home")})
        self.configure()

    def configure(self, **values: str) -> None:
        for folder in self.folders.values():
            name = self.names[folder.name]
            file = folder / "Pulumi.dev.yaml"
            salt = re.findall("^encryptionsalt: .*$", file.read_text() if file.exists() else "", re.MULTILINE)
            lines = [
                "config:",
                "  aws:region: eu-west-1",
                *(f"  {name}:{key}: {value!r}" for key, value in values.items()),
                *salt,
            ]
            file.write_text("\n".join(lines) + "\n")

    def by(self, engine: str, operation: str, *options: str | Path, stack: str = "dev") -> Ran:
        return self.run(operation, stack, "--engine", engine, *options, cwd=self.folders[engine])

    def __call__(self, operation: str, *options: str | Path, stack: str = "dev") -> tuple[dict[str, Any], dict[str, Any]]:
        """What both say as JSON, without what may differ."""
        ran = {engine: self.by(engine, operation, "--json", *options, stack=stack) for engine in self.folders}
        assert ran["embedded"].code == ran["pulumi"].code, ran["pulumi"].out + ran["embedded"].out
        documents = {engine: one.json for engine, one in ran.items()}
        assert [documents[engine].pop("engine") for engine in ran] == list(ran)
        return _comparable(documents["embedded"]), _comparable(documents["pulumi"])


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    document.pop("duration_seconds")
    for key in ("diagnostics", "policy", "widening"):
        document[key] = sorted(document[key], key=lambda row: json.dumps(row, sort_keys=True))
    text = re.sub("by-(emb|pul)-[0-9a-f]{4}", "by-…", json.dumps(document))
    plain: dict[str, Any] = json.loads(re.sub(r"(?<=-)[0-9a-f]{7}\b", "…", text))
    return plain


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("home")
    cloud = LocalCloud(home)
    cloud.ensure()
    yield home
    cloud.stop()


def test_the_life_of_a_stack_is_the_same_by_both_engines_and_no_secret_is_shown(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path)
    said = []
    for operation, options, values in (
        ("preview", [], {}),
        ("up", [], {}),
        ("preview", [], {"timeout": "9", "path": "/other/", "without": "true", "password": "hunter33"}),
        ("up", [], {"timeout": "9", "path": "/other/", "without": "true", "password": "hunter33"}),
        ("up", ["--skip-preview"], {"timeout": "9", "path": "/other/", "without": "true", "password": "hunter33"}),
        ("refresh", [], {}),
        ("destroy", ["--yes"], {}),
    ):
        both.configure(**values)
        ours, theirs = both(operation, *options)
        assert theirs == ours, operation
        said.append(ours["changes"])
    create, same = {"create": 6}, {"same": 5}
    changed = {"update": 1, "replace": 2, "delete": 1}
    nothing = dict.fromkeys(("create", "update", "replace", "delete", "same"), 0)
    assert said[:3] == [{**nothing, **create}, {**nothing, **create}, {**nothing, **changed, "same": 2}]
    assert said[4] == {**nothing, **same}
    assert [secret for secret in SECRETS if secret in both.run.everything] == []


def test_a_resource_that_fails_is_told_alike_and_what_depends_on_it_is_skipped(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path)
    both.configure(failing="true")
    ours, theirs = both("up")
    assert (ours["exit_code"], ours["result"]) == (1, "failed")
    messages = [[row for row in one["diagnostics"] if row["severity"] == "error"] for one in (ours, theirs)]
    assert messages[0] == messages[1]
    assert (theirs["changes"], theirs["outputs"]) == (ours["changes"], ours["outputs"])


def test_mandatory_violations_end_both_with_exit_code_3_and_the_same_rows(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path)
    pack = write(tmp_path, NO_QUEUES)
    ours, theirs = both("up", "--policy-pack", pack)
    assert (ours["exit_code"], len(ours["policy"])) == (3, 4)
    assert [{**row, "version": ""} for row in theirs["policy"]] == [{**row, "version": ""} for row in ours["policy"]]
    assert theirs["diagnostics"] == ours["diagnostics"]
    assert theirs["changes"] == ours["changes"]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [("import pulumi\nraise ValueError('broken on purpose')\n", "broken on purpose"), ("1 +\n", "invalid syntax")],
)
def test_a_broken_program_ends_both_with_exit_code_1(home: Path, tmp_path: Path, source: str, wanted: str) -> None:
    both = Both(home, tmp_path, source)
    ours, theirs = both("up")
    assert (ours["result"], theirs["result"]) == ("failed", "failed")
    assert all(
        any(wanted in row["message"] for row in one["diagnostics"] if row["severity"] == "error") for one in (ours, theirs)
    )


def test_an_unknown_stack_and_one_without_a_state_are_bad_input(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path)
    for operation, stack in (("up", "nowhere"), ("destroy", "dev")):
        options = ["--yes"] if operation == "destroy" else []
        ours, theirs = both(operation, *options, stack=stack)
        assert (ours["exit_code"], theirs["exit_code"]) == (2, 2)
        assert stack in theirs["diagnostics"][0]["message"]


def test_a_passphrase_that_does_not_fit_is_bad_input_to_both(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path, "import pulumi\npulumi.export('password', pulumi.Output.secret('s3cret'))\n")
    for engine, folder in both.folders.items():
        assert both.by(engine, "up").code == 0
        ran = both.run("up", "dev", "--engine", engine, cwd=folder, env={"PULUMI_CONFIG_PASSPHRASE": "wr0ng"})
        assert (ran.code, ran.err.count("\n"), "wr0ng" in ran.err) == (2, 1, False), ran
        assert "does not open this stack's secrets; set PULUMI_CONFIG_PASSPHRASE" in ran.err


def test_a_saved_plan_is_held_to(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path)
    plan = tmp_path / "plan.json"
    assert both.by("pulumi", "preview", "--save", plan).code == 0
    both.configure(timeout="11")
    refused = both.by("pulumi", "up", "--plan", plan)
    assert (refused.code, "after.visibilityTimeoutSeconds was 7 and is 11" in refused.err.replace("inputs.", "")) == (3, True), (
        refused.err
    )
    both.configure()
    assert both.by("embedded", "up", "--plan", plan, "--json").json["exit_code"] in (2, 3)
    done = both.by("pulumi", "up", "--plan", plan)
    assert (done.code, "6 created" in done.out) == (0, True), done.out + done.err


def test_whoever_is_at_it_is_named_and_the_exit_code_is_4(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path, "")
    assert both.by("pulumi", "up").code == 0
    lock = home / f"pulumi/state/.pulumi/locks/organization/{both.names['pulumi']}/dev/00000000-0000-0000-0000-000000000000.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    who = {"pid": 4711, "username": "alice", "hostname": socket.gethostname(), "timestamp": "2026-11-30T07:00:00Z"}
    lock.write_text(json.dumps(who))
    ran = both.by("pulumi", "up", "--json")
    lock.unlink()
    assert (ran.code, ran.json["result"]) == (4, "failed")
    assert "alice" in ran.json["diagnostics"][0]["message"]
    assert "4711" in ran.json["diagnostics"][0]["message"]
    assert "where its process is gone: pulumi cancel -s dev" in ran.json["diagnostics"][0]["message"]


def test_status_outputs_and_export_know_what_the_cli_has_done(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path)
    assert both.by("pulumi", "up").code == 0
    folder = both.folders["pulumi"]
    row = both.run("status", "--json", cwd=folder).json["environments"][0]
    assert (row["engine"], row["operation"], row["result"], row["resources"]) == ("pulumi", "up", "succeeded", 4)
    assert both.by("pulumi", "outputs", "--json").json["password"] == "[secret]"
    assert both.run("outputs", "dev", "password", "--show-secrets", "--engine", "pulumi", cwd=folder).out == "s3cret\n"
    exported = both.by("pulumi", "export")
    assert ("hunter22" in exported.out, "ciphertext" in exported.out) == (False, True)
    assert both.run("import", "dev", "-", cwd=folder, stdin=exported.out).code == 0
    same = both.run("preview", "dev", "--json", cwd=folder).json["changes"]
    assert (same["create"], same["update"], same["replace"], same["delete"]) == (0, 0, 0, 0)


def test_no_engine_makes_a_second_time_what_the_other_has_made(home: Path, tmp_path: Path) -> None:
    both = Both(home, tmp_path, "import pulumi_aws as aws\naws.sqs.Queue('jobs', tags={'owner': 'alice'})\n")
    assert [both.by(engine, "up").code for engine in both.folders] == [0, 0]
    theirs, ours = both.folders["pulumi"], both.folders["embedded"]
    for operation in ("up", "preview", "refresh", "outputs", "tags"):
        ran = both.run(operation, "dev", cwd=theirs)
        assert (ran.code, "the Pulumi CLI has made dev, and has its state" in ran.err) == (2, True), ran
        assert "add --engine pulumi, or move it over: pulumi stack export -s dev | isostack import dev -" in ran.err
    for operation in ("up", "preview"):
        ran = both.run(operation, "dev", "--engine", "pulumi", cwd=ours)
        assert (ran.code, "the embedded engine has made dev, and has its state" in ran.err) == (2, True), ran
    assert both.by("pulumi", "tags").out == "pulumi stack tag set -s dev owner alice\n"
    assert both.by("pulumi", "destroy", "--yes").code == 0
    assert both.run("up", "dev", cwd=theirs).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_cli_once_and_what_is_done_is_kept(home: Path, tmp_path: Path, number: signal.Signals) -> None:
    waiting = PROGRAM + "\nimport time\nrole.arn.apply(lambda arn: time.sleep(0 if pulumi.runtime.is_dry_run() else 60))\n"
    both = Both(home, tmp_path, waiting)
    with both.run.starts("up", "dev", "--engine", "pulumi", cwd=both.folders["pulumi"]) as process:
        assert process.stdout is not None
        told = ""
        while "worker created" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        process.send_signal(number)
        started = time.monotonic()
        rest, err = process.communicate(timeout=60)
    assert process.returncode == 1, told + rest + err
    assert time.monotonic() - started < 50
    assert "interrupted: what was under way has ended and is in the state" in rest
    resources = both.by("pulumi", "export").json["deployment"]["resources"]
    assert any(resource["urn"].endswith("::worker") for resource in resources)
    assert both.by("pulumi", "destroy", "--yes").code == 0


def test_gates_stand_before_the_cli_as_they_stand_before_the_embedded_engine(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.command.environment = {"PULUMI_HOME": str(tmp_path / "pulumi-home")}
    cli = ("--engine", "pulumi")
    try:
        assert "nobody is logged in to staging" in small.refused("up", "staging", *cli)
        small.login("alice")
        assert small.done("up", "staging", *cli)["engine"] == "pulumi"
        small.login("bob")
        small.says(delay=4, actions=("s3:GetObject", "s3:DeleteBucket"))
        refused = small.refused("up", "staging", *cli)
        assert "role small-operations may now s3:DeleteBucket" in refused
        assert small.delay() == 0
        small.login("carol")
        small.done("approve", "staging", "--yes", *cli)
        small.login("bob")
        assert small.done("up", "staging", *cli)["changes"]["update"] == 2
        assert small.delay() == 4
        run = small.done("record")["entries"][-1]
        assert (run["kind"], run["engine"], run["person"], run["operation"]) == ("run", "pulumi", "bob", "up")
        assert "nobody else has approved" in small.refused("destroy", "staging", "--yes", *cli)
    finally:
        small("cloud", "stop")


def test_what_a_restarted_local_cloud_has_lost_is_made_anew_by_both(tmp_path: Path) -> None:
    cloud = LocalCloud(tmp_path / "home")
    cloud.ensure()
    try:
        both = Both(cloud.home, tmp_path, "import pulumi_aws as aws\naws.sqs.Queue('jobs')\n")
        assert [both.by(engine, "up").code for engine in both.folders] == [0, 0]
        cloud.stop()
        ours, theirs = both("up")
        assert (ours["changes"]["create"], theirs["changes"]) == (1, ours["changes"])
        assert all("reset or restarted since the last run" in one["diagnostics"][0]["message"] for one in (ours, theirs))
    finally:
        cloud.stop()
