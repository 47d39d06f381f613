"""What a program registers, and what it gets back: resources, components, URNs, dependencies, outputs."""

from __future__ import annotations

import pulumi
import pytest

from isostack.engine.events import Op
from tests.engine.harness import THING, Group, Thing, World, options


def test_a_resource_is_created_and_recorded(world: World) -> None:
    outcome = world.up_well(lambda: Thing("a", size=1))
    assert outcome.calls == ["create a"]
    assert outcome.changes == {"create": 2}
    state = world.state("a")
    assert (state.urn, state.id, state.custom) == (world.urn("a"), "a-1", True)
    assert state.inputs["size"] == 1
    assert state.outputs["arn"] == "arn:a-1"
    assert state.created == state.modified != ""
    assert state.parent == world.state("shop-dev").urn


def test_a_second_up_changes_nothing(world: World) -> None:
    def program() -> None:
        group = Group("g")
        a = Thing("a", options(parent=group), size=1, nested={"deep": [1, {"x": None}]})
        Thing("b", source=a.arn)
        pulumi.export("arn", a.arn)

    world.up_well(program)
    before = world.snapshot.resources
    outcome = world.up_well()
    assert outcome.calls == []
    assert outcome.changes == {}
    assert outcome.result.changes.same == 4
    assert world.snapshot.resources == before


def test_a_urn_has_the_types_of_all_parents(world: World) -> None:
    def program() -> None:
        outer = Group("outer", type_="test:index:Outer")
        inner = Group("inner", options(parent=outer), type_="test:index:Inner")
        a = Thing("a", options(parent=inner))
        Thing("b", options(parent=a))
        pulumi.export("urn", a.urn)

    outcome = world.up_well(program)
    chain = "urn:pulumi:dev::shop::test:index:Outer$test:index:Inner$"
    assert world.state("inner").urn == "urn:pulumi:dev::shop::test:index:Outer$test:index:Inner::inner"
    assert world.state("a").urn == f"{chain}{THING}::a" == outcome.result.outputs["urn"]
    assert world.state("b").urn == f"{chain}{THING}${THING}::b"


def test_a_value_of_another_resource_is_a_dependency_of_its_property(world: World) -> None:
    def program() -> None:
        a = Thing("a")
        Thing("b", source=a.arn, plain=1)

    world.up_well(program)
    state = world.state("b")
    assert state.inputs["source"] == "arn:a-1"
    assert state.dependencies == [world.urn("a")]
    assert state.property_dependencies == {"source": [world.urn("a")], "plain": []}


def test_depends_on_orders_without_a_value(world: World) -> None:
    def program() -> None:
        last = Thing("a")
        for name in "bcdef":
            last = Thing(name, options(depends_on=[last]))

    outcome = world.up_well(program)
    assert outcome.calls == [f"create {name}" for name in "abcdef"]
    assert world.state("b").dependencies == [world.urn("a")]


def test_a_dependency_on_a_component_is_one_on_its_children(world: World) -> None:
    def program() -> None:
        group = Group("g")
        inner = Group("inner", options(parent=group))
        Thing("a", options(parent=group))
        Thing("b", options(parent=inner))
        Thing("c", options(depends_on=[group]))

    outcome = world.up_well(program)
    assert outcome.calls[-1] == "create c"
    assert world.state("c").dependencies == sorted([world.state("a").urn, world.state("b").urn])


def test_a_component_has_the_outputs_that_it_registers(world: World) -> None:
    def program() -> None:
        group = Group("g", colour="red")
        a = Thing("a", options(parent=group))
        group.register_outputs({"arn": a.arn, "list": [a.arn, 1]})

    outcome = world.up_well(program)
    state = world.state("g")
    assert outcome.ops["g"] is Op.CREATE
    assert (state.id, state.custom, state.inputs) == ("", False, {"colour": "red"})
    assert state.outputs == {"arn": "arn:a-1", "list": ["arn:a-1", 1]}


def test_outputs_of_a_component_that_are_no_longer_registered_are_gone(world: World) -> None:
    world.up_well(lambda: Group("g").register_outputs({"x": 1, "y": 2}))
    world.up_well(lambda: Group("g").register_outputs({"x": 3}))
    assert world.state("g").outputs == {"x": 3}


def test_changed_inputs_of_a_component_are_recorded(world: World) -> None:
    world.up_well(lambda: Group("g", colour="red"))
    world.up_well(lambda: Group("g", colour="blue"))
    assert world.state("g").inputs == {"colour": "blue"}


