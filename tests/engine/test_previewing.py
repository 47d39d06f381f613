"""A preview says what ``up`` would do, changes nothing, and tells what it cannot know yet."""

from __future__ import annotations

import pulumi
import pytest

from isostack.engine.events import Change, Op
from isostack.engine.provider import CheckFailure
from isostack.engine.values import UNKNOWN
from tests.engine.fake_cloud import failing
from tests.engine.harness import Group, Program, Thing, World, options


def test_a_preview_changes_nothing(world: World) -> None:
    outcome = world.preview(lambda: Thing("a"))
    assert outcome.changes == {"create": 2}
    assert outcome.calls == []
    assert not world.stack_folder.exists()
    world.up_well()
    before = world.written()
    assert world.preview(lambda: Thing("a", size=2)).changes == {"update": 1}
    assert world.written() == before


def test_up_tells_the_cloud_what_is_new_before_any_of_it_is_made(world: World) -> None:
    world.preview(lambda: Thing("a"))
    assert world.cloud.expected == []
    world.up_well(lambda: Thing("a"))
    assert world.cloud.expected == [("aws:test/thing:Thing", 0)]
    world.up_well()
    assert len(world.cloud.expected) == 1
    world.cloud.reset()
    world.destroy()
    assert len(world.cloud.expected) == 1


def test_what_was_lost_with_the_cloud_is_expected_before_the_program_is_run(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    world.cloud.reset()
    world.cloud.expected.clear()
    calls = len(world.cloud.calls)
    world.up_well(skip_preview=True)
    assert world.cloud.expected == [("aws:test/thing:Thing", calls)]


def test_what_only_the_cloud_can_tell_is_unknown(world: World) -> None:
    seen: list[str] = []

    def program() -> None:
        a = Thing("a", size=1)
        Thing("b", source=a.arn, deep=[{"id": a.id}], size=a["size"])
        a.arn.apply(seen.append)
        a["size"].apply(lambda size: seen.append(f"size {size}"))
        pulumi.export("arn", a.arn)
        pulumi.export("text", pulumi.Output.concat("<", a.arn, ">"))

    outcome = world.preview(program)
    assert outcome.started("b", Op.CREATE).changes == (
        Change("deep", "add", None, [{"id": UNKNOWN}]),
        Change("size", "add", None, 1),
        Change("source", "add", None, UNKNOWN),
    )
    assert outcome.result.outputs == {"arn": UNKNOWN, "text": UNKNOWN}
    assert seen == ["size 1.0"]


def test_what_is_made_already_is_known(world: World) -> None:
    seen: list[str] = []

    def program(size: int) -> None:
        a = Thing("a", size=size)
        a.arn.apply(seen.append)
        a.id.apply(seen.append)

    world.up_well(lambda: program(1), skip_preview=True)
    seen.clear()
    world.preview(lambda: program(2))
    assert sorted(seen) == ["a-1", "arn:a-1"]


def made() -> None:
    a = Thing("a", fixed=1, size=1)
    Thing("b", source=a.arn)
    Thing("c", fixed=a.arn)
    Thing("gone")


def changed() -> None:
    a = Thing("a", fixed=2, size=1)
    Thing("b", source=a.arn)
    Thing("c", fixed=a.arn)
    Thing("new", options(parent=Group("g")))


def exclusive(value: int) -> None:
    a = Thing("a", exclusive=value)
    Thing("b", fixed=a.arn)
    Thing("c", source=a.arn)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (made, changed),
        (made, lambda: None),
        (lambda: None, made),
        (lambda: exclusive(1), lambda: exclusive(2)),
        (lambda: exclusive(1), lambda: Thing("a", exclusive=2)),
        (changed, made),
    ],
    ids=["replacing", "removing", "creating", "deleting first", "deleting first and removing", "back"],
)
def test_a_preview_announces_what_up_then_does(world: World, before: Program, after: Program) -> None:
    world.up_well(before)
    announced = world.preview(after)
    done = world.up_well(skip_preview=True)
    assert announced.changes == done.changes
    assert announced.ops == done.ops


@pytest.mark.parametrize("operation", ["preview", "up"])
def test_inputs_that_the_provider_refuses_are_told_before_anything_is_done(world: World, operation: str) -> None:
    def check(type_: str, inputs: dict[str, object]) -> list[CheckFailure]:
        return [CheckFailure("size", "must not be 3"), CheckFailure("", "is odd")] if inputs.get("size") == 3 else []

    world.cloud.check = check
    outcome = getattr(world, operation)(lambda: [Thing("a", size=3), Thing("b")])
    assert outcome.result.result == "failed"
    assert "size: must not be 3; " in outcome.messages()
    assert "is odd" in outcome.messages()
    assert outcome.calls == []
    assert world.names() == []


def test_a_preview_takes_no_lock(world: World) -> None:
    from isostack.engine.lock import StackLock

    world.up_well(lambda: Thing("a"))
    with StackLock(world.stack_folder, "another run"):
        assert world.preview(lambda: Thing("a", size=2)).changes == {"update": 1}


def test_a_preview_after_a_failed_run_goes_on_from_there(world: World) -> None:
    world.cloud.before = failing("create b")
    world.up(lambda: [Thing("a"), Thing("b")])
    assert world.preview().changes == {"create": 1}


def test_a_program_that_fails_changes_nothing(world: World) -> None:
    def program() -> None:
        Thing("a")
        raise RuntimeError("the sky fell")

    outcome = world.up(program)
    assert outcome.result.result == "failed"
    assert "RuntimeError: the sky fell" in outcome.messages()
    assert outcome.calls == []


def test_refreshing_first_sees_what_drifted(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1))
    world.cloud.named("a").inputs["size"] = 5
    assert world.up_well().calls == []
    assert world.preview(refresh=True).changes == {"update": 1}
    assert world.up_well(refresh=True).calls == ["update a-1"]
