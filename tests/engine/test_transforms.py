"""Transforms: functions of the program that change what is registered or invoked, before the engine takes it."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import runtime

from tests.engine.harness import Group, Thing, World, options

Args = pulumi.ResourceTransformArgs
Changed = pulumi.ResourceTransformResult


def tagged(tag: str) -> Any:
    """A transform that appends to a property ``tags``."""

    def transform(args: Args) -> Changed | None:
        if args.type_.startswith("aws:"):
            return Changed({**args.props, "tags": [*args.props.get("tags", []), tag]}, args.opts)
        return None

    return transform


def test_a_resource_is_changed_by_its_own_then_its_ancestors_then_the_stacks_transforms(world: World) -> None:
    def program() -> None:
        runtime.register_resource_transform(tagged("stack"))
        outer = Group("outer", options(transforms=[tagged("outer")]))
        inner = Group("inner", options(parent=outer, transforms=[tagged("inner")]))
        Thing("a", options(parent=inner, transforms=[tagged("own 1"), tagged("own 2")]))
        Thing("b")

    world.up_well(program)
    assert world.cloud.named("a").inputs["tags"] == ["own 1", "own 2", "inner", "outer", "stack"]
    assert world.cloud.named("b").inputs["tags"] == ["stack"]
    assert world.up_well().changes == {}


def test_options_can_be_changed(world: World) -> None:
    def transform(args: Args) -> Changed | None:
        if args.name != "b":
            return None
        return Changed(
            args.props,
            pulumi.ResourceOptions.merge(
                args.opts,
                options(
                    protect=True,
                    ignore_changes=["size"],
                    retain_on_delete=True,
                    depends_on=[made["a"]],
                    additional_secret_outputs=["arn"],
                ),
            ),
        )

    made: dict[str, Thing] = {}

    def program(size: int) -> None:
        runtime.register_resource_transform(transform)
        made["a"] = Thing("a")
        Thing("b", size=size)

    outcome = world.up_well(lambda: program(1))
    assert outcome.calls == ["create a", "create b"]
    state = world.state("b")
    assert (state.protect, state.retain_on_delete) == (True, True)
    assert state.ignore_changes == ["size"]
    assert state.dependencies == [world.urn("a")]
    assert state.additional_secret_outputs == ["arn"]
    assert world.up_well(lambda: program(2)).calls == []


def test_a_value_that_a_transform_puts_in_is_waited_for(world: World) -> None:
    def program() -> None:
        a = Thing("a")

        def transform(args: Args) -> Changed | None:
            return Changed({**args.props, "source": a.arn}, args.opts)

        Thing("b", options(transforms=[transform]), plain=1)

    assert world.up_well(program).calls == ["create a", "create b"]
    assert world.state("b").inputs["source"] == "arn:a-1"


def test_the_dependencies_of_a_transformed_resource_are_kept(world: World) -> None:
    def program() -> None:
        runtime.register_resource_transform(lambda args: Changed(args.props, args.opts))
        a = Thing("a")
        Thing("b", options(transforms=[tagged("x")]), source=a.arn)

    world.up_well(program)
    state = world.state("b")
    assert state.dependencies == [world.urn("a")]
    assert state.property_dependencies["source"] == [world.urn("a")]


def test_secrets_pass_through_a_transform(world: World) -> None:
    world.up_well(lambda: Thing("a", options(transforms=[tagged("x")]), password=pulumi.Output.secret("hunter2")))
    assert world.cloud.named("a").inputs["password"] == "hunter2"
    assert "hunter2" not in world.written() + repr(world.events)


def test_a_transform_may_take_its_time(world: World) -> None:
    async def transform(args: Args) -> Changed:
        return Changed({**args.props, "tags": ["later"]}, args.opts)

    world.up_well(lambda: Thing("a", options(transforms=[transform])))
    assert world.cloud.named("a").inputs["tags"] == ["later"]


def test_a_transform_may_look_something_up_for_many_resources_at_once(world: World) -> None:
    world.cloud.functions["aws:test/look:look"] = lambda arguments: {"found": arguments["what"]}

    async def transform(args: Args) -> Changed:
        looked = runtime.invoke("aws:test/look:look", {"what": args.name})
        value = looked.value if hasattr(looked, "value") else looked
        return Changed({**args.props, "found": value["found"]}, args.opts)

    def program() -> None:
        for i in range(40):
            Thing(f"t{i}", options(transforms=[transform]))

    world.up_well(program, parallel=2)
    assert world.cloud.named("t39").inputs["found"] == "t39"
    assert len(world.cloud.things) == 40


def test_a_transform_that_raises_ends_the_run_before_anything_is_done(world: World) -> None:
    def transform(args: Args) -> None:
        raise ValueError("no such tag")

    outcome = world.up(lambda: [Thing("b"), Thing("a", options(transforms=[transform]))])
    assert outcome.result.result == "failed"
    assert "no such tag" in outcome.messages()
    assert outcome.calls == []


def test_old_style_transformations_still_work(world: World) -> None:
    def transformation(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        return pulumi.ResourceTransformationResult({**args.props, "tags": ["old style"]}, args.opts)

    def program() -> None:
        runtime.register_stack_transformation(transformation)
        Thing("a")
        Thing("b", options(transformations=[transformation]))

    world.up_well(program)
    assert world.cloud.named("a").inputs["tags"] == world.cloud.named("b").inputs["tags"] == ["old style"]


def test_invokes_are_transformed_too(world: World) -> None:
    world.cloud.functions["aws:test/look:look"] = lambda arguments: {"found": arguments["what"]}

    def transform(args: pulumi.InvokeTransformArgs) -> pulumi.InvokeTransformResult:
        return pulumi.InvokeTransformResult({**args.args, "what": "changed"}, args.opts)

    def program() -> None:
        runtime.register_invoke_transform(transform)
        looked = runtime.invoke_output("aws:test/look:look", {"what": "first"})
        pulumi.export("found", looked.apply(lambda result: result["found"]))

    assert world.up_well(program).result.outputs == {"found": "changed"}
