"""Network reach: security groups however they are written, what becomes public, ways to the Internet, compared.

Rules inside a group, rules as resources of their own (both kinds), IPv4 and IPv6, prefix lists, other groups, port ranges and all
protocols come down to one form. Network ACLs and the lists of firewalls (WAF) are not looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isostack.engine.state import ResourceState
from isostack.engine.values import UNKNOWN
from isostack.widening.sides import Side, Widening, as_list, hidden, word

GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
_DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
_SEPARATE: Final = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "ingress",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "egress",
}
_PREFIX_LIST: Final = "aws:ec2/managedPrefixList:ManagedPrefixList"
_PREFIX_LIST_ENTRY: Final = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
_PROTOCOLS: Final = {"-1": "all", "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
_ALL_PORTS: Final = (0, 65535)
_GROUP_LISTS: Final = ("vpcSecurityGroupIds", "securityGroups", "securityGroupIds")
INTERNET_GATEWAY: Final = "aws:ec2/internetGateway:InternetGateway"


@dataclass(frozen=True)
class Rule:
    """Who (``peer``: a block of addresses, ``sg``/``pl`` and a name) may be reached or may reach, by which ports."""

    group: str
    direction: str
    protocol: str
    first: int
    last: int
    peer: str

    def admits(self, other: Rule) -> bool:
        """Whether this one lets the other's peer through by some of its protocol's ports."""
        return (
            (self.group, self.direction) == (other.group, other.direction)
            and self.protocol in ("all", other.protocol)
            and _contains(self.peer, other.peer)
        )


def reach(before: Side, after: Side) -> Iterator[Widening]:
    """Whom the network lets through after and not before."""
    yield from _rules(before, after)
    for resource in after.resources:
        old = before.get(resource.urn)
        yield from _public(old, resource, after)
        yield from _joined(before, old, resource, after)
    yield from _unblocked(before, after)
    yield from _listed(before, after)


# -- security groups --------------------------------------------------------------------------------------------------------


def _rules(before: Side, after: Side) -> Iterator[Widening]:
    known = [rule for _, rule in _all_rules(before) if isinstance(rule, Rule)]
    for resource, rule in _all_rules(after):
        if isinstance(rule, Rule):
            if not _covered(rule, known):
                label = f"security group {after.label(rule.group)}"
                ports, peer = _ports(rule), _peer(rule.peer, after)
                told = f"now lets {peer} reach {ports}" if rule.direction == "ingress" else f"may now reach {peer} on {ports}"
                yield Widening("network", label, f"{label} {told}", resource.urn)
        else:
            old = before.get(resource.urn)
            if old is None or any(old.inputs.get(name) != value for name, value in resource.inputs.items()):
                label = f"security group {after.label(rule)}"
                text = f"cannot tell yet whom {resource.urn.rpartition('::')[2]} of {label} lets through: up will know"
                yield Widening("network", label, text, resource.urn, unsure=True)


def _all_rules(side: Side) -> Iterator[tuple[ResourceState, Rule | str]]:
    """Every rule with the resource that it stands in; a group's name in the place of one that is not known yet."""
    for resource in side.resources:
        inputs = resource.inputs
        if resource.type in (GROUP, _DEFAULT_GROUP):
            for direction in ("ingress", "egress"):
                given = inputs.get(direction)
                for one in as_list(given):
                    for rule in _taken_apart(one, resource.urn, direction, side):
                        yield resource, rule
        elif resource.type == _RULE or resource.type in _SEPARATE:
            group = side.named(resource, "securityGroupId", GROUP) or side.named(resource, "securityGroupId", _DEFAULT_GROUP)
            direction = _SEPARATE.get(resource.type) or ("egress" if inputs.get("type") == "egress" else "ingress")
            for rule in _taken_apart(inputs, group, direction, side, resource):
                yield resource, rule


def _taken_apart(
    given: Any, group: str, direction: str, side: Side, resource: ResourceState | None = None
) -> Iterator[Rule | str]:
    if not isinstance(given, Mapping) or hidden([given.get(key) for key in ("protocol", "ipProtocol", "fromPort", "toPort")]):
        yield group
        return
    protocol = str(given.get("protocol") or given.get("ipProtocol") or "all").lower()
    protocol = _PROTOCOLS.get(protocol, protocol)
    ports = _port_range(protocol, given.get("fromPort"), given.get("toPort"))
    for peer in _peers(given, group, side, resource):
        yield Rule(group, direction, protocol, *ports, peer) if peer else group


def _port_range(protocol: str, first: Any, last: Any) -> tuple[int, int]:
    """All ports where none are given; of ICMP, whose two numbers are a type and a code, the type."""
    try:
        ports = int(first), int(last)
    except (TypeError, ValueError):
        return _ALL_PORTS
    if protocol == "all" or ports[0] == -1:
        return _ALL_PORTS
    return (ports[0], ports[0]) if protocol.startswith("icmp") else ports


