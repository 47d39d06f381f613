"""Amazon Route 53: record sets. Source: the Route 53 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_ID = re.compile(
    r"(?P<zone>[^_]+)(?:_(?P<name>.*?))?_(?P<type>A|AAAA|CAA|CNAME|DS|HTTPS|MX|NAPTR|NS|PTR|SOA|SPF|SRV|SSHFP|SVCB|TLSA|TXT)"
    r"(?:_(?P<set>.+))?"
)
_TEXT = ("TXT", "SPF")
_UNSUPPORTED = ("cidrRoutingPolicy", "geoproximityRoutingPolicy")
_GEOLOCATION = {"continent": "ContinentCode", "country": "CountryCode", "subdivision": "SubdivisionCode"}
# A delete reads and then writes other records too (see _delete_record), and the engine deletes in parallel.
_CHANGES = threading.Lock()


def domain(name: Any) -> str:
    """A domain name as Route 53 compares it: lower case, without the last dot, ``*`` not escaped."""
    return str(name or "").rstrip(".").lower().replace("\\052", "*")


def records_from(cloud: Cloud, zone_id: str, name: str, type_: str) -> Iterator[Properties]:
    """The record sets of this name and type, one for each set identifier."""
    arguments: Properties = {"HostedZoneId": zone_id, "StartRecordName": domain(name), "StartRecordType": type_}
    while True:
        page = cloud.client("route53").list_resource_record_sets(**arguments)
        for record in page["ResourceRecordSets"]:
            if domain(record["Name"]) != domain(name) or record["Type"] != type_:
                return
            yield record
        if not page["IsTruncated"]:
            return
        arguments["StartRecordName"] = page["NextRecordName"]
        if page.get("NextRecordIdentifier"):
            arguments["StartRecordIdentifier"] = page["NextRecordIdentifier"]


def _fqdn(cloud: Cloud, zone_id: str, name: str) -> str:
    zone = domain(cloud.client("route53").get_hosted_zone(Id=zone_id)["HostedZone"]["Name"])
    name = domain(name)
    return name if name == zone or name.endswith(f".{zone}") else f"{name}.{zone}".lstrip(".")


def _existing(cloud: Cloud, zone_id: str, fqdn: str, inputs: Properties) -> Properties | None:
    identifier = inputs.get("setIdentifier") or None
    records = records_from(cloud, zone_id, fqdn, inputs["type"])
    return next((record for record in records if record.get("SetIdentifier") == identifier), None)


def _id(inputs: Properties) -> str:
    parts = [inputs["zoneId"], domain(inputs["name"]), inputs["type"], inputs.get("setIdentifier") or ""]
    return "_".join(part for part in parts if part)


def _record_set(inputs: Properties, fqdn: str) -> Properties:
    _validate(inputs)
    record: Properties = {"Name": fqdn, "Type": inputs["type"]}
    for alias in inputs.get("aliases") or []:
        record["AliasTarget"] = {
            "DNSName": alias["name"],
            "EvaluateTargetHealth": bool(alias["evaluateTargetHealth"]),
            "HostedZoneId": alias["zoneId"],
        }
    if inputs.get("records"):
        text = inputs["type"] in _TEXT
        record["TTL"] = int(inputs["ttl"])
        record["ResourceRecords"] = [{"Value": f'"{value}"' if text else value} for value in inputs["records"]]
    for policy in inputs.get("failoverRoutingPolicies") or []:
        record["Failover"] = policy["type"]
    for policy in inputs.get("geolocationRoutingPolicies") or []:
        record["GeoLocation"] = {name: policy[key] for key, name in _GEOLOCATION.items() if policy.get(key)}
    for policy in inputs.get("latencyRoutingPolicies") or []:
        record["Region"] = policy["region"]
    for policy in inputs.get("weightedRoutingPolicies") or []:
        record["Weight"] = int(policy["weight"])
    if inputs.get("multivalueAnswerRoutingPolicy"):
        record["MultiValueAnswer"] = True
    if inputs.get("setIdentifier"):
        record["SetIdentifier"] = inputs["setIdentifier"]
    if inputs.get("healthCheckId"):
        record["HealthCheckId"] = inputs["healthCheckId"]
    return record


def _validate(inputs: Properties) -> None:
    for name in _UNSUPPORTED:
        if inputs.get(name):
            raise ProviderError(f"Record: {name} is not supported on the local cloud; use another routing policy")
    if bool(inputs.get("aliases")) == bool(inputs.get("records")):
        raise ProviderError("Record: give exactly one of aliases and records")
    if (inputs.get("ttl") is None) == bool(inputs.get("records")):
        raise ProviderError("Record: ttl goes with records, and records need it")
    policies = [name for name in inputs if name.endswith(("RoutingPolicy", "RoutingPolicies")) and inputs[name]]
    if len(policies) > 1:
        raise ProviderError(f"Record: one routing policy at a time, not {' and '.join(sorted(policies))}")
    if bool(policies) != bool(inputs.get("setIdentifier")):
        raise ProviderError("Record: a routing policy needs setIdentifier, and setIdentifier a routing policy")


def _outputs(record: Properties, fqdn: str, known: Properties) -> Properties:
    outputs: Properties = {
        "aliases": [],
        "failoverRoutingPolicies": [],
        "fqdn": fqdn,
        "geolocationRoutingPolicies": [],
        "latencyRoutingPolicies": [],
        "multivalueAnswerRoutingPolicy": bool(record.get("MultiValueAnswer")),
        "name": known["name"],
        "records": _values(record),
        "type": record["Type"],
        "weightedRoutingPolicies": [],
        "zoneId": known["zoneId"],
    }
    if alias := record.get("AliasTarget"):
        name = domain(alias["DNSName"])
        given = (known.get("aliases") or [{}])[0].get("name")
        outputs["aliases"] = [
            {
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
                "name": given if domain(given) == name else name,
                "zoneId": alias["HostedZoneId"],
            }
        ]
    if "TTL" in record and outputs["records"]:
        outputs["ttl"] = record["TTL"]
    if "Failover" in record:
        outputs["failoverRoutingPolicies"] = [{"type": record["Failover"]}]
    if location := record.get("GeoLocation"):
        outputs["geolocationRoutingPolicies"] = [{key: location.get(name, "") for key, name in _GEOLOCATION.items()}]
    if "Region" in record:
        outputs["latencyRoutingPolicies"] = [{"region": record["Region"]}]
    if "Weight" in record:
        outputs["weightedRoutingPolicies"] = [{"weight": record["Weight"]}]
    for key, name in (("setIdentifier", "SetIdentifier"), ("healthCheckId", "HealthCheckId")):
        if record.get(name):
            outputs[key] = record[name]
    return outputs


def _values(record: Properties) -> list[str]:
    values = [item["Value"] for item in record.get("ResourceRecords") or []]
    if record["Type"] in _TEXT:
        return [value[1:-1] if value[:1] == value[-1:] == '"' else value for value in values]
    return values


def _change(cloud: Cloud, zone_id: str, *changes: Properties) -> None:
    cloud.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": list(changes)})


def _create_record(cloud: Cloud, inputs: Properties) -> Created:
    zone_id = inputs["zoneId"]
    fqdn = _fqdn(cloud, zone_id, inputs["name"])
    record = _record_set(inputs, fqdn)
    with _CHANGES:
        if not inputs.get("allowOverwrite") and _existing(cloud, zone_id, fqdn, inputs):
            raise ProviderError(
                f"InvalidChangeBatch: Tried to create resource record set [name='{fqdn}.', type='{inputs['type']}'] "
                "but it already exists; import it, or set allowOverwrite"
            )
        # CREATE would be right, but moto refuses it for a record that was deleted before and is created anew.
        _change(cloud, zone_id, {"Action": "UPSERT", "ResourceRecordSet": record})
    return Created(_id(inputs), _outputs(record, fqdn, inputs))


def _read_record(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    key = _key(id_, known)
    fqdn = known.get("fqdn") or _fqdn(cloud, key["zoneId"], key["name"])
    record = _existing(cloud, key["zoneId"], fqdn, key)
    return _outputs(record, fqdn, {**known, **key}) if record else None


def _key(id_: str, known: Properties) -> Properties:
    if known.get("zoneId"):
        return {key: known[key] for key in ("zoneId", "name", "type", "setIdentifier") if key in known}
    match = _ID.fullmatch(id_)
    if not match:
        raise ProviderError(f"Record: {id_!r} is no id of a record; write ZONEID_name_TYPE or ZONEID_name_TYPE_identifier")
    key = {"zoneId": match["zone"], "name": match["name"] or "", "type": match["type"]}
    return {**key, "setIdentifier": match["set"]} if match["set"] else key


def _update_record(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed <= {"allowOverwrite"}:
        return
    record = _record_set(new, old["fqdn"])
    with _CHANGES:
        _change(cloud, new["zoneId"], {"Action": "UPSERT", "ResourceRecordSet": record})


def _delete_record(cloud: Cloud, id_: str, known: Properties) -> None:
    zone_id, identifier = known["zoneId"], known.get("setIdentifier")
    with _CHANGES:
        record = _existing(cloud, zone_id, known["fqdn"], known)
        if record is None:
            return
        kept = []
        if identifier:
            # moto deletes every record of the zone that bears the identifier: write the others again in the same batch.
            pages = cloud.client("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
            kept = [
                {"Action": "UPSERT", "ResourceRecordSet": other}
                for page in pages
                for other in page["ResourceRecordSets"]
                if other.get("SetIdentifier") == identifier and other != record
            ]
        _change(cloud, zone_id, {"Action": "DELETE", "ResourceRecordSet": record}, *kept)


def _find_record(cloud: Cloud, inputs: Properties) -> list[str]:
    fqdn = _fqdn(cloud, inputs["zoneId"], inputs["name"])
    return [_id(inputs)] if _existing(cloud, inputs["zoneId"], fqdn, inputs) else []


def _compare_record(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A simple record and one with a set identifier, or a CNAME and anything else, cannot stand side by side."""
    if "name" in changed and domain(old.get("name")) == domain(new.get("name")):
        changed = changed - {"name"}
    replaces = changed & {"name", "setIdentifier", "type", "zoneId"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)), bool(replaces & {"setIdentifier", "type"}))


RESOURCE_TYPES = (
    ResourceType(
        token="aws:route53/record:Record",
        service="route53",
        create=_create_record,
        read=_read_record,
        update=_update_record,
        delete=_delete_record,
        find=_find_record,
        required=("name", "type", "zoneId"),
        replace_on=("name", "setIdentifier", "type", "zoneId"),
        computed=("fqdn",),
        sticky=("allowOverwrite",),
        local=("allowOverwrite",),
        sets=("records",),
        absent=("NoSuchHostedZone",),
        compare=_compare_record,
        limits="no CIDR and geoproximity routing",
    ),
)
