"""Security group rules with an id of their own, one source each. Source: the EC2 API reference; names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.ec2_permissions import (
    EVERYTHING,
    protocol_name,
    require_description,
)
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    arn,
    asked_filters,
    filters,
    given,
    has_tags_of,
    ids_found,
    only,
    require_network,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# A rule's source: the property, EC2's list of them in a request, and the key in it.
_SOURCES = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}


def _source(inputs: Properties) -> tuple[str, str]:
    found = [(name, str(inputs[name])) for name in _SOURCES if inputs.get(name)]
    if len(found) != 1:
        raise ProviderError(f"a security group rule takes exactly one of {', '.join(_SOURCES)}")
    name, source = found[0]
    if name.startswith("cidr"):
        require_network("a security group rule", name, source)
    return name, source


def _check(inputs: Properties) -> None:
    require_description("a security group rule", inputs.get("description"))
    protocol, ports = protocol_name(inputs["ipProtocol"]), (inputs.get("fromPort"), inputs.get("toPort"))
    if protocol == EVERYTHING and any(port not in (None, -1, 0) for port in ports):
        raise ProviderError("a security group rule for all protocols (ipProtocol -1) takes no fromPort and toPort")
    if protocol in ("tcp", "udp", "icmp", "icmpv6") and None in ports:
        raise ProviderError(f"a security group rule for {protocol} needs fromPort and toPort")


def _ports(inputs: Properties) -> dict[str, int]:
    return {"FromPort": int(inputs.get("fromPort", -1)), "ToPort": int(inputs.get("toPort", -1))}


def _modify(cloud: Cloud, id_: str, inputs: Properties) -> None:
    name, source = _source(inputs)
    key = {"cidrIpv4": "CidrIpv4", "cidrIpv6": "CidrIpv6", "prefixListId": "PrefixListId"}.get(name, "ReferencedGroupId")
    rule = {"IpProtocol": protocol_name(inputs["ipProtocol"]), **_ports(inputs), key: source.rpartition("/")[2]}
    if name.startswith("cidr"):
        rule[key] = source
    rule["Description"] = inputs.get("description") or ""
    cloud.client("ec2").modify_security_group_rules(
        GroupId=inputs["securityGroupId"],
        SecurityGroupRules=[{"SecurityGroupRuleId": id_, "SecurityGroupRule": rule}],
    )


def _rule_outputs(cloud: Cloud, rule: Thing, known: Properties) -> Properties:
    id_ = rule["SecurityGroupRuleId"]
    group = rule.get("ReferencedGroupInfo", {})
    name = group.get("GroupId")
    if name and group.get("UserId", cloud.account_id) != cloud.account_id:
        name = f"{group['UserId']}/{name}"
    # EC2 shows all ports as -1, which is also what a rule for ICMP may say.
    ports = {
        property_: rule[key]
        for property_, key in (("fromPort", "FromPort"), ("toPort", "ToPort"))
        if rule[key] != -1 or property_ in known
    }
    protocol = rule["IpProtocol"]
    asked = known.get("ipProtocol")
    return {
        "arn": arn(cloud, "security-group-rule", id_),
        "ipProtocol": asked if asked and protocol_name(asked) == protocol else protocol,
        "securityGroupId": rule["GroupId"],
        "securityGroupRuleId": id_,
        "tagsAll": tag_map(rule.get("Tags")),
        **ports,
        **given(
            cidrIpv4=rule.get("CidrIpv4"),
            cidrIpv6=rule.get("CidrIpv6"),
            description=rule.get("Description"),
            prefixListId=rule.get("PrefixListId"),
            referencedSecurityGroupId=name,
        ),
    }


def _read_rule(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    rules = cloud.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id_])["SecurityGroupRules"]
    return _rule_outputs(cloud, rules[0], known) if rules else None


def _update_rule(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _check(new)
    if changed - {"tags", "tagsAll"}:
        _modify(cloud, id_, new)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _compare_rules(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A rule keeps its kind of source; moto changes none but an IPv4 block."""
    replaces = changed & {"securityGroupId", *_SOURCES}
    if old.get("cidrIpv4") and "cidrIpv4" in new:
        replaces -= {"cidrIpv4"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _rule_type(direction: str) -> ResourceType:
    """The row of ``SecurityGroupIngressRule`` or ``SecurityGroupEgressRule``."""
    egress = direction == "egress"

    def create(cloud: Cloud, inputs: Properties) -> Created:
        _check(inputs)
        name, source = _source(inputs)
        kind, key = _SOURCES[name]
        account, _, group = source.rpartition("/") if name == "referencedSecurityGroupId" else ("", "", source)
        target = {key: group, **given(UserId=account, Description=inputs.get("description"))}
        ports = {} if protocol_name(inputs["ipProtocol"]) == EVERYTHING else _ports(inputs)
        permission = {"IpProtocol": protocol_name(inputs["ipProtocol"]), **ports, kind: [target]}
        authorize = getattr(cloud.client("ec2"), f"authorize_security_group_{direction}")
        rule = authorize(GroupId=inputs["securityGroupId"], IpPermissions=[permission], **tagged("security-group-rule", inputs))[
            "SecurityGroupRules"
        ][0]
        id_ = rule["SecurityGroupRuleId"]
        if inputs.get("description") != rule.get("Description"):  # moto drops all but those of CIDR blocks
            all_or_nothing(lambda: revoke(cloud, id_, inputs), lambda: _modify(cloud, id_, inputs))
        shown = {"FromPort": -1, "ToPort": -1, **rule, **given(Description=inputs.get("description"))}
        return Created(id_, _rule_outputs(cloud, shown, inputs))

    def revoke(cloud: Cloud, id_: str, known: Properties) -> None:
        call = getattr(cloud.client("ec2"), f"revoke_security_group_{direction}")
        call(GroupId=known["securityGroupId"], SecurityGroupRuleIds=[id_])

    def find(cloud: Cloud, inputs: Properties) -> list[str]:
        asked = filters(group_id=inputs["securityGroupId"])
        rules = cloud.client("ec2").describe_security_group_rules(Filters=asked)["SecurityGroupRules"]
        name, source = _source(inputs)
        wanted = protocol_name(inputs["ipProtocol"]), *_ports(inputs).values(), source
        found = []
        for rule in rules:
            outputs = _rule_outputs(cloud, rule, {})
            content = outputs["ipProtocol"], rule["FromPort"], rule["ToPort"], outputs.get(name)
            if rule["IsEgress"] == egress and content == wanted and has_tags_of(rule, inputs):
                found.append(rule["SecurityGroupRuleId"])
        return found

    return ResourceType(
        token=f"aws:vpc/securityGroup{direction.title()}Rule:SecurityGroup{direction.title()}Rule",
        service="ec2",
        create=create,
        read=_read_rule,
        update=_update_rule,
        delete=revoke,
        find=find,
        required=("ipProtocol", "securityGroupId"),
        computed=("arn", "securityGroupRuleId"),
        compare=_compare_rules,
        tagged=True,
        limits="another source than an IPv4 block is changed by a replacement",
    )


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_rule(cloud: Cloud, arguments: Properties) -> Properties:
    id_ = arguments.get("securityGroupRuleId")
    ids = {"SecurityGroupRuleIds": [id_]} if id_ else {}
    found = cloud.client("ec2").describe_security_group_rules(**ids, **asked_filters(arguments))["SecurityGroupRules"]
    rule = only(found, "EC2 Security Group Rule")
    nothing: dict[str, Any] = {**dict.fromkeys((*_SOURCES, "description"), ""), "fromPort": -1, "toPort": -1}
    outputs = nothing | _rule_outputs(cloud, rule, {})
    return {
        **outputs,
        "filters": arguments.get("filters") or [],
        "id": outputs["securityGroupRuleId"],
        "isEgress": rule["IsEgress"],
        "region": cloud.region,
        "tags": outputs.pop("tagsAll"),
    }


def _get_rules(cloud: Cloud, arguments: Properties) -> dict[str, Any]:
    rules = cloud.client("ec2").describe_security_group_rules(**asked_filters(arguments))["SecurityGroupRules"]
    return ids_found(cloud, arguments, [rule["SecurityGroupRuleId"] for rule in rules])


RESOURCE_TYPES = (_rule_type("ingress"), _rule_type("egress"))

FUNCTIONS = (
    Function(token="aws:vpc/getSecurityGroupRule:getSecurityGroupRule", service="ec2", call=_get_rule),
    Function(token="aws:vpc/getSecurityGroupRules:getSecurityGroupRules", service="ec2", call=_get_rules),
)
