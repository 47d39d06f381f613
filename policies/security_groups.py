"""What security groups let in and out, however a program writes it. Pure.

Owns the reading of all ways to write a rule into :class:`Permission` values, one for each peer, and which of them together
open a port to the world. Which groups matter, and what is said about them, is the rules'.

A value that cannot be known yet stands as UNKNOWN in a permission. As permissions only ever add, what may be open is what
the permissions open with every unknown value at its widest; what is open for certain is what the known ones open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any, Literal

from policies.resources import UNKNOWN

Network = IPv4Network | IPv6Network
Direction = Literal["ingress", "egress"]
Ports = tuple[int, int]

GROUPS = ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
"""Types that hold rules within them."""
RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
SEPARATE = (RULE, INGRESS_RULE, EGRESS_RULE)
"""Types that are a rule of a group which they name."""

ALL_PORTS: Ports = (0, 65535)
ALL_PROTOCOLS = "-1"
SELF = "self"
EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# IANA's numbers: EC2 takes either. EC2 knows ports of the first two alone, and types and codes of the ICMPs.
_PROTOCOLS = {"all": ALL_PROTOCOLS, "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
WITH_PORTS = ("tcp", "udp")
WITHOUT_REACH = ("icmp", "icmpv6")
_PRIVATE = tuple(
    ip_network(block)
    for block in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
)
# More public addresses than this are not a partner's list any more: as many as the largest block that was ever given to one.
_A_LIST = {4: 2**24, 6: 2**112}


@dataclass(frozen=True)
class Permission:
    """One peer of one rule. ``peer`` is a network, SELF, or the id of a ``prefix-list`` or of a ``group``.

    ``ports`` are the first and the last; ALL_PORTS where a protocol has none. Each but direction and kind may be UNKNOWN.
    """

    direction: Direction
    protocol: Any
    ports: Any
    kind: Literal["network", "prefix-list", "group"]
    peer: Any

    @property
    def known(self) -> bool:
        return self.traffic_known and self.peer is not UNKNOWN

    @property
    def traffic_known(self) -> bool:
        return self.protocol is not UNKNOWN and self.ports is not UNKNOWN

    def may_cover(self, protocol: str, port: int) -> bool:
        """Whether traffic passes, or may turn out to."""
        return not self.traffic_known or self.covers(protocol, port)

    def covers(self, protocol: str, port: int) -> bool:
        """Whether traffic of a protocol to a port passes, as far as the peer may send it. What it is must be known."""
        if self.protocol == ALL_PROTOCOLS:
            return True
        return bool(self.protocol == protocol and self.ports[0] <= port <= self.ports[1])


@dataclass(frozen=True)
class Opening:
    """Ports of a protocol that the world reaches; for ALL_PROTOCOLS all of all."""

    protocol: str
    ports: Ports

    def covers(self, protocol: str, port: int) -> bool:
        return self.protocol in (protocol, ALL_PROTOCOLS) and self.ports[0] <= port <= self.ports[1]

    def __str__(self) -> str:
        if self.protocol == ALL_PROTOCOLS:
            return "everything"
        if self.ports == ALL_PORTS:
            return f"all of {self.protocol}"
        first, last = self.ports
        return f"{self.protocol} {first}" if first == last else f"{self.protocol} {first}-{last}"


# -- reading -------------------------------------------------------------------------------------------------------------


def permissions(type_: str, properties: Mapping[str, Any]) -> list[Permission]:
    """What a resource of one of the types above lets through; nothing for any other type."""
    if type_ in GROUPS:
        return [*_inline(properties, "ingress"), *_inline(properties, "egress")]
    if type_ == RULE:
        direction: Any = properties.get("type")
        source = properties.get("sourceSecurityGroupId")
        rule = {**properties, "securityGroups": [] if source is None else [source]}
        if direction is UNKNOWN:
            return [replace(one, peer=UNKNOWN) for one in _rule(rule, "ingress")]
        return _rule(rule, direction)
    if type_ in (INGRESS_RULE, EGRESS_RULE):
        return _single(properties, "ingress" if type_ == INGRESS_RULE else "egress")
    return []


def _inline(properties: Mapping[str, Any], direction: Direction) -> list[Permission]:
    rules = properties.get(direction)
    if rules is UNKNOWN:
        return _anything(direction)
    found = []
    for rule in rules or ():
        found += _anything(direction) if rule is UNKNOWN else _rule(rule, direction)
    return found


def _anything(direction: Direction) -> list[Permission]:
    """A rule of which nothing is known."""
    kinds: tuple[Literal["network", "prefix-list", "group"], ...] = ("network", "prefix-list", "group")
    return [Permission(direction, UNKNOWN, UNKNOWN, kind, UNKNOWN) for kind in kinds]


def _rule(rule: Mapping[str, Any], direction: Direction) -> list[Permission]:
    """A rule with lists of peers."""
    protocol, ports = _traffic(rule.get("protocol"), rule.get("fromPort"), rule.get("toPort"))
    found = []
    for name in ("cidrBlocks", "ipv6CidrBlocks"):
        found += [Permission(direction, protocol, ports, "network", _network(one)) for one in _list(rule.get(name))]
    found += [Permission(direction, protocol, ports, "prefix-list", one) for one in _list(rule.get("prefixListIds"))]
    found += [Permission(direction, protocol, ports, "group", _group(one)) for one in _list(rule.get("securityGroups"))]
    if rule.get("self") is UNKNOWN or rule.get("self"):
        found.append(Permission(direction, protocol, ports, "group", UNKNOWN if rule["self"] is UNKNOWN else SELF))
    return found


def _single(rule: Mapping[str, Any], direction: Direction) -> list[Permission]:
    """A rule with one peer, as a resource of its own."""
    protocol, ports = _traffic(rule.get("ipProtocol"), rule.get("fromPort"), rule.get("toPort"))
    found = [
        Permission(direction, protocol, ports, "network", _network(rule[name]))
        for name in ("cidrIpv4", "cidrIpv6")
        if rule.get(name) is not None
    ]
    if rule.get("prefixListId") is not None:
        found.append(Permission(direction, protocol, ports, "prefix-list", rule["prefixListId"]))
    if rule.get("referencedSecurityGroupId") is not None:
        found.append(Permission(direction, protocol, ports, "group", _group(rule["referencedSecurityGroupId"])))
    return found


def _traffic(protocol: Any, first: Any, last: Any) -> tuple[Any, Any]:
    """Protocol by name, and ports. Where EC2 knows no ports of a protocol, it lets all through, whatever a rule says."""
    if protocol is UNKNOWN:
        return UNKNOWN, UNKNOWN
    name = str(int(protocol) if isinstance(protocol, float) else protocol).lower()
    name = _PROTOCOLS.get(name, name)
    if name not in WITH_PORTS:
        return name, ALL_PORTS
    if first is UNKNOWN or last is UNKNOWN:
        return name, UNKNOWN
    first, last = int(0 if first is None else first), int(ALL_PORTS[1] if last is None else last)
    if first == -1 or last == -1:
        return name, ALL_PORTS
    return name, (first, last)


def _list(value: Any) -> Sequence[Any]:
    return [UNKNOWN] if value is UNKNOWN else value or []


def _network(text: Any) -> Any:
    """What is no network is refused by EC2; until then nobody knows what was meant."""
    try:
        return text if text is UNKNOWN else ip_network(text, strict=False)
    except ValueError:
        return UNKNOWN


def _group(id_: Any) -> Any:
    """A group of another account has the account before its id."""
    return id_ if id_ is UNKNOWN else str(id_).rpartition("/")[2]


# -- judging -------------------------------------------------------------------------------------------------------------


def resolved(some: Iterable[Permission], blocks_of: Callable[[Permission], Sequence[Any] | None]) -> Iterator[Permission]:
    """The permissions, with a prefix list replaced by its blocks where ``blocks_of`` knows them.

    A list that it does not know is somebody else's, as AWS's own ones are, and stays.
    """
    for one in some:
        blocks = blocks_of(one) if one.kind == "prefix-list" else None
        if blocks is None:
            yield one
        else:
            yield from (replace(one, kind="network", peer=_network(block)) for block in blocks)


def widest(some: Iterable[Permission]) -> Iterator[Permission]:
    """The most that the permissions may turn out to be, for who asks what the world reaches."""
    for one in some:
        protocol = ALL_PROTOCOLS if one.protocol is UNKNOWN else one.protocol
        ports = ALL_PORTS if one.ports is UNKNOWN else one.ports
        if one.peer is not UNKNOWN:
            yield replace(one, protocol=protocol, ports=ports)
        elif one.kind != "group":
            for network in EVERYWHERE:
                yield Permission(one.direction, protocol, ports, "network", network)


def openings(some: Iterable[Permission]) -> list[Opening]:
    """What the world may send to, by these permissions together; those that are not known are left out.

    Several blocks that make up the Internet only together are the world too. ICMP reaches no port and is left out.
    """
    networks = [one for one in some if one.direction == "ingress" and one.kind == "network" and one.known]
    if is_world(one.peer for one in networks if one.protocol == ALL_PROTOCOLS):
        return [Opening(ALL_PROTOCOLS, ALL_PORTS)]
    protocols = sorted({one.protocol for one in networks} - {ALL_PROTOCOLS, *WITHOUT_REACH})
    return [opening for protocol in protocols for opening in _openings(protocol, networks)]


def _openings(protocol: str, networks: Sequence[Permission]) -> Iterator[Opening]:
    """The ports of a protocol between whose bounds nothing changes, put together where they touch."""
    own = [one for one in networks if one.protocol in (protocol, ALL_PROTOCOLS)]
    bounds = sorted({0, ALL_PORTS[1] + 1, *(one.ports[0] for one in own), *(one.ports[1] + 1 for one in own)})
    first: int | None = None
    for begin, end in zip(bounds, [*bounds[1:], None], strict=True):
        is_open = end is not None and is_world(one.peer for one in own if one.ports[0] <= begin <= one.ports[1])
        if is_open and first is None:
            first = begin
        elif not is_open and first is not None:
            yield Opening(protocol, (first, begin - 1))
            first = None


def is_world(networks: Iterable[Network]) -> bool:
    """Whether networks hold more public addresses, of either kind, than any list of callers does."""
    given = list(networks)
    v4 = collapse_addresses(one for one in given if isinstance(one, IPv4Network))
    v6 = collapse_addresses(one for one in given if isinstance(one, IPv6Network))
    return _public(v4) > _A_LIST[4] or _public(v6) > _A_LIST[6]


def _public(networks: Iterable[Network]) -> int:
    """How many public addresses there are in networks that do not overlap."""
    return sum(
        one.num_addresses - sum(min(one.num_addresses, private.num_addresses) for private in _PRIVATE if _overlap(one, private))
        for one in networks
    )


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def reached_from(some: Iterable[Permission], network: Network, protocol: str, port: int) -> bool:
    """Whether an address of a network may send to a port by what is known."""
    return any(
        one.direction == "ingress"
        and one.kind == "network"
        and one.known
        and one.covers(protocol, port)
        and _overlap(one.peer, network)
        for one in some
    )


def groups_let_in(some: Iterable[Permission], protocol: str, port: int) -> list[Permission]:
    """Those by which members of a group may send to a port, for certain or as far as is known."""
    return [one for one in some if one.direction == "ingress" and one.kind == "group" and one.may_cover(protocol, port)]
