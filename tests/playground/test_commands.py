"""The commands ``isostack play …`` as people and programs use them: what they print, and how they end."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isostack.cost.estimate import of
from isostack.engine.store import Store
from tests.command_line import CommandLine, Ran
from tests.playground.conftest import Yard


class Play:
    """``isostack play`` on one project."""

    def __init__(self, yard: Yard, home: Path | None = None) -> None:
        self.yard = yard
        self.command_line = CommandLine(home or yard.home, {"LOGNAME": "ana"})

    def __call__(self, *arguments: str) -> Ran:
        return self.command_line("play", *arguments, cwd=self.yard.root)


@pytest.fixture(scope="module")
def play(light: Yard) -> Play:
    return Play(light)


@pytest.fixture(scope="module")
def ana(play: Play) -> Play:
    """The playground of this user, up; tests leave it so."""
    ran = play("up", "--json")
    assert ran.code == 0, ran.err
    return play


@pytest.fixture
def nothing(light: Yard, tmp_path: Path) -> Play:
    """Where there is no playground."""
    return Play(light, tmp_path)


def test_up_without_a_name_is_the_users_and_says_what_next(ana: Play) -> None:
    ran = ana("up", "--ttl", "8h")
    assert ran.code == 0
    assert re.search(r"playground ana lives for another (8 h|7 h 59 min); next: isostack play run -- COMMAND", ran.out)


def test_up_tells_programs_what_it_did(play: Play) -> None:
    document = play("up", "told", "--ttl", "2h", "--json").json
    assert (document["result"], document["exit_code"], document["stack"]) == ("succeeded", 0, "play-told")
    assert document["playground"].keys() == {"name", "project", "owner", "created", "expires", "parameters", "containers"}
    assert document["playground"]["owner"] == "ana"
    assert document["changes"]["create"] > 5
    assert play("down", "told", "--no-snapshot", "--json").json["changes"]["delete"] == document["changes"]["create"]


def test_list_shows_whose_it_is_until_when_and_what_it_holds(ana: Play) -> None:
    assert ana("snapshot", "good").code == 0
    header, *rows = ana("list").out.splitlines()
    row = next(row for row in rows if row.startswith("ana "))
    assert header.split() == ["playground", "owner", "age", "expires", "in", "resources", "a", "month", "snapshots", "size"]
    assert "good" in row
    document = ana("list", "--json").json
    assert document["project"] == "small"
    [listed] = [row for row in document["playgrounds"] if row["name"] == "ana"]
    assert (listed["name"], listed["owner"], listed["snapshots"], listed["expired"]) == ("ana", "ana", ["good"], False)
    assert f"${listed['monthly']:,.2f}" in row
    assert listed["monthly"] == of(Store(ana.command_line.home).load("small", "play-ana").snapshot).monthly


def test_a_playgrounds_tags_say_whose_it_is_and_until_when(ana: Play) -> None:
    found = ana.command_line("tags", "play-ana", "--json", cwd=ana.yard.root).json
    assert (found["owner"], found["playground"]) == ("ana", "ana")
    assert datetime.fromisoformat(found["expires"]) > datetime.now(UTC)


def test_list_of_nothing_says_how_to_begin(nothing: Play) -> None:
    ran = nothing("list")
    assert (ran.code, "isostack play up makes one" in ran.out) == (0, True)


def test_env_can_be_evaluated_by_a_shell_and_read_by_programs(ana: Play) -> None:
    values = ana("env", "--json").json
    assert values["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    exports = ana("env").out.splitlines()
    assert f"export AWS_REGION={values['AWS_REGION']}" in exports
    assert f'AWS_REGION="{values["AWS_REGION"]}"' in ana("env", "--format", "dotenv").out.splitlines()
    assert ana("env", "--format", "xml").code == 2


def test_run_gives_a_program_its_environment_and_its_exit_code(ana: Play) -> None:
    program = "import os, sys; print(os.environ['AWS_ENDPOINT_URL'], sys.argv[1:]); sys.exit(7)"
    ran = ana("run", "--", sys.executable, "-c", program, "--json", "two words")
    assert ran.code == 7
    assert ran.out.startswith("http://127.0.0.1:")
    assert ran.out.endswith("['--json', 'two words']\n")
    named = ana("run", "ana", "--", sys.executable, "-c", "print('here')")
    assert (named.code, named.out) == (0, "here\n")


@pytest.mark.parametrize("arguments", [["run"], ["run", "ls"], ["run", "--"], ["run", "one", "two", "--", "ls"]])
def test_run_without_a_command_says_how_to_write_it(nothing: Play, arguments: list[str]) -> None:
    ran = nothing(*arguments)
    assert ran.code == 2
    assert "isostack play run -- make run" in ran.err


def test_a_program_that_is_not_there_is_one_line(ana: Play) -> None:
    ran = ana("run", "--", "no-such-program")
    assert (ran.code, ran.err) == (1, "error: no-such-program: No such file or directory\n")


def test_snapshot_restore_and_reset_give_their_label(ana: Play) -> None:
    taken = ana("snapshot", "good", "--json").json
    assert (taken["snapshot"]["label"], taken["snapshot"]["playground"]) == ("good", "ana")
    restored = ana("restore", "--json").json
    assert (restored["result"], restored["snapshot"]["label"]) == ("succeeded", "good")
    assert ana("restore", "good").code == 0
    reset = ana("reset", "--json").json
    assert (reset["result"], reset["snapshot"]["label"]) == ("succeeded", "good")
    missing = ana("restore", "missing")
    assert (missing.code, "there are good" in missing.err) == (2, True)


@pytest.mark.parametrize("label", ["", "two words", "../up", ".hidden", "x" * 65])
def test_a_label_that_is_none_is_refused(ana: Play, label: str) -> None:
    ran = ana("snapshot", "--", label)
    assert (ran.code, "is no label" in ran.err) == (2, True)


def test_extend_counts_from_now_and_has_an_end(ana: Play) -> None:
    assert re.search(r"lives for another (3 h 59 min|4 h)$", ana("extend", "4h").out.strip())
    assert "at most 3 d, for everyone" in ana("extend", "100h").err
    assert ana("extend", "soon").code == 2


def test_what_expires_soon_is_said_on_standard_error_and_json_stays_json(ana: Play) -> None:
    ran = ana("extend", "20m", "--json")
    assert ran.json["result"] == "succeeded"
    assert "warning: playground ana expires in" in ran.err
    assert "isostack play extend 4h ana" in ran.err
    assert ana("extend", "4h").code == 0


def test_down_leaves_a_snapshot_and_says_how_to_come_back(play: Play) -> None:
    assert play("up", "gone").code == 0
    ran = play("down", "gone")
    assert ran.code == 0
    assert "bring it back: isostack play up gone --from last" in ran.out
    assert "gone" not in play("list").out
    back = play("up", "gone", "--from", "last", "--json")
    assert back.json["result"] == "succeeded"
    assert play("down", "gone", "--no-snapshot", "--json").json["snapshot"] is None
    assert play("up", "gone", "--from", "last").code == 2


@pytest.mark.parametrize("command", [["down"], ["env"], ["snapshot", "x"], ["extend", "4h"]])
def test_a_playground_that_is_not_there_is_refused_with_those_that_are(nothing: Play, command: list[str]) -> None:
    ran = nothing(*command, "nobody")
    assert ran.code == 2
    assert "no playground nobody; there are: none; isostack play up nobody makes it" in ran.err


def test_a_project_without_a_dev_environment_has_no_playgrounds(light: Yard) -> None:
    folder = light.root.with_name("empty")
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    ran = CommandLine(light.home)("play", "up", cwd=folder)
    assert (ran.code, "empty has no environment 'dev'" in ran.err) == (2, True)
