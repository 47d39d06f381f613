"""The state against the cloud: drift, what is gone, and a cloud that was reset."""

from __future__ import annotations

import pulumi
import pytest

from isostack.engine.events import Op
from tests.engine.fake_cloud import failing
from tests.engine.harness import Crash, Group, Thing, World, options


def test_drift_is_shown_and_mended_by_the_next_up(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1, tags={"x": 1}))
    world.cloud.named("a").inputs.update(size=5, tags={"x": 1, "theirs": 2})
    outcome = world.refresh()
    assert outcome.changes == {"update": 1}
    assert outcome.calls == []
    step = outcome.started("a", Op.UPDATE)
    assert {(change.path, change.old, change.new) for change in step.changes} == {("size", 1, 5), ("tags.theirs", None, 2)}
    assert world.state("a").inputs["size"] == 5
    assert world.up_well().calls == ["update a-1"]
    assert world.cloud.named("a").inputs == {"name": "a", "size": 1, "tags": {"x": 1}}


def test_a_refresh_of_what_is_as_it_was_changes_nothing(world: World) -> None:
    world.up_well(lambda: Thing("a", options(parent=Group("g")), size=1))
    before = world.snapshot.resources
    assert world.refresh().changes == {}
    assert world.snapshot.resources == before
    assert world.up_well().changes == {}


def test_what_was_deleted_behind_the_engines_back_is_made_anew(world: World) -> None:
    def program() -> None:
        a = Thing("a")
        Thing("b", source=a.arn)

    world.up_well(program)
    del world.cloud.things["a-1"]
    outcome = world.refresh()
    assert outcome.changes == {"delete": 1}
    assert outcome.started("a", Op.DELETE).note == "gone from the cloud"
    assert world.names() == ["b"]
    assert world.up_well().calls == ["create a", "update b-1"]


def test_an_old_copy_that_is_gone_leaves_its_successor_alone(world: World) -> None:
    def program(fixed: int) -> None:
        a = Thing("a", fixed=fixed)
        Thing("b", source=a.arn)

    world.up_well(lambda: program(1))
    world.cloud.before = failing("delete a")
    world.up(lambda: program(2))
    world.cloud.before = None
    del world.cloud.things["a-1"]
    world.refresh()
    assert world.state("a").id == "a-2"
    assert world.state("b").dependencies == [world.urn("a")]
    assert world.up_well().calls == []


def test_a_failed_look_fails_the_refresh_and_keeps_the_state(world: World) -> None:
    world.up_well(lambda: [Thing("a"), Thing("b", size=1)])
    world.cloud.named("b").inputs["size"] = 2
    world.cloud.before = failing("read a")
    outcome = world.refresh()
    assert outcome.result.result == "failed"
    assert "read a-1: Throttling" in outcome.messages()
    assert world.names() == ["a", "b"]
    assert world.state("b").inputs["size"] == 2


def everything() -> None:
    suffix = Thing("suffix", type_="random:index/id:Id")
    a = Thing("a", source=suffix.arn)
    group = Group("g")
    Thing("b", options(parent=group, protect=True), source=a.arn)
    Thing("derived", type_="random:index/id:Id", source=a["source"])
    group.register_outputs({"x": a.arn})
    pulumi.export("suffix", suffix.arn)


def test_after_a_reset_of_the_cloud_all_that_lived_there_is_made_anew(world: World) -> None:
    world.up_well(everything)
    world.cloud.reset()
    assert world.preview().changes == {"create": 2}
    outcome = world.up_well()
    assert outcome.calls == ["create a", "create b"]
    assert "the local cloud was reset" in outcome.messages("warning")
    assert outcome.result.outputs == {"suffix": "arn:suffix-1"}
    assert (world.state("a").id, world.state("suffix").id, world.state("derived").id) == ("a-2", "suffix-1", "derived-1")
    again = world.up_well()
    assert again.changes == {}
    assert again.messages("warning") == ""


@pytest.mark.parametrize("operation", ["destroy", "refresh"])
def test_other_operations_notice_a_reset_as_well(world: World, operation: str) -> None:
    world.up_well(everything)
    world.cloud.reset()
    outcome = getattr(world, operation)()
    assert outcome.result.result == "succeeded"
    assert "the local cloud was reset" in outcome.messages("warning")
    assert [call for call in outcome.calls if "suffix" not in call and "derived" not in call] == []


def test_a_cloud_that_was_reset_twice_is_noticed_twice(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    for _ in range(2):
        world.cloud.reset()
        assert world.up_well().calls == ["create a"]


def test_in_a_cloud_that_is_as_it_was_a_little_earlier_what_is_missing_is_made_anew_and_nothing_else(world: World) -> None:
    world.up_well(everything)
    world.cloud.go_back("b")
    world.cloud.named("a").inputs["size"] = 7
    assert world.preview().changes == {"create": 1, "update": 1}
    outcome = world.up_well()
    assert sorted(outcome.calls) == ["create b", "update a-1"]
    assert "as it was a little earlier" in outcome.messages("warning")
    again = world.up_well()
    assert (again.calls, again.messages("warning")) == ([], "")
    world.cloud.go_back("a")
    assert world.up_well().calls == ["create a", "update b-2"], "and so once more"


def test_a_run_for_targets_leaves_the_rest_of_an_older_cloud_to_the_next(world: World) -> None:
    world.up_well(lambda: (Thing("a"), Thing("b")))
    world.cloud.go_back("a", "b")
    assert world.up_well(targets=("**::a",)).calls == ["create a"]
    assert world.up_well().calls == ["create b"]


def test_a_step_that_was_cut_off_is_settled_in_an_older_cloud(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    world.crash_at(1, "after")
    with pytest.raises(Crash):
        world.up(lambda: (Thing("a"), Thing("b")), skip_preview=True)
    assert world.come_back()
    world.cloud.go_back()
    outcome = world.up_well()
    assert outcome.calls == []
    assert world.names() == ["a", "b"]


def test_a_stack_knows_again_what_its_last_run_deleted_and_an_older_cloud_has(world: World) -> None:
    def program(kept: bool) -> None:
        a = Thing("a")
        if kept:
            Thing("c", options(parent=Group("g")), source=Thing("b", source=a.arn).arn)

    world.up_well(lambda: program(True))
    things = dict(world.cloud.things)
    world.up_well(lambda: program(False))
    assert world.names() == ["a"]
    world.cloud.things = things
    world.cloud.go_back("c")
    with world.store.lock("shop", "dev", "test"):
        assert world.store.know_again("shop", "dev") == 3
        assert world.store.know_again("shop", "dev") == 0
    assert world.names() == ["a", "b", "c", "g"]
    assert world.up_well(lambda: program(True)).calls == ["create c"]


def test_a_state_that_was_exported_can_be_imported_and_gone_on_with(world: World) -> None:
    import json

    def program(size: int) -> None:
        a = Thing("a", size=size)
        Thing("b", options(protect=True), source=a.arn, password=pulumi.Output.secret("hunter2"))
        pulumi.export("arn", a.arn)

    world.up_well(lambda: program(1))
    before = world.snapshot.resources
    exported = json.dumps(world.store.export("shop", "dev"))
    assert "hunter2" not in exported
    world.store.remove("shop", "dev")
    assert world.names() == []
    world.store.import_("shop", "dev", exported, "state.json")
    assert world.snapshot.resources == before
    assert world.up_well().changes == {}
    assert world.up_well(lambda: program(2)).calls == ["update a-1"]
