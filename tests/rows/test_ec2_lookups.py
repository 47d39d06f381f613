"""Look-ups of networks, images, regions and identities, through the provider."""

from __future__ import annotations

from typing import Any

import pytest

from isostack.engine.provider import ProviderError
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider


@pytest.fixture
def provider(cloud: Cloud) -> LocalCloudProvider:
    return LocalCloudProvider(cloud, {"team": "web"})


def make(provider: LocalCloudProvider, token: str, **inputs: Any) -> tuple[str, dict[str, Any]]:
    """The id and the outputs of a new resource."""
    checked = provider.check(token, f"urn:pulumi:test::test::{token}::made", None, inputs)
    assert checked.failures == ()
    made = provider.create(token, checked.inputs)
    return made.id, made.outputs


def look_up(provider: LocalCloudProvider, token: str, **arguments: Any) -> dict[str, Any]:
    module, name = token.split(".")
    return provider.invoke(f"aws:{module}/{name}:{name}", arguments)


@pytest.fixture
def vpc(provider: LocalCloudProvider) -> str:
    return make(provider, "aws:ec2/vpc:Vpc", cidrBlock="10.50.0.0/16", tags={"Name": "shop"})[0]


def subnet(provider: LocalCloudProvider, vpc: str, third: int, zone: str, **tags: str) -> str:
    block = f"10.50.{third}.0/24"
    return make(provider, "aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock=block, availabilityZone=f"eu-west-1{zone}", tags=tags)[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"tags": {"Name": "shop"}},
        {"cidrBlock": "10.50.0.0/16"},
        {"filters": [{"name": "tag:Name", "values": ["sh*"]}]},
        {"default": False},
    ],
)
def test_a_vpc_is_found_by_what_the_program_says_of_it(provider: LocalCloudProvider, vpc: str, arguments: dict[str, Any]) -> None:
    found = look_up(provider, "ec2.getVpc", **arguments)
    assert found["id"] == vpc
    assert found["arn"].endswith(f":vpc/{vpc}")
    assert found["enableDnsSupport"] is True
    assert found["tags"] == {"Name": "shop", "team": "web"}
    assert found["cidrBlockAssociations"][0]["cidrBlock"] == "10.50.0.0/16"


def test_the_default_vpc_has_subnets_in_every_zone(provider: LocalCloudProvider) -> None:
    default = look_up(provider, "ec2.getVpc", default=True)
    subnets = look_up(provider, "ec2.getSubnets", filters=[{"name": "vpc-id", "values": [default["id"]]}])
    zones = {look_up(provider, "ec2.getSubnet", id=id_)["availabilityZone"] for id_ in subnets["ids"]}
    assert sorted(zones) == look_up(provider, "index.getAvailabilityZones")["names"]


def test_a_look_up_of_one_says_when_there_is_none_or_there_are_several(provider: LocalCloudProvider, vpc: str) -> None:
    with pytest.raises(ProviderError, match="no matching EC2 VPC found"):
        look_up(provider, "ec2.getVpc", tags={"Name": "nobody's"})
    with pytest.raises(ProviderError, match="multiple EC2 VPCs matched"):
        look_up(provider, "ec2.getVpc")


def test_vpcs_are_listed_by_tag(provider: LocalCloudProvider, vpc: str) -> None:
    assert look_up(provider, "ec2.getVpcs", tags={"Name": "shop"})["ids"] == [vpc]


def test_subnets_are_listed_by_vpc_and_tag(provider: LocalCloudProvider, vpc: str) -> None:
    public = [subnet(provider, vpc, third, zone, kind="public") for third, zone in ((1, "a"), (2, "b"))]
    subnet(provider, vpc, 3, "a", kind="private")
    inside = [{"name": "vpc-id", "values": [vpc]}]
    assert look_up(provider, "ec2.getSubnets", filters=inside, tags={"kind": "public"})["ids"] == sorted(public)
    assert len(look_up(provider, "ec2.getSubnets", filters=inside)["ids"]) == 3


def test_a_subnet_is_found_by_zone_and_by_block(provider: LocalCloudProvider, vpc: str) -> None:
    first, second = subnet(provider, vpc, 1, "a"), subnet(provider, vpc, 2, "b")
    assert look_up(provider, "ec2.getSubnet", vpcId=vpc, availabilityZone="eu-west-1b")["id"] == second
    found = look_up(provider, "ec2.getSubnet", cidrBlock="10.50.1.0/24")
    assert (found["id"], found["vpcId"], found["defaultForAz"]) == (first, vpc, False)
    assert look_up(provider, "ec2.getSubnet", vpcId=vpc, availabilityZoneId=found["availabilityZoneId"])["id"] == first


def test_a_security_group_is_found_by_its_name_in_a_vpc(provider: LocalCloudProvider, vpc: str) -> None:
    group, _ = make(provider, "aws:ec2/securityGroup:SecurityGroup", vpcId=vpc, name="web", description="the web")
    found = look_up(provider, "ec2.getSecurityGroup", vpcId=vpc, name="web")
    assert (found["id"], found["description"], found["vpcId"]) == (group, "the web", vpc)
    assert look_up(provider, "ec2.getSecurityGroup", id=group)["name"] == "web"
    both = look_up(provider, "ec2.getSecurityGroups", filters=[{"name": "vpc-id", "values": [vpc]}])
    assert group in both["ids"] and len(both["ids"]) == len(both["arns"]) == 2


