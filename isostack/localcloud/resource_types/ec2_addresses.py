"""Elastic IP addresses. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
)
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _create_eip(cloud: Cloud, inputs: Properties) -> Created | str:
    why = "the local cloud has no address pools of one's own"
    refuse(inputs, "Eip", why, "customerOwnedIpv4Pool", "ipamPoolId")
    if inputs.get("publicIpv4Pool", "amazon") != "amazon":
        refuse(inputs, "Eip", why, "publicIpv4Pool")
    ec2 = cloud.client("ec2")
    address = ec2.allocate_address(
        Domain="vpc",
        **given(Address=inputs.get("address"), NetworkBorderGroup=inputs.get("networkBorderGroup")),
        **tagged("elastic-ip", inputs),
    )
    id_ = str(address["AllocationId"])
    if inputs.get("instance") or inputs.get("networkInterface"):
        all_or_nothing(lambda: ec2.release_address(AllocationId=id_), lambda: _associate_eip(cloud, id_, inputs))
        return id_
    shown = {**address, "Tags": [{"Key": k, "Value": v} for k, v in (inputs.get("tagsAll") or {}).items()]}
    return Created(id_, _eip_outputs(cloud, shown, inputs))


def _associate_eip(cloud: Cloud, id_: str, properties: Properties) -> None:
    target = {"InstanceId": properties.get("instance"), "NetworkInterfaceId": properties.get("networkInterface")}
    if target["NetworkInterfaceId"]:
        del target["InstanceId"]  # AWS takes one of them
    cloud.client("ec2").associate_address(
        AllocationId=id_,
        AllowReassociation=True,
        **given(PrivateIpAddress=properties.get("associateWithPrivateIp"), **target),
    )


def _eip_outputs(cloud: Cloud, address: Thing, known: Properties) -> Properties:
    private = address.get("PrivateIpAddress") or ""
    return {
        "allocationId": address["AllocationId"],
        "arn": arn(cloud, "elastic-ip", address["AllocationId"]),
        "associationId": address.get("AssociationId") or "",
        "domain": address["Domain"],
        "instance": address.get("InstanceId") or "",
        "networkBorderGroup": known.get("networkBorderGroup") or cloud.region,
        "networkInterface": address.get("NetworkInterfaceId") or "",
        "privateDns": _dns_name(cloud, private, public=False),
        "privateIp": private,
        "ptrRecord": "",
        "publicDns": _dns_name(cloud, address["PublicIp"], public=True),
        "publicIp": address["PublicIp"],
        "publicIpv4Pool": "amazon",
        "tagsAll": tag_map(address.get("Tags")),
        **dict.fromkeys(("carrierIp", "customerOwnedIp", "customerOwnedIpv4Pool"), ""),
    }


def _dns_name(cloud: Cloud, ip: str, public: bool) -> str:
    """The name that AWS gives an address; the oldest region has names of its own."""
    if not ip:
        return ""
    oldest = cloud.region == "us-east-1"
    if public:
        domain = "compute-1" if oldest else f"{cloud.region}.compute"
        return f"ec2-{ip.replace('.', '-')}.{domain}.amazonaws.com"
    return f"ip-{ip.replace('.', '-')}.{'ec2' if oldest else f'{cloud.region}.compute'}.internal"


def _eip(cloud: Cloud, id_: str) -> Thing:
    return dict(cloud.client("ec2").describe_addresses(AllocationIds=[id_])["Addresses"][0])


def _read_eip(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _eip_outputs(cloud, _eip(cloud, id_), known)


def _update_eip(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed & {"associateWithPrivateIp", "instance", "networkInterface"}:
        if old.get("associationId"):
            cloud.client("ec2").disassociate_address(AssociationId=old["associationId"])
        if new.get("instance") or new.get("networkInterface"):
            _associate_eip(cloud, id_, new)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_eip(cloud: Cloud, id_: str, known: Properties) -> None:
    ec2 = cloud.client("ec2")
    association = _eip(cloud, id_).get("AssociationId")
    if association:
        ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=id_)


def _find_eip(cloud: Cloud, inputs: Properties) -> list[str]:
    wanted = inputs.get("instance") or inputs.get("networkInterface")
    return [
        address["AllocationId"]
        for address in cloud.client("ec2").describe_addresses()["Addresses"]
        if has_tags_of(address, inputs)
        and inputs.get("address") in (None, address["PublicIp"])
        # The crash may have come before the association.
        and (not address.get("AssociationId") or wanted in (address["InstanceId"], address["NetworkInterfaceId"]))
    ]


def _create_eip_association(cloud: Cloud, inputs: Properties) -> str:
    answer = cloud.client("ec2").associate_address(
        AllowReassociation=bool(inputs.get("allowReassociation", True)),
        **given(
            AllocationId=inputs.get("allocationId"),
            InstanceId=inputs.get("instanceId"),
            NetworkInterfaceId=inputs.get("networkInterfaceId"),
            PrivateIpAddress=inputs.get("privateIpAddress"),
            PublicIp=inputs.get("publicIp"),
        ),
    )
    return str(answer["AssociationId"])


def _read_eip_association(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    addresses = cloud.client("ec2").describe_addresses(Filters=filters(association_id=id_))["Addresses"]
    if not addresses:
        return None
    return {
        "allocationId": addresses[0]["AllocationId"],
        "instanceId": addresses[0]["InstanceId"],
        "networkInterfaceId": addresses[0]["NetworkInterfaceId"],
        "privateIpAddress": addresses[0].get("PrivateIpAddress", ""),
        "publicIp": addresses[0]["PublicIp"],
    }


def _delete_eip_association(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").disassociate_address(AssociationId=id_)


def _find_eip_association(cloud: Cloud, inputs: Properties) -> list[str]:
    asked = {"AllocationId": "allocationId", "PublicIp": "publicIp", "InstanceId": "instanceId"}
    asked["NetworkInterfaceId"] = "networkInterfaceId"
    return [
        address["AssociationId"]
        for address in cloud.client("ec2").describe_addresses()["Addresses"]
        if address.get("AssociationId") and all(inputs.get(name) in (None, "", address.get(key)) for key, name in asked.items())
    ]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/eip:Eip",
        service="ec2",
        create=_create_eip,
        read=_read_eip,
        update=_update_eip,
        delete=_delete_eip,
        find=_find_eip,
        replace_on=("address", "customerOwnedIpv4Pool", "domain", "ipamPoolId", "networkBorderGroup", "publicIpv4Pool"),
        computed=(
            "allocationId",
            "arn",
            "associationId",
            "carrierIp",
            "customerOwnedIp",
            "privateDns",
            "privateIp",
            "ptrRecord",
            "publicDns",
            "publicIp",
        ),
        sticky=("domain", "instance", "ipamPoolId", "networkBorderGroup", "networkInterface", "publicIpv4Pool"),
        local=("address", "associateWithPrivateIp"),
        tagged=True,
        limits="no address pools of one's own",
    ),
    ResourceType(
        token="aws:ec2/eipAssociation:EipAssociation",
        service="ec2",
        create=_create_eip_association,
        read=_read_eip_association,
        delete=_delete_eip_association,
        find=_find_eip_association,
        sticky=("allocationId", "instanceId", "networkInterfaceId", "privateIpAddress", "publicIp"),
        local=("allowReassociation",),
    ),
)
