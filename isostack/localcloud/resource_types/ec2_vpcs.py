"""VPCs. Source: the EC2 API reference; property names as in pulumi_aws 7.

What is inside them (subnets, gateways, routes, security groups and so on) is in the other ``ec2_…`` modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    NO_IPAM,
    Thing,
    all_or_nothing,
    arn,
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


# -- VPCs --------------------------------------------------------------------------------------------------------------

# Property to its value in a new VPC.
_VPC_ATTRIBUTES = {"enableDnsSupport": True, "enableDnsHostnames": False, "enableNetworkAddressUsageMetrics": False}


def _create_vpc(cloud: Cloud, inputs: Properties) -> Created:
    refuse(inputs, "Vpc", NO_IPAM, "ipv4IpamPoolId", "ipv4NetmaskLength", "ipv6IpamPoolId", "ipv6NetmaskLength")
    refuse(inputs, "Vpc", f"{NO_IPAM} (assignGeneratedIpv6CidrBlock gives an IPv6 block)", "ipv6CidrBlock")
    if not inputs.get("cidrBlock"):
        raise ProviderError("Vpc: missing required property 'cidrBlock'")
    require_network("Vpc", "cidrBlock", inputs["cidrBlock"])
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(
        CidrBlock=inputs["cidrBlock"],
        **given(
            AmazonProvidedIpv6CidrBlock=inputs.get("assignGeneratedIpv6CidrBlock"),
            InstanceTenancy=inputs.get("instanceTenancy"),
            Ipv6CidrBlockNetworkBorderGroup=inputs.get("ipv6CidrBlockNetworkBorderGroup"),
        ),
        **tagged("vpc", inputs),
    )["Vpc"]
    id_ = vpc["VpcId"]
    attributes = {name: inputs.get(name, default) for name, default in _VPC_ATTRIBUTES.items()}
    different = {name for name, default in _VPC_ATTRIBUTES.items() if attributes[name] != default}
    all_or_nothing(lambda: ec2.delete_vpc(VpcId=id_), lambda: _set_vpc_attributes(cloud, id_, attributes, different))
    return Created(id_, _vpc_outputs(cloud, vpc) | attributes)


def _set_vpc_attributes(cloud: Cloud, id_: str, properties: Properties, names: set[str]) -> None:
    # AWS takes one attribute at a time, and DNS host names only where there is DNS.
    for name in sorted(names & _VPC_ATTRIBUTES.keys(), key=list(_VPC_ATTRIBUTES).index):
        attribute = {name[0].upper() + name[1:]: {"Value": bool(properties.get(name, _VPC_ATTRIBUTES[name]))}}
        cloud.client("ec2").modify_vpc_attribute(VpcId=id_, **attribute)


def _vpc_outputs(cloud: Cloud, vpc: Thing) -> Properties:
    ec2 = cloud.client("ec2")
    inside = filters(vpc_id=vpc["VpcId"])
    ipv6 = ipv6_block(vpc)
    tables = ec2.describe_route_tables(Filters=[*inside, *filters(association__main="true")])["RouteTables"]
    lists = ec2.describe_network_acls(Filters=[*inside, *filters(default="true")])["NetworkAcls"]
    groups = ec2.describe_security_groups(Filters=[*inside, *filters(group_name="default")])["SecurityGroups"]
    main_table = tables[0]["RouteTableId"] if tables else ""
    return {
        "arn": arn(cloud, "vpc", vpc["VpcId"]),
        "assignGeneratedIpv6CidrBlock": ipv6.get("Ipv6Pool") == "Amazon",
        "cidrBlock": vpc["CidrBlock"],
        "defaultNetworkAclId": lists[0]["NetworkAclId"] if lists else "",
        "defaultRouteTableId": main_table,
        "defaultSecurityGroupId": groups[0]["GroupId"] if groups else "",
        "dhcpOptionsId": vpc["DhcpOptionsId"],
        "instanceTenancy": vpc["InstanceTenancy"],
        "ipv6AssociationId": ipv6.get("AssociationId", ""),
        "ipv6CidrBlock": ipv6.get("Ipv6CidrBlock", ""),
        "ipv6CidrBlockNetworkBorderGroup": ipv6.get("NetworkBorderGroup", cloud.region) if ipv6 else "",
        "mainRouteTableId": main_table,
        "ownerId": vpc["OwnerId"],
        "tagsAll": tag_map(vpc.get("Tags")),
    }


def _vpc_attributes(cloud: Cloud, id_: str) -> Properties:
    ec2 = cloud.client("ec2")
    return {
        name: ec2.describe_vpc_attribute(VpcId=id_, Attribute=name)[name[0].upper() + name[1:]]["Value"]
        for name in _VPC_ATTRIBUTES
    }


def _read_vpc(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    vpc = cloud.client("ec2").describe_vpcs(VpcIds=[id_])["Vpcs"][0]
    return _vpc_outputs(cloud, vpc) | _vpc_attributes(cloud, id_)


def _update_vpc(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    ec2 = cloud.client("ec2")
    refuse(new, "Vpc", NO_IPAM, "ipv6IpamPoolId", "ipv6NetmaskLength")
    _set_vpc_attributes(cloud, id_, new, changed)
    if "instanceTenancy" in changed:
        ec2.modify_vpc_tenancy(VpcId=id_, InstanceTenancy="default")
    if changed & {"assignGeneratedIpv6CidrBlock", "ipv6CidrBlockNetworkBorderGroup"}:
        if old.get("ipv6AssociationId"):
            ec2.disassociate_vpc_cidr_block(AssociationId=old["ipv6AssociationId"])
        if new.get("assignGeneratedIpv6CidrBlock"):
            border = given(Ipv6CidrBlockNetworkBorderGroup=new.get("ipv6CidrBlockNetworkBorderGroup"))
            ec2.associate_vpc_cidr_block(VpcId=id_, AmazonProvidedIpv6CidrBlock=True, **border)
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)


def _delete_vpc(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_vpc(VpcId=id_)


def _find_vpc(cloud: Cloud, inputs: Properties) -> list[str]:
    vpcs = cloud.client("ec2").describe_vpcs(Filters=filters(cidr=inputs["cidrBlock"], is_default="false"))["Vpcs"]
    return [vpc["VpcId"] for vpc in vpcs if has_tags_of(vpc, inputs)]


def _compare_vpc(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A VPC for dedicated instances can be made one for all; the other way takes a new one."""
    replaces = changed & {"cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"}
    if "instanceTenancy" in changed and new.get("instanceTenancy") != "default":
        replaces.add("instanceTenancy")
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _get_vpc(cloud: Cloud, arguments: Properties) -> Properties:
    default = arguments.get("default")
    asked = asked_filters(
        arguments,
        cidr=arguments.get("cidrBlock"),
        dhcp_options_id=arguments.get("dhcpOptionsId"),
        is_default=None if default is None else str(default).lower(),
        state=arguments.get("state"),
    )
    ids = {"VpcIds": [arguments["id"]]} if arguments.get("id") else {}
    vpc = only(cloud.client("ec2").describe_vpcs(**ids, **asked)["Vpcs"], "EC2 VPC")
    outputs = _vpc_outputs(cloud, vpc) | _vpc_attributes(cloud, vpc["VpcId"])
    unwanted = {"assignGeneratedIpv6CidrBlock", "ipv6CidrBlockNetworkBorderGroup", "tagsAll"}
    unwanted |= {name for name in outputs if name.startswith("default")}
    return {
        **{name: value for name, value in outputs.items() if name not in unwanted},
        "cidrBlockAssociations": [
            {
                "associationId": one["AssociationId"],
                "cidrBlock": one["CidrBlock"],
                "state": one["CidrBlockState"]["State"],
            }
            for one in vpc["CidrBlockAssociationSet"]
        ],
        "default": vpc["IsDefault"],
        "filters": arguments.get("filters") or [],
        "id": vpc["VpcId"],
        "region": cloud.region,
        "state": vpc["State"],
        "tags": tag_map(vpc.get("Tags")),
    }