def test_the_rules_of_a_security_group_are_listed_and_read(provider: LocalCloudProvider, vpc: str) -> None:
    group, _ = make(provider, "aws:ec2/securityGroup:SecurityGroup", vpcId=vpc, name="web")
    rule, _ = make(
        provider,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        securityGroupId=group,
        ipProtocol="tcp",
        fromPort=80,
        toPort=80,
        cidrIpv4="10.0.0.0/8",
    )
    rules = look_up(provider, "vpc.getSecurityGroupRules", filters=[{"name": "group-id", "values": [group]}])
    assert rules["ids"] == [rule]
    found = look_up(provider, "vpc.getSecurityGroupRule", securityGroupRuleId=rule)
    assert (found["cidrIpv4"], found["isEgress"], found["fromPort"]) == ("10.0.0.0/8", False, 80)


def test_a_route_table_is_found_by_the_subnet_that_uses_it(provider: LocalCloudProvider, vpc: str) -> None:
    user = subnet(provider, vpc, 1, "a")
    gateway, _ = make(provider, "aws:ec2/internetGateway:InternetGateway", vpcId=vpc)
    routes = [{"cidrBlock": "0.0.0.0/0", "gatewayId": gateway}]
    table, _ = make(provider, "aws:ec2/routeTable:RouteTable", vpcId=vpc, routes=routes)
    make(provider, "aws:ec2/routeTableAssociation:RouteTableAssociation", subnetId=user, routeTableId=table)
    found = look_up(provider, "ec2.getRouteTable", subnetId=user)
    assert (found["id"], found["routeTableId"], found["vpcId"]) == (table, table, vpc)
    assert [(route["cidrBlock"], route["gatewayId"]) for route in found["routes"]] == [("0.0.0.0/0", gateway)]
    assert found["associations"][0]["subnetId"] == user


def test_an_endpoint_is_found_by_its_service(provider: LocalCloudProvider, vpc: str) -> None:
    service = "com.amazonaws.eu-west-1.s3"
    endpoint, outputs = make(provider, "aws:ec2/vpcEndpoint:VpcEndpoint", vpcId=vpc, serviceName=service)
    found = look_up(provider, "ec2.getVpcEndpoint", vpcId=vpc, serviceName=service)
    assert (found["id"], found["prefixListId"]) == (endpoint, outputs["prefixListId"])


def test_the_most_recent_image_has_the_latest_day_in_its_name(provider: LocalCloudProvider) -> None:
    query = {"owners": ["amazon"], "filters": [{"name": "name", "values": ["amzn2-ami-hvm-*-x86_64-gp2"]}]}
    found = look_up(provider, "ec2.getAmi", mostRecent=True, **query)
    assert found["id"] == found["imageId"]
    assert found["name"] > "amzn2-ami-hvm-2.0.2018"
    assert found["architecture"] == "x86_64"
    assert found["rootDeviceName"] in [disk["deviceName"] for disk in found["blockDeviceMappings"]]
    with pytest.raises(ProviderError, match="more than one result"):
        look_up(provider, "ec2.getAmi", **query)
    with pytest.raises(ProviderError, match="no results"):
        look_up(provider, "ec2.getAmi", owners=["amazon"], nameRegex="^no such image$")


def test_the_caller_is_in_the_providers_account(provider: LocalCloudProvider) -> None:
    found = look_up(provider, "index.getCallerIdentity")
    account = provider.cloud.account_id
    assert (found["accountId"], found["id"]) == (account, account)
    assert f":{account}:" in found["arn"] and found["userId"]


def test_the_region_is_the_providers_unless_another_is_asked_for(provider: LocalCloudProvider) -> None:
    here = look_up(provider, "index.getRegion")
    assert (here["region"], here["name"], here["id"], here["description"]) == (*["eu-west-1"] * 3, "Europe (Ireland)")
    assert look_up(provider, "index.getRegion", region="us-east-1")["endpoint"] == "ec2.us-east-1.amazonaws.com"
    assert look_up(provider, "index.getRegion", endpoint="ec2.eu-north-1.amazonaws.com")["id"] == "eu-north-1"
    assert {"eu-west-1", "us-east-1"} <= set(look_up(provider, "index.getRegions")["names"])


def test_zones_are_filtered_excluded_and_sorted(provider: LocalCloudProvider) -> None:
    everywhere = look_up(provider, "index.getAvailabilityZones", state="available")
    assert everywhere["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert len(everywhere["zoneIds"]) == 3 and everywhere["id"] == "eu-west-1"
    usual = [{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    some = look_up(provider, "index.getAvailabilityZones", filters=usual, excludeNames=["eu-west-1b"])
    assert some["names"] == ["eu-west-1a", "eu-west-1c"]
    assert look_up(provider, "index.getAvailabilityZones", region="eu-north-1")["names"][0] == "eu-north-1a"
    assert look_up(provider, "index.getAvailabilityZone", name="eu-west-1c")["nameSuffix"] == "c"
    with pytest.raises(ProviderError, match="filter 'colour' is invalid"):
        look_up(provider, "index.getAvailabilityZones", filters=[{"name": "colour", "values": ["blue"]}])


def test_partition_default_tags_and_principals_are_told(provider: LocalCloudProvider) -> None:
    assert look_up(provider, "index.getPartition")["dnsSuffix"] == "amazonaws.com"
    assert look_up(provider, "index.getDefaultTags")["tags"] == {"team": "web"}
    assert look_up(provider, "index.getServicePrincipal", serviceName="s3")["name"] == "s3.amazonaws.com"


def test_an_arn_is_taken_apart(provider: LocalCloudProvider) -> None:
    found = look_up(provider, "index.getArn", arn="arn:aws:logs:eu-west-1:123456789012:log-group:web:*")
    assert (found["service"], found["account"], found["resource"]) == ("logs", "123456789012", "log-group:web:*")
    with pytest.raises(ProviderError, match="is not an ARN"):
        look_up(provider, "index.getArn", arn="web")
