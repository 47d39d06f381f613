"""Random security groups, in all the ways to write them, against an evaluator that counts addresses and ports one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resources import UNKNOWN
from policies.security_groups import (
    ALL_PROTOCOLS,
    EGRESS_RULE,
    GROUPS,
    INGRESS_RULE,
    RULE,
    SELF,
    Permission,
    groups_let_in,
    is_world,
    openings,
    permissions,
    reached_from,
    widest,
)

# -- what is meant, before it is written -----------------------------------------------------------------------------------

SPELLINGS = {
    "tcp": ("tcp", "TCP", "6", 6.0),
    "udp": ("udp", "17"),
    "icmp": ("icmp", "1"),
    "icmpv6": ("icmpv6", "58"),
    "47": ("47",),
    ALL_PROTOCOLS: ("-1", "all"),
}
PORTS = (0, 21, 22, 23, 79, 80, 81, 443, 3388, 3389, 3390, 65535)


@dataclass(frozen=True)
class Meant:
    """A rule: a protocol, first and last port (None: all), networks, groups, prefix lists, itself."""

    outward: bool
    protocol: str
    ports: tuple[int, int] | None
    networks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    itself: bool = False

    def passes(self, protocol: str, port: int) -> bool:
        """Whether traffic passes, as EC2 has it: ports count for TCP and UDP alone."""
        if self.outward or self.protocol not in (ALL_PROTOCOLS, protocol):
            return False
        if self.protocol not in ("tcp", "udp") or self.ports is None:
            return True
        return port in range(self.ports[0], self.ports[1] + 1)


def blocks(bits: int, deepest: int) -> st.SearchStrategy[str]:
    """Blocks that are at least 1/2**deepest of all addresses; shallow ones are as likely as deep ones."""
    kind = IPv4Network if bits == 32 else IPv6Network

    def block(drawn: tuple[int, int]) -> str:
        length, number = drawn
        return str(kind(((number % 2**length) << (bits - length) if length else 0, length)))

    return st.tuples(st.integers(0, deepest), st.integers(0, 2**deepest - 1)).map(block)


@st.composite
def meant(draw: st.DrawFn, networks: st.SearchStrategy[str]) -> Meant:
    first, last = sorted((draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))))
    return Meant(
        outward=draw(st.booleans()) and draw(st.booleans()),
        protocol=draw(st.sampled_from(["tcp", "tcp", "tcp", *SPELLINGS])),
        ports=draw(st.sampled_from([(first, last), (first, last), None])),
        networks=tuple(draw(st.lists(networks, max_size=3))),
        groups=tuple(draw(st.lists(st.sampled_from(["sg-1", "sg-2"]), max_size=2, unique=True))),
        lists=tuple(draw(st.lists(st.sampled_from(["pl-1"]), max_size=1))),
        itself=draw(st.booleans()),
    )


# -- writing it ------------------------------------------------------------------------------------------------------------

Written = tuple[str, dict[str, Any]]


@st.composite
def written(draw: st.DrawFn, rules: list[Meant]) -> list[Written]:
    """The rules as resources: within a group, as resources with lists, or as resources with one peer."""
    group: dict[str, Any] = {"ingress": [], "egress": []}
    found: list[Written] = [(draw(st.sampled_from(GROUPS)), group)]
    for rule in rules:
        protocol = draw(st.sampled_from(SPELLINGS[rule.protocol]))
        first, last = rule.ports or draw(st.sampled_from([(-1, -1), (0, 65535)]))
        if rule.protocol == ALL_PROTOCOLS:
            first, last = draw(st.sampled_from([(0, 0), (-1, -1)]))
        traffic = {"fromPort": float(first), "toPort": last}
        match draw(st.sampled_from(["within", "lists", "single"])):
            case "within":
                group["egress" if rule.outward else "ingress"].append({"protocol": protocol, **traffic, **_lists(rule)})
            case "lists":
                found += [(RULE, {"protocol": protocol, **traffic, **one}) for one in _separate(rule)]
            case _:
                type_ = EGRESS_RULE if rule.outward else INGRESS_RULE
                ports = {} if rule.protocol == ALL_PROTOCOLS else traffic
                found += [(type_, {"ipProtocol": protocol, **ports, **peer}) for peer in _peers(rule)]
    return found


def _of_kind(rule: Meant, colon: bool) -> list[str]:
    return [one for one in rule.networks if (":" in one) is colon]


def _lists(rule: Meant) -> dict[str, Any]:
    return {
        "cidrBlocks": _of_kind(rule, False),
        "ipv6CidrBlocks": _of_kind(rule, True) or None,
        "prefixListIds": list(rule.lists),
        "securityGroups": list(rule.groups),
        "self": rule.itself,
    }


def _separate(rule: Meant) -> list[dict[str, Any]]:
    """A resource with lists has one group or itself at most."""
    direction = {"type": "egress" if rule.outward else "ingress", "securityGroupId": "sg-own"}
    sources = {key: value for key, value in _lists(rule).items() if key not in ("securityGroups", "self")}
    found = [{**direction, **sources}, *({**direction, "sourceSecurityGroupId": group} for group in rule.groups)]
    return [*found, {**direction, "self": True}] if rule.itself else found


def _peers(rule: Meant) -> list[dict[str, Any]]:
    found = [{"cidrIpv6" if ":" in one else "cidrIpv4": one} for one in rule.networks]
    found += [{"prefixListId": one} for one in rule.lists]
    found += [{"referencedSecurityGroupId": f"999999999999/{one}"} for one in rule.groups]
    # There is no "self" here: a group names itself, which only who knows its id can tell.
    return [*found, {"referencedSecurityGroupId": "sg-own"}] if rule.itself else found


def read(resources: list[Written]) -> list[Permission]:
    return [one for type_, properties in resources for one in permissions(type_, properties)]


# -- the world, cell by cell -----------------------------------------------------------------------------------------------

# Of each kind of address all the space, as 2**16 cells: a cell of IPv4 is 2**16 addresses, one of IPv6 is 2**112.
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")


def cells(*some: str) -> int:
    """The cells of blocks, each as a bit."""
    found = 0
    for block in some:
        address, _, length = block.partition("/")
        if ":" in block:
            first = int((address.split(":")[0] or "0").rjust(4, "0"), 16)
        else:
            one, two, *_ = map(int, address.split("."))
            first = 256 * one + two
        found |= (1 << first + 2 ** (16 - int(length))) - (1 << first)
    return found


MOST = {False: 2**24 // 2**16, True: 1}  # public cells that are no world yet, of IPv4 and of IPv6
NOT_PUBLIC = {v6: cells(*(one for one in PRIVATE if (":" in one) is v6)) for v6 in MOST}


def counts_as_world(networks: list[str]) -> bool:
    public = {v6: cells(*(one for one in networks if (":" in one) is v6)) & ~NOT_PUBLIC[v6] for v6 in MOST}
    return any(public[v6].bit_count() > most for v6, most in MOST.items())


wide = st.one_of(blocks(32, 10), blocks(32, 10), blocks(128, 16), st.sampled_from(PRIVATE))


@st.composite
def random_groups(draw: st.DrawFn) -> tuple[list[Meant], list[Written]]:
    rules = draw(st.lists(meant(wide), max_size=5))
    return rules, draw(written(rules))


@given(random_groups())
def test_what_is_open_to_the_world_is_what_counting_finds(drawn: tuple[list[Meant], list[Written]]) -> None:
    rules, resources = drawn
    found = openings(read(resources))
    for protocol in ("tcp", "udp", "47"):
        for port in PORTS:
            networks = [network for rule in rules if rule.passes(protocol, port) for network in rule.networks]
            assert any(one.covers(protocol, port) for one in found) is counts_as_world(networks), (protocol, port)


@given(random_groups(), st.data())
def test_what_is_not_known_yet_only_ever_adds(drawn: tuple[list[Meant], list[Written]], data: st.DataObject) -> None:
    known = read(drawn[1])
    masked = [
        replace(one, **dict.fromkeys(data.draw(st.sets(st.sampled_from(["protocol", "ports", "peer"]))), UNKNOWN))
        for one in known
    ]
    certain, possible = openings(masked), openings(widest(masked))
    for protocol in ("tcp", "47"):
        for port in PORTS:
            now = any(one.covers(protocol, port) for one in openings(known))
            assert not any(one.covers(protocol, port) for one in certain) or now
            assert any(one.covers(protocol, port) for one in possible) or not now


# -- a small network, address by address ----------------------------------------------------------------------------------

UNIVERSE = IPv4Network("10.0.0.0/28")
small = st.builds(
    lambda length, number: str(ip_network((167772160 + number - number % 2 ** (32 - length), length))),
    st.integers(28, 32),
    st.integers(0, 15),
)


@st.composite
def small_groups(draw: st.DrawFn) -> tuple[list[Meant], list[Written]]:
    rules = draw(st.lists(meant(small), max_size=4))
    return rules, draw(written(rules))


@given(small_groups(), small, st.sampled_from(["tcp", "udp"]), st.sampled_from(PORTS))
def test_who_reaches_a_port_is_what_trying_each_address_finds(
    drawn: tuple[list[Meant], list[Written]], subnet: str, protocol: str, port: int
) -> None:
    rules, resources = drawn
    passing = [rule for rule in rules if rule.passes(protocol, port)]
    tried = {
        address
        for address in UNIVERSE
        if address in IPv4Network(subnet) and any(address in IPv4Network(one) for rule in passing for one in rule.networks)
    }
    read_back = read(resources)
    assert reached_from(read_back, IPv4Network(subnet), protocol, port) is bool(tried)
    groups = {group for rule in passing for group in rule.groups} | {"sg-own" for rule in passing if rule.itself}
    assert {"sg-own" if one.peer == SELF else one.peer for one in groups_let_in(read_back, protocol, port)} == groups


# -- single cases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "world"),
    [
        (["0.0.0.0/0"], True),
        (["::/0"], True),
        (["2000::/3"], True),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"], False),
        (["198.51.100.0/24", "203.0.113.0/24"], False),
        (["3.0.0.0/8"], False),
        (["3.0.0.0/8", "4.0.0.0/32"], True),
        (["3.0.0.0/8", "3.1.0.0/16"], False),
        (["8.0.0.0/6"], True),
        ([], False),
    ],
)
def test_the_world_is_more_public_addresses_than_one_provider_has(networks: list[str], world: bool) -> None:
    assert is_world([ip_network(one) for one in networks]) is world


def test_openings_that_touch_are_one() -> None:
    rules = [{"protocol": "tcp", "fromPort": port, "toPort": port + 9, "cidrBlocks": ["0.0.0.0/0"]} for port in (20, 30, 50)]
    assert [str(one) for one in openings(permissions(GROUPS[0], {"ingress": rules}))] == ["tcp 20-39", "tcp 50-59"]


def test_another_type_lets_nothing_through() -> None:
    assert permissions("aws:ec2/vpc:Vpc", {"ingress": UNKNOWN}) == []
