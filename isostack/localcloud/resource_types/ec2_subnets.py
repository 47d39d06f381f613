"""Subnets. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    NO_IPAM,
    Thing,
    all_or_nothing,
    asked_filters,
    filters,
    given,
    has_tags_of,
    ids_found,
    ipv6_block,
    only,
    refuse,
    require_network,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_NO_OUTPOSTS = "the local cloud has no Outposts"
# What modify_subnet_attribute changes, one at a time: property to parameter. moto keeps the first three only.
_SUBNET_SWITCHES = {
    "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
    "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation",
    "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch",
    "enableDns64": "EnableDns64",
    "enableResourceNameDnsAaaaRecordOnLaunch": "EnableResourceNameDnsAAAARecordOnLaunch",
}
_KEPT_HERE_ONLY = {
    "enableDns64": False,
    "enableResourceNameDnsAaaaRecordOnLaunch": False,
    "privateDnsHostnameTypeOnLaunch": "ip-name",
}
_OUTPOST_PROPERTIES = ("customerOwnedIpv4Pool", "enableLniAtDeviceIndex", "mapCustomerOwnedIpOnLaunch", "outpostArn")


def _create_subnet(cloud: Cloud, inputs: Properties) -> Created:
    refuse(inputs, "Subnet", NO_IPAM, "ipv4IpamPoolId", "ipv4NetmaskLength", "ipv6IpamPoolId", "ipv6NetmaskLength")
    refuse(inputs, "Subnet", _NO_OUTPOSTS, *_OUTPOST_PROPERTIES)
    if inputs.get("cidrBlock"):
        require_network("Subnet", "cidrBlock", inputs["cidrBlock"])
    ec2 = cloud.client("ec2")
    subnet = ec2.create_subnet(
        VpcId=inputs["vpcId"],
        **given(
            AvailabilityZone=_zone(cloud, inputs),
            CidrBlock=inputs.get("cidrBlock"),
            Ipv6CidrBlock=inputs.get("ipv6CidrBlock"),
            Ipv6Native=inputs.get("ipv6Native") or None,
        ),
        **tagged("subnet", inputs),
    )["Subnet"]
    id_ = subnet["SubnetId"]
    before = _subnet_outputs(cloud, subnet, {})
    different = {name for name in _SUBNET_SWITCHES if bool(inputs.get(name)) != before[name]}
    if inputs.get("privateDnsHostnameTypeOnLaunch", "ip-name") != "ip-name":
        different.add("privateDnsHostnameTypeOnLaunch")
    all_or_nothing(lambda: ec2.delete_subnet(SubnetId=id_), lambda: _set_subnet_attributes(cloud, id_, inputs, different))
    switched = {name: bool(inputs.get(name)) for name in _SUBNET_SWITCHES}
    return Created(id_, _subnet_outputs(cloud, subnet, inputs) | switched)


def _zone(cloud: Cloud, inputs: Properties) -> str | None:
    """The name of the zone that is asked for by name or by id: moto takes any region's, and none by id."""
    zone = inputs.get("availabilityZone")
    if zone and not zone.startswith(cloud.region):
        raise ProviderError(
            f"InvalidParameterValue: value ({zone}) for parameter availabilityZone is invalid: "
            f"the subnet is made in region {cloud.region}"
        )
    if zone or not inputs.get("availabilityZoneId"):
        return zone
    zones = cloud.client("ec2").describe_availability_zones(ZoneIds=[inputs["availabilityZoneId"]])
    return str(zones["AvailabilityZones"][0]["ZoneName"])


def _set_subnet_attributes(cloud: Cloud, id_: str, properties: Properties, names: set[str]) -> None:
    modify = cloud.client("ec2").modify_subnet_attribute
    for name, parameter in _SUBNET_SWITCHES.items():
        if name in names:
            modify(SubnetId=id_, **{parameter: {"Value": bool(properties.get(name))}})
    if "privateDnsHostnameTypeOnLaunch" in names:
        modify(SubnetId=id_, PrivateDnsHostnameTypeOnLaunch=properties["privateDnsHostnameTypeOnLaunch"])


def _subnet_outputs(cloud: Cloud, subnet: Thing, known: Properties) -> Properties:
    ipv6 = ipv6_block(subnet)
    return {
        "arn": subnet["SubnetArn"],
        "assignIpv6AddressOnCreation": subnet["AssignIpv6AddressOnCreation"],
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "cidrBlock": subnet.get("CidrBlock", ""),
        "customerOwnedIpv4Pool": "",
        "enableLniAtDeviceIndex": 0,
        "enableResourceNameDnsARecordOnLaunch": subnet["PrivateDnsNameOptionsOnLaunch"]["EnableResourceNameDnsARecord"],
        "ipv6CidrBlock": ipv6.get("Ipv6CidrBlock", ""),
        "ipv6CidrBlockAssociationId": ipv6.get("AssociationId", ""),
        "ipv6Native": subnet["Ipv6Native"],
        "mapCustomerOwnedIpOnLaunch": False,
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        "outpostArn": "",
        "ownerId": subnet["OwnerId"],
        "tagsAll": tag_map(subnet.get("Tags")),
        "vpcId": subnet["VpcId"],
        **{name: known.get(name, default) for name, default in _KEPT_HERE_ONLY.items()},
    }


