"""Secrets: what is secret in the program is secret in outputs, in events, and in everything that is written."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from isostack.engine.events import Op
from isostack.engine.values import Secret
from tests.engine.fake_cloud import Call, failing
from tests.engine.harness import Group, Thing, World, options

PLAIN = "hunter2"


@pytest.fixture
def journals(world: World) -> list[str]:
    """What the stack's folder held at each call of the cloud."""
    found: list[str] = []

    def look(_: Call) -> None:
        found.append("".join(path.read_text() for path in Path(world.stack_folder).iterdir()))

    world.cloud.after = look
    return found


def secret(value: object = PLAIN) -> pulumi.Output[object]:
    return pulumi.Output.secret(value)


def nowhere(world: World, journals: list[str]) -> bool:
    return PLAIN not in world.written() + "".join(journals) + repr(world.events)


def test_a_secret_input_is_a_secret_output_of_the_same_name(world: World, journals: list[str]) -> None:
    def program() -> None:
        a = Thing("a", password=secret(), open="x")
        pulumi.export("password", a["password"])
        pulumi.export("open", a["open"])

    outcome = world.up_well(program)
    assert world.cloud.named("a").inputs["password"] == PLAIN
    assert world.state("a").inputs["password"] == Secret(PLAIN)
    assert world.state("a").outputs["password"] == Secret(PLAIN)
    assert outcome.result.outputs == {"password": Secret(PLAIN), "open": "x"}
    assert outcome.started("a", Op.CREATE).changes[-1].new == "[secret]"
    assert journals
    assert nowhere(world, journals)
    assert world.up_well().changes == {}


def test_a_secret_deep_inside_is_nowhere_in_the_clear(world: World, journals: list[str]) -> None:
    def program(value: str) -> None:
        a = Thing("a", tags={"key": secret(value), "list": [1, {"x": secret(value)}]})
        pulumi.export("out", {"deep": [a["tags"]]})
        group = Group("g", password=secret(value))
        group.register_outputs({"password": secret(value)})

    world.up_well(lambda: program(PLAIN))
    assert world.cloud.named("a").inputs["tags"] == {"key": PLAIN, "list": [1, {"x": PLAIN}]}
    assert nowhere(world, journals)
    assert world.state("a").outputs["tags"] == {"key": Secret(PLAIN), "list": Secret([1, {"x": PLAIN}])}
    outcome = world.up_well(lambda: program(f"{PLAIN}-new"))
    assert outcome.calls == ["update a-1"]
    assert {change.new for change in outcome.started("a", Op.UPDATE).changes} == {"[secret]"}
    assert nowhere(world, journals)


def test_a_secret_that_changes_replaces_without_being_shown(world: World, journals: list[str]) -> None:
    world.up_well(lambda: Thing("a", fixed=secret(), exclusive=1))
    world.up_well(lambda: Thing("a", fixed=secret(f"{PLAIN}-2"), exclusive=1))
    world.up_well(lambda: Thing("a", fixed=secret(f"{PLAIN}-3"), exclusive=2))
    world.destroy()
    assert nowhere(world, journals)


def test_outputs_that_the_program_calls_secret_are(world: World, journals: list[str]) -> None:
    world.cloud.outputs = lambda thing: {"token": PLAIN}
    opts = options(additional_secret_outputs=["token"])

    def program() -> None:
        a = Thing("a", opts, token=None)
        pulumi.export("token", a["token"])
        Thing("b", uses=a["token"])

    outcome = world.up_well(program)
    assert world.state("a").outputs["token"] == Secret(PLAIN)
    assert world.state("a").additional_secret_outputs == ["token"]
    assert outcome.result.outputs == {"token": Secret(PLAIN)}
    assert world.state("b").inputs["uses"] == Secret(PLAIN)
    assert outcome.made[-1].inputs["uses"] == PLAIN
    opts.additional_secret_outputs = ["token"]
    world.up_well()
    world.refresh()
    assert world.state("a").outputs["token"] == Secret(PLAIN)


def test_outputs_that_become_secret_later_are_sealed_then(world: World) -> None:
    world.cloud.outputs = lambda thing: {"token": PLAIN}
    world.up_well(lambda: Thing("a", token=None))
    assert PLAIN in world.written()
    world.up_well(lambda: Thing("a", options(additional_secret_outputs=["token"]), token=None))
    assert world.state("a").outputs["token"] == Secret(PLAIN)


def test_an_input_that_becomes_secret_is_no_change_but_is_sealed(world: World) -> None:
    world.up_well(lambda: Thing("a", options(replace_on_changes=["*"]), password=PLAIN))
    outcome = world.up_well(lambda: Thing("a", options(replace_on_changes=["*"]), password=secret()))
    assert outcome.calls == []
    assert world.state("a").inputs["password"] == Secret(PLAIN)
    assert world.state("a").outputs["password"] == Secret(PLAIN)


def test_a_preview_shows_no_secret(world: World) -> None:
    world.up_well(lambda: Thing("a", password=secret()))
    outcome = world.preview(lambda: [Thing("a", password=secret(f"{PLAIN}-new")), Thing("b", password=secret())])
    assert PLAIN not in repr(outcome.events)


def test_a_refresh_shows_no_secret(world: World) -> None:
    world.up_well(lambda: Thing("a", password=secret()))
    world.cloud.named("a").inputs["password"] = f"{PLAIN}-drifted"
    outcome = world.refresh()
    assert outcome.changes == {"update": 1}
    assert PLAIN not in world.written() + repr(outcome.events)


def test_secret_configuration_stays_secret(world: World, journals: list[str]) -> None:
    world.config = {"shop:password": PLAIN, "aws:accessKey": PLAIN, "aws:region": "eu-west-1"}
    world.secret_keys = frozenset({"shop:password", "aws:accessKey"})
    world.up_well(lambda: Thing("a", password=pulumi.Config().require_secret("password")))
    assert world.cloud.named("a").inputs["password"] == PLAIN
    assert world.cloud.configured[-1]["accessKey"] == PLAIN
    assert nowhere(world, journals)


def test_a_failed_create_leaves_no_secret_behind(world: World, journals: list[str]) -> None:
    world.cloud.before = failing("create a")
    world.up(lambda: Thing("a", password=secret()))
    assert nowhere(world, journals)


def test_a_secret_that_is_not_known_yet_is_not_shown_either(world: World) -> None:
    def program() -> None:
        a = Thing("a")
        Thing("b", password=pulumi.Output.secret(a.arn))
        pulumi.export("out", pulumi.Output.secret(a.arn))

    assert world.preview(program).result.result == "succeeded"
    world.up_well(program)
    assert world.state("b").inputs["password"] == Secret("arn:a-1")
