"""What is peculiar to networks: rules taken apart and put together, ids made of content, and what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest

from isostack.engine.provider import ProviderError
from isostack.engine.values import UNKNOWN
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider
from isostack.localcloud.resource_types.ec2_permissions import Permission
from isostack.localcloud.resource_types.ec2_security_group_rules import rule_id

VPC, SUBNET, GROUP = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup"
TABLE, ASSOCIATION = "aws:ec2/routeTable:RouteTable", "aws:ec2/routeTableAssociation:RouteTableAssociation"
EVERYTHING = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}


class Network:
    """Resources of one account, made and deleted as the engine does it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.provider = cloud, LocalCloudProvider(cloud, {})
        self.made: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}

    def make(self, type_: str, **inputs: Any) -> str:
        checked = self.provider.check(type_, f"urn:pulumi:test::test::{type_}::made", None, inputs)
        made = self.provider.create(type_, checked.inputs)
        self.made[made.id] = type_, checked.inputs, made.outputs
        return made.id

    def outputs(self, id_: str) -> dict[str, Any]:
        return self.made[id_][2]

    def delete(self, id_: str) -> None:
        type_, _, outputs = self.made.pop(id_)
        self.provider.delete(type_, id_, outputs)

    def drift(self, id_: str) -> set[str]:
        """The inputs that no longer hold."""
        type_, inputs, outputs = self.made[id_]
        read = self.provider.read(type_, id_, inputs, outputs)
        assert read is not None
        return set(self.provider.diff(type_, read.inputs, read.outputs, inputs).changed)

    def permissions(self, group: str, key: str = "IpPermissions") -> list[dict[str, Any]]:
        shown = self.cloud.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        return list(shown[key])


@pytest.fixture
def network(cloud: Cloud) -> Network:
    return Network(cloud)


@pytest.fixture
def vpc(network: Network) -> str:
    return network.make(VPC, cidrBlock="10.0.0.0/16")


def test_a_new_group_lets_nothing_out_unless_the_program_says_so(network: Network, vpc: str) -> None:
    closed = network.make(GROUP, vpcId=vpc, name="closed")
    open_ = network.make(GROUP, vpcId=vpc, name="open", egress=[EVERYTHING])
    assert network.permissions(closed, "IpPermissionsEgress") == []
    assert network.permissions(open_, "IpPermissionsEgress")[0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]


def test_rules_keep_the_shape_that_the_program_gave_them(network: Network, vpc: str) -> None:
    port = {"protocol": "tcp", "fromPort": 443, "toPort": 443}
    rules = [
        {**port, "cidrBlocks": ["10.2.0.0/16"], "description": "office"},
        {**port, "cidrBlocks": ["10.1.0.0/16", "10.3.0.0/16"], "description": "partners"},
    ]
    group = network.make(GROUP, vpcId=vpc, name="web", ingress=rules)
    assert [rule["cidrBlocks"] for rule in network.outputs(group)["ingress"]] == [["10.2.0.0/16"], ["10.1.0.0/16", "10.3.0.0/16"]]
    assert network.drift(group) == set()


def test_a_rule_that_somebody_added_or_removed_is_drift(network: Network, vpc: str) -> None:
    port = {"protocol": "tcp", "fromPort": 443, "toPort": 443}
    group = network.make(GROUP, vpcId=vpc, name="web", ingress=[{**port, "cidrBlocks": ["10.1.0.0/16", "10.2.0.0/16"]}])
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    ec2 = network.cloud.client("ec2")
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ssh])
    assert network.drift(group) == {"ingress"}
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[ssh])
    assert network.drift(group) == set()
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.2.0.0/16"}]}
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[https])
    assert network.drift(group) == {"ingress"}


def test_rules_of_their_own_leave_a_group_without_inline_rules_as_it_is(network: Network, vpc: str) -> None:
    group = network.make(GROUP, vpcId=vpc, name="web")
    network.make(
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        securityGroupId=group,
        type="ingress",
        protocol="tcp",
        fromPort=80,
        toPort=80,
        cidrBlocks=["10.0.0.0/8"],
    )
    assert network.drift(group) == set()
    assert len(network.permissions(group)) == 1


def test_a_group_that_cannot_get_its_rules_is_not_left_behind(network: Network, vpc: str) -> None:
    rule = {"protocol": "tcp", "fromPort": 80, "toPort": 80, "securityGroups": ["sg-00000000000000000"]}
    with pytest.raises(ProviderError, match=r"InvalidGroup\.NotFound"):
        network.make(GROUP, vpcId=vpc, name="web", ingress=[rule])
    assert network.provider.find(GROUP, {"name": "web", "vpcId": vpc, "tagsAll": {}}).ids == ()


