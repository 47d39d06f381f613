"""Which provider a resource is made through: the default one, an explicit one, one of a component's."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from isostack.errors import Refused
from tests.engine.harness import Group, Thing, World, options


class Aws(pulumi.ProviderResource):
    """An explicit provider of the fake cloud."""

    def __init__(self, name: str, region: Any, opts: pulumi.ResourceOptions | None = None, package: str = "aws") -> None:
        super().__init__(package, name, {"region": region}, opts)


def via(world: World, name: str) -> str:
    """The region of the provider through which the thing was made."""
    return str(world.cloud.named(name).inputs["via"])


def provider_of(world: World, name: str) -> str:
    return world.state(name).provider.rpartition("::")[0].rpartition("::")[2]


def test_the_default_provider_has_the_stacks_configuration(world: World) -> None:
    world.config = {"aws:region": "eu-west-1", "shop:other": "x"}
    world.up_well(lambda: [Thing("a"), Thing("r", type_="random:index/thing:Thing")])
    assert via(world, "a") == "eu-west-1"
    assert provider_of(world, "a") == "default_1_2_3"
    kinds = [r.type for r in world.snapshot.resources if "default_" in r.urn]
    assert sorted(kinds) == ["pulumi:providers:aws", "pulumi:providers:random"]
    state = world.state("a")
    assert state.provider == f"urn:pulumi:dev::shop::pulumi:providers:aws::default_1_2_3::{provider_id(world, 'aws')}"


def provider_id(world: World, package: str) -> str:
    (found,) = (r.id for r in world.snapshot.resources if r.type == f"pulumi:providers:{package}")
    return found


def test_the_default_provider_keeps_its_id_and_goes_with_its_last_resource(world: World) -> None:
    world.up_well(lambda: Thing("a"))
    first = provider_id(world, "aws")
    world.up_well(lambda: [Thing("a"), Thing("b")])
    assert provider_id(world, "aws") == first
    outcome = world.up_well(lambda: None)
    assert outcome.changes == {"delete": 2}
    assert len(world.snapshot.resources) == 1


def test_an_explicit_provider_is_used_where_it_is_named(world: World) -> None:
    def program() -> None:
        aws = Aws("mine", "eu-north-1")
        Thing("a", options(provider=aws))
        Thing("b", options(provider=Aws("other", "us-west-2")))

    world.up_well(program)
    assert (via(world, "a"), via(world, "b")) == ("eu-north-1", "us-west-2")
    assert provider_of(world, "a") == "mine"
    assert world.up_well().changes == {}
    assert world.destroy().result.result == "succeeded"


def test_the_resources_in_a_component_inherit_its_provider(world: World) -> None:
    def program() -> None:
        aws = Aws("mine", "eu-north-1")
        outer = Group("outer", options(providers=[aws]))
        inner = Group("inner", options(parent=outer))
        a = Thing("a", options(parent=inner))
        Thing("child", options(parent=a))
        Thing("r", options(parent=inner), type_="random:index/thing:Thing")
        Thing("plain", options(parent=Group("other", options(provider=aws))))
        Thing("outside")

    world.config = {"aws:region": "eu-west-1"}
    world.up_well(program)
    found = {name: via(world, name) for name in ("a", "child", "plain", "outside")}
    assert found == {"a": "eu-north-1", "child": "eu-north-1", "plain": "eu-north-1", "outside": "eu-west-1"}
    assert provider_of(world, "r") == "default_1_2_3"


def test_a_provider_further_in_wins(world: World) -> None:
    def program() -> None:
        outer = Group("outer", options(providers={"aws": Aws("one", "eu-north-1")}))
        inner = Group("inner", options(parent=outer, providers={"aws": Aws("two", "us-west-2")}))
        Thing("a", options(parent=outer))
        Thing("b", options(parent=inner))
        Thing("c", options(parent=inner, provider=Aws("three", "ap-east-1")))

    world.up_well(program)
    assert [via(world, name) for name in "abc"] == ["eu-north-1", "us-west-2", "ap-east-1"]


def test_a_changed_provider_is_recorded_and_its_resources_stay(world: World) -> None:
    world.up_well(lambda: Thing("a", options(provider=Aws("mine", "eu-north-1"))))
    before = world.state("mine").id
    outcome = world.up_well(lambda: Thing("a", options(provider=Aws("mine", "us-west-2")), size=1))
    assert outcome.calls == ["update a-1"]
    assert outcome.changes == {"update": 2}
    assert world.cloud.configured[-1]["region"] == "us-west-2"
    assert world.state("mine").id == before


def test_what_pulumis_own_engine_keeps_of_a_provider_is_no_change(world: World) -> None:
    world.up_well(lambda: Thing("a", options(provider=Aws("mine", "eu-north-1"))))
    state = world.store.export("shop", "dev")
    for resource in state["deployment"]["resources"]:
        if resource["type"] == "pulumi:providers:aws":
            resource["inputs"]["__internal"] = {}
    world.store.import_("shop", "dev", json.dumps(state), "the CLI's state")
    assert world.preview().changes == {}
    assert world.up_well().changes == {}


def test_a_resource_that_moves_to_another_provider_stays_the_same(world: World) -> None:
    world.up_well(lambda: Thing("a", options(provider=Aws("one", "eu-north-1"))))
    outcome = world.up_well(lambda: Thing("a", options(provider=Aws("two", "eu-north-1"))))
    assert outcome.calls == []
    assert provider_of(world, "a") == "two"
    assert world.names() == ["a", "two"]


def test_a_provider_that_depends_on_a_resource_is_unknown_in_a_preview_only(world: World) -> None:
    def program() -> None:
        a = Thing("a", name="eu-north-1")
        Thing("b", options(provider=Aws("mine", a["name"])))
        Thing("c", options(provider=Aws("later", a.arn)))

    assert world.preview(program).result.result == "succeeded"
    world.up_well(program)
    assert (via(world, "b"), via(world, "c")) == ("eu-north-1", "arn:eu-north-1-1")


def test_what_left_the_program_is_deleted_through_the_provider_it_was_made_with(world: World) -> None:
    world.up_well(lambda: Thing("a", options(provider=Aws("mine", "eu-north-1"))))
    world.cloud.configured.clear()
    assert world.up_well(lambda: None).calls == ["delete a-1"]
    assert [config.get("region") for config in world.cloud.configured] == ["eu-north-1"]
    assert len(world.snapshot.resources) == 1


def test_a_provider_of_a_package_that_is_not_served_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="provider gcp"):
        world.up(lambda: Aws("mine", "x", package="gcp"))
    assert world.cloud.calls == []


def test_an_invoke_goes_through_the_provider_of_its_options(world: World) -> None:
    world.cloud.functions["aws:test/look:look"] = lambda arguments: {"found": "x"}

    def program() -> None:
        group = Group("g", options(providers=[Aws("mine", "eu-north-1")]))
        looked = pulumi.runtime.invoke_output("aws:test/look:look", {}, pulumi.InvokeOptions(parent=group))
        pulumi.export("found", looked.apply(lambda result: result["found"]))

    assert world.up_well(program).result.outputs == {"found": "x"}
    assert {config.get("region") for config in world.cloud.configured} == {"eu-north-1"}
