"""Network ACLs. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_permissions import EVERYTHING, protocol_name
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    arn,
    filters,
    given,
    has_tags_of,
    hash_code,
    only,
    require_network,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_LAST_RULE = 32767  # denies what no other rule has decided on; AWS makes it and nobody can change it
_NUMBERS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58"}
_DIRECTIONS = ("ingress", "egress")


def _entry(rule: Properties, egress: bool) -> dict[str, Any]:
    """A rule as EC2 takes and shows it; the protocol is a number there."""
    name = protocol_name(rule["protocol"])
    for property_ in ("cidrBlock", "ipv6CidrBlock"):
        if rule.get(property_):
            require_network("NetworkAcl", property_, rule[property_])
    if name == EVERYTHING and (rule.get("fromPort") or rule.get("toPort")):
        raise ProviderError("NetworkAcl: fromPort and toPort must both be 0 to use the 'ALL' \"-1\" protocol")
    entry = {
        "Egress": egress,
        "Protocol": _NUMBERS.get(name, name),
        "RuleAction": rule["action"].lower(),
        "RuleNumber": int(rule["ruleNo"]),
        **given(CidrBlock=rule.get("cidrBlock"), Ipv6CidrBlock=rule.get("ipv6CidrBlock")),
    }
    if name in ("tcp", "udp"):
        entry["PortRange"] = {"From": int(rule.get("fromPort") or 0), "To": int(rule.get("toPort") or 0)}
    if name in ("icmp", "icmpv6"):
        entry["IcmpTypeCode"] = {"Type": int(rule.get("icmpType", -1)), "Code": int(rule.get("icmpCode", -1))}
    return entry


def _rule(entry: Thing) -> Properties:
    ports, icmp = entry.get("PortRange", {}), entry.get("IcmpTypeCode", {})
    return {
        "action": entry["RuleAction"],
        "fromPort": ports.get("From", 0),
        "icmpCode": icmp.get("Code", 0),
        "icmpType": icmp.get("Type", 0),
        "protocol": entry["Protocol"],
        "ruleNo": entry["RuleNumber"],
        "toPort": ports.get("To", 0),
        **given(cidrBlock=entry.get("CidrBlock"), ipv6CidrBlock=entry.get("Ipv6CidrBlock")),
    }


def _entries(acl: Thing, egress: bool) -> list[Thing]:
    return [entry for entry in acl["Entries"] if entry["Egress"] == egress and entry["RuleNumber"] < _LAST_RULE]


def _is(shown: Thing | None, wanted: Thing) -> bool:
    """Whether an entry is what is wanted, as far as it shows: moto forgets types and codes of ICMP."""
    return shown == {key: value for key, value in wanted.items() if key != "IcmpTypeCode" or key in (shown or {})}


def _acl(cloud: Cloud, id_: str) -> Thing:
    return dict(cloud.client("ec2").describe_network_acls(NetworkAclIds=[id_])["NetworkAcls"][0])


def _change_entries(cloud: Cloud, acl: Thing, inputs: Properties, *directions: str) -> None:
    ec2, id_ = cloud.client("ec2"), acl["NetworkAclId"]
    for direction in directions:
        egress = direction == "egress"
        existing = {entry["RuleNumber"]: entry for entry in _entries(acl, egress)}
        wanted = {entry["RuleNumber"]: entry for entry in (_entry(rule, egress) for rule in inputs.get(direction) or [])}
        for number, entry in existing.items():
            if number not in wanted or not _is(entry, wanted[number]):
                ec2.delete_network_acl_entry(NetworkAclId=id_, RuleNumber=number, Egress=egress)
        for number, entry in wanted.items():
            if not _is(existing.get(number), entry):
                ec2.create_network_acl_entry(NetworkAclId=id_, **entry)


def _use_for(cloud: Cloud, acl: str, subnets: list[str]) -> None:
    """Have the subnets use the ACL instead of the one that each uses now."""
    ec2 = cloud.client("ec2")
    for subnet in subnets:
        found = ec2.describe_network_acls(Filters=filters(association__subnet_id=subnet))["NetworkAcls"]
        for one in (one for used in found for one in used["Associations"] if one["SubnetId"] == subnet):
            if one["NetworkAclId"] != acl:
                association = one["NetworkAclAssociationId"]
                ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)


def _default_acl(cloud: Cloud, vpc: str) -> str:
    inside = [*filters(vpc_id=vpc), *filters(default="true")]
    found = cloud.client("ec2").describe_network_acls(Filters=inside)["NetworkAcls"]
    return str(only(found, "default EC2 Network ACL")["NetworkAclId"])


def _create_acl(cloud: Cloud, inputs: Properties) -> str:
    ec2 = cloud.client("ec2")
    acl = ec2.create_network_acl(VpcId=inputs["vpcId"], **tagged("network-acl", inputs))["NetworkAcl"]
    id_ = str(acl["NetworkAclId"])

    def undo() -> None:
        _use_for(cloud, _default_acl(cloud, inputs["vpcId"]), inputs.get("subnetIds") or [])
        ec2.delete_network_acl(NetworkAclId=id_)

    all_or_nothing(
        undo,
        lambda: _change_entries(cloud, acl, inputs, *_DIRECTIONS),
        lambda: _use_for(cloud, id_, inputs.get("subnetIds") or []),
    )
    return id_


def _acl_outputs(cloud: Cloud, acl: Thing, known: Properties) -> Properties:
    outputs: Properties = {
        "arn": arn(cloud, "network-acl", acl["NetworkAclId"]),
        "ownerId": acl["OwnerId"],
        "subnetIds": [one["SubnetId"] for one in acl["Associations"]],
        "tagsAll": tag_map(acl.get("Tags")),
        "vpcId": acl["VpcId"],
    }
    for direction in _DIRECTIONS:
        asked = {int(rule["ruleNo"]): rule for rule in known.get(direction) or []}
        rules = []
        for entry in _entries(acl, direction == "egress"):
            rule = asked.get(entry["RuleNumber"])
            # A program may name the protocol, and give ports where there are none.
            same = rule and _is(entry, _entry(rule, direction == "egress"))
            rules.append({**_rule(entry), **rule} if rule and same else _rule(entry))
        outputs[direction] = sorted(rules, key=lambda rule: int(rule["ruleNo"]))
    return outputs


def _read_acl(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _acl_outputs(cloud, _acl(cloud, id_), known)


def _update_acl(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    acl = _acl(cloud, id_)
    _change_entries(cloud, acl, new, *(direction for direction in _DIRECTIONS if direction in changed))
    if "subnetIds" in changed:
        before, after = [one["SubnetId"] for one in acl["Associations"]], new.get("subnetIds") or []
        _use_for(cloud, id_, after)
        left = [subnet for subnet in before if subnet not in after]
        if left and not acl["IsDefault"]:
            _use_for(cloud, _default_acl(cloud, acl["VpcId"]), left)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_acl(cloud: Cloud, id_: str, known: Properties) -> None:
    acl = _acl(cloud, id_)
    if acl["Associations"]:
        _use_for(cloud, _default_acl(cloud, acl["VpcId"]), [one["SubnetId"] for one in acl["Associations"]])
    cloud.client("ec2").delete_network_acl(NetworkAclId=id_)


def _find_acl(cloud: Cloud, inputs: Properties) -> list[str]:
    found = cloud.client("ec2").describe_network_acls(Filters=filters(vpc_id=inputs["vpcId"]))["NetworkAcls"]
    return [acl["NetworkAclId"] for acl in found if not acl["IsDefault"] and has_tags_of(acl, inputs)]


# -- the VPC's own ACL -------------------------------------------------------------------------------------------------


def _create_default_acl(cloud: Cloud, inputs: Properties) -> str:
    """Take the ACL over: its rules and tags become what is given, as Terraform does it."""
    id_ = str(inputs["defaultNetworkAclId"])
    acl = _acl(cloud, id_)
    _change_entries(cloud, acl, inputs, *_DIRECTIONS)
    _use_for(cloud, id_, inputs.get("subnetIds") or [])
    retag(cloud, id_, {"tagsAll": tag_map(acl.get("Tags"))}, inputs)
    return id_


def _read_default_acl(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return {**_acl_outputs(cloud, _acl(cloud, id_), known), "defaultNetworkAclId": id_}


def _leave(cloud: Cloud, id_: str, known: Properties) -> None:
    """What AWS makes with every VPC stays until the VPC goes."""


# -- rules as resources ------------------------------------------------------------------------------------------------


def _as_rule(inputs: Properties) -> dict[str, Any]:
    return _entry({**inputs, "action": inputs["ruleAction"], "ruleNo": inputs["ruleNumber"]}, bool(inputs.get("egress")))


def _rule_id(acl: str, number: Any, egress: bool, protocol: str) -> str:
    return f"nacl-{hash_code(f'{acl}-{number}-{str(egress).lower()}-{protocol}-')}"


def _create_rule(cloud: Cloud, inputs: Properties) -> str:
    entry = _as_rule(inputs)
    cloud.client("ec2").create_network_acl_entry(NetworkAclId=inputs["networkAclId"], **entry)
    return _rule_id(inputs["networkAclId"], entry["RuleNumber"], entry["Egress"], inputs["protocol"])


def _read_rule(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if known.get("networkAclId"):
        acl, number, egress = known["networkAclId"], int(known["ruleNumber"]), bool(known.get("egress"))
    else:  # how it is imported: acl-1:100:tcp:false
        acl, text, _, direction = [*id_.split(":"), "", "", ""][:4]
        if not text.isdigit():
            raise ProviderError(f"unexpected format for ID ({id_!r}), expected NETWORKACLID:RULENUMBER:PROTOCOL:EGRESS")
        number, egress = int(text), direction == "true"
    entry = next((one for one in _entries(_acl(cloud, acl), egress) if one["RuleNumber"] == number), None)
    if entry is None:
        return None
    protocol = known.get("protocol") if known.get("networkAclId") else id_.split(":")[2]
    if _NUMBERS.get(protocol_name(protocol), protocol_name(protocol)) != entry["Protocol"]:
        protocol = entry["Protocol"]
    rule = _rule(entry)
    if "IcmpTypeCode" not in entry:  # moto forgets it
        rule |= {name: known[name] for name in ("icmpCode", "icmpType") if name in known}
    return {
        **{name: value for name, value in rule.items() if name not in ("action", "ruleNo")},
        "egress": egress,
        "id": _rule_id(acl, number, egress, str(protocol)),
        "networkAclId": acl,
        "protocol": protocol,
        "ruleAction": rule["action"],
        "ruleNumber": number,
    }


def _delete_rule(cloud: Cloud, id_: str, known: Properties) -> None:
    if _read_rule(cloud, id_, known):
        cloud.client("ec2").delete_network_acl_entry(
            NetworkAclId=known["networkAclId"], RuleNumber=int(known["ruleNumber"]), Egress=bool(known.get("egress"))
        )


def _find_rule(cloud: Cloud, inputs: Properties) -> list[str]:
    entry = _as_rule(inputs)
    existing = _entries(_acl(cloud, inputs["networkAclId"]), entry["Egress"])
    if not any(_is(one, entry) for one in existing):
        return []
    return [_rule_id(inputs["networkAclId"], entry["RuleNumber"], entry["Egress"], inputs["protocol"])]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/networkAcl:NetworkAcl",
        service="ec2",
        create=_create_acl,
        read=_read_acl,
        update=_update_acl,
        delete=_delete_acl,
        find=_find_acl,
        required=("vpcId",),
        replace_on=("vpcId",),
        computed=("arn", "ownerId"),
        sticky=("egress", "ingress", "subnetIds"),
        sets=("egress", "ingress", "subnetIds"),
        tagged=True,
    ),
    ResourceType(
        token="aws:ec2/defaultNetworkAcl:DefaultNetworkAcl",
        service="ec2",
        create=_create_default_acl,
        read=_read_default_acl,
        update=_update_acl,
        delete=_leave,
        required=("defaultNetworkAclId",),
        replace_on=("defaultNetworkAclId",),
        computed=("arn", "ownerId", "vpcId"),
        sets=("egress", "ingress", "subnetIds"),
        tagged=True,
        adopts=True,
    ),
    ResourceType(
        token="aws:ec2/networkAclRule:NetworkAclRule",
        service="ec2",
        create=_create_rule,
        read=_read_rule,
        delete=_delete_rule,
        find=_find_rule,
        required=("networkAclId", "protocol", "ruleAction", "ruleNumber"),
        defaults={"egress": False},
    ),
)