def _get_vpcs(cloud: Cloud, arguments: Properties) -> Properties:
    vpcs = cloud.client("ec2").describe_vpcs(**asked_filters(arguments))["Vpcs"]
    return ids_found(cloud, arguments, [vpc["VpcId"] for vpc in vpcs])


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/vpc:Vpc",
        service="ec2",
        create=_create_vpc,
        read=_read_vpc,
        update=_update_vpc,
        delete=_delete_vpc,
        find=_find_vpc,
        compare=_compare_vpc,
        computed=(
            "arn",
            "defaultNetworkAclId",
            "defaultRouteTableId",
            "defaultSecurityGroupId",
            "dhcpOptionsId",
            "ipv6AssociationId",
            "mainRouteTableId",
            "ownerId",
        ),
        sticky=(
            "cidrBlock",
            "enableDnsHostnames",
            "enableNetworkAddressUsageMetrics",
            "ipv6CidrBlock",
            "ipv6CidrBlockNetworkBorderGroup",
        ),
        defaults={"enableDnsSupport": True, "instanceTenancy": "default"},
        tagged=True,
        limits="no IPAM, no IPv6 blocks of one's own",
    ),
)

FUNCTIONS = (
    Function(token="aws:ec2/getVpc:getVpc", service="ec2", call=_get_vpc),
    Function(token="aws:ec2/getVpcs:getVpcs", service="ec2", call=_get_vpcs),
)
