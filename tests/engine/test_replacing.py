"""Updates and replacements: what forces one, in which order it goes, and what it drags along."""

from __future__ import annotations

import pytest

from isostack.engine.events import Change, Op
from tests.engine.fake_cloud import failing
from tests.engine.harness import Thing, World, options


def test_a_changed_property_is_updated_in_place(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1, other=1))
    created = world.state("a").created
    outcome = world.up_well(lambda: Thing("a", size=2))
    assert outcome.calls == ["update a-1"]
    assert outcome.changes == {"update": 1}
    assert outcome.started("a", Op.UPDATE).changes == (
        Change("other", "delete", 1, None),
        Change("size", "update", 1, 2),
    )
    assert world.cloud.named("a").inputs == {"name": "a", "size": 2}
    assert world.state("a").created == created < world.state("a").modified


def test_a_replacement_is_created_before_the_old_one_is_deleted(world: World) -> None:
    world.up_well(lambda: Thing("a", fixed=1))
    outcome = world.up_well(lambda: Thing("a", fixed=2))
    assert outcome.calls == ["create a", "delete a-1"]
    assert outcome.changes == {"replace": 1}
    assert outcome.started("a", Op.REPLACE).changes == (Change("fixed", "update", 1, 2, replaces=True),)
    assert [thing.id for thing in world.cloud.things.values()] == ["a-2"]


def test_dependents_move_to_the_replacement_before_the_old_one_goes(world: World) -> None:
    def program(fixed: int) -> None:
        a = Thing("a", fixed=fixed)
        Thing("b", source=a.arn)

    world.up_well(lambda: program(1))
    assert world.up_well(lambda: program(2)).calls == ["create a", "update b-1", "delete a-1"]
    assert world.cloud.named("b").inputs["source"] == "arn:a-2"


def test_a_replacement_that_dependents_cannot_follow_replaces_them_too(world: World) -> None:
    def program(fixed: int) -> None:
        a = Thing("a", fixed=fixed)
        b = Thing("b", fixed=a.arn)
        Thing("c", source=b.arn)

    world.up_well(lambda: program(1))
    outcome = world.up_well(lambda: program(2))
    assert outcome.calls == ["create a", "create b", "update c-1", "delete b-1", "delete a-1"]
    assert outcome.changes == {"replace": 2, "update": 1}


def test_the_old_one_is_deleted_first_where_the_provider_says_so(world: World) -> None:
    world.up_well(lambda: Thing("a", exclusive=1))
    outcome = world.up_well(lambda: Thing("a", exclusive=2))
    assert outcome.calls == ["delete a-1", "create a"]
    assert outcome.changes == {"replace": 1}
    assert outcome.started("a", Op.REPLACE).note == "delete before replace"


@pytest.mark.parametrize(
    ("wanted", "property_", "calls"),
    [(True, "fixed", ["delete a-1", "create a"]), (False, "exclusive", ["create a", "delete a-1"])],
)
def test_the_program_has_the_last_word_on_what_goes_first(world: World, wanted: bool, property_: str, calls: list[str]) -> None:
    def program(value: int) -> None:
        Thing("a", options(delete_before_replace=wanted), **{property_: value})

    world.up_well(lambda: program(1))
    assert world.up_well(lambda: program(2)).calls == calls


def test_a_delete_before_replace_drags_along_what_it_forces_to_be_replaced(world: World) -> None:
    def program(exclusive: int) -> None:
        a = Thing("a", exclusive=exclusive)
        b = Thing("b", fixed=a.arn)
        Thing("c", fixed=b.arn)
        Thing("follows", source=a.arn)
        Thing("waits", options(depends_on=[a]), fixed=1)
        Thing("apart", fixed=1)

    world.up_well(lambda: program(1), parallel=1)
    outcome = world.up_well(lambda: program(2), parallel=1)
    deletes = [call.partition("-")[0] for call in outcome.calls if call.startswith("delete")]
    assert deletes == ["delete c", "delete b", "delete a"]
    assert outcome.calls[:3] == [call for call in outcome.calls if call.startswith("delete")]
    assert sorted(outcome.calls[3:]) == ["create a", "create b", "create c", "update follows-1"]
    assert outcome.changes == {"replace": 3, "update": 1}
    assert world.cloud.names() == ["a", "apart", "b", "c", "follows", "waits"]


def test_what_was_dragged_along_and_left_the_program_is_not_made_again(world: World) -> None:
    def program(exclusive: int, *dependents: str) -> None:
        a = Thing("a", exclusive=exclusive)
        for name in dependents:
            Thing(name, fixed=a.arn)

    world.up_well(lambda: program(1, "b"))
    outcome = world.up_well(lambda: program(2))
    assert outcome.calls == ["delete b-1", "delete a-1", "create a"]
    assert world.names() == ["a"]


