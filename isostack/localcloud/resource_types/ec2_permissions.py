"""What a security group lets through, taken apart: one :class:`Permission` for each source of each rule.

Programs write rules with several sources each, EC2 shows them joined by protocol and ports, and so neither can be compared
with the other before both are taken apart. The types that hold rules are in ``ec2_security_groups``,
``ec2_security_group_rules`` and ``vpc``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import Thing, given, require_network
from isostack.localcloud.resource_types.row import Properties

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Kind of source: EC2's list, the key in it, and the property of a rule.
_KINDS = {
    "IpRanges": ("CidrIp", "cidrBlocks"),
    "Ipv6Ranges": ("CidrIpv6", "ipv6CidrBlocks"),
    "PrefixListIds": ("PrefixListId", "prefixListIds"),
    "UserIdGroupPairs": ("GroupId", "securityGroups"),
}
_PROTOCOLS = {"all": "-1", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
EVERYTHING = "-1"


class Permission(NamedTuple):
    """One source (for egress: one destination) of one rule. A group of another account is ``account/sg-…``."""

    protocol: str
    from_port: int | None
    to_port: int | None
    kind: str
    source: str
    description: str = ""

    @property
    def bare(self) -> Permission:
        """The permission without its description, by which EC2 tells permissions apart."""
        return self._replace(description="")


def protocol_name(protocol: Any) -> str:
    """A protocol as EC2 shows it: by name where it has one."""
    name = str(protocol).lower()
    return _PROTOCOLS.get(name, name)


def require_description(type_: str, text: Any) -> None:
    """Refuse characters that EC2 does not take in descriptions of groups and rules."""
    if text and (len(text) > 255 or not re.fullmatch(r"[0-9A-Za-z_ .:/()#,@\[\]+=&;{}!$*-]*", text)):
        raise ProviderError(
            f"{type_}: description {text!r} must have at most 255 characters of a-z, A-Z, 0-9, spaces, "
            "and ._-:/()#,@[]+=&;{}!$*"
        )


def permissions_of(cloud: Cloud, type_: str, rule: Properties, group: str) -> list[Permission]:
    """A rule taken apart; ``group`` is the id of the group that it belongs to. Raises what EC2 would."""
    require_description(type_, rule.get("description"))
    protocol, first, last = protocol_name(rule["protocol"]), rule.get("fromPort"), rule.get("toPort")
    if protocol != EVERYTHING:
        first, last = _port(first), _port(last)
    elif (first or last) and (first, last) != (-1, -1):
        raise ProviderError(f"{type_}: fromPort ({first}) and toPort ({last}) must both be 0 to use the 'ALL' \"-1\" protocol")
    else:
        first = last = None
    found = []
    for kind, (_, property_) in _KINDS.items():
        for source in rule.get(property_) or []:
            if kind in ("IpRanges", "Ipv6Ranges"):
                require_network(type_, property_, source)
            found.append((kind, str(source).removeprefix(f"{cloud.account_id}/")))
    if rule.get("self"):
        found.append(("UserIdGroupPairs", group))
    if not found:
        raise ProviderError(
            f"{type_}: the rule for {protocol} {first}-{last} names no source; "
            "give cidrBlocks, ipv6CidrBlocks, prefixListIds, a security group or self"
        )
    # moto keeps no descriptions of prefix lists.
    text = rule.get("description") or ""
    return [Permission(protocol, first, last, kind, source, text if kind != "PrefixListIds" else "") for kind, source in found]


def _port(value: Any) -> int:
    return -1 if value is None else int(value)


def existing_permissions(cloud: Cloud, shown: Iterable[Thing]) -> list[Permission]:
    """``IpPermissions`` taken apart."""
    found = []
    for one in shown:
        for kind, (key, _) in _KINDS.items():
            for source in one.get(kind, []):
                account = source.get("UserId", cloud.account_id)
                name = source[key] if account == cloud.account_id else f"{account}/{source[key]}"
                text = source.get("Description", "")
                found.append(Permission(one["IpProtocol"], one.get("FromPort"), one.get("ToPort"), kind, name, text))
    return found


def ip_permissions(permissions: Iterable[Permission]) -> list[dict[str, Any]]:
    """The permissions as authorize and revoke take them."""
    joined: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in permissions:
        ports = {} if one.from_port is None else {"FromPort": one.from_port, "ToPort": one.to_port}
        into = joined.setdefault(one[:3], {"IpProtocol": one.protocol, **ports})
        account, _, source = one.source.rpartition("/") if one.kind == "UserIdGroupPairs" else ("", "", one.source)
        key = _KINDS[one.kind][0]
        into.setdefault(one.kind, []).append({key: source, **given(UserId=account, Description=one.description)})
    return list(joined.values())


def rules_shown(cloud: Cloud, known: list[Properties] | None, permissions: list[Permission], group: str) -> list[Properties]:
    """Rules as a program writes them: the known ones as far as they are there, and then what else is there."""
    rest = set(permissions)
    rules = []
    for rule in known or []:
        asked = permissions_of(cloud, "SecurityGroup", rule, group)
        there = [one for one in asked if one in rest]
        rest.difference_update(there)
        if len(there) == len(asked):
            rules.append({"description": "", "self": False, **rule})
        elif there:
            rules.append(_rule(there, group))
    strangers: dict[tuple[Any, ...], list[Permission]] = {}
    for one in sorted(rest, key=str):
        strangers.setdefault((*one[:3], one.description), []).append(one)
    return rules + [_rule(alike, group) for alike in strangers.values()]


def _rule(permissions: list[Permission], group: str) -> Properties:
    """One rule of permissions that differ in their source only."""
    first = permissions[0]
    ranges = {
        property_: [one.source for one in permissions if one.kind == kind and one.source != group]
        for kind, (_, property_) in _KINDS.items()
    }
    return {
        "description": first.description,
        "fromPort": first.from_port or 0,
        "protocol": first.protocol,
        "self": any(one.source == group for one in permissions),
        "toPort": first.to_port or 0,
        **given(**ranges),
    }


def change_permissions(cloud: Cloud, group: str, direction: str, existing: list[Permission], wanted: list[Permission]) -> None:
    """Bring a group's permissions of a direction (``ingress`` or ``egress``) from what there is to what is wanted."""
    ec2 = cloud.client("ec2")
    revoked = [one for one in existing if one not in wanted]
    added = [one for one in dict.fromkeys(wanted) if one not in existing]
    if revoked:
        revoke = getattr(ec2, f"revoke_security_group_{direction}")
        revoke(GroupId=group, IpPermissions=ip_permissions(revoked))
    if added:
        authorize = getattr(ec2, f"authorize_security_group_{direction}")
        authorize(GroupId=group, IpPermissions=ip_permissions(added))
