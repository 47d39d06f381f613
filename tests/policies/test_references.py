"""How a property is followed to the resource that it names, with ids and without."""

from __future__ import annotations

from typing import Any

import pytest

from policies.references import References
from policies.resources import UNKNOWN, CannotTell, Resource

VPC, SUBNET, GROUP = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:rds/subnetGroup:SubnetGroup"


def resource(type_: str, name: str, uses: dict[str, tuple[str, ...]] | None = None, **props: Any) -> Resource:
    return Resource(type=type_, name=name, urn=name, props=props, uses=uses or {})


def named(source: Resource, path: str, *others: Resource) -> list[str]:
    return [one.name for one in References([source, *others]).many(source, path, (VPC, SUBNET))]


KNOWN = resource(SUBNET, "known", id="subnet-1")
NEW = resource(SUBNET, "new", id=UNKNOWN)
NEWER = resource(SUBNET, "newer", id=UNKNOWN)
WITHOUT = resource(SUBNET, "without")  # some engines give policies no ids


@pytest.mark.parametrize(
    ("ids", "uses", "found"),
    [
        pytest.param(["subnet-1"], (), ["known"], id="an id"),
        pytest.param(["subnet-2"], (), [], id="an id of somebody else's"),
        pytest.param([], (), [], id="nothing"),
        pytest.param(None, (), [], id="absent"),
        pytest.param([UNKNOWN], ("new",), ["new"], id="what feeds an unknown value"),
        pytest.param([UNKNOWN, UNKNOWN], ("new", "newer"), ["new", "newer"], id="what feeds two"),
        pytest.param(["subnet-1", UNKNOWN], ("known", "new"), ["known", "new"], id="one of each"),
        pytest.param(["subnet-2", UNKNOWN], ("new",), ["new"], id="somebody else's, and a new one"),
        pytest.param(["subnet-9"], ("without",), ["without"], id="an id, of what has none to show"),
        pytest.param(["subnet-9"], ("known",), [], id="another id than that of what feeds it"),
        pytest.param(UNKNOWN, ("new",), ["new"], id="not a list, and not known"),
    ],
)
def test_a_property_names_what_has_the_id_or_feeds_it(ids: Any, uses: tuple[str, ...], found: list[str]) -> None:
    source = resource(GROUP, "group", {"subnetIds": uses}, subnetIds=ids)
    assert named(source, "subnetIds", KNOWN, NEW, NEWER, WITHOUT) == found


@pytest.mark.parametrize("uses", [(), ("new", "newer"), ("known",)])
def test_what_could_be_several_or_none_cannot_be_told(uses: tuple[str, ...]) -> None:
    source = resource(GROUP, "group", {"subnetIds": uses}, subnetIds=[UNKNOWN])
    with pytest.raises(CannotTell, match="subnetIds"):
        named(source, "subnetIds", KNOWN, NEW, NEWER)


def test_an_id_of_one_of_several_that_have_none_to_show_cannot_be_told() -> None:
    source = resource(GROUP, "group", {"subnetIds": ("without", "new")}, subnetIds=["subnet-9"])
    with pytest.raises(CannotTell, match="subnetIds"):
        named(source, "subnetIds", WITHOUT, NEW)


def test_a_value_within_an_object_is_followed_by_what_feeds_the_object() -> None:
    source = resource(
        "aws:ecs/service:Service", "service", {"networkConfiguration": ("new",)}, networkConfiguration={"subnets": [UNKNOWN]}
    )
    assert named(source, "networkConfiguration.subnets", NEW, KNOWN) == ["new"]


def test_other_types_are_not_meant() -> None:
    source = resource(GROUP, "group", {"subnetIds": ("vault", "new")}, subnetIds=[UNKNOWN])
    assert named(source, "subnetIds", NEW, resource("aws:backup/vault:Vault", "vault", id=UNKNOWN)) == ["new"]
