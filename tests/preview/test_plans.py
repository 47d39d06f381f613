"""Saved plans: up does exactly what was previewed, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from isostack.engine import secrets
from isostack.engine.run import Gate, Intent
from isostack.errors import BadInput, Refused
from isostack.intents import digest
from isostack.preview import plans
from isostack.preview.plans import digest_of_folder, plan_gate, plan_of
from tests.command_line import CommandLine
from tests.engine.harness import Group, Thing, World, options
from tests.gates.small import Small
from tests.preview.test_programs import Repository

SECRET = "correct horse battery staple"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    monkeypatch.setattr(secrets, "ROUNDS", 10)  # a million rounds take longer than all the rest of a test
    return World(tmp_path / "world")


def one(size: int = 1, note: str = SECRET) -> Callable[[], None]:
    def program() -> None:
        group = Group("group")
        Thing("a", options(parent=group), size=size)
        Thing("b", note=pulumi.Output.secret(note))

    return program


def saved(world: World, program: Callable[[], None], file: Path) -> Intent:
    """Preview a program and save its plan."""
    seen: list[Intent] = []
    world.preview(program, gates=[seen.append])
    plans.save(file, seen[0].stack.project, "0123456789ab", {"dev": plan_of(seen[0])})
    return seen[0]


def gate(file: Path) -> Gate:
    return plan_gate(file, "dev")


def test_up_does_what_the_plan_says(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    intent = saved(world, one(), file)
    assert json.loads(file.read_text())["environments"]["dev"]["digest"] == digest(intent)
    outcome = world.up_well(one(), gates=[gate(file)])
    assert outcome.changes == {"create": 4}
    saved(world, one(size=2), file)
    assert world.up_well(one(size=2), gates=[gate(file)]).changes == {"update": 1}


def test_a_plan_holds_no_secret_and_is_its_owners_alone(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    saved(world, one(), file)
    assert SECRET not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def refused(world: World, program: Callable[[], None], file: Path) -> str:
    """What is said of a plan that is not what would be done any more; nothing is done."""
    calls = len(world.cloud.calls)
    with pytest.raises(Refused) as refusal:
        world.up(program, gates=[gate(file)])
    assert [call for call in world.cloud.calls[calls:] if call.verb in ("create", "update", "delete")] == []
    return str(refusal.value)


def test_a_program_that_has_moved_is_refused_with_what_differs(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    world.up_well(one())
    saved(world, one(size=2), file)
    said = refused(world, one(size=3), file)
    assert "a (aws:test:Thing): after.size was 2 and is 3" in said
    assert "the state" not in said
    assert "isostack preview dev --save" in said

    def more() -> None:
        one(size=2)()
        Thing("c")

    assert "c (aws:test:Thing): create is not in the plan" in refused(world, more, file)
    assert "a (aws:test:Thing): update is in the plan, and not needed any more" in refused(world, one(), file)


def test_a_state_that_has_moved_is_refused(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    world.up_well(one())
    saved(world, one(size=3), file)
    world.up_well(one(size=2))
    said = refused(world, one(size=3), file)
    assert "the state has changed" in said
    assert "a (aws:test:Thing): before.size was 1 and is 2" in said


def test_another_secret_is_refused_and_not_told(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    saved(world, one(), file)
    said = refused(world, one(note="hunter2"), file)
    assert "b (aws:test:Thing): after.note was [secret " in said
    assert "hunter2" not in said and SECRET not in said


def test_what_stays_is_part_of_the_plan(world: World, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    world.up_well(one())
    saved(world, one(), file)
    world.cloud.calls.clear()

    def protected() -> None:
        group = Group("group")
        Thing("a", options(parent=group, protect=True), size=1)
        Thing("b", note=pulumi.Output.secret(SECRET))

    assert "what stays as it is is not what it was" in refused(world, protected, file)


def test_a_policy_pack_that_has_moved_is_refused(world: World, tmp_path: Path) -> None:
    file, pack = tmp_path / "plan.json", world.folder / "policies"
    pack.mkdir(parents=True)
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    saved(world, one(), file)
    (pack / "rules.py").write_text("STRICT = False\n")
    assert "what the policy packs say has changed" in refused(world, one(), file)


def test_a_configuration_of_policies_that_has_moved_is_refused(world: World, tmp_path: Path) -> None:
    """A rule that was held when the plan was made is not switched off when it is applied."""
    file, off = tmp_path / "plan.json", tmp_path / "off.json"
    saved(world, one(), file)
    off.write_text('{"all": "disabled"}')
    with pytest.raises(Refused, match="how the policy packs are configured has changed"):
        world.up(one(), gates=[plan_gate(file, "dev", (), [off])])


def test_a_packs_digest_is_that_of_its_files(tmp_path: Path) -> None:
    found = []
    for name, text in (("a", "x = 1"), ("b", "x = 1"), ("c", "x = 2")):
        (tmp_path / name / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "rules.py").write_text(text)
        (tmp_path / name / "__pycache__" / "rules.pyc").write_text(name)
        found.append(digest_of_folder(tmp_path / name))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace('"size": 1', '"size": 9'), "it was edited since it was saved"),
        (lambda text: text.replace('"dev"', '"staging"'), "there is no plan for dev in it, only for staging"),
        (lambda text: text.replace('"made_from"', '"made"'), "this is no whole plan"),
        (lambda text: text.replace('"unchanged"', '"same"'), "this is no whole plan"),
        (lambda text: "[]", "this is no plan"),
        (lambda text: "{", "this is no plan"),
        (lambda text: text.replace('"format": 1,\n "project"', '"format": 2,\n "project"'), "this is no plan"),
    ],
)
def test_a_file_that_is_no_plan_is_bad_input(world: World, tmp_path: Path, edit: Callable[[str], str], said: str) -> None:
    file = tmp_path / "plan.json"
    saved(world, one(), file)
    text = edit(file.read_text())
    assert text != file.read_text()
    file.write_text(text)
    with pytest.raises(BadInput, match=said):
        gate(file)


def test_a_plan_is_saved_without_a_cloud_and_applied_with_one(tmp_path: Path) -> None:
    run = CommandLine(tmp_path / "home")
    repository = Repository(tmp_path, run)
    try:
        ran = run("preview", "--all", "--save", "plan.json", cwd=repository.root)
        assert ran.code == 0, ran.err
        ran = run("preview", "dev", "--save", "other.json", cwd=repository.root)
        assert ran.code == 0, ran.err
        both = [json.loads((repository.root / name).read_text())["environments"]["dev"] for name in ("plan.json", "other.json")]
        assert both[0] == both[1]
        assert both[0]["digest"] in ran.err
        ran = run("up", "dev", "--plan", "plan.json", "--skip-preview", cwd=repository.root)
        assert ran.code == 0, ran.out + ran.err
        ran = run("up", "dev", "--plan", "plan.json", "--json", cwd=repository.root)
        assert (ran.code, ran.json["result"]) == (3, "refused")
        assert "create is in the plan, and not needed any more" in ran.json["diagnostics"][0]["message"]
    finally:
        run("cloud", "stop", cwd=repository.root)


def test_a_restricted_environment_is_brought_up_by_a_plan_alone(tmp_path: Path) -> None:
    small = Small(tmp_path)
    parameters = small.root / "parameters.py"
    text = parameters.read_text()
    # The module of a project: the version that it speaks of is a name alone, which is what its digest is, too.
    text = text.replace("class Gates:\n", "class Gates:\n    needs_plan: bool = True\n")
    parameters.write_text(f"{text}\n\ndef digest(version):\n    return version\n")
    try:
        small.login("alice")
        small.done("up", "staging")  # whoever makes it needs none
        small.says(delay=5)
        small.login("alice")
        said = small.refused("up", "staging")
        assert "plan: what is to be done was not previewed and saved" in said
        assert "isostack up staging --plan plan.json" in said
        small.done("preview", "staging", "--save", "plan.json")
        small.says(delay=7)
        assert "after.delaySeconds was 5 and is 7" in small.refused("up", "staging", "--plan", "plan.json")
        small.says(delay=5)
        assert small.done("up", "staging", "--plan", "plan.json")["changes"]["update"] == 1
        assert small.delay() == 5
    finally:
        small("cloud", "stop")
