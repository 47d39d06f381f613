"""Amazon Route 53: hosted zones. Records are ``route53_records``'s.

Source: the Route 53 API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import route53_records
from isostack.localcloud.resource_types.route53_records import domain, records_from
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _zone_id(path: str) -> str:
    return path.rpartition("/")[2]


def _vpcs(cloud: Cloud, inputs: Properties) -> list[dict[str, str]]:
    return [{"VPCId": vpc["vpcId"], "VPCRegion": vpc.get("vpcRegion") or cloud.region} for vpc in inputs.get("vpcs") or []]


def _create_zone(cloud: Cloud, inputs: Properties) -> Created:
    _refuse(inputs)
    vpcs = _vpcs(cloud, inputs)
    arguments: Properties = {
        "Name": inputs["name"],
        "CallerReference": str(uuid.uuid4()),
        "HostedZoneConfig": {"Comment": inputs.get("comment", ""), "PrivateZone": bool(vpcs)},
    }
    if vpcs:
        arguments["VPC"] = vpcs[0]
    if inputs.get("delegationSetId"):
        arguments["DelegationSetId"] = inputs["delegationSetId"]
    client = cloud.client("route53")
    answer = client.create_hosted_zone(**arguments)
    id_ = _zone_id(answer["HostedZone"]["Id"])
    try:
        for vpc in vpcs[1:]:
            client.associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC=vpc)
        if inputs.get("tagsAll"):
            client.change_tags_for_resource(ResourceType="hostedzone", ResourceId=id_, AddTags=tag_list(inputs["tagsAll"]))
    except Exception:
        client.delete_hosted_zone(Id=id_)
        raise
    return Created(id_, _zone(cloud, {**answer, "VPCs": vpcs}, inputs, inputs.get("tagsAll") or {}))


def _refuse(inputs: Properties) -> None:
    if inputs.get("enableAcceleratedRecovery"):
        raise ProviderError("Zone: enableAcceleratedRecovery is not supported on the local cloud; leave it out")
    if inputs.get("vpcs") and inputs.get("delegationSetId"):
        raise ProviderError("Zone: delegationSetId is for public zones; leave out either it or vpcs")


def _zone(cloud: Cloud, answer: Properties, known: Properties, tags: dict[str, str]) -> Properties:
    zone = answer["HostedZone"]
    id_ = _zone_id(zone["Id"])
    delegation = answer.get("DelegationSet") or {}
    servers = delegation.get("NameServers") or [
        name.rstrip(".")
        for record in records_from(cloud, id_, zone["Name"], "NS")
        for name in (value["Value"] for value in record.get("ResourceRecords", []))
    ]
    name = domain(zone["Name"])
    outputs = {
        "arn": f"arn:{cloud.partition}:route53:::hostedzone/{id_}",
        "comment": zone.get("Config", {}).get("Comment", ""),
        "enableAcceleratedRecovery": False,
        "name": known["name"] if domain(known.get("name")) == name else name,
        "nameServers": sorted(servers),
        "primaryNameServer": servers[0] if servers else "",
        "tagsAll": tags,
        "vpcs": [{"vpcId": vpc["VPCId"], "vpcRegion": vpc["VPCRegion"]} for vpc in answer.get("VPCs") or []],
        "zoneId": id_,
    }
    if delegation.get("Id"):
        outputs["delegationSetId"] = _zone_id(delegation["Id"])
    return outputs


def _read_zone(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _zone(cloud, cloud.client("route53").get_hosted_zone(Id=id_), known, _tags(cloud, id_))


def _tags(cloud: Cloud, id_: str) -> dict[str, str]:
    answer = cloud.client("route53").list_tags_for_resource(ResourceType="hostedzone", ResourceId=id_)
    return tag_map(answer["ResourceTagSet"]["Tags"])


def _update_zone(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _refuse(new)
    client = cloud.client("route53")
    if "comment" in changed:
        client.update_hosted_zone_comment(Id=id_, Comment=new.get("comment", ""))
    if "vpcs" in changed:
        before, after = _vpcs(cloud, old), _vpcs(cloud, new)
        for vpc in after:  # first, since a private zone must keep at least one
            if vpc not in before:
                client.associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC=vpc)
        for vpc in before:
            if vpc not in after:
                client.disassociate_vpc_from_hosted_zone(HostedZoneId=id_, VPC=vpc)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        arguments: Properties = {"AddTags": tag_list(tags)} if tags else {}
        if removed:
            arguments["RemoveTagKeys"] = removed
        if arguments:
            client.change_tags_for_resource(ResourceType="hostedzone", ResourceId=id_, **arguments)


def _delete_zone(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("route53")
    if known.get("forceDestroy"):
        apex = domain(client.get_hosted_zone(Id=id_)["HostedZone"]["Name"])
        pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=id_)
        changes = [
            {"Action": "DELETE", "ResourceRecordSet": record}
            for page in pages
            for record in page["ResourceRecordSets"]
            if domain(record["Name"]) != apex or record["Type"] not in ("NS", "SOA")
        ]
        for start in range(0, len(changes), 100):
            client.change_resource_record_sets(HostedZoneId=id_, ChangeBatch={"Changes": changes[start : start + 100]})
    client.delete_hosted_zone(Id=id_)


def _find_zones(cloud: Cloud, inputs: Properties) -> list[str]:
    wanted = {vpc["VPCId"] for vpc in _vpcs(cloud, inputs)}
    found = []
    for id_ in _zones_named(cloud, inputs["name"]):
        answer = cloud.client("route53").get_hosted_zone(Id=id_)
        vpcs = {vpc["VPCId"] for vpc in answer.get("VPCs") or []}
        comment = answer["HostedZone"].get("Config", {}).get("Comment", "")
        same = comment == inputs.get("comment", "") and vpcs == wanted
        if same and _tags(cloud, id_) == (inputs.get("tagsAll") or {}):
            found.append(id_)
    return found


def _zones_named(cloud: Cloud, name: str) -> list[str]:
    zones = cloud.client("route53").list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    return [_zone_id(zone["Id"]) for zone in zones if domain(zone["Name"]) == domain(name)]


def _get_zone(cloud: Cloud, arguments: Properties) -> Properties:
    client = cloud.client("route53")
    id_, name = arguments.get("zoneId"), arguments.get("name")
    if bool(id_) == bool(name):
        raise ProviderError("getZone: give either zoneId or name")
    private = bool(arguments.get("privateZone") or arguments.get("vpcId"))
    matches = []
    for candidate in [_zone_id(id_)] if id_ else _zones_named(cloud, str(name)):
        answer = client.get_hosted_zone(Id=candidate)
        vpcs = [vpc["VPCId"] for vpc in answer.get("VPCs") or []]
        tags = _tags(cloud, candidate)
        if not id_ and answer["HostedZone"].get("Config", {}).get("PrivateZone", False) != private:
            continue
        if arguments.get("vpcId") and arguments["vpcId"] not in vpcs:
            continue
        if (arguments.get("tags") or {}).items() <= tags.items():
            matches.append((answer, tags))
    if len(matches) != 1:
        what = "no matching hosted zone" if not matches else f"{len(matches)} matching hosted zones"
        raise ProviderError(f"getZone: {what} for {id_ or name!r}; check the name, privateZone, vpcId and tags")
    answer, tags = matches[0]
    zone = answer["HostedZone"]
    outputs = _zone(cloud, answer, {}, tags)
    return {
        **{key: outputs[key] for key in ("arn", "comment", "name", "nameServers", "primaryNameServer", "zoneId")},
        "callerReference": zone["CallerReference"],
        "enableAcceleratedRecovery": False,
        "id": outputs["zoneId"],
        "linkedServiceDescription": "",
        "linkedServicePrincipal": "",
        "privateZone": zone.get("Config", {}).get("PrivateZone", False),
        "resourceRecordSetCount": zone.get("ResourceRecordSetCount", 0),
        "tags": tags,
        **({"vpcId": arguments["vpcId"]} if arguments.get("vpcId") else {}),
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:route53/zone:Zone",
        service="route53",
        create=_create_zone,
        read=_read_zone,
        update=_update_zone,
        delete=_delete_zone,
        find=_find_zones,
        name=AutoName(max_length=255, unless=()),
        replace_on=("name", "delegationSetId"),
        computed=("arn", "nameServers", "primaryNameServer", "zoneId"),
        sticky=("enableAcceleratedRecovery",),
        local=("forceDestroy",),
        defaults={"comment": "Managed by Pulumi", "forceDestroy": False},
        sets=("vpcs",),
        absent=("NoSuchHostedZone",),
        tagged=True,
        limits="no accelerated recovery; names are not resolved",
    ),
    *route53_records.RESOURCE_TYPES,
)

FUNCTIONS = (Function(token="aws:route53/getZone:getZone", service="route53", call=_get_zone),)
