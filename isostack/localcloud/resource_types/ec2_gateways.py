"""Internet gateways and NAT gateways. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    all_or_nothing,
    arn,
    filters,
    given,
    has_tags_of,
    refuse,
    retag,
    tagged,
    update_tags,
)
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# -- internet gateways -------------------------------------------------------------------------------------------------


def _create_internet_gateway(cloud: Cloud, inputs: Properties) -> Created:
    ec2 = cloud.client("ec2")
    gateway = ec2.create_internet_gateway(**tagged("internet-gateway", inputs))["InternetGateway"]
    id_, vpc = gateway["InternetGatewayId"], inputs.get("vpcId")
    if vpc:
        all_or_nothing(
            lambda: ec2.delete_internet_gateway(InternetGatewayId=id_),
            lambda: ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=vpc),
        )
    return Created(id_, _internet_gateway_outputs(cloud, gateway) | {"vpcId": vpc or ""})


def _internet_gateway_outputs(cloud: Cloud, gateway: Thing) -> Properties:
    return {
        "arn": arn(cloud, "internet-gateway", gateway["InternetGatewayId"]),
        "ownerId": gateway["OwnerId"],
        "tagsAll": tag_map(gateway.get("Tags")),
        "vpcId": _attached_vpc(gateway),
    }


def _attached_vpc(gateway: Thing) -> str:
    return next((str(attachment["VpcId"]) for attachment in gateway.get("Attachments", [])), "")


def _internet_gateway(cloud: Cloud, id_: str) -> Thing:
    return dict(cloud.client("ec2").describe_internet_gateways(InternetGatewayIds=[id_])["InternetGateways"][0])


def _read_internet_gateway(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _internet_gateway_outputs(cloud, _internet_gateway(cloud, id_))


def _update_internet_gateway(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    ec2 = cloud.client("ec2")
    if "vpcId" in changed:
        if old.get("vpcId"):
            ec2.detach_internet_gateway(InternetGatewayId=id_, VpcId=old["vpcId"])
        if new.get("vpcId"):
            ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=new["vpcId"])
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_internet_gateway(cloud: Cloud, id_: str, known: Properties) -> None:
    ec2 = cloud.client("ec2")
    vpc = _attached_vpc(_internet_gateway(cloud, id_))
    if vpc:
        ec2.detach_internet_gateway(InternetGatewayId=id_, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=id_)


def _find_internet_gateway(cloud: Cloud, inputs: Properties) -> list[str]:
    gateways = cloud.client("ec2").describe_internet_gateways()["InternetGateways"]
    # The crash may have come before the attachment.
    return [
        gateway["InternetGatewayId"]
        for gateway in gateways
        if has_tags_of(gateway, inputs) and _attached_vpc(gateway) in ("", inputs.get("vpcId", ""))
    ]


def _create_attachment(cloud: Cloud, inputs: Properties) -> Created:
    gateway, vpc = inputs["internetGatewayId"], inputs["vpcId"]
    cloud.client("ec2").attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return Created(f"{gateway}:{vpc}", {"internetGatewayId": gateway, "vpcId": vpc})


def _read_attachment(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    gateway, _, vpc = id_.partition(":")
    attached = _attached_vpc(_internet_gateway(cloud, gateway)) == vpc
    return {"internetGatewayId": gateway, "vpcId": vpc} if attached else None


def _delete_attachment(cloud: Cloud, id_: str, known: Properties) -> None:
    gateway, _, vpc = id_.partition(":")
    cloud.client("ec2").detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)


def _find_attachment(cloud: Cloud, inputs: Properties) -> list[str]:
    id_ = f"{inputs['internetGatewayId']}:{inputs['vpcId']}"
    return [id_] if _read_attachment(cloud, id_, {}) else []


def _create_egress_only_gateway(cloud: Cloud, inputs: Properties) -> Created:
    gateway = cloud.client("ec2").create_egress_only_internet_gateway(
        VpcId=inputs["vpcId"], **tagged("egress-only-internet-gateway", inputs)
    )["EgressOnlyInternetGateway"]
    return Created(gateway["EgressOnlyInternetGatewayId"], _egress_only_outputs(gateway))


def _egress_only_outputs(gateway: Thing) -> Properties:
    return {"tagsAll": tag_map(gateway.get("Tags")), "vpcId": _attached_vpc(gateway)}


def _read_egress_only_gateway(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    found = cloud.client("ec2").describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[id_])
    gateways = found["EgressOnlyInternetGateways"]
    return _egress_only_outputs(gateways[0]) if gateways else None


def _delete_egress_only_gateway(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=id_)


def _find_egress_only_gateway(cloud: Cloud, inputs: Properties) -> list[str]:
    gateways = cloud.client("ec2").describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"]
    return [
        gateway["EgressOnlyInternetGatewayId"]
        for gateway in gateways
        if _attached_vpc(gateway) == inputs["vpcId"] and has_tags_of(gateway, inputs)
    ]


# -- NAT gateways ------------------------------------------------------------------------------------------------------

_GONE = ("deleted", "deleting", "failed")


def _create_nat_gateway(cloud: Cloud, inputs: Properties) -> Created:
    _check_nat_gateway(inputs)
    gateway = cloud.client("ec2").create_nat_gateway(
        SubnetId=inputs["subnetId"],
        ConnectivityType=inputs["connectivityType"],
        **given(AllocationId=inputs.get("allocationId"), PrivateIpAddress=inputs.get("privateIp")),
        **tagged("natgateway", inputs),
    )["NatGateway"]
    return Created(gateway["NatGatewayId"], _nat_gateway_outputs(gateway, inputs))


def _check_nat_gateway(inputs: Properties) -> None:
    why = "the local cloud has only NAT gateways of one zone, with one address"
    refuse(inputs, "NatGateway", why, *_MORE_ADDRESSES, "availabilityZoneAddresses", "vpcId")
    if inputs.get("availabilityMode", "zonal") != "zonal":
        raise ProviderError(f"NatGateway: {why}; leave out availabilityMode {inputs['availabilityMode']!r}")
    if not inputs.get("subnetId"):
        raise ProviderError("NatGateway: missing required property 'subnetId'")
    public = inputs["connectivityType"] == "public"
    if public != bool(inputs.get("allocationId")):
        raise ProviderError(
            "NatGateway: missing allocationId, which a public NAT gateway needs (an Eip's id)"
            if public
            else "NatGateway: a private NAT gateway takes no allocationId"
        )


_MORE_ADDRESSES = ("secondaryAllocationIds", "secondaryPrivateIpAddressCount", "secondaryPrivateIpAddresses")


def _nat_gateway_outputs(gateway: Thing, known: Properties) -> Properties:
    address: Thing = next(iter(gateway["NatGatewayAddresses"]), {})
    return {
        "allocationId": address.get("AllocationId", ""),
        "associationId": address.get("AssociationId", ""),
        "availabilityMode": "zonal",
        "connectivityType": gateway["ConnectivityType"],
        "networkInterfaceId": address.get("NetworkInterfaceId", ""),
        "privateIp": known.get("privateIp") or address.get("PrivateIp", ""),  # moto makes one up
        "publicIp": address.get("PublicIp", ""),
        "secondaryAllocationIds": [],
        "secondaryPrivateIpAddressCount": 0,
        "secondaryPrivateIpAddresses": [],
        "subnetId": gateway["SubnetId"],
        "tagsAll": tag_map(gateway.get("Tags")),
        "vpcId": gateway["VpcId"],
    }


def _nat_gateway(cloud: Cloud, id_: str) -> Thing | None:
    gateways = cloud.client("ec2").describe_nat_gateways(NatGatewayIds=[id_])["NatGateways"]
    return gateways[0] if gateways and gateways[0]["State"] not in _GONE else None


def _read_nat_gateway(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    gateway = _nat_gateway(cloud, id_)
    return _nat_gateway_outputs(gateway, known) if gateway else None


def _update_nat_gateway(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _check_nat_gateway(new)
    update_tags(cloud, id_, old, new, changed)


def _delete_nat_gateway(cloud: Cloud, id_: str, known: Properties) -> None:
    ec2 = cloud.client("ec2")
    gateway = _nat_gateway(cloud, id_)
    if not gateway:
        return
    ec2.delete_nat_gateway(NatGatewayId=id_)
    # moto leaves behind what AWS takes away with the gateway: the use of the address, and the interface.
    for address in gateway["NatGatewayAddresses"]:
        allocation, interface = address.get("AllocationId"), address["NetworkInterfaceId"]
        if allocation:
            addresses = ec2.describe_addresses(Filters=filters(allocation_id=allocation))["Addresses"]
            for used in addresses:
                if used.get("NetworkInterfaceId") == interface:
                    ec2.disassociate_address(AssociationId=used["AssociationId"])
        ec2.delete_network_interface(NetworkInterfaceId=interface)


def _find_nat_gateway(cloud: Cloud, inputs: Properties) -> list[str]:
    found = cloud.client("ec2").describe_nat_gateways(Filters=filters(subnet_id=inputs["subnetId"], state="available"))
    return [
        gateway["NatGatewayId"]
        for gateway in found["NatGateways"]
        if _nat_gateway_outputs(gateway, inputs)["allocationId"] == inputs.get("allocationId", "")
        and has_tags_of(gateway, inputs)
    ]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create=_create_internet_gateway,
        read=_read_internet_gateway,
        update=_update_internet_gateway,
        delete=_delete_internet_gateway,
        find=_find_internet_gateway,
        computed=("arn", "ownerId"),
        sticky=("vpcId",),
        tagged=True,
    ),
    ResourceType(
        token="aws:ec2/internetGatewayAttachment:InternetGatewayAttachment",
        service="ec2",
        create=_create_attachment,
        read=_read_attachment,
        delete=_delete_attachment,
        find=_find_attachment,
        required=("internetGatewayId", "vpcId"),
        absent=("Gateway.NotAttached",),
    ),
    ResourceType(
        token="aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
        service="ec2",
        create=_create_egress_only_gateway,
        read=_read_egress_only_gateway,
        update=update_tags,
        delete=_delete_egress_only_gateway,
        find=_find_egress_only_gateway,
        required=("vpcId",),
        replace_on=("vpcId",),
        tagged=True,
    ),
    ResourceType(
        token="aws:ec2/natGateway:NatGateway",
        service="ec2",
        create=_create_nat_gateway,
        read=_read_nat_gateway,
        update=_update_nat_gateway,
        delete=_delete_nat_gateway,
        find=_find_nat_gateway,
        replace_on=("allocationId", "availabilityMode", "connectivityType", "privateIp", "subnetId", "vpcId"),
        computed=("associationId", "networkInterfaceId", "publicIp"),
        sticky=("availabilityMode", "privateIp", "vpcId", *_MORE_ADDRESSES),
        defaults={"connectivityType": "public"},
        tagged=True,
        limits="zonal only, with one address",
    ),
)
