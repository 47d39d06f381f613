"""``SecurityGroupRule``: a rule with several sources as a resource. Source: the EC2 API reference; names as in pulumi_aws 7.

The rules of which AWS knows each by an id are :mod:`isostack.localcloud.resource_types.vpc`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_permissions import (
    EVERYTHING,
    Permission,
    existing_permissions,
    ip_permissions,
    permissions_of,
)
from isostack.localcloud.resource_types.ec2_requests import Thing, filters, hash_code
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_DIRECTIONS = ("ingress", "egress")
_SOURCES = ("cidrBlocks", "ipv6CidrBlocks", "prefixListIds", "self", "sourceSecurityGroupId")
# The order in which a rule's id takes its sources in.
_KINDS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")


def _permissions(cloud: Cloud, rule: Properties) -> list[Permission]:
    if rule["type"] not in _DIRECTIONS:
        raise ProviderError(f"SecurityGroupRule: type {rule['type']!r} must be ingress or egress")
    source = rule.get("sourceSecurityGroupId")
    given = [name for name in ("cidrBlocks", "ipv6CidrBlocks") if rule.get(name)]
    group = [name for name in ("self", "sourceSecurityGroupId") if rule.get(name)]
    if len(group) > 1 or (given and group):
        raise ProviderError(f"SecurityGroupRule: {' and '.join([*given, *group])} exclude each other; write a rule for each")
    inline = {**rule, "securityGroups": [source] if source else []}
    return permissions_of(cloud, "SecurityGroupRule", inline, rule["securityGroupId"])


def rule_id(rule: Properties, permissions: list[Permission]) -> str:
    """The id that Terraform makes out of a rule's content."""
    first = permissions[0]
    parts = [rule["securityGroupId"]]
    parts += [str(port) for port in (first.from_port, first.to_port) if port is not None and port > 0]
    parts += [first.protocol, rule["type"]]
    for kind in _KINDS:
        sources = [one.source for one in permissions if one.kind == kind]
        if kind == "UserIdGroupPairs":  # of which it takes the id, and then the name, which is empty
            sources = [f"{source.rpartition('/')[2]}-" for source in sources]
        parts += sorted(sources)
    return f"sgrule-{hash_code('-'.join([*parts, '']))}"


def _create_rule(cloud: Cloud, inputs: Properties) -> Created:
    permissions = _permissions(cloud, inputs)
    made = _authorize(cloud, inputs, permissions)
    single = made[0]["SecurityGroupRuleId"] if len(made) == 1 else ""
    return Created(rule_id(inputs, permissions), _rule_outputs(inputs, inputs.get("description") or "", single))


def _authorize(cloud: Cloud, rule: Properties, permissions: list[Permission]) -> list[Thing]:
    authorize = getattr(cloud.client("ec2"), f"authorize_security_group_{rule['type']}")
    answer = authorize(GroupId=rule["securityGroupId"], IpPermissions=ip_permissions(permissions))
    return list(answer["SecurityGroupRules"])


def _rule_outputs(rule: Properties, description: str, id_: str) -> Properties:
    names = ("fromPort", "protocol", "securityGroupId", "toPort", "type", *_SOURCES)
    outputs = {name: rule[name] for name in names if rule.get(name) is not None}
    return {"self": False, **outputs, "description": description, "securityGroupRuleId": id_}


def _there(cloud: Cloud, rule: Properties, permissions: list[Permission]) -> dict[Permission, str] | None:
    """The descriptions of a rule's permissions in the cloud, or None where not all of them are there."""
    shown = cloud.client("ec2").describe_security_groups(GroupIds=[rule["securityGroupId"]])["SecurityGroups"][0]
    key = "IpPermissions" if rule["type"] == "ingress" else "IpPermissionsEgress"
    existing = {one.bare: one.description for one in existing_permissions(cloud, shown[key])}
    found = {one.bare: existing[one.bare] for one in permissions if one.bare in existing}
    return found if len(found) == len({one.bare for one in permissions}) else None


