"""What exists already: ``import_`` takes it into the stack, ``get`` only reads it."""

from __future__ import annotations

import pulumi
import pytest

from isostack.engine.events import Op
from tests.engine.harness import Thing, World, options


def test_an_import_of_what_is_as_the_program_says_changes_nothing(world: World) -> None:
    id_ = world.cloud.add("a", size=1)
    world.cloud.calls.clear()
    outcome = world.up_well(lambda: Thing("a", options(import_=id_), size=1))
    assert outcome.calls == []
    assert outcome.ops["a"] is Op.IMPORT
    state = world.state("a")
    assert (state.id, state.import_id, state.external) == (id_, id_, False)
    assert state.outputs["arn"] == f"arn:{id_}"
    assert world.up_well().changes == {}
    assert world.up_well(lambda: Thing("a", size=1)).changes == {}
    assert world.state("a").import_id == ""


def test_an_import_of_what_differs_updates_it(world: World) -> None:
    id_ = world.cloud.add("a", size=1)
    outcome = world.up_well(lambda: Thing("a", options(import_=id_), size=2))
    assert outcome.calls == ["update a-1"]
    assert outcome.changes == {"create": 2, "update": 1}
    assert world.cloud.named("a").inputs["size"] == 2
    assert world.up_well().changes == {}


def test_an_import_leaves_alone_what_is_ignored(world: World) -> None:
    id_ = world.cloud.add("a", size=1)
    assert world.up_well(lambda: Thing("a", options(import_=id_, ignore_changes=["size"]), size=2)).calls == []
    assert world.state("a").inputs["size"] == 1


def test_an_import_never_replaces(world: World) -> None:
    id_ = world.cloud.add("a", fixed=1)
    outcome = world.up(lambda: Thing("a", options(import_=id_), fixed=2))
    assert outcome.result.result == "failed"
    assert "would have to be replaced, since it differs in fixed (1 there)" in outcome.messages()
    assert outcome.calls == []
    assert world.names() == []


def test_an_imported_resource_is_not_replaced_while_the_program_says_import(world: World) -> None:
    id_ = world.cloud.add("a", fixed=1)
    world.up_well(lambda: Thing("a", options(import_=id_), fixed=1))
    outcome = world.up(lambda: Thing("a", options(import_=id_), fixed=2))
    assert "take import_ out" in outcome.messages()
    assert outcome.calls == []
    assert world.up_well(lambda: Thing("a", fixed=2)).calls == ["create a", "delete a-1"]


def test_an_import_of_what_does_not_exist_fails_before_anything_is_done(world: World) -> None:
    outcome = world.up(lambda: [Thing("a", options(import_="nowhere-1")), Thing("b")])
    assert outcome.result.result == "failed"
    assert "import: aws:test/thing:Thing 'nowhere-1' does not exist" in outcome.messages()
    assert outcome.calls == []


def test_an_import_in_place_of_what_the_stack_has_deletes_that(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1))
    id_ = world.cloud.add("a", size=1)
    outcome = world.up_well(lambda: Thing("a", options(import_=id_), size=1))
    assert outcome.calls == ["delete a-1"]
    assert world.state("a").id == id_


def test_get_reads_and_never_touches(world: World) -> None:
    id_ = world.cloud.add("theirs", size=1)

    def program() -> None:
        theirs = Thing("theirs", options(id=id_))
        Thing("b", source=theirs.arn)

    outcome = world.up_well(program)
    assert outcome.calls == ["create b"]
    assert outcome.ops["theirs"] is Op.READ
    assert outcome.changes == {"create": 2}
    state = world.state("theirs")
    assert (state.id, state.external, state.created) == (id_, True, "")
    assert world.cloud.named("b").inputs["source"] == f"arn:{id_}"
    assert world.up_well().changes == {}
    world.destroy()
    assert world.cloud.names() == ["theirs"]


def test_get_of_what_does_not_exist_fails_before_anything_is_done(world: World) -> None:
    outcome = world.up(lambda: [Thing("theirs", options(id="nowhere")), Thing("b")])
    assert outcome.result.result == "failed"
    assert "'nowhere' does not exist" in outcome.messages()
    assert outcome.calls == []


def test_get_by_an_id_that_is_not_known_yet_waits_for_it(world: World) -> None:
    def program() -> None:
        a = Thing("a")
        theirs = Thing("theirs", options(id=a.id))
        pulumi.export("arn", theirs.arn)

    looked = world.preview(program)
    assert (looked.changes, looked.ops["theirs"]) == ({"create": 2}, Op.READ)
    outcome = world.up_well(program)
    assert outcome.result.outputs == {"arn": "arn:a-1"}


def test_what_is_no_longer_read_is_forgotten(world: World) -> None:
    id_ = world.cloud.add("theirs")
    world.up_well(lambda: Thing("theirs", options(id=id_)))
    outcome = world.up_well(lambda: None)
    assert outcome.calls == []
    assert outcome.changes == {}
    assert outcome.ops["theirs"] is Op.FORGET
    assert world.names() == []


def test_what_the_stack_owned_and_now_only_reads_stays(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    outcome = world.up_well(lambda: Thing("a", options(id="a-1")))
    assert outcome.calls == []
    assert world.state("a").external
    world.destroy()
    assert world.cloud.names() == ["a"]


def test_reading_another_in_place_of_what_the_stack_owned_deletes_that(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    id_ = world.cloud.add("a")
    assert world.up_well(lambda: Thing("a", options(id=id_))).calls == ["delete a-1"]


def test_what_was_read_and_is_now_made_leaves_theirs_alone(world: World) -> None:
    id_ = world.cloud.add("a")
    world.up_well(lambda: Thing("a", options(id=id_)))
    outcome = world.up_well(lambda: Thing("a"))
    assert outcome.calls == ["create a"]
    assert sorted(world.cloud.things) == ["a-1", "a-2"]


@pytest.mark.parametrize("taken", [True, False])
def test_the_secrets_of_what_is_imported_stay_secret(world: World, taken: bool) -> None:
    id_ = world.cloud.add("a", password="hunter2-there")
    password = pulumi.Output.secret
    wanted = "hunter2-there" if taken else "hunter2-new"
    world.up_well(lambda: Thing("a", options(import_=id_), password=password(wanted)))
    assert "hunter2" not in world.written() + repr(world.events)
