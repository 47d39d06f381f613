"""Who may run a restricted environment: identities are asked of STS, and each refusal says what is unmet and what to type."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.command_line import project
from tests.gates.small import ACCOUNT, Small


@pytest.fixture
def new(tmp_path: Path) -> Small:
    """A project of which nothing is up, and that needs no cloud."""
    return Small(tmp_path)


def test_nobody_runs_a_restricted_environment_without_a_role_and_the_refusal_says_what_to_type(new: Small) -> None:
    for command in (["up", "staging"], ["up", "staging", "--skip-preview"]):
        text = new.refused(*command)
        assert "identity: nobody is logged in to staging" in text
        assert "isostack cloud login operations staging --mfa CODE" in text
    assert not (new.home / "cloud.json").exists(), "no cloud was started for it"


def test_what_to_type_is_a_command_that_there_is_whatever_the_engine(new: Small) -> None:
    text = new.refused("destroy", "staging", "--engine", "pulumi")
    assert "isostack cloud login operations staging --mfa CODE\n" in text
    assert "isostack approve staging --destroy --engine pulumi" in text
    assert "isostack destroy staging --engine pulumi --confirm staging" in text


def test_refusals_are_documents_too(new: Small) -> None:
    ran = new("up", "staging", "--json")
    assert (ran.code, ran.json["result"], ran.json["widening"]) == (3, "refused", [])
    assert "isostack cloud login" in ran.json["diagnostics"][0]["message"]


def test_import_is_refused_as_well(new: Small) -> None:
    (new.root / "state.json").write_text("{}")
    assert "only operations or deployer may import" in new.refused("import", "staging", "state.json")


def test_a_project_without_gates_is_open_to_everybody(new: Small) -> None:
    root = project(new.root.parent / "other", "import pulumi\npulumi.export('answer', 42)\n")
    ran = new.command("up", "production", "--json", cwd=root)
    new.command("cloud", "stop", cwd=root)
    assert (ran.code, ran.json["outputs"]) == (0, {"answer": 42})
    ran = new.command("cloud", "login", "operations", "production", cwd=root)
    assert (ran.code, "names no roles for production" in ran.err) == (2, True)


def test_a_stack_of_another_name_that_is_a_restricted_environment_is_restricted(new: Small) -> None:
    (new.root / "Pulumi.twin.yaml").write_text((new.root / "Pulumi.staging.yaml").read_text())
    assert "nobody is logged in to twin" in new.refused("up", "twin")


@pytest.mark.parametrize("columns", ["staging", '"staging"', '{"account": "staging"}'])
def test_a_stack_that_takes_a_restricted_environments_parameters_is_restricted(new: Small, columns: str) -> None:
    file = new.root / "Pulumi.dev.yaml"
    file.write_text(f"{file.read_text()}  isostack:columns: '{columns}'\n")
    assert "nobody is logged in to dev" in new.refused("up", "dev")
    assert "Pulumi.dev.yaml makes that staging" in new.refused("play", "up", "mine")


def test_a_stack_is_of_one_restricted_environment_and_not_guarded_as_another(new: Small) -> None:
    parameters = new.root / "parameters.py"
    parameters.write_text(parameters.read_text().replace('"staging")', '"staging", "production")').replace(
        '("staging",)', '("staging", "production")'
    ))  # fmt: skip
    file = new.root / "Pulumi.staging.yaml"
    file.write_text(file.read_text().replace("environment: staging", "environment: production"))
    assert "stack staging is staging and production at once" in new.refused("up", "staging")


def test_playgrounds_are_no_way_into_a_restricted_environment(new: Small) -> None:
    (new.root / "Pulumi.dev.yaml").write_text((new.root / "Pulumi.staging.yaml").read_text())
    assert "Pulumi.dev.yaml makes that staging, which only some may run" in new.refused("play", "up", "mine")


def test_the_entry_role_makes_an_environment_and_then_counts_no_more(tmp_path: Path) -> None:
    small = Small(tmp_path)
    try:
        first = small.login("alice")
        assert (first["role"], first["arn"]) == ("entry", f"arn:aws:sts::{ACCOUNT}:assumed-role/entry/alice")
        document = small.done("up", "staging")
        assert len(document["widening"]) > 3, "all of it is new, and nobody else had to approve it"
        text = small.refused("up", "staging")
        assert "entry makes staging, and staging is there" in text
        assert small.login("alice")["role"] == "operations"
        small.done("up", "staging")
    finally:
        small("cloud", "stop")


def test_operations_and_the_pipeline_may_run_it_and_others_may_not(small: Small) -> None:
    for person, role, code in (("alice", "operations", "123456"), ("pipeline", "deployer", None)):
        small.login(person, role, code)
        assert small.done("refresh", "staging")["result"] == "succeeded"
    small.login("dave", "developer", None)
    text = small.refused("refresh", "staging")
    assert "dave is developer in staging, and only operations or deployer may refresh" in text


def test_a_second_factor_is_asked_for_where_the_role_asks_for_it(small: Small) -> None:
    text = small.refused("cloud", "login", "operations", "staging")
    assert "takes a second factor; type: isostack cloud login operations staging --mfa CODE" in text
    ran = small("cloud", "login", "operations", "staging", "--mfa", "12")
    assert (ran.code, "six digits" in ran.err) == (2, True)


def test_sts_itself_refuses_whom_the_trust_policy_does_not_name(small: Small) -> None:
    parameters = small.root / "parameters.py"
    text = parameters.read_text()
    try:
        parameters.write_text(text.replace("role/people", "role/strangers").replace("environment:staging", "environment:dev"))
        said = small.refused("cloud", "login", "developer", "staging", "--as", "mallory")
        assert "not authorized to perform: sts:AssumeRole" in said
        assert "sts:AssumeRoleWithWebIdentity" in small.refused("cloud", "login", "deployer", "staging", "--as", "mallory")
        parameters.write_text(text.replace("mfa=True", "mfa=False"))
        said = small.refused("cloud", "login", "operations", "staging", "--as", "mallory")
        assert "not authorized to perform: sts:AssumeRole" in said, "it asks for a second factor that was not shown"
    finally:
        parameters.write_text(text)


def test_a_session_file_is_believed_in_nothing(small: Small) -> None:
    small.login("dave", "developer", None)
    file = small.home / "sessions.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    session = json.loads(file.read_text())["small/staging"]
    arn = session["arn"].replace("small-developer", "small-operations")
    for forged in (
        {**session, "role": "operations", "arn": arn},
        {**session, "role": "operations", "key": "ASIAFORGED"},
        {**session, "role": "break-glass", "ticket": "INC-1"},
    ):
        file.write_text(json.dumps({"small/staging": forged}))
        assert "identity:" in small.refused("refresh", "staging")
    file.chmod(0o644)
    ran = small("refresh", "staging")
    assert (ran.code, "others may read the sessions" in ran.err) == (2, True)
    small("cloud", "logout")
    assert not file.exists()


def test_an_ended_session_is_refused_with_the_time_it_ended(small: Small) -> None:
    small.login("alice")
    file = small.home / "sessions.json"
    session = json.loads(file.read_text())["small/staging"]
    file.write_text(json.dumps({"small/staging": {**session, "expires": "2026-01-02T03:04:05+00:00"}}))
    text = small.refused("refresh", "staging")
    assert "the session of alice as operations ended at 2026-01-02T03:04:05+00:00" in text
    assert small.done("cloud", "whoami")["sessions"][0]["valid"] is False


def test_who_one_is_shows_until_one_logs_out(small: Small) -> None:
    assert small.done("cloud", "whoami")["sessions"] == []
    small.login("alice")
    (row,) = small.done("cloud", "whoami")["sessions"]
    assert (row["stack"], row["person"], row["role"], row["valid"]) == ("staging", "alice", "operations", True)
    assert "secret" not in row and "token" not in row
    assert small.done("cloud", "logout", "staging") == {"ended": 1}
    assert "nobody is logged in" in small.refused("refresh", "staging")


def test_ignore_protect_is_no_option_of_ours(new: Small) -> None:
    for command in ("up", "destroy"):
        ran = new(command, "staging", "--ignore-protect")
        assert (ran.code, "No such option: --ignore-protect" in ran.err) == (2, True)


@pytest.mark.parametrize("field", [{"expires": "tomorrow"}, {"expires": "2099-01-01T00:00:00"}, {"key": None}, {"account": 3}])
def test_a_session_that_was_edited_is_none(new: Small, field: dict[str, object]) -> None:
    session = dict.fromkeys(("stack", "role", "person", "account", "arn", "key", "secret", "token"), "x")
    new.home.mkdir(exist_ok=True)
    file = new.home / "sessions.json"
    file.write_text(json.dumps({"small/staging": {**session, "expires": "2099-01-01T00:00:00+00:00", **field}}))
    file.chmod(0o600)
    ran = new("up", "staging")
    assert (ran.code, "is damaged; end all sessions: isostack cloud logout" in ran.err) == (2, True)
