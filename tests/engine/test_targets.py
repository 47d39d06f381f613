"""``--target``: only some resources, and nothing that would leave the rest broken."""

from __future__ import annotations

from tests.engine.harness import THING, Group, Thing, World, options


def pair(size: int) -> None:
    a = Thing("a", size=size)
    Thing("b", source=a.arn, size=size)


def test_only_targets_are_updated(world: World) -> None:
    world.up_well(lambda: pair(1))
    outcome = world.up_well(lambda: pair(2), targets=[world.urn("b")])
    assert outcome.calls == ["update b-1"]
    assert world.state("a").inputs["size"] == 1
    assert world.up_well().calls == ["update a-1"]


def test_what_is_no_target_is_not_created(world: World) -> None:
    outcome = world.up_well(lambda: [Thing("a"), Thing("b")], targets=[world.urn("a")])
    assert outcome.calls == ["create a"]
    assert world.names() == ["a"]


def test_a_target_that_needs_something_new_is_refused(world: World) -> None:
    outcome = world.up(lambda: pair(1), targets=[world.urn("b")])
    assert outcome.result.result == "failed"
    assert f"--target {world.urn('b')}: it depends on {world.urn('a')}, which does not exist yet" in outcome.messages()
    assert outcome.calls == []


def test_what_depends_on_something_that_is_not_created_is_left_out_as_well(world: World) -> None:
    def program() -> None:
        pair(1)
        Thing("c")

    assert world.up_well(program, targets=[world.urn("c")]).calls == ["create c"]
    assert len(world.up_well().calls) == 2


def test_a_target_that_does_not_exist_is_told(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    for outcome in (world.up(targets=["urn:nowhere"]), world.destroy(targets=["urn:nowhere"])):
        assert outcome.result.result == "failed"
        assert "--target urn:nowhere" in outcome.messages()
        assert outcome.calls == []


def test_stars_stand_for_many(world: World) -> None:
    world.up_well(lambda: [Thing("aa", size=1), Thing("ab", size=1), Thing("b", size=1)])
    outcome = world.up_well(lambda: [Thing("aa", size=2), Thing("ab", size=2), Thing("b", size=2)], targets=[f"**::{THING}::a*"])
    assert sorted(outcome.calls) == ["update aa-1", "update ab-1"]


def test_what_left_the_program_is_deleted_only_if_it_is_a_target(world: World) -> None:
    world.up_well(lambda: [Thing("a"), Thing("b"), Thing("c")])
    assert world.up_well(lambda: Thing("c"), targets=[world.urn("a")]).calls == ["delete a-1"]
    assert world.names() == ["b", "c"]


def test_a_component_stays_as_long_as_something_in_it_does(world: World) -> None:
    def program() -> None:
        outer = Group("outer")
        inner = Group("inner", options(parent=outer))
        Thing("a", options(parent=inner))
        Thing("b", options(parent=outer))

    world.up_well(program)
    outcome = world.up_well(lambda: None, targets=[world.state("b").urn])
    assert outcome.calls == ["delete b-1"]
    assert world.names() == ["a", "inner", "outer"]
    world.up_well()
    assert world.names() == []


def test_a_target_is_not_deleted_while_others_need_it(world: World) -> None:
    world.up_well(lambda: pair(1))
    for outcome in (world.up(lambda: None, targets=[world.urn("a")]), world.destroy(targets=[world.urn("a")])):
        assert outcome.result.result == "failed"
        assert f"{world.urn('b')} depends on it; name that as a target too" in outcome.messages()
        assert outcome.calls == []


def test_destroy_deletes_the_targets_alone(world: World) -> None:
    world.up_well(lambda: pair(1))
    assert world.destroy(targets=[world.urn("b")]).calls == ["delete b-1"]
    assert world.names() == ["a"]


def test_an_old_copy_of_what_is_no_target_waits(world: World) -> None:
    from tests.engine.fake_cloud import failing

    world.up_well(lambda: [Thing("a", fixed=1), Thing("b")])
    world.cloud.before = failing("delete a")
    world.up(lambda: [Thing("a", fixed=2), Thing("b")])
    world.cloud.before = None
    assert world.up_well(targets=[world.urn("b")]).calls == []
    assert world.up_well(targets=[world.urn("a")]).calls == ["delete a-1"]


def test_refresh_looks_at_the_targets_alone(world: World) -> None:
    world.up_well(lambda: [Thing("a"), Thing("b")])
    outcome = world.refresh(targets=[world.urn("a")])
    assert [str(call) for call in outcome.made] == ["read a-1"]


def test_stack_outputs_of_what_was_left_out_keep_their_value(world: World) -> None:
    def program(*, more: bool) -> None:
        import pulumi

        a = Thing("a", size=1 if more else 0)
        pulumi.export("a", a["size"])
        if more:
            pulumi.export("b", Thing("b").arn)

    world.up_well(lambda: program(more=False))
    outcome = world.up_well(lambda: program(more=True), targets=[world.urn("a")])
    assert outcome.result.outputs == {"a": 1}
