"""DHCP options of VPCs, and single tags. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import arn, filters, has_tags_of, tagged, update_tags
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_OPTIONS = {
    "domainName": "domain-name",
    "domainNameServers": "domain-name-servers",
    "netbiosNameServers": "netbios-name-servers",
    "netbiosNodeType": "netbios-node-type",
    "ntpServers": "ntp-servers",
}
_SINGLE = ("domainName", "netbiosNodeType")

# -- options ------------------------------------------------------------------------------------------------------------


def _configurations(inputs: Properties) -> dict[str, list[str]]:
    given = {name: inputs[name] for name in _OPTIONS if inputs.get(name)}
    return {_OPTIONS[name]: [str(value)] if name in _SINGLE else list(value) for name, value in given.items()}


def _create_options(cloud: Cloud, inputs: Properties) -> str:
    configurations = _configurations(inputs)
    if not configurations:
        raise ProviderError(f"VpcDhcpOptions: give at least one of {', '.join(_OPTIONS)}")
    options = cloud.client("ec2").create_dhcp_options(
        DhcpConfigurations=[{"Key": key, "Values": values} for key, values in configurations.items()],
        **tagged("dhcp-options", inputs),
    )["DhcpOptions"]
    return str(options["DhcpOptionsId"])


def _read_options(cloud: Cloud, id_: str, known: Properties) -> Properties:
    options = cloud.client("ec2").describe_dhcp_options(DhcpOptionsIds=[id_])["DhcpOptions"][0]
    found = {one["Key"]: [value["Value"] for value in one["Values"]] for one in options["DhcpConfigurations"]}
    outputs = {name: found[key][0] if name in _SINGLE else found[key] for name, key in _OPTIONS.items() if key in found}
    return {
        **outputs,
        "arn": arn(cloud, "dhcp-options", id_),
        "ownerId": options.get("OwnerId") or cloud.account_id,
        "tagsAll": tag_map(options.get("Tags")),
    }


def _delete_options(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("ec2")
    for vpc in client.describe_vpcs(Filters=filters(dhcp_options_id=id_))["Vpcs"]:
        client.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc["VpcId"])
    client.delete_dhcp_options(DhcpOptionsId=id_)


def _find_options(cloud: Cloud, inputs: Properties) -> list[str]:
    wanted = _configurations(inputs)
    return [
        options["DhcpOptionsId"]
        for options in cloud.client("ec2").describe_dhcp_options()["DhcpOptions"]
        if {one["Key"]: [value["Value"] for value in one["Values"]] for one in options["DhcpConfigurations"]} == wanted
        and has_tags_of(options, inputs)
    ]


# -- associations -------------------------------------------------------------------------------------------------------


def _associate(cloud: Cloud, inputs: Properties) -> Created:
    options, vpc = inputs["dhcpOptionsId"], inputs["vpcId"]
    cloud.client("ec2").associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    return Created(f"{options}-{vpc}", {"dhcpOptionsId": options, "vpcId": vpc})


def _read_association(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    vpc = known.get("vpcId") or id_
    found = cloud.client("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"]
    options = found[0].get("DhcpOptionsId") if found else None
    if not options or options != known.get("dhcpOptionsId", options) or (options == "default" and "vpcId" in known):
        return None
    return {"dhcpOptionsId": options, "id": f"{options}-{vpc}", "vpcId": vpc}


def _disassociate(cloud: Cloud, id_: str, known: Properties) -> None:
    if _read_association(cloud, id_, known):
        cloud.client("ec2").associate_dhcp_options(DhcpOptionsId="default", VpcId=known["vpcId"])


def _find_association(cloud: Cloud, inputs: Properties) -> list[str]:
    found = _read_association(cloud, "", inputs)
    return [str(found["id"])] if found else []


# -- single tags --------------------------------------------------------------------------------------------------------


def _put_tag(cloud: Cloud, inputs: Properties) -> Created:
    resource, key, value = inputs["resourceId"], inputs["key"], inputs["value"]
    cloud.client("ec2").create_tags(Resources=[resource], Tags=[{"Key": key, "Value": value}])
    return Created(f"{resource},{key}", {"key": key, "resourceId": resource, "value": value})


def _read_tag(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    resource, _, key = id_.partition(",")
    if not key:
        raise ProviderError(f"{id_!r} is no id to import by; write resource-id,key")
    found = cloud.client("ec2").describe_tags(Filters=filters(resource_id=resource, key=key))["Tags"]
    return {"key": key, "resourceId": resource, "value": found[0]["Value"]} if found else None


def _update_tag(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_tag(cloud, new)


def _delete_tag(cloud: Cloud, id_: str, known: Properties) -> None:
    if _read_tag(cloud, id_, known):
        cloud.client("ec2").delete_tags(Resources=[known["resourceId"]], Tags=[{"Key": known["key"]}])


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/vpcDhcpOptions:VpcDhcpOptions",
        service="ec2",
        create=_create_options,
        read=_read_options,
        update=update_tags,
        delete=_delete_options,
        find=_find_options,
        replace_on=("ipv6AddressPreferredLeaseTime", *_OPTIONS),
        computed=("arn", "ownerId"),
        local=("ipv6AddressPreferredLeaseTime",),
        absent=("InvalidDhcpOptionID.NotFound", "InvalidDhcpOptionsID.NotFound"),
        tagged=True,
        limits="ipv6AddressPreferredLeaseTime is recorded only",
    ),
    ResourceType(
        token="aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation",
        service="ec2",
        create=_associate,
        read=_read_association,
        delete=_disassociate,
        find=_find_association,
        required=("dhcpOptionsId", "vpcId"),
        # A VPC has one set of options: removing the old association afterwards would remove the new one.
        delete_before_replace=True,
    ),
    ResourceType(
        token="aws:ec2/tag:Tag",
        service="ec2",
        create=_put_tag,
        read=_read_tag,
        update=_update_tag,
        delete=_delete_tag,
        required=("key", "resourceId", "value"),
        replace_on=("key", "resourceId"),
        adopts=True,
    ),
)