def _read_subnet(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    subnet = cloud.client("ec2").describe_subnets(SubnetIds=[id_])["Subnets"][0]
    return _subnet_outputs(cloud, subnet, known)


def _update_subnet(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    ec2 = cloud.client("ec2")
    refuse(new, "Subnet", _NO_OUTPOSTS, *_OUTPOST_PROPERTIES)
    # AWS gives addresses of an IPv6 block only while the subnet has one.
    late = {"assignIpv6AddressOnCreation"} & changed if new.get("assignIpv6AddressOnCreation") else set()
    _set_subnet_attributes(cloud, id_, new, changed - late)
    if "ipv6CidrBlock" in changed:
        if old.get("ipv6CidrBlockAssociationId"):
            ec2.disassociate_subnet_cidr_block(AssociationId=old["ipv6CidrBlockAssociationId"])
        if new.get("ipv6CidrBlock"):
            ec2.associate_subnet_cidr_block(SubnetId=id_, Ipv6CidrBlock=new["ipv6CidrBlock"])
    _set_subnet_attributes(cloud, id_, new, late)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_subnet(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_subnet(SubnetId=id_)


def _find_subnet(cloud: Cloud, inputs: Properties) -> list[str]:
    subnets = cloud.client("ec2").describe_subnets(Filters=filters(vpc_id=inputs["vpcId"]))["Subnets"]
    return [
        subnet["SubnetId"]
        for subnet in subnets
        if subnet.get("CidrBlock", "") == inputs.get("cidrBlock", "")
        and inputs.get("availabilityZone") in (None, subnet["AvailabilityZone"])
        and has_tags_of(subnet, inputs)
    ]


def _get_subnet(cloud: Cloud, arguments: Properties) -> Properties:
    default = arguments.get("defaultForAz")
    asked = asked_filters(
        arguments,
        availability_zone=arguments.get("availabilityZone"),
        cidr_block=arguments.get("cidrBlock"),
        default_for_az=None if default is None else str(default).lower(),
        state=arguments.get("state"),
        vpc_id=arguments.get("vpcId"),
    )
    ids = {"SubnetIds": [arguments["id"]]} if arguments.get("id") else {}
    found: list[Thing] = cloud.client("ec2").describe_subnets(**ids, **asked)["Subnets"]
    for name in ("availabilityZoneId", "ipv6CidrBlock"):  # moto does not filter by them
        if wanted := arguments.get(name):
            found = [subnet for subnet in found if _subnet_outputs(cloud, subnet, {})[name] == wanted]
    subnet = only(found, "EC2 Subnet")
    outputs = _subnet_outputs(cloud, subnet, {})
    return {
        **{name: value for name, value in outputs.items() if name != "tagsAll"},
        "availableIpAddressCount": subnet["AvailableIpAddressCount"],
        "defaultForAz": subnet["DefaultForAz"],
        "filters": arguments.get("filters") or [],
        "id": subnet["SubnetId"],
        "region": cloud.region,
        "state": subnet["State"],
        "tags": tag_map(subnet.get("Tags")),
    }


def _get_subnets(cloud: Cloud, arguments: Properties) -> Properties:
    subnets = cloud.client("ec2").describe_subnets(**asked_filters(arguments))["Subnets"]
    return ids_found(cloud, arguments, [subnet["SubnetId"] for subnet in subnets])


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/subnet:Subnet",
        service="ec2",
        create=_create_subnet,
        read=_read_subnet,
        update=_update_subnet,
        delete=_delete_subnet,
        find=_find_subnet,
        required=("vpcId",),
        replace_on=(
            "availabilityZone",
            "availabilityZoneId",
            "cidrBlock",
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6IpamPoolId",
            "ipv6Native",
            "ipv6NetmaskLength",
            "outpostArn",
            "vpcId",
        ),
        computed=("arn", "ipv6CidrBlockAssociationId", "ownerId"),
        sticky=("availabilityZone", "availabilityZoneId", "privateDnsHostnameTypeOnLaunch"),
        defaults={
            "assignIpv6AddressOnCreation": False,
            "enableDns64": False,
            "enableResourceNameDnsARecordOnLaunch": False,
            "enableResourceNameDnsAaaaRecordOnLaunch": False,
            "ipv6Native": False,
            "mapPublicIpOnLaunch": False,
        },
        tagged=True,
        limits="no IPAM, no Outposts",
    ),
)

FUNCTIONS = (
    Function(token="aws:ec2/getSubnet:getSubnet", service="ec2", call=_get_subnet),
    Function(token="aws:ec2/getSubnets:getSubnets", service="ec2", call=_get_subnets),
)
