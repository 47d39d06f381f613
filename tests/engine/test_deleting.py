"""What goes, in which order, and what stays: removal from the program, destroy, protection, retained resources."""

from __future__ import annotations

import threading

import pytest

from isostack.engine.events import Op
from tests.engine.fake_cloud import Call, failing
from tests.engine.harness import Group, Thing, World, options


def chain() -> None:
    """c needs b, and b needs a; d stands alone."""
    a = Thing("a")
    b = Thing("b", source=a.arn)
    Thing("c", options(depends_on=[b]))
    Thing("d")


def ids(calls: list[str], *names: str) -> list[str]:
    return [name for call in calls if (name := call.removeprefix("delete ").rpartition("-")[0]) in names]


def test_what_left_the_program_is_deleted(world: World) -> None:
    world.up_well(chain)
    outcome = world.up_well(lambda: Thing("d"))
    assert ids(outcome.calls, "a", "b", "c", "d") == ["c", "b", "a"]
    assert outcome.changes == {"delete": 3}
    assert world.names() == ["d"]


def test_destroy_deletes_everything_and_the_stack(world: World) -> None:
    world.up_well(chain)
    outcome = world.destroy()
    assert ids(outcome.calls, "a", "b", "c") == ["c", "b", "a"]
    assert world.cloud.things == {}
    assert world.snapshot.resources == []
    assert outcome.changes == {"delete": 5}
    assert world.destroy().changes == {}


def test_a_child_goes_before_its_parent(world: World) -> None:
    def program() -> None:
        a = Thing("a")
        group = Group("g", options(parent=a))
        Thing("b", options(parent=group))

    world.up_well(program)
    assert ids(world.destroy().calls, "a", "b") == ["b", "a"]


def test_independent_deletes_go_at_once(world: World) -> None:
    world.up_well(lambda: [Thing(f"t{i}") for i in range(4)])
    together = threading.Barrier(4, timeout=20)
    world.cloud.before = lambda call: together.wait() and None
    assert world.destroy(parallel=4).result.result == "succeeded"
    assert world.cloud.things == {}


def test_a_protected_resource_that_left_the_program_stops_all_deletes(world: World) -> None:
    world.up_well(lambda: [Thing("a", options(protect=True)), Thing("b"), Thing("c")])
    outcome = world.up(lambda: Thing("c"))
    assert outcome.result.result == "failed"
    assert f"{world.urn('a')} is protected and would be deleted" in outcome.messages()
    assert outcome.calls == []
    assert world.names() == ["a", "b", "c"]


def test_destroy_with_a_protected_resource_deletes_nothing(world: World) -> None:
    world.up_well(lambda: [Thing("a", options(protect=True)), Thing("b")])
    outcome = world.destroy()
    assert outcome.result.result == "failed"
    assert "protected" in outcome.messages()
    assert outcome.calls == []


def test_a_protected_resource_is_not_replaced(world: World) -> None:
    world.up_well(lambda: Thing("a", options(protect=True), fixed=1))
    outcome = world.up(lambda: Thing("a", options(protect=True), fixed=2))
    assert outcome.result.result == "failed"
    assert "protected and would be replaced" in outcome.messages()
    assert outcome.calls == []
    assert world.up_well(lambda: Thing("a", fixed=2)).calls == ["create a", "delete a-1"]


def test_a_protected_resource_may_be_updated(world: World) -> None:
    world.up_well(lambda: Thing("a", options(protect=True), size=1))
    assert world.up_well(lambda: Thing("a", options(protect=True), size=2)).calls == ["update a-1"]


def test_protection_that_is_taken_off_lets_the_next_run_delete(world: World) -> None:
    world.up_well(lambda: Thing("a", options(protect=True)))
    world.up_well(lambda: Thing("a"))
    assert world.up_well(lambda: None).calls == ["delete a-1"]


def test_a_component_protects_its_children(world: World) -> None:
    world.up_well(lambda: Thing("a", options(parent=Group("g", options(protect=True)))))
    assert world.state("a").protect
    assert world.up(lambda: None).calls == []


def test_a_delete_before_replace_does_not_drag_along_what_is_protected(world: World) -> None:
    def program(exclusive: int) -> None:
        a = Thing("a", exclusive=exclusive)
        Thing("b", options(protect=True), fixed=a.arn)

    world.up_well(lambda: program(1))
    outcome = world.up(lambda: program(2))
    assert outcome.calls == []
    assert f"{world.urn('b')} is protected and would be replaced" in outcome.messages()