def test_revoking_on_deletion_reaches_the_rules_of_others(network: Network, vpc: str) -> None:
    port = {"protocol": "tcp", "fromPort": 80, "toPort": 80}
    first = network.make(GROUP, vpcId=vpc, name="first", revokeRulesOnDelete=True)
    second = network.make(GROUP, vpcId=vpc, name="second", ingress=[{**port, "securityGroups": [first], "self": True}])
    network.delete(first)
    assert [pair["GroupId"] for pair in network.permissions(second)[0]["UserIdGroupPairs"]] == [second]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({**EVERYTHING, "toPort": 80}, "must both be 0"),
        ({"protocol": "tcp", "fromPort": 80, "toPort": 80}, "names no source"),
        ({**EVERYTHING, "cidrBlocks": ["10.0.0.1/8"]}, r'did you mean "10\.0\.0\.0/8"'),
        ({**EVERYTHING, "cidrBlocks": ["office"]}, "is not a CIDR block"),
        ({**EVERYTHING, "description": "café"}, "description 'café' must have"),
    ],
)
def test_a_rule_that_aws_does_not_take_is_refused_before_anything_is_made(
    network: Network, vpc: str, rule: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProviderError, match=message):
        network.make(GROUP, vpcId=vpc, name="web", ingress=[rule])
    assert network.provider.find(GROUP, {"name": "web", "vpcId": vpc, "tagsAll": {}}).ids == ()


def test_a_rules_id_is_terraforms(network: Network) -> None:
    web = Permission("tcp", 80, 8000, "IpRanges", "10.0.0.0/8")
    assert rule_id({"securityGroupId": "sg-12345", "type": "ingress"}, [web]) == "sgrule-3403497314"
    assert rule_id({"securityGroupId": "sg-12345", "type": "egress"}, [web]) == "sgrule-1173186295"
    everything = Permission("-1", None, None, "IpRanges", "10.0.0.0/8")
    assert rule_id({"securityGroupId": "sg-12345", "type": "egress"}, [everything]) == "sgrule-766323498"
    names = ("987654321/sg-12345678", "123456789/sg-987654321", "123456789/sg-12345678")
    groups = [Permission("tcp", 80, 8000, "UserIdGroupPairs", name) for name in names]
    assert rule_id({"securityGroupId": "sg-12345", "type": "egress"}, groups) == "sgrule-351225364"


def test_a_routes_id_is_terraforms(network: Network, vpc: str) -> None:
    gateway = network.make("aws:ec2/internetGateway:InternetGateway", vpcId=vpc)
    table = network.make(TABLE, vpcId=vpc)
    route = {"routeTableId": table, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway}
    assert network.make("aws:ec2/route:Route", **route) == f"r-{table}1080289494"
    with pytest.raises(ProviderError, match="exactly one target"):
        network.make("aws:ec2/route:Route", **route | {"natGatewayId": "nat-1"})


def test_a_subnet_uses_one_route_table_at_a_time(network: Network, vpc: str) -> None:
    subnet = network.make(SUBNET, vpcId=vpc, cidrBlock="10.0.1.0/24")
    network.make(ASSOCIATION, subnetId=subnet, routeTableId=network.make(TABLE, vpcId=vpc))
    with pytest.raises(ProviderError, match=r"Resource\.AlreadyAssociated"):
        network.make(ASSOCIATION, subnetId=subnet, routeTableId=network.make(TABLE, vpcId=vpc))


def test_a_subnet_lies_in_a_zone_of_its_region(network: Network, vpc: str) -> None:
    with pytest.raises(ProviderError, match="made in region eu-west-1"):
        network.make(SUBNET, vpcId=vpc, cidrBlock="10.0.1.0/24", availabilityZone="us-east-1a")


def test_the_address_of_a_deleted_nat_gateway_can_be_used_again(network: Network, vpc: str) -> None:
    subnet = network.make(SUBNET, vpcId=vpc, cidrBlock="10.0.1.0/24")
    address = network.make("aws:ec2/eip:Eip", domain="vpc")
    first = network.make("aws:ec2/natGateway:NatGateway", subnetId=subnet, allocationId=address)
    with pytest.raises(ProviderError, match=r"Resource\.AlreadyAssociated"):
        network.make("aws:ec2/natGateway:NatGateway", subnetId=subnet, allocationId=address)
    network.delete(first)
    second = network.make("aws:ec2/natGateway:NatGateway", subnetId=subnet, allocationId=address)
    assert network.outputs(second)["publicIp"] == network.outputs(address)["publicIp"]


