"""One stack reads the outputs of another."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from isostack.engine.values import Secret
from tests.engine.harness import Thing, World

REFERENCES = ["organization/base/dev", "base/dev"]


@pytest.fixture
def base(world: World) -> World:
    """Another project's stack, in the same state folder."""
    other = World(world.folder / "base", world.cloud, project="base")
    (world.folder / "base").mkdir()
    (world.folder / "home").mkdir()
    (world.folder / "base" / "home").symlink_to(world.folder / "home", target_is_directory=True)

    def program() -> None:
        pulumi.export("size", 7)
        pulumi.export("nested", {"list": [1, "two"]})
        pulumi.export("password", pulumi.Output.secret("hunter2"))

    other.up_well(program)
    return other


@pytest.mark.parametrize("reference", REFERENCES)
def test_outputs_of_another_stack_are_read(world: World, base: World, reference: str) -> None:
    def program() -> None:
        other = pulumi.StackReference(reference)
        Thing("a", size=other.get_output("size"), password=other.require_output("password"))
        pulumi.export("nested", other.get_output("nested"))
        pulumi.export("none", other.get_output("nothing"))
        pulumi.export("password", other.get_output("password"))

    assert base.names() == []
    assert world.preview(program).changes == {"create": 2}
    outcome = world.up_well(program)
    assert outcome.result.outputs == {"nested": {"list": [1, "two"]}, "password": Secret("hunter2")}
    assert world.cloud.named("a").inputs == {"name": "a", "size": 7, "password": "hunter2"}
    state = world.state(reference)
    assert (state.id, state.external) == (reference, True)
    assert state.outputs["secretOutputNames"] == ["password"]
    assert "hunter2" not in world.written()
    assert world.up_well().changes == {}
    gone = world.destroy()
    assert gone.result.result == "succeeded"
    assert sorted(gone.ops) == sorted(["a", reference, "shop-dev"])  # of a default provider nothing is told


def test_a_change_over_there_arrives_with_the_next_up(world: World, base: World) -> None:
    def program() -> None:
        Thing("a", size=pulumi.StackReference("base/dev").get_output("size"))

    world.up_well(program)
    base.up_well(lambda: pulumi.export("size", 8))
    assert world.up_well().calls == ["update a-1"]


def test_a_stack_that_does_not_exist_is_named(world: World, base: World) -> None:
    outcome = world.up(lambda: [pulumi.StackReference("organization/base/nowhere"), Thing("a")])
    assert outcome.result.result == "failed"
    assert "no stack base/nowhere" in outcome.messages()
    assert "known: base/dev" in outcome.messages()
    assert outcome.calls == []


def test_an_output_that_is_required_and_missing_ends_the_run(world: World, base: World) -> None:
    outcome = world.up(lambda: pulumi.export("x", pulumi.StackReference("base/dev").require_output("nothing")))
    assert outcome.result.result == "failed"
    assert "nothing" in outcome.messages()
    assert Path(world.folder).exists()