def test_a_create_that_fails_after_its_delete_is_made_up_by_the_next_run(world: World) -> None:
    world.up_well(lambda: Thing("a", exclusive=1))
    world.cloud.before = failing("create a")
    assert world.up(lambda: Thing("a", exclusive=2)).result.result == "failed"
    assert world.state("a").pending_replacement
    assert world.cloud.names() == []
    world.cloud.before = None
    outcome = world.up_well()
    assert outcome.calls == ["create a"]
    assert outcome.changes == {"replace": 1}
    assert not world.state("a").pending_replacement


def test_a_pending_replacement_that_left_the_program_is_only_forgotten(world: World) -> None:
    world.up_well(lambda: Thing("a", exclusive=1))
    world.cloud.before = failing("create a")
    world.up(lambda: Thing("a", exclusive=2))
    world.cloud.before = None
    assert world.up_well(lambda: None).calls == []
    assert world.names() == []


def test_an_old_copy_whose_delete_fails_is_deleted_by_the_next_run(world: World) -> None:
    world.up_well(lambda: Thing("a", fixed=1))
    world.cloud.before = failing("delete a")
    outcome = world.up(lambda: Thing("a", fixed=2))
    assert outcome.result.result == "failed"
    assert "delete a-1: Throttling" in outcome.messages()
    assert [r.id for r in world.snapshot.resources if r.delete] == ["a-1"]
    world.up(lambda: Thing("a", fixed=3))
    assert sorted(r.id for r in world.snapshot.resources if r.delete) == ["a-1", "a-2"]
    world.cloud.before = None
    assert sorted(world.up_well().calls) == ["delete a-1", "delete a-2"]
    assert list(world.cloud.things) == ["a-3"]


@pytest.mark.parametrize(
    ("path", "replaced"),
    [
        ("size", True),
        ("tags", True),
        ("tags.team", True),
        ('tags["team"]', True),
        ("tags.*", True),
        ("*", True),
        ("list[1]", True),
        ("list[*].x", True),
        ("list[0]", False),
        ("list[*].y", False),
        ("tags.other", False),
        ("unchanged", False),
        ("not..a path[", False),
    ],
)
def test_replace_on_changes_looks_at_the_values_of_its_path(world: World, path: str, replaced: bool) -> None:
    def program(value: int) -> None:
        Thing(
            "a",
            options(replace_on_changes=[path]),
            size=value,
            tags={"team": value, "other": 1},
            list=[{"x": 0, "y": 0}, {"x": value, "y": 0}],
            unchanged=1,
        )

    world.up_well(lambda: program(1))
    outcome = world.up_well(lambda: program(2))
    assert outcome.changes == ({"replace": 1} if replaced else {"update": 1})
    assert world.up_well().calls == []


def test_replace_on_changes_by_itself_changes_nothing(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1))
    assert world.up_well(lambda: Thing("a", options(replace_on_changes=["*"]), size=1)).calls == []


def test_replace_with_follows_the_replacement_of_another(world: World) -> None:
    def program(fixed: int) -> None:
        a = Thing("a", fixed=fixed)
        Thing("b", options(replace_with=[a]), size=1)

    world.up_well(lambda: program(1))
    assert world.state("b").replace_with == [world.urn("a")]
    assert world.up_well(lambda: program(1)).calls == []
    outcome = world.up_well(lambda: program(2))
    assert outcome.calls[:2] == ["create a", "create b"]
    assert sorted(outcome.calls[2:]) == ["delete a-1", "delete b-1"]


def test_what_is_deleted_with_another_is_replaced_with_it(world: World) -> None:
    def program(fixed: int) -> None:
        a = Thing("a", fixed=fixed)
        Thing("b", options(deleted_with=a), size=1)

    world.up_well(lambda: program(1))
    outcome = world.up_well(lambda: program(2))
    assert outcome.calls == ["create a", "create b", "delete a-1"]
    assert outcome.ops["b"] is Op.FORGET
    assert [r.urn for r in world.snapshot.resources if r.delete] == []


def test_a_resource_that_is_gone_when_it_is_to_be_updated_is_made_anew(world: World) -> None:
    def program(size: int) -> None:
        a = Thing("a", size=size)
        Thing("b", source=a.arn)

    world.up_well(lambda: program(1))
    del world.cloud.things["a-1"]
    outcome = world.up_well(lambda: program(2))
    assert outcome.calls == ["update a-1", "create a", "update b-1"]
    assert outcome.changes == {"create": 1, "update": 1}
    assert "a-1 is gone" in outcome.messages("warning")
    assert world.state("a").id == "a-2"
