"""The network, alone in somebody else's program."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
import pulumi_aws as aws

from components.network import Network, NetworkArgs

values = pulumi.Config().require_object("values")
zones = tuple(f"eu-west-1{letter}" for letter in values.pop("letters"))
key = aws.kms.Key("mine")
network = Network("shop", NetworkArgs(tags={"team": "net"}, region="eu-west-1", zones=zones, logs_key_arn=key.arn, **values))
for name in ("vpc_id", "zones", "public_subnet_ids", "private_subnet_ids", "database_subnet_ids"):
    pulumi.export(name, getattr(network, name))
pulumi.export("key_arn", key.arn)
"""
VALUES = {
    "letters": "ab",
    "cidr": "10.20.0.0/16",
    "nat_gateways": 1,
    "interface_endpoints": ["ecr.api", "logs"],
    "flow_log_days": 14,
}
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
TABLE = "aws:ec2/routeTable:RouteTable"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
NAT = "aws:ec2/natGateway:NatGateway"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def ways_out(shop: Program, subnet: str) -> list[dict[str, Any]]:
    """The routes from a subnet to anywhere but the VPC itself, as EC2 shows them: those of its table, or the main one's."""
    ec2 = shop.cloud.client("ec2")
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [shop.outputs["vpc_id"]]}])["RouteTables"]
    own = [one for one in tables if any(link.get("SubnetId") == subnet for link in one["Associations"])]
    main = [one for one in tables if any(link.get("Main") for link in one["Associations"])]
    return [route for route in (own or main)[0]["Routes"] if route.get("GatewayId") != "local"]


def test_each_zone_has_a_subnet_of_each_kind_and_none_overlaps_another(shop: Program) -> None:
    subnets, outputs = {subnet["id"]: subnet for subnet in with_ids(shop, SUBNET)}, shop.outputs
    kinds = [outputs[f"{kind}_subnet_ids"] for kind in ("public", "private", "database")]
    assert sorted(subnets) == sorted(id_ for ids in kinds for id_ in ids)
    for ids in kinds:
        assert [subnets[id_]["availabilityZone"] for id_ in ids] == outputs["zones"] == ["eu-west-1a", "eu-west-1b"]
    blocks = [IPv4Network(subnet["cidrBlock"]) for subnet in subnets.values()]
    assert all(block.subnet_of(IPv4Network("10.20.0.0/16")) for block in blocks)
    assert not any(a.overlaps(b) for a in blocks for b in blocks if a is not b)


def with_ids(shop: Program, type_: str) -> list[dict[str, Any]]:
    return [{**resource.outputs, "id": resource.id} for resource in shop.resources if resource.type == type_]


def test_no_subnet_gives_public_addresses(shop: Program) -> None:
    assert [subnet["mapPublicIpOnLaunch"] for subnet in shop.all(SUBNET).values()] == [False] * 6


def test_public_subnets_reach_the_internet_and_private_ones_do_through_nat(shop: Program) -> None:
    for subnet in shop.outputs["public_subnet_ids"]:
        (route,) = ways_out(shop, subnet)
        assert (route["DestinationCidrBlock"], route["GatewayId"][:4]) == ("0.0.0.0/0", "igw-")
    (nat,) = with_ids(shop, NAT)
    assert nat["subnetId"] == shop.outputs["public_subnet_ids"][0]
    for subnet in shop.outputs["private_subnet_ids"]:
        routes = {route["NatGatewayId"] for route in ways_out(shop, subnet) if route.get("NatGatewayId")}
        assert routes == {nat["id"]}


def test_database_subnets_have_no_way_out(shop: Program) -> None:
    assert [ways_out(shop, subnet) for subnet in shop.outputs["database_subnet_ids"]] == [[], []]


def test_private_subnets_reach_aws_without_leaving_the_network(shop: Program) -> None:
    endpoints = {one["serviceName"].removeprefix("com.amazonaws.eu-west-1."): one for one in shop.all(ENDPOINT).values()}
    assert endpoints.keys() == {"dynamodb", "s3", "ecr.api", "logs"}
    (group,) = with_ids(shop, GROUP)
    for service in ("ecr.api", "logs"):
        assert endpoints[service]["privateDnsEnabled"] is True
        assert sorted(endpoints[service]["subnetIds"]) == sorted(shop.outputs["private_subnet_ids"])
        assert endpoints[service]["securityGroupIds"] == [group["id"]]
    private = sorted(table["id"] for table in with_ids(shop, TABLE) if table["tags"]["Name"].startswith("shop-private"))
    for service in ("dynamodb", "s3"):
        assert sorted(endpoints[service]["routeTableIds"]) == private


def test_endpoints_let_in_https_from_the_network_alone(shop: Program) -> None:
    group = shop.one(GROUP)
    (rule,) = group["ingress"]
    assert (rule["protocol"], rule["fromPort"], rule["toPort"], rule["cidrBlocks"]) == ("tcp", 443, 443, ["10.20.0.0/16"])
    assert group["egress"] == []


def test_the_default_security_group_lets_nothing_through(shop: Program) -> None:
    default = shop.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert default["vpcId"] == shop.outputs["vpc_id"]
    assert (default["ingress"], default["egress"]) == ([], [])


def test_all_traffic_is_recorded_in_an_encrypted_log_group(shop: Program) -> None:
    log, group = shop.one("aws:ec2/flowLog:FlowLog"), shop.one(LOG_GROUP)
    assert (log["vpcId"], log["trafficType"]) == (shop.outputs["vpc_id"], "ALL")
    assert log["logDestination"] == group["arn"]
    assert (group["kmsKeyId"], group["retentionInDays"]) == (shop.outputs["key_arn"], 14)


def test_the_recorder_writes_to_its_log_group_alone_and_only_for_this_account(shop: Program) -> None:
    group, role = shop.one(LOG_GROUP), shop.one("aws:iam/role:Role")
    assert shop.one("aws:ec2/flowLog:FlowLog")["iamRoleArn"] == role["arn"]
    (trusted,) = policy(role["assumeRolePolicy"])
    assert trusted["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trusted["Condition"]["StringEquals"] == {"aws:SourceAccount": shop.account}
    writing, listing = policy(shop.one("aws:iam/rolePolicy:RolePolicy")["policy"])
    assert "logs:PutLogEvents" in writing["Action"]
    assert writing["Resource"] == f"{group['arn']}:*"
    assert listing["Action"] == "logs:DescribeLogGroups"


def test_zones_take_turns_where_there_are_fewer_gateways(alone: Alone) -> None:
    shop = alone(SOURCE, {**VALUES, "letters": "abc", "nat_gateways": 2, "interface_endpoints": []})
    nats = {nat["id"]: nat["subnetId"] for nat in with_ids(shop, NAT)}
    routes = [ways_out(shop, subnet) for subnet in shop.outputs["private_subnet_ids"]]
    used = [nats[one["NatGatewayId"]] for way in routes for one in way if one.get("NatGatewayId")]
    first, second, _ = shop.outputs["public_subnet_ids"]
    assert used == [first, second, first]


def test_it_stays_as_it_is_changes_in_place_and_goes_without_a_trace(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0

    shop.up(flow_log_days=90)
    assert shop.steps == {f"{LOG_GROUP} shop-traffic": {"update"}}
    shop.up(interface_endpoints=["ecr.api", "logs", "secretsmanager"])
    assert shop.steps == {f"{ENDPOINT} shop-secretsmanager": {"create"}}

    shop.destroy()
    assert shop.left == {}