def _peers(given: Mapping[str, Any], group: str, side: Side, resource: ResourceState | None) -> Iterator[str]:
    """Each peer of a rule; an empty text for one that is not known yet."""
    for key in ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6"):
        yield from (_text(one) for one in as_list(given.get(key)))
    for key in ("prefixListIds", "prefixListId"):
        yield from (f"pl {one}" if isinstance(one, str) else "" for one in as_list(given.get(key)))
    for key in ("securityGroups", "sourceSecurityGroupId", "referencedSecurityGroupId"):
        for one in as_list(given.get(key)):
            if isinstance(one, str):
                found = side.named(resource, key, GROUP, one) if resource else _by_id(side, one)
            else:
                found = side.named(resource, key, GROUP) if resource else ""
            yield f"sg {found}" if found else ""
    if given.get("self"):
        yield f"sg {group}"


def _by_id(side: Side, id_: str) -> str:
    return next((one.urn for one in side.of(GROUP) if one.id == id_), id_)


def _covered(rule: Rule, known: list[Rule]) -> bool:
    """Whether the ports of the rules that admit the peer leave none of this one's out."""
    ranges = sorted((one.first, one.last) for one in known if one.admits(rule))
    reached = rule.first
    for first, last in ranges:
        if first > reached:
            break
        reached = max(reached, last + 1)
    return reached > rule.last


