"""Resources that change their name, type or parent and stay the same resource."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pytest

from tests.engine.fake_cloud import failing
from tests.engine.harness import THING, Group, Program, Thing, World, options

OTHER = "aws:test/other:Other"


def renamed(world: World, before: Program, after: Program) -> None:
    """Run both; the second one must find everything and call nothing."""
    world.up_well(before)
    ids = sorted(r.id for r in world.snapshot.resources)
    assert world.preview(after).changes == {}
    outcome = world.up_well(after)
    assert outcome.calls == []
    assert outcome.changes == {}
    assert sorted(r.id for r in world.snapshot.resources) == ids
    assert world.up_well().calls == []


def test_by_name(world: World) -> None:
    renamed(world, lambda: Thing("old", name="n"), lambda: Thing("new", options(aliases=[pulumi.Alias(name="old")]), name="n"))
    assert world.names() == ["new"]


def test_by_type(world: World) -> None:
    renamed(
        world,
        lambda: Thing("a", type_=OTHER),
        lambda: Thing("a", options(aliases=[pulumi.Alias(type_=OTHER)])),
    )


def test_by_urn(world: World) -> None:
    alias = "urn:pulumi:dev::shop::aws:test/thing:Thing::old"
    renamed(world, lambda: Thing("old", name="n"), lambda: Thing("new", options(aliases=[alias]), name="n"))


def test_by_parent(world: World) -> None:
    def after() -> None:
        group = Group("g")
        Thing("a", options(parent=group, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))

    world.up_well(lambda: Thing("a"))
    assert world.up_well(after).calls == []
    assert world.state("a").urn.endswith(f"test:index:Group${THING}::a")


def test_from_a_parent_to_none(world: World) -> None:
    def after() -> None:
        group = Group("g")
        Thing("a", options(aliases=[pulumi.Alias(parent=group)]))

    renamed(world, lambda: Thing("a", options(parent=Group("g"))), after)


def test_the_children_of_a_renamed_component_come_along(world: World) -> None:
    def program(name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        group = Group(name, opts)
        inner = Group(f"{name}-inner", options(parent=group))
        Thing(f"{name}-inner-a", options(parent=inner), name="n")
        Thing("b", options(parent=group))

    renamed(world, lambda: program("old"), lambda: program("new", options(aliases=[pulumi.Alias(name="old")])))
    assert world.names() == ["b", "new", "new-inner", "new-inner-a"]


def test_the_children_of_a_component_of_another_type_come_along(world: World) -> None:
    def program(type_: str, opts: pulumi.ResourceOptions | None = None) -> None:
        group = Group("g", opts, type_=type_)
        Thing("a", options(parent=Group("inner", options(parent=group))))

    alias = pulumi.Alias(type_="old:index:Group")
    renamed(world, lambda: program("old:index:Group"), lambda: program("new:index:Group", options(aliases=[alias])))


def test_a_child_with_an_alias_under_a_parent_with_an_alias(world: World) -> None:
    def before() -> None:
        Thing("x", options(parent=Group("old")), name="n")

    def after() -> None:
        group = Group("new", options(aliases=[pulumi.Alias(name="old")]), type_="other:index:Group")
        Thing("y", options(parent=group, aliases=[pulumi.Alias(name="x")]), name="n")

    def with_both() -> None:
        alias = pulumi.Alias(name="old", type_="test:index:Group")
        group = Group("new", options(aliases=[alias]), type_="other:index:Group")
        Thing("y", options(parent=group, aliases=[pulumi.Alias(name="x")]), name="n")

    world.up_well(before)
    assert world.preview(after).changes == {"create": 2, "delete": 2}
    renamed(world, before, with_both)


def test_references_follow_the_new_name(world: World) -> None:
    def program(name: str, aliases: list[pulumi.Alias]) -> None:
        a = Thing(name, options(aliases=aliases), name="n")
        Thing("b", options(deleted_with=a), source=a.arn)
        Thing("c", options(parent=a, aliases=[pulumi.Alias(name="c")]))

    renamed(world, lambda: program("old", []), lambda: program("new", [pulumi.Alias(name="old")]))
    assert world.state("b").deleted_with == world.urn("new")
    assert world.state("b").property_dependencies["source"] == [world.urn("new")]
    assert world.state("c").parent == world.urn("new")


def test_an_alias_that_nothing_has_is_no_matter(world: World) -> None:
    outcome = world.up_well(lambda: Thing("a", options(aliases=[pulumi.Alias(name="never"), pulumi.Alias(name="was")])))
    assert outcome.calls == ["create a"]


def test_the_own_urn_comes_before_any_alias(world: World) -> None:
    world.up_well(lambda: [Thing("a"), Thing("b")])
    outcome = world.up_well(lambda: Thing("a", options(aliases=[pulumi.Alias(name="b")])))
    assert outcome.calls == ["delete b-1"]


def taken_over() -> None:
    b = Thing("b", options(aliases=[pulumi.Alias(name="a")]))
    Thing("a", options(depends_on=[b]))


def taken_back() -> None:
    a = Thing("a")
    Thing("b", options(depends_on=[a], aliases=[pulumi.Alias(name="a")]))


@pytest.mark.parametrize("program", [taken_over, taken_back])
def test_an_alias_of_what_the_program_still_has_is_refused(world: World, program: Callable[[], None]) -> None:
    world.up_well(lambda: Thing("a"))
    outcome = world.up(program)
    assert outcome.result.result == "failed"
    assert f"duplicate URN {world.urn('a')}" in outcome.messages()
    assert outcome.calls == []
    assert world.names() == ["a"]


def test_a_renamed_resource_can_change_at_the_same_time(world: World) -> None:
    world.up_well(lambda: Thing("old", name="n", size=1))
    outcome = world.up_well(lambda: Thing("new", options(aliases=[pulumi.Alias(name="old")]), name="n", size=2))
    assert outcome.calls == ["update n-1"]
    assert world.names() == ["new"]


def test_a_rename_survives_a_failed_update(world: World) -> None:
    world.up_well(lambda: Thing("old", name="n", size=1))
    world.cloud.before = failing("update n")
    program = lambda: Thing("new", options(aliases=[pulumi.Alias(name="old")]), name="n", size=2)  # noqa: E731
    assert world.up(program).result.result == "failed"
    assert world.names() == ["new"]
    world.cloud.before = None
    assert world.up_well().calls == ["update n-1"]
