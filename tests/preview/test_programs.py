"""Previews of real programs in all environments: without a cloud, from recorded states, and beside another revision."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, Ran
from tests.preview.reports import ENVIRONMENTS
from tests.preview.test_markdown import golden

PROJECT = Path(__file__).parent / "project"
NO_PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE_FILE": "/nonexistent", "HOME": "/nonexistent", "HTTPS_PROXY": "http://127.0.0.1:1"}


class Repository:
    """A copy of a project in a git repository, previewed by the command line."""

    def __init__(self, folder: Path, run: CommandLine | None = None) -> None:
        self.root = folder / "project"
        shutil.copytree(PROJECT, self.root, ignore=shutil.ignore_patterns("__pycache__"))
        self.run = run or CommandLine(folder / "home")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()

    def git(self, *arguments: str) -> str:
        fixed = {"GIT_AUTHOR_DATE": "2026-03-02T10:00:00Z", "GIT_COMMITTER_DATE": "2026-03-02T10:00:00Z"}
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *who, *arguments],  # noqa: S607 - whichever git is on the path
            cwd=self.root,
            env={**os.environ, **fixed, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "as it is")
        return self.git("rev-parse", "--short=12", "HEAD")

    def say(self, environment: str, **values: object) -> None:
        """Set values in an environment's file."""
        lines = [f"  small:{key}: {json.dumps(value)}" for key, value in {"environment": environment, **values}.items()]
        (self.root / f"Pulumi.{environment}.yaml").write_text("\n".join(["config:", *lines]) + "\n")

    def preview(self, *arguments: str) -> Ran:
        return self.run("preview", *arguments, cwd=self.root, env=NO_PASSPHRASE)

    def report(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The environments of a report, by name."""
        ran = self.preview("--all", "--format", "json", *arguments)
        assert ran.code == code, ran.out + ran.err
        return {one["name"]: one for one in ran.json["environments"]}

    def comment(self, *arguments: str) -> Ran:
        ran = self.preview("--all", "--format", "markdown", *arguments)
        for revision in self.git("log", "--format=%h", "--abbrev=12").split():
            ran = Ran(ran.code, ran.out.replace(revision, "0123456789ab"), ran.err)
        return ran


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """dev was brought up, and the cloud is gone since. Tests put back what they change."""
    folder = tmp_path_factory.mktemp("deployed")
    repository = Repository(folder)
    ran = repository.run("up", "dev", cwd=repository.root)
    assert ran.code == 0, ran.out + ran.err
    repository.run("cloud", "stop", cwd=repository.root)
    yield repository
    repository.run("cloud", "stop", cwd=repository.root)


def names(changes: list[dict[str, Any]], op: str) -> list[str]:
    return [change["name"] for change in changes if change["op"] == op]


# -- beside another revision -------------------------------------------------------------------------------------------


def test_a_comment_on_one_parameter_of_a_real_program(repository: Repository) -> None:
    for name in ENVIRONMENTS:
        repository.say(name, timeout=45)
    first = repository.comment("--base", "HEAD")
    assert first.code == 0, first.err
    golden("real_one_parameter", first.out)
    assert repository.comment("--base", "HEAD").out == first.out


def test_a_comment_on_a_replaced_database_where_another_environment_fails(repository: Repository) -> None:
    repository.say("production", encrypted=True)
    repository.say("dev", timeout="soon")
    ran = repository.comment("--base", "main")
    assert ran.code == 1
    golden("real_database_replaced_and_one_fails", ran.out)


def test_a_revision_that_is_not_there_is_bad_input(repository: Repository) -> None:
    for reference in ("nowhere", "--output=/tmp/x", "HEAD:Pulumi.yaml"):
        ran = repository.preview("--all", "--base", reference)
        assert ran.code == 2, ran.out
        assert f"error: --base {reference}: " in ran.err


def test_the_working_tree_stays_as_it_is(repository: Repository) -> None:
    repository.say("dev", timeout=45)
    before = repository.git("status", "--porcelain"), repository.git("worktree", "list")
    repository.report("--base", "HEAD")
    assert (repository.git("status", "--porcelain"), repository.git("worktree", "list")) == before


# -- from recorded states ----------------------------------------------------------------------------------------------


def test_without_cloud_passphrase_and_network_recorded_states_are_compared(deployed: Repository) -> None:
    found = deployed.report()
    assert (found["dev"]["changes"], found["dev"]["unchanged"]) == ([], 4)
    assert found["dev"]["compared_with"].startswith("the state that up left at 20")
    assert names(found["production"]["changes"], "create") == ["jobs", "password", "store-address", "store-database"]
    assert found["production"]["compared_with"] == ""
    assert not deployed.run("cloud", "status", "--json", cwd=deployed.root).json["running"]


def test_what_changes_is_told_with_what_forces_it_and_what_is_at_stake(deployed: Repository) -> None:
    deployed.say("dev", timeout=45, encrypted=True)
    try:
        dev = deployed.report()["dev"]
    finally:
        deployed.say("dev")
    changes = {change["name"]: change for change in dev["changes"]}
    assert changes["jobs"]["properties"] == [
        {"path": "visibilityTimeoutSeconds", "before": "30", "after": "45", "forces": False},
    ]
    database = changes["store-database"]
    assert (database["op"], database["forced_by"], database["data_at_stake"]) == ("replace", ["storageEncrypted"], True)
    assert database["component"] == ["Store store"]
    assert changes["store-address"]["op"] == "update"


def test_the_document_that_all_forms_are_made_from_holds_no_secret(deployed: Repository) -> None:
    state = deployed.run("export", "dev", cwd=deployed.root).json
    (sealed,) = (r for r in state["deployment"]["resources"] if r["type"] == "random:index/randomPassword:RandomPassword")
    deployed.say("dev", encrypted=True)
    try:
        ran = deployed.preview("--all", "--json")
        assert ran.code == 0
        assert sealed["outputs"]["result"]["ciphertext"] not in ran.out
        assert "postgresql://small:" not in ran.out
    finally:
        deployed.say("dev")


def test_a_program_that_fails_in_one_environment_leaves_the_others_to_show(deployed: Repository) -> None:
    program = deployed.root / "__main__.py"
    text = program.read_text()
    program.write_text(f'{text}\nif config.require("environment") == "staging":\n    raise KeyError("region")\n')
    try:
        found = deployed.report(code=1)
    finally:
        program.write_text(text)
    assert {name: bool(one["error"]) for name, one in found.items()} == {
        "dev": False,
        "integration": False,
        "staging": True,
        "production": False,
    }
    assert "KeyError: 'region'" in found["staging"]["error"]


def test_what_only_a_cloud_could_tell_is_named_and_not_taken_for_a_change(deployed: Repository) -> None:
    program = deployed.root / "__main__.py"
    text = program.read_text()
    program.write_text(
        text.replace('tags={"where": config.require("environment")}', 'tags={"where": zones.apply(str)}').replace(
            "config = pulumi.Config()\n",
            "config = pulumi.Config()\nzones = aws.get_availability_zones_output().names\n",
        )
    )
    try:
        dev = deployed.report()["dev"]
    finally:
        program.write_text(text)
    assert dev["unseen"] == ["aws:index/getAvailabilityZones:getAvailabilityZones"]
    assert {change["name"]: change["op"] for change in dev["changes"]} == {"jobs": "unsure"}


# -- usage -------------------------------------------------------------------------------------------------------------


def test_a_single_environment_can_be_looked_at_the_same_way(repository: Repository) -> None:
    ran = repository.preview("dev", "--format", "json")
    assert [one["name"] for one in ran.json["environments"]] == ["dev"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all", "--format", "pdf"], "there are text, json, markdown, html"),
        ([], "name an environment, or look at all of them with --all"),
        (["--all", "--refresh"], "--target, --refresh and --engine go with one environment"),
        (["nowhere", "--format", "text"], "there are dev, integration, production, staging"),
        (["--all", "--artefact", "javascript:alert(1)"], "an address begins with https://"),
        (["--all", "--save", "plan.json", "--base", "HEAD"], "--save goes without --base"),
    ],
)
def test_what_cannot_be_meant_is_bad_input(repository: Repository, arguments: list[str], said: str) -> None:
    ran = repository.preview(*arguments)
    assert ran.code == 2
    assert said in ran.err
