"""What the rows of EC2 have in common: tags, filters, ARNs, CIDR blocks, and what a look-up does with what it finds."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from zlib import crc32

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties, tag_changes, tag_list, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

Thing = dict[str, Any]
"""Something as a describe call shows it."""

NO_IPAM = "the local cloud has no IPAM and no address pools of one's own"


def given(**parameters: Any) -> dict[str, Any]:
    """The parameters that have a value; false and 0 are values."""
    return {name: value for name, value in parameters.items() if value not in (None, "", [], {})}


def tagged(kind: str, inputs: Properties) -> dict[str, Any]:
    """The parameter of a create call that tags what it makes; ``kind`` is EC2's name for it (``internet-gateway``)."""
    tags = tag_list(inputs.get("tagsAll"))
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def retag(cloud: Cloud, id_: str, old: Properties, new: Properties) -> None:
    """Bring the tags of anything that EC2 has from ``old`` to ``new``."""
    tags, removed = tag_changes(old, new)
    if removed:
        cloud.client("ec2").delete_tags(Resources=[id_], Tags=[{"Key": key} for key in removed])
    if tags:
        cloud.client("ec2").create_tags(Resources=[id_], Tags=tag_list(tags))


def update_tags(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    """The update of a type of which only the tags change in place."""
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def has_tags_of(thing: Thing, inputs: Properties) -> bool:
    """Whether the thing carries just the tags that a create with these inputs gives it."""
    return tag_map(thing.get("Tags")) == {key: str(value) for key, value in (inputs.get("tagsAll") or {}).items()}


def arn(cloud: Cloud, kind: str, id_: str, service: str = "ec2") -> str:
    return f"arn:{cloud.partition}:{service}:{cloud.region}:{cloud.account_id}:{kind}/{id_}"


def filters(**values: str | Iterable[str]) -> list[dict[str, Any]]:
    """Filters by name, with ``_`` for ``-`` and ``__`` for ``.``: ``filters(vpc_id="vpc-1")``."""
    return [
        {
            "Name": name.replace("__", ".").replace("_", "-"),
            "Values": [value] if isinstance(value, str) else list(value),
        }
        for name, value in values.items()
    ]


def asked_filters(arguments: Properties, **named: str | None) -> dict[str, Any]:
    """The ``Filters`` parameter of a look-up: its named arguments, ``tags`` and ``filters``."""
    asked = filters(**{name: value for name, value in named.items() if value})
    asked += [{"Name": f"tag:{key}", "Values": [value]} for key, value in (arguments.get("tags") or {}).items()]
    asked += [{"Name": one["name"], "Values": one["values"]} for one in arguments.get("filters") or []]
    return {"Filters": asked} if asked else {}


def only(things: list[Thing], what: str) -> Thing:
    """The one thing that a look-up found; none or several is an error, in the provider's words."""
    if not things:
        raise ProviderError(f"no matching {what} found")
    if len(things) > 1:
        advice = f"use additional constraints to reduce matches to a single {what}"
        raise ProviderError(f"multiple {what}s matched; {advice}")
    return things[0]


def refuse(inputs: Properties, type_: str, why: str, *properties: str) -> None:
    """Refuse properties which the local cloud would ignore, with another outcome than AWS's."""
    for name in properties:
        if inputs.get(name):
            raise ProviderError(f"{type_}: {why}; leave out {name}, or use the Pulumi CLI and AWS for it")


def require_network(type_: str, property_: str, block: Any) -> None:
    """Refuse a CIDR block with bits set beyond its mask, which moto takes."""
    try:
        network = ipaddress.ip_network(block, strict=False)
    except ValueError:
        raise ProviderError(f"{type_}: {property_} {block!r} is not a CIDR block such as 10.0.0.0/16") from None
    if isinstance(network, ipaddress.IPv4Network) and str(network) != block:
        raise ProviderError(f'{type_}: {property_} {block!r} is not a valid CIDR block; did you mean "{network}"?')


def hash_code(text: str) -> int:
    """The hash by which Terraform makes ids out of content."""
    return crc32(text.encode())


def all_or_nothing(undo: Callable[[], Any], *steps: Callable[[], Any]) -> None:
    """Take the later steps of a create; where one fails, undo the first and let the failure rise."""
    try:
        for step in steps:
            step()
    except Exception:
        undo()
        raise


def ipv6_block(thing: Thing) -> Thing:
    """A VPC's or a subnet's association with an IPv6 block, or nothing."""
    for association in thing.get("Ipv6CidrBlockAssociationSet", []):
        if "disassociat" not in str(association["Ipv6CidrBlockState"]["State"]):
            return dict(association)
    return {}


def ids_found(cloud: Cloud, arguments: Properties, ids: list[str]) -> dict[str, Any]:
    """The result of a look-up of many; it has the region for an id."""
    asked = {"filters": arguments.get("filters") or [], "tags": arguments.get("tags") or {}}
    return {**asked, "id": cloud.region, "ids": sorted(ids), "region": cloud.region}