@pytest.mark.parametrize("how", ["removed", "destroyed", "replaced", "deleted before it is replaced"])
def test_a_retained_resource_stays_in_the_cloud(world: World, how: str) -> None:
    def program(fixed: int, exclusive: int = 1) -> None:
        Thing("a", options(retain_on_delete=True), fixed=fixed, exclusive=exclusive)

    world.up_well(lambda: program(1))
    if how == "destroyed":
        outcome = world.destroy()
    elif how == "removed":
        outcome = world.up_well(lambda: None)
    else:
        outcome = world.up_well(lambda: program(2, 2 if how.startswith("deleted") else 1))
    assert "a-1" in world.cloud.things
    assert [call for call in outcome.calls if call.startswith("delete")] == []
    assert [r.id for r in world.snapshot.resources if r.id == "a-1"] == []
    if how in ("removed", "destroyed"):
        assert outcome.started("a", Op.FORGET).note == "retained"


def test_what_is_deleted_with_its_container_is_not_deleted_by_itself(world: World) -> None:
    def program() -> None:
        box = Thing("box")
        Thing("inside", options(deleted_with=box))

    world.up_well(program)
    assert world.destroy().calls == ["delete box-1"]
    assert world.snapshot.resources == []


def test_what_leaves_a_container_that_stays_is_deleted(world: World) -> None:
    def program(*, inside: bool) -> None:
        box = Thing("box")
        if inside:
            Thing("inside", options(deleted_with=box))

    world.up_well(lambda: program(inside=True))
    assert world.up_well(lambda: program(inside=False)).calls == ["delete inside-1"]


def test_what_a_resource_needs_stays_where_its_delete_fails(world: World) -> None:
    world.up_well(chain)
    world.cloud.before = failing("delete b", message="DependencyViolation: in use")
    outcome = world.destroy()
    assert outcome.result.result == "failed"
    assert "delete b-1: DependencyViolation: in use" in outcome.messages()
    assert "b, which depends on it, was not deleted" in outcome.messages("warning")
    assert outcome.status("a") == "skipped"
    assert world.cloud.names() == world.names() == ["a", "b"]
    world.cloud.before = None
    assert world.destroy().calls == ["delete b-1", "delete a-1"]
    assert world.snapshot.resources == []


def test_nothing_is_deleted_after_a_failure(world: World) -> None:
    world.up_well(lambda: [Thing("a"), Thing("b", size=1)])
    world.cloud.before = failing("update b")
    outcome = world.up(lambda: Thing("b", size=2))
    assert outcome.calls == ["update b-1"]
    assert world.cloud.names() == ["a", "b"]
    world.cloud.before = None
    assert world.up_well().calls == ["update b-1", "delete a-1"]
    assert world.cloud.names() == ["b"]


def test_a_resource_that_is_gone_already_is_deleted_without_a_fuss(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    world.cloud.things.clear()
    assert world.destroy().result.result == "succeeded"


def test_the_name_of_a_deleted_resource_can_be_used_again(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    world.up_well(lambda: None)
    assert world.up_well(lambda: Thing("a")).calls == ["create a"]


def test_an_old_copy_and_its_successor_that_need_each_other_are_both_destroyed(world: World) -> None:
    def first() -> None:
        a = Thing("a", fixed=1)
        Thing("b", fixed=a.arn)

    def second() -> None:
        b = Thing("b", fixed="none")
        Thing("a", fixed=b.arn)

    world.up_well(first)
    world.cloud.before = failing("delete a", "delete b")
    assert world.up(second).result.result == "failed"
    world.cloud.before = None
    assert world.destroy().result.result == "succeeded"
    assert world.cloud.things == {}
    assert world.snapshot.resources == []


def test_deletes_of_one_run_wait_for_each_other_whatever_thread_does_them(world: World) -> None:
    def program() -> None:
        root = Thing("root")
        for i in range(8):
            Thing(f"t{i}", source=root.arn)

    world.up_well(program)
    done: list[str] = []

    def after(call: Call) -> None:
        done.append(call.subject.rpartition("-")[0])

    world.cloud.after = after
    world.destroy()
    assert done[-1] == "root"
    assert sorted(done[:-1]) == [f"t{i}" for i in range(8)]