def _contains(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    try:
        outer, inner = ipaddress.ip_network(wide, strict=False), ipaddress.ip_network(narrow, strict=False)
    except ValueError:
        return False
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of the same version


def _ports(rule: Rule) -> str:
    if rule.protocol == "all":
        return "everything"
    if (rule.first, rule.last) == _ALL_PORTS:
        return f"all of {rule.protocol}"
    return f"{rule.protocol} {rule.first}" + (f"-{rule.last}" if rule.last != rule.first else "")


def _peer(peer: str, side: Side) -> str:
    kind, _, name = peer.partition(" ")
    if kind == "sg" and name:
        return f"security group {side.label(name)}"
    return f"prefix list {name}" if kind == "pl" else peer


# -- what becomes public --------------------------------------------------------------------------------------------------


_PUBLIC: Final[Mapping[str, tuple[tuple[Callable[[Mapping[str, Any]], Any], str], ...]]] = {
    "aws:lb/loadBalancer:LoadBalancer": ((lambda i: _not(i.get("internal")), "is now reached from the Internet"),),
    "aws:alb/loadBalancer:LoadBalancer": ((lambda i: _not(i.get("internal")), "is now reached from the Internet"),),
    "aws:rds/instance:Instance": ((lambda i: i.get("publiclyAccessible"), "now has a public address"),),
    "aws:rds/clusterInstance:ClusterInstance": ((lambda i: i.get("publiclyAccessible"), "now has a public address"),),
    "aws:ec2/instance:Instance": ((lambda i: i.get("associatePublicIpAddress"), "now has a public address"),),
    "aws:ec2/subnet:Subnet": ((lambda i: i.get("mapPublicIpOnLaunch"), "now gives public addresses"),),
    "aws:ecs/service:Service": ((lambda i: _within(i, "assignPublicIp"), "now gives its tasks public addresses"),),
    "aws:s3/bucket:Bucket": ((lambda i: _opens(i.get("acl")), "can now be read by everybody"),),
    "aws:s3/bucketAcl:BucketAcl": ((lambda i: _opens(i.get("acl")), "lets everybody read its bucket"),),
}
_BLOCKS: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_BLOCKED: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_LISTENERS: Final = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")


def _public(old: ResourceState | None, resource: ResourceState, after: Side) -> Iterator[Widening]:
    label = f"{word(resource.type)} {after.label(resource.urn)}"
    for is_public, says in _PUBLIC.get(resource.type, ()):
        now, was = is_public(resource.inputs), is_public(old.inputs) if old else False
        if hidden(now) and now != was:
            text = f"cannot tell yet whether {label} {says.replace('now ', '')}"
            yield Widening("network", label, text, resource.urn, unsure=True)
        elif _true(now) and not _true(was):
            yield Widening("network", label, f"{label} {says}", resource.urn)
    if resource.type in _LISTENERS:
        port = resource.inputs.get("port")
        if old is None or old.inputs.get("port") != port:
            protocol = resource.inputs.get("protocol") or ""
            where = f"{_text(protocol)} {_text(port) or 'a port that is not known yet'}".strip()
            says = f"now listens on {where}"
            yield Widening("network", label, f"{label} {says}", resource.urn, unsure=port is UNKNOWN)
    if resource.type == "aws:ec2/route:Route":
        yield from _way_out(resource, old, resource.inputs, old.inputs if old else {}, after)
    if resource.type == "aws:ec2/routeTable:RouteTable":
        former = as_list(old.inputs.get("routes") if old else None)
        for one in as_list(resource.inputs.get("routes")):
            if one in former:
                continue
            if isinstance(one, Mapping):
                yield from _way_out(resource, None, one, {}, after)
            else:
                yield _unknown_way(resource, label)


def _way_out(
    resource: ResourceState, old: ResourceState | None, now: Mapping[str, Any], was: Mapping[str, Any], after: Side
) -> Iterator[Widening]:
    """A route to an Internet gateway; to whom it leads a known id or, where it is new, what the route depends on says."""

    def open_(inputs: Mapping[str, Any], of: ResourceState) -> bool:
        gateway = inputs.get("gatewayId")
        if isinstance(gateway, str):
            return gateway.startswith("igw-")
        deps = of.property_dependencies.get("gatewayId") or of.property_dependencies.get("routes") or []
        return hidden(gateway) and any(INTERNET_GATEWAY in urn for urn in deps)

    label = f"{word(resource.type)} {after.label(resource.urn)}"
    if open_(now, resource):
        if old is None or not open_(was, old):
            where = next(
                (now[key] for key in ("destinationCidrBlock", "cidrBlock", "destinationIpv6CidrBlock") if now.get(key)), ""
            )
            text = f"{label} now leads {_text(where)} to the Internet".replace("  ", " ")
            yield Widening("network", label, text, resource.urn)
    elif hidden(now.get("gatewayId")) and now.get("gatewayId") != was.get("gatewayId"):
        yield _unknown_way(resource, label)


def _unknown_way(resource: ResourceState, label: str) -> Widening:
    return Widening("network", label, f"cannot tell yet whether {label} leads to the Internet", resource.urn, unsure=True)


def _joined(before: Side, old: ResourceState | None, resource: ResourceState, after: Side) -> Iterator[Widening]:
    """What is behind further security groups: it takes in what they let through."""
    if old is None or resource.type in (GROUP, _DEFAULT_GROUP):
        return
    for place in _GROUP_LISTS:
        for now, was in (
            (resource.inputs.get(place), old.inputs.get(place)),
            (_within(resource.inputs, place), _within(old.inputs, place)),
        ):
            if now == was:
                continue
            names = {_by_id(after, one) if isinstance(one, str) else "" for one in as_list(now)}
            known = {_by_id(before, one) for one in as_list(was) if isinstance(one, str)}
            label = f"{word(resource.type)} {after.label(resource.urn)}"
            for group in sorted(names - known):
                text = f"{label} is now behind security group {after.label(group)} as well"
                yield Widening("network", label, text, resource.urn, unsure=not group)


def _listed(before: Side, after: Side) -> Iterator[Widening]:
    """What prefix lists take in: every rule that names one lets it through."""
    known = set(_entries(before))
    for urn, name, cidr in _entries(after):
        if (urn, name, cidr) not in known or not cidr:
            label = f"prefix list {after.label(name)}"
            text = f"{label} now has {cidr}" if cidr else f"cannot tell yet what {label} has: up will know"
            yield Widening("network", label, f"{text}, for all rules that name it" if cidr else text, urn, unsure=not cidr)


def _entries(side: Side) -> Iterator[tuple[str, str, str]]:
    """URN, list, and block of addresses, which is empty where it is not known yet."""
    for resource in side.of(_PREFIX_LIST):
        for one in as_list(resource.inputs.get("entries")):
            yield resource.urn, resource.urn, _text(one.get("cidr")) if isinstance(one, Mapping) else ""
    for resource in side.of(_PREFIX_LIST_ENTRY):
        name = side.named(resource, "prefixListId", _PREFIX_LIST)
        yield resource.urn, name, _text(resource.inputs.get("cidr"))


def _within(inputs: Mapping[str, Any], place: str) -> Any:
    """A value of a service's network; the whole where that is hidden."""
    network = inputs.get("networkConfiguration")
    return network.get(place) if isinstance(network, Mapping) else network


def _opens(acl: Any) -> Any:
    return acl if hidden(acl) else str(acl).startswith("public")


def _not(value: Any) -> Any:
    return value if hidden(value) else not _true(value)


def _unblocked(before: Side, after: Side) -> Iterator[Widening]:
    """What was there to keep a bucket from being public, and is not any more."""
    for old in before.of(_BLOCKS):
        now = after.get(old.urn)
        bucket = next((urn for urn in old.property_dependencies.get("bucket", ())), old.urn)
        if now is None and bucket != old.urn and after.get(bucket) is None:
            continue  # the bucket goes too
        kept = now.inputs if now is not None else {}
        lost = [name for name in _BLOCKED if _true(old.inputs.get(name)) and not _true(kept.get(name))]
        if lost:
            label = f"bucket {before.label(bucket)}"
            yield Widening("network", label, f"{label} is no longer kept from the public by {', '.join(lost)}", old.urn)


def _true(value: Any) -> bool:
    return value is True or value == "true"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, (str, int)) else ""