def test_nested_values_are_exported_as_they_are(world: World) -> None:
    def program() -> None:
        a = Thing("a")
        pulumi.export("nested", {"list": [a.arn, {"deep": a.id, "none": None}], "number": 1.5, "yes": True})
        pulumi.export("none", None)
        pulumi.export("huge", 2**53)

    outcome = world.up_well(program)
    assert outcome.result.outputs == {
        "nested": {"list": ["arn:a-1", {"deep": "a-1", "none": None}], "number": 1.5, "yes": True},
        "huge": 2**53,
    }
    assert world.state("shop-dev").outputs == outcome.result.outputs


def test_an_export_that_is_taken_out_is_gone(world: World) -> None:
    world.up_well(lambda: [pulumi.export("x", 1), pulumi.export("y", 2)])
    assert world.up_well(lambda: pulumi.export("x", 1)).result.outputs == {"x": 1}


def test_an_asynchronous_program_runs_to_its_end(world: World) -> None:
    def program() -> None:
        async def main() -> dict[str, object]:
            a = Thing("a")
            assert await a.arn.future() == "arn:a-1"
            Thing("b")
            return {"arn": a.arn}

        pulumi.run(main)

    outcome = world.up_well(program, skip_preview=True)
    assert outcome.calls == ["create a", "create b"]
    assert outcome.result.outputs == {"arn": "arn:a-1"}


def test_a_resource_made_inside_an_apply_is_waited_for(world: World) -> None:
    outcome = world.up_well(lambda: Thing("a").arn.apply(lambda arn: Thing("b", source=arn).arn.apply(lambda _: Thing("c"))))
    assert outcome.calls == ["create a", "create b", "create c"]


def test_two_resources_of_one_urn_are_refused_before_anything_is_made(world: World) -> None:
    outcome = world.up(lambda: [Thing("a"), Thing("a")])
    assert outcome.result.result == "failed"
    assert f"duplicate URN {world.urn('a')}" in outcome.messages()
    assert outcome.calls == []


def test_one_name_may_stand_for_resources_of_several_types(world: World) -> None:
    world.up_well(lambda: [Thing("a"), Thing("a", type_="aws:test/other:Other"), Group("a")])
    assert world.names() == ["a", "a", "a"]


def test_options_that_the_engine_has_no_use_for_are_accepted(world: World) -> None:
    def program() -> None:
        timeouts = pulumi.CustomTimeouts(create="1h30m", update="90s", delete="1.5h")
        Thing("a", options(version="7.0.0", plugin_download_url="https://example.invalid", custom_timeouts=timeouts))

    world.up_well(program)
    assert world.state("a").custom_timeouts == {"create": 5400.0, "update": 90.0, "delete": 5400.0}


def test_the_program_sees_the_values_that_the_cloud_gave(world: World) -> None:
    world.cloud.outputs = lambda thing: {"computed": [1, {"x": "y"}], "nothing": None}

    def program() -> None:
        a = Thing("a", computed=None, size=2.5)
        pulumi.Output.all(a["computed"], a["size"], a.id).apply(print)

    assert world.up_well(program, skip_preview=True).said == ["[[1.0, {'x': 'y'}], 2.5, 'a-1']"]


def test_a_resource_as_a_value_of_another_is_its_id_and_a_component_its_urn(world: World) -> None:
    def program(fixed: int) -> None:
        a, group = Thing("a", fixed=fixed), Group("g")
        Thing("b", other=a, nested=[{"secret": pulumi.Output.secret(a)}, group])

    assert world.preview(lambda: program(1)).changes == {"create": 4}
    world.up_well(lambda: program(1))
    assert world.state("b").dependencies == [world.urn("a")]
    assert world.cloud.named("b").inputs["other"] == "a-1"
    assert world.cloud.named("b").inputs["nested"] == [{"secret": "a-1"}, world.urn("g", "test:index:Group")]
    assert world.up_well().calls == []
    assert world.up_well(lambda: program(2)).calls == ["create a", "update b-1", "delete a-1"]


@pytest.mark.parametrize("parallel", [1, 16])
def test_a_wide_and_deep_program_is_done_whole(world: World, parallel: int) -> None:
    def program() -> None:
        for branch in range(5):
            last = Thing(f"root{branch}")
            for depth in range(4):
                last = Thing(f"b{branch}d{depth}", source=last.arn)

    outcome = world.up_well(program, parallel=parallel)
    assert len(outcome.calls) == 25
    assert len(world.cloud.things) == 25
