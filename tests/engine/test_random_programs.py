"""Random programs that change at random: whatever they are, the cloud ends up as the last one says, and stays so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.harness import Group, Thing, World, options

NAMES = "abcde"


@dataclass(frozen=True)
class Declared:
    """One resource of a random program. Indices point at resources that the program declares before it."""

    values: tuple[int, int, int]
    source: tuple[str, int] | None
    depends_on: int | None
    parent: int | None
    in_group: bool


def declared(position: int) -> st.SearchStrategy[Declared]:
    earlier = st.none() | st.integers(0, position - 1) if position else st.none()
    return st.builds(
        Declared,
        values=st.tuples(*[st.integers(0, 1)] * 3),
        source=st.none()
        if not position
        else st.none() | st.tuples(st.sampled_from(["size", "fixed", "exclusive"]), st.integers(0, position - 1)),
        depends_on=earlier,
        parent=earlier,
        in_group=st.booleans(),
    )


Program = dict[str, Declared]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]
    return {name: draw(declared(position)) for position, name in enumerate(names)}


def run(program: Program) -> None:
    """Declare it all."""
    made: list[Thing] = []
    group = Group("g")
    for name, one in program.items():
        size, fixed, exclusive = one.values
        properties: dict[str, object] = {"size": size, "fixed": fixed, "exclusive": exclusive}
        if one.source is not None:
            properties[one.source[0]] = made[one.source[1]].arn
        parent = made[one.parent] if one.parent is not None else group if one.in_group else None
        needed = [made[one.depends_on]] if one.depends_on is not None else []
        made.append(Thing(name, options(parent=parent, depends_on=needed), **properties))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=programs(), second=programs(), parallel=st.sampled_from([1, 8]))
def test_the_cloud_holds_what_the_last_program_says_and_a_second_up_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, first: Program, second: Program, parallel: int
) -> None:
    world = World(tmp_path_factory.mktemp("random"))
    for program in (first, second):
        world.up_well(lambda program=program: run(program), parallel=parallel, skip_preview=True)
        assert world.cloud.names() == sorted(program)
        for name, one in program.items():
            if one.source is not None:
                needed = world.cloud.named(list(program)[one.source[1]])
                assert world.cloud.named(name).inputs[one.source[0]] == f"arn:{needed.id}"
    again = world.up_well(parallel=parallel)
    assert again.calls == []
    assert again.changes == {}
    assert world.destroy(parallel=parallel).result.result == "succeeded"
    assert world.cloud.things == {}
    assert world.snapshot.resources == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=programs(), second=programs())
def test_a_preview_counts_what_up_then_does(tmp_path_factory: pytest.TempPathFactory, first: Program, second: Program) -> None:
    world = World(tmp_path_factory.mktemp("random"))
    world.up_well(lambda: run(first), skip_preview=True)
    announced = world.preview(lambda: run(second))
    done = world.up_well(skip_preview=True)
    assert announced.changes == done.changes
