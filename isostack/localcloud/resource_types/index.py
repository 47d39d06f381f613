"""The look-ups without a service in their names: who and where the program is, and what its names and ARNs mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import Thing, only
from isostack.localcloud.resource_types.row import Function, Properties

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_SUFFIX = "amazonaws.com"
_REVERSE_PREFIX = "com.amazonaws"
# AWS's names for its regions, which no call gives.
_DESCRIPTIONS = {
    "af-south-1": "Africa (Cape Town)",
    "ap-east-1": "Asia Pacific (Hong Kong)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-northeast-3": "Asia Pacific (Osaka)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-south-2": "Asia Pacific (Hyderabad)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "ap-southeast-3": "Asia Pacific (Jakarta)",
    "ap-southeast-4": "Asia Pacific (Melbourne)",
    "ca-central-1": "Canada (Central)",
    "ca-west-1": "Canada West (Calgary)",
    "eu-central-1": "Europe (Frankfurt)",
    "eu-central-2": "Europe (Zurich)",
    "eu-north-1": "Europe (Stockholm)",
    "eu-south-1": "Europe (Milan)",
    "eu-south-2": "Europe (Spain)",
    "eu-west-1": "Europe (Ireland)",
    "eu-west-2": "Europe (London)",
    "eu-west-3": "Europe (Paris)",
    "il-central-1": "Israel (Tel Aviv)",
    "me-central-1": "Middle East (UAE)",
    "me-south-1": "Middle East (Bahrain)",
    "sa-east-1": "South America (Sao Paulo)",
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
}


def _get_caller_identity(cloud: Cloud, arguments: Properties) -> Properties:
    identity = cloud.client("sts").get_caller_identity()
    account = identity["Account"]
    return {"accountId": account, "arn": identity["Arn"], "id": account, "userId": identity["UserId"]}


def _get_partition(cloud: Cloud, arguments: Properties) -> Properties:
    return {
        "dnsSuffix": _SUFFIX,
        "id": cloud.partition,
        "partition": cloud.partition,
        "reverseDnsPrefix": _REVERSE_PREFIX,
    }


def _get_default_tags(cloud: Cloud, arguments: Properties) -> Properties:
    return {"id": cloud.partition, "tags": dict(arguments["defaultTags"])}


def _get_arn(cloud: Cloud, arguments: Properties) -> Properties:
    parts = str(arguments["arn"]).split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        raise ProviderError(f"getArn: {arguments['arn']!r} is not an ARN (arn:partition:service:region:account:resource)")
    names = ("partition", "service", "region", "account", "resource")
    return {"arn": arguments["arn"], "id": arguments["arn"], **dict(zip(names, parts[1:], strict=True))}


def _get_service_principal(cloud: Cloud, arguments: Properties) -> Properties:
    name = f"{arguments['serviceName']}.{_SUFFIX}"
    principal = f"{arguments['serviceName']}.{cloud.region}.{_SUFFIX}"
    return {
        "id": principal,
        "name": name,
        "region": cloud.region,
        "serviceName": arguments["serviceName"],
        "suffix": _SUFFIX,
    }


# -- regions and zones -------------------------------------------------------------------------------------------------


def _get_region(cloud: Cloud, arguments: Properties) -> Properties:
    endpoint = arguments.get("endpoint")
    region = arguments.get("name") or cloud.region
    if endpoint:
        match = re.fullmatch(rf"ec2\.([a-z0-9-]+)\.{re.escape(_SUFFIX)}", endpoint)
        if not match:
            raise ProviderError(f"getRegion: no region has the endpoint {endpoint!r}")
        region = match[1]
    return {
        "description": _DESCRIPTIONS.get(region, region),
        "endpoint": f"ec2.{region}.{_SUFFIX}",
        "id": region,
        "name": region,
        "region": region,
    }


def _get_regions(cloud: Cloud, arguments: Properties) -> Properties:
    regions = _matching(cloud.client("ec2").describe_regions()["Regions"], arguments, _REGION_FILTERS)
    names = sorted(region["RegionName"] for region in regions)
    return {**_asked(arguments, "allRegions", "filters"), "id": cloud.partition, "names": names}


# How filters are called, and where what they look at is.
_REGION_FILTERS = {"endpoint": "Endpoint", "opt-in-status": "OptInStatus", "region-name": "RegionName"}
_ZONE_FILTERS = {
    "group-name": "GroupName",
    "message": "Messages",
    "opt-in-status": "OptInStatus",
    "region-name": "RegionName",
    "state": "State",
    "zone-id": "ZoneId",
    "zone-name": "ZoneName",
    "zone-type": "ZoneType",
}


def _matching(things: list[Thing], arguments: Properties, known: dict[str, str]) -> list[Thing]:
    """What passes the filters of a look-up; moto passes over those that it does not know."""
    for asked in arguments.get("filters") or []:
        if asked["name"] not in known:
            raise ProviderError(f"InvalidParameterValue: the filter {asked['name']!r} is invalid; use {', '.join(known)}")
        things = [thing for thing in things if thing.get(known[asked["name"]]) in asked["values"]]
    return things


def _asked(arguments: Properties, *names: str) -> Properties:
    return {name: arguments[name] for name in names if name in arguments}


def _zones(cloud: Cloud, arguments: Properties) -> list[Thing]:
    zones = cloud.client("ec2").describe_availability_zones()["AvailabilityZones"]
    # moto leaves out what it knows of no zone: all are open to everybody, and of the region's own group.
    usual = {"GroupName": cloud.region, "NetworkBorderGroup": cloud.region, "OptInStatus": "opt-in-not-required"}
    full = [{**usual, **zone} for zone in zones]
    return [zone for zone in _matching(full, arguments, _ZONE_FILTERS) if arguments.get("state") in (None, "", zone["State"])]


def _get_availability_zones(cloud: Cloud, arguments: Properties) -> dict[str, Any]:
    zones = [
        zone
        for zone in sorted(_zones(cloud, arguments), key=lambda zone: str(zone["ZoneName"]))
        if zone["ZoneName"] not in (arguments.get("excludeNames") or [])
        and zone["ZoneId"] not in (arguments.get("excludeZoneIds") or [])
    ]
    return {
        **_asked(arguments, "allAvailabilityZones", "excludeNames", "excludeZoneIds", "filters", "state"),
        "groupNames": sorted({zone["GroupName"] for zone in zones}),
        "id": cloud.region,
        "names": [zone["ZoneName"] for zone in zones],
        "region": cloud.region,
        "zoneIds": [zone["ZoneId"] for zone in zones],
    }


def _get_availability_zone(cloud: Cloud, arguments: Properties) -> Properties:
    found = [
        zone
        for zone in _zones(cloud, arguments)
        if arguments.get("name") in (None, "", zone["ZoneName"]) and arguments.get("zoneId") in (None, "", zone["ZoneId"])
    ]
    zone = only(found, "EC2 Availability Zone")
    return {
        **_asked(arguments, "allAvailabilityZones", "filters"),
        "groupLongName": "",
        "groupName": zone["GroupName"],
        "id": zone["ZoneName"],
        "name": zone["ZoneName"],
        "nameSuffix": zone["ZoneName"].removeprefix(zone["RegionName"]),
        "networkBorderGroup": zone["NetworkBorderGroup"],
        "optInStatus": zone["OptInStatus"],
        "parentZoneId": "",
        "parentZoneName": "",
        "region": zone["RegionName"],
        "state": zone["State"],
        "zoneId": zone["ZoneId"],
        "zoneType": zone["ZoneType"],
    }


FUNCTIONS = (
    Function(token="aws:index/getArn:getArn", call=_get_arn),
    Function(token="aws:index/getAvailabilityZone:getAvailabilityZone", service="ec2", call=_get_availability_zone),
    Function(token="aws:index/getAvailabilityZones:getAvailabilityZones", service="ec2", call=_get_availability_zones),
    Function(token="aws:index/getCallerIdentity:getCallerIdentity", service="sts", call=_get_caller_identity),
    Function(token="aws:index/getDefaultTags:getDefaultTags", call=_get_default_tags, wants_default_tags=True),
    Function(token="aws:index/getPartition:getPartition", call=_get_partition),
    Function(token="aws:index/getRegion:getRegion", call=_get_region),
    Function(token="aws:index/getRegions:getRegions", service="ec2", call=_get_regions),
    Function(token="aws:index/getServicePrincipal:getServicePrincipal", call=_get_service_principal),
)