def _read_rule(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    rule = known if known.get("securityGroupId") else _imported(id_)
    permissions = _permissions(cloud, rule)
    there = _there(cloud, rule, permissions)
    if there is None:
        return None
    description = next((text for text in there.values() if text), "")
    if all(one.kind == "PrefixListIds" for one in permissions):  # of which moto keeps no descriptions
        description = rule.get("description") or ""
    single = _single_id(cloud, rule, permissions[0]) if len(permissions) == 1 else ""
    return {**_rule_outputs(rule, description, single), "id": rule_id(rule, permissions)}


def _single_id(cloud: Cloud, rule: Properties, permission: Permission) -> str:
    """AWS's id of the rule, where it is one for AWS too."""
    asked = filters(group_id=rule["securityGroupId"])
    for shown in cloud.client("ec2").describe_security_group_rules(Filters=asked)["SecurityGroupRules"]:
        account = shown.get("ReferencedGroupInfo", {}).get("UserId")
        group = shown.get("ReferencedGroupInfo", {}).get("GroupId")
        sources = {shown.get(key) for key in ("CidrIpv4", "CidrIpv6", "PrefixListId")} | {group, f"{account}/{group}"}
        ports = (None, None) if shown["IpProtocol"] == EVERYTHING else (shown["FromPort"], shown["ToPort"])
        if (
            shown["IsEgress"] == (rule["type"] == "egress")
            and permission[:3] == (shown["IpProtocol"], *ports)
            and permission.source in sources
        ):
            return str(shown["SecurityGroupRuleId"])
    return ""


def _imported(id_: str) -> Properties:
    """The rule that an import id spells out: ``sg-1_ingress_tcp_80_80_10.0.0.0/8``, with one or more sources."""
    parts = id_.split("_")
    if len(parts) < 6 or not all(port.removeprefix("-").isdigit() for port in parts[3:5]):
        raise ProviderError(
            f"unexpected format for ID ({id_!r}), expected SECURITYGROUPID_TYPE_PROTOCOL_FROMPORT_TOPORT_SOURCE[_SOURCE]*"
        )
    rule: Properties = dict(zip(("securityGroupId", "type", "protocol"), parts, strict=False))
    rule |= {"fromPort": int(parts[3]), "toPort": int(parts[4])}
    for source in parts[5:]:
        if source == "self":
            rule["self"] = True
        elif "sg-" in source:
            rule["sourceSecurityGroupId"] = source
        else:
            kind = "ipv6CidrBlocks" if ":" in source else "prefixListIds" if "pl-" in source else "cidrBlocks"
            rule.setdefault(kind, []).append(source)
    return rule


def _update_rule(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    """Change the description; moto changes none of a rule that names a group, so such a rule is made anew."""
    permissions = _permissions(cloud, new)
    if any(one.kind == "UserIdGroupPairs" for one in permissions):
        _revoke(cloud, {**new, "description": old.get("description")})
        _authorize(cloud, new, permissions)
        return
    described = ip_permissions(permissions)
    for one in described:
        for source in (source for kind in _KINDS for source in one.get(kind, [])):
            source.setdefault("Description", "")
    call = getattr(cloud.client("ec2"), f"update_security_group_rule_descriptions_{new['type']}")
    call(GroupId=new["securityGroupId"], IpPermissions=described)


def _revoke(cloud: Cloud, rule: Properties) -> None:
    revoke = getattr(cloud.client("ec2"), f"revoke_security_group_{rule['type']}")
    revoke(GroupId=rule["securityGroupId"], IpPermissions=ip_permissions(_permissions(cloud, rule)))


def _delete_rule(cloud: Cloud, id_: str, known: Properties) -> None:
    _revoke(cloud, known)


def _find_rule(cloud: Cloud, inputs: Properties) -> list[str]:
    permissions = _permissions(cloud, inputs)
    return [rule_id(inputs, permissions)] if _there(cloud, inputs, permissions) is not None else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/securityGroupRule:SecurityGroupRule",
        service="ec2",
        create=_create_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule,
        find=_find_rule,
        required=("fromPort", "protocol", "securityGroupId", "toPort", "type"),
        replace_on=("fromPort", "protocol", "securityGroupId", "toPort", "type", *_SOURCES),
        computed=("securityGroupRuleId",),
        sticky=("sourceSecurityGroupId",),
        defaults={"self": False},
        delete_before_replace=True,
    ),
)