def test_a_gateway_endpoint_goes_with_all_of_its_route_tables(network: Network, vpc: str) -> None:
    endpoint = network.make("aws:ec2/vpcEndpoint:VpcEndpoint", vpcId=vpc, serviceName="com.amazonaws.eu-west-1.s3")
    table = network.make(TABLE, vpcId=vpc)
    network.make(
        "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
        vpcEndpointId=endpoint,
        routeTableId=table,
    )
    network.delete(endpoint)
    shown = network.cloud.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    assert [one["State"] for one in shown] == ["deleted"]


def test_everything_of_a_network_can_be_deleted_in_reverse(network: Network, vpc: str) -> None:
    subnet = network.make(SUBNET, vpcId=vpc, cidrBlock="10.0.1.0/24")
    gateway = network.make("aws:ec2/internetGateway:InternetGateway", vpcId=vpc)
    table = network.make(TABLE, vpcId=vpc, routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": gateway}])
    network.make(ASSOCIATION, subnetId=subnet, routeTableId=table)
    network.make("aws:ec2/networkAcl:NetworkAcl", vpcId=vpc, subnetIds=[subnet])
    network.make("aws:ec2/instance:Instance", ami="ami-12345678", instanceType="t3.micro", subnetId=subnet)
    for id_ in reversed(network.made.copy()):
        network.delete(id_)
    ec2 = network.cloud.client("ec2")
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    assert ec2.describe_vpcs(Filters=inside)["Vpcs"] == []
    assert ec2.describe_network_interfaces(Filters=inside)["NetworkInterfaces"] == []


@pytest.mark.parametrize(
    ("type_", "inputs", "message"),
    [
        (VPC, {"ipv4IpamPoolId": "ipam-pool-1"}, "has no IPAM"),
        (VPC, {"cidrBlock": "10.0.0.1/16"}, r'did you mean "10\.0\.0\.0/16"'),
        ("aws:ec2/natGateway:NatGateway", {"subnetId": "subnet-1"}, "missing allocationId"),
        ("aws:ec2/eip:Eip", {"customerOwnedIpv4Pool": "pool"}, "leave out customerOwnedIpv4Pool"),
        ("aws:ec2/flowLog:FlowLog", {"trafficType": "ALL"}, "exactly one of"),
        ("aws:ec2/instance:Instance", {"ami": "ami-12345678"}, "one of instanceType and launchTemplate"),
        (
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            {"vpcId": "vpc-1", "serviceName": "com.amazonaws.eu-west-1.s3", "securityGroupIds": ["sg-1"]},
            "an endpoint of type Gateway takes no securityGroupIds",
        ),
    ],
)
def test_what_the_local_cloud_or_aws_does_not_do_is_refused_by_name(
    network: Network, type_: str, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProviderError, match=message):
        network.make(type_, **inputs)


def test_a_dedicated_vpc_opens_in_place_and_the_other_way_takes_a_new_one(network: Network) -> None:
    dedicated = {"cidrBlock": "10.0.0.0/16", "instanceTenancy": "dedicated"}
    shared = {"cidrBlock": "10.0.0.0/16", "instanceTenancy": "default"}
    assert network.provider.diff(VPC, dedicated, dedicated, shared).replaces == ()
    assert network.provider.diff(VPC, shared, shared, dedicated).replaces == ("instanceTenancy",)
    assert network.provider.diff(VPC, shared, shared, {**shared, "cidrBlock": UNKNOWN}).replaces == ("cidrBlock",)


def test_an_instance_changes_in_place_or_not_as_its_disk_and_user_data_say(network: Network) -> None:
    type_ = "aws:ec2/instance:Instance"
    old = {"userData": "a", "rootBlockDevice": {"volumeSize": 8, "encrypted": False}}
    grown = {**old, "rootBlockDevice": {"volumeSize": 9, "encrypted": False}}
    assert network.provider.diff(type_, old, old, grown).replaces == ()
    encrypted = {**old, "rootBlockDevice": {"volumeSize": 8, "encrypted": True}}
    assert network.provider.diff(type_, old, old, encrypted).replaces == ("rootBlockDevice",)
    assert network.provider.diff(type_, old, old, {**old, "userData": "b"}).replaces == ()
    rebuilt = {**old, "userData": "b", "userDataReplaceOnChange": True}
    assert network.provider.diff(type_, old, old, rebuilt).replaces == ("userData",)
