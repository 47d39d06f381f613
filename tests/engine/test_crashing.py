"""A run dies at any call of the cloud, right before or right after the cloud did it: the next run loses nothing."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from isostack.engine.events import Diagnostic
from tests.engine.fake_cloud import FakeCloud
from tests.engine.harness import Crash, Outcome, Program, Thing, World, options


def nothing() -> None:
    pass


def first() -> None:
    a = Thing("a", size=1)
    Thing("b", fixed=a.arn, password=pulumi.Output.secret("hunter2"))
    Thing("c", options(depends_on=[a]), size=1)
    box = Thing("box", exclusive=1)
    Thing("inside", fixed=box.arn)


def second() -> None:
    a = Thing("a", size=2, fixed=1)
    Thing("b", fixed=a.arn, password=pulumi.Output.secret("hunter2"))
    box = Thing("box", exclusive=2)
    Thing("inside", fixed=box.arn)
    Thing("new", source=a.arn)


def up(program: Program) -> Callable[[World], Outcome]:
    return lambda world: world.up(program, skip_preview=True, parallel=1)


def destroy(world: World) -> Outcome:
    return world.destroy(parallel=1)


FLOWS: dict[str, tuple[Program, Callable[[World], Outcome], list[str]]] = {
    "creating": (nothing, up(first), ["a", "b", "box", "c", "inside"]),
    "changing": (first, up(second), ["a", "b", "box", "inside", "new"]),
    "removing": (first, up(nothing), []),
    "destroying": (first, destroy, []),
}


def clone(world: World, folder: Path) -> World:
    """The same world a second time: project, state and cloud."""
    shutil.copytree(world.folder, folder)
    cloud = FakeCloud(things=copy.deepcopy(world.cloud.things), _created=world.cloud._created.copy())
    return replace(world, folder=folder, cloud=cloud, events=[])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("flow", FLOWS)
def test_the_next_run_adopts_what_was_made_and_leaves_no_duplicate(world: World, flow: str, when: str) -> None:
    before, operation, names = FLOWS[flow]
    world.up_well(before)
    for number in range(1, 100):
        there = clone(world, world.folder.with_name(f"{world.folder.name}-{number}"))
        there.crash_at(number, when)
        with suppress(Crash):
            operation(there)
        if not there.come_back():
            break
        interrupted = there.snapshot
        interrupted.verify()
        assert len(interrupted.pending_operations) == 1
        recovered = operation(there)
        assert recovered.result.result == "succeeded", (number, recovered.messages())
        assert there.cloud.names() == names, number
        assert sorted(there.cloud.things) == sorted(r.id for r in there.snapshot.resources if r.type.startswith("aws:"))
        assert operation(there).changes == {}, number
        assert "hunter2" not in there.written()
    assert number > 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_many_things_are_under_way_loses_none(world: World, when: str) -> None:
    world.up_well(nothing)
    world.crash_at(9, when)
    program = lambda: [Thing(f"t{i}", options(parent=Thing(f"p{i}"))) for i in range(8)]  # noqa: E731
    with pytest.raises(Crash):
        world.up(program, skip_preview=True, parallel=8)
    assert world.come_back()
    world.up_well(program)
    assert world.cloud.names() == sorted([f"p{i}" for i in range(8)] + [f"t{i}" for i in range(8)])
    assert world.up_well().changes == {}


@pytest.mark.parametrize("number", range(1, 5))
def test_a_second_crash_while_the_first_is_being_mended_loses_nothing_either(world: World, number: int) -> None:
    world.up_well(nothing)
    world.crash_at(2, "after")
    with pytest.raises(Crash):
        world.up(first, skip_preview=True, parallel=1)
    assert world.come_back()
    world.crash_at(number, "after")
    with pytest.raises(Crash):
        world.up(skip_preview=True, parallel=1)
    assert world.come_back()
    world.up_well()
    assert world.cloud.names() == ["a", "b", "box", "c", "inside"]
    assert world.up_well().changes == {}


def crashed_create(world: World, **properties: object) -> None:
    world.up_well(nothing)
    world.crash_at(1, "after")
    with pytest.raises(Crash):
        world.up(lambda: Thing("a", **properties), skip_preview=True)
    assert world.come_back()


def told(world: World, severity: str) -> str:
    return "\n".join(e.message for e in world.events if isinstance(e, Diagnostic) and e.severity == severity)


def test_what_is_adopted_is_told(world: World) -> None:
    crashed_create(world)
    assert world.up_well().calls == []
    assert "'a'; a-1 was found and adopted" in told(world, "info")


def test_where_several_fit_none_is_adopted_and_a_person_is_asked(world: World) -> None:
    crashed_create(world)
    world.cloud.add("a")
    assert world.up_well().calls == ["create a"]
    assert "2 resources fit (a-1, a-2) and none was adopted: look for a" in told(world, "warning")
    assert world.up_well().changes == {}


def test_what_was_adopted_half_done_is_updated(world: World) -> None:
    crashed_create(world, size=1)
    world.cloud.named("a").inputs.pop("size")
    assert world.up_well().calls == ["update a-1"]
    assert world.cloud.named("a").inputs["size"] == 1


def test_what_left_the_program_after_the_crash_is_adopted_and_deleted(world: World) -> None:
    crashed_create(world)
    assert world.up_well(nothing).calls == ["delete a-1"]


def test_destroy_after_a_crash_deletes_what_was_made(world: World) -> None:
    crashed_create(world)
    assert world.destroy().calls == ["delete a-1"]
    assert world.cloud.things == {}


def test_the_state_of_a_dead_run_is_previewed_as_it_is(world: World) -> None:
    crashed_create(world)
    pending = len(world.snapshot.pending_operations)
    assert pending == 1
    written = world.written()
    world.write(lambda: Thing("a"))
    from isostack.engine import run
    from isostack.engine.project import StackConfig, load_project

    project = load_project(world.folder)
    config = StackConfig("dev", project.stack_file("dev"), {})
    run.preview(run.Stack(project, "dev", config, world.store, world.cloud, world.events.append))
    assert world.written() == written
