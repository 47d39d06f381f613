"""The network of an environment: who can be reached from where.

Public subnets for what faces the outside, private ones that reach out through NAT gateways, and database subnets, which
reach nothing and are reached from inside alone. Owns routes, endpoints of AWS's services and the record of all traffic.
Security groups belong to the components that need them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_aws import cloudwatch, ec2, iam

from components.base import Component
from components.documents import policy_document
from components.naming import fitted

KINDS = ("public", "private", "database")
GATEWAY_ENDPOINTS = ("dynamodb", "s3")  # AWS has no others, and they cost nothing
EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class NetworkValues:
    """``cidr`` is the VPC's block: it is cut into equal parts, one for each kind of subnet in each zone.

    ``nat_gateways`` is between one and the number of zones. ``interface_endpoints`` are names of AWS's services, as
    ``ecr.api``, that are reached without leaving the network; both decide which resources there are, so they are to be the
    same in every environment. Records of traffic are kept for ``flow_log_days``.
    """

    cidr: str
    nat_gateways: int
    interface_endpoints: tuple[str, ...]
    flow_log_days: int


@dataclass(frozen=True, kw_only=True)
class NetworkArgs(NetworkValues):
    """``zones`` are full names, as ``eu-west-1a``; ``logs_key_arn`` is a KMS key for the region's CloudWatch Logs."""

    tags: Mapping[str, str]
    region: str
    zones: tuple[str, ...]
    logs_key_arn: pulumi.Input[str]
    permissions_boundary_arn: pulumi.Input[str] | None = None


class Network(Component):
    """Gives ``vpc_id``, ``zones`` and, a subnet for each zone in their order, ``public_subnet_ids``,
    ``private_subnet_ids`` and ``database_subnet_ids``."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.zones = tuple(args.zones)
        self.vpc = self._vpc()
        self._no_default_access()
        self.public_subnets, self.private_subnets, self.database_subnets = self._subnets()
        self._public_routes()
        self.private_tables = self._private_routes(self._nat_gateways())
        self._gateway_endpoints()
        self._interface_endpoints()
        self._flow_log()
        self.vpc_id = self.vpc.id
        self.public_subnet_ids = [subnet.id for subnet in self.public_subnets]
        self.private_subnet_ids = [subnet.id for subnet in self.private_subnets]
        self.database_subnet_ids = [subnet.id for subnet in self.database_subnets]
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
                "database_subnet_ids": self.database_subnet_ids,
            }
        )

    def _vpc(self) -> ec2.Vpc:
        return ec2.Vpc(
            self.child("vpc"),
            cidr_block=self.args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # without them an endpoint has no name of the service that it stands for
            tags=self.named("vpc"),
            opts=self.options(),
        )

    def _no_default_access(self) -> None:
        """What names no security group and no route table gets AWS's default ones: they let nothing through."""
        ec2.DefaultSecurityGroup(
            self.child("default"), vpc_id=self.vpc.id, ingress=[], egress=[], tags=self.named("default"), opts=self.options()
        )
        ec2.DefaultRouteTable(
            self.child("default"),
            default_route_table_id=self.vpc.default_route_table_id,
            routes=[],
            tags=self.named("default"),
            opts=self.options(),
        )

    def _subnets(self) -> list[list[ec2.Subnet]]:
        """The subnets of each kind. Those for databases keep to the default route table, which leads nowhere."""
        count = len(self.zones)
        parts = IPv4Network(self.args.cidr).subnets(prefixlen_diff=(len(KINDS) * count - 1).bit_length())
        return [[self._subnet(kind, zone, str(next(parts))) for zone in self.zones] for kind in KINDS]

    def _subnet(self, kind: str, zone: str, block: str) -> ec2.Subnet:
        role = f"{kind}-{zone[-1]}"
        return ec2.Subnet(
            self.child(role),
            vpc_id=self.vpc.id,
            cidr_block=block,
            availability_zone=zone,
            tags=self.named(role),
            opts=self.options(),
        )

    # -- routes ----------------------------------------------------------------------------------------------------------

    def _public_routes(self) -> None:
        self.gateway = ec2.InternetGateway(
            self.child("internet"), vpc_id=self.vpc.id, tags=self.named("internet"), opts=self.options()
        )
        table = self._route_table("public", {"cidr_block": EVERYWHERE, "gateway_id": self.gateway.id})
        for zone, subnet in zip(self.zones, self.public_subnets, strict=True):
            self._associate(f"public-{zone[-1]}", table, subnet)

    def _nat_gateways(self) -> list[ec2.NatGateway]:
        """One in each of the first zones."""
        first = range(self.args.nat_gateways)
        return [self._nat_gateway(zone, subnet) for _, zone, subnet in zip(first, self.zones, self.public_subnets, strict=False)]

    def _nat_gateway(self, zone: str, subnet: ec2.Subnet) -> ec2.NatGateway:
        role = f"nat-{zone[-1]}"
        # AWS gives a public address only where there is a way to the Internet.
        address = ec2.Eip(self.child(role), domain="vpc", tags=self.named(role), opts=self.options(depends_on=[self.gateway]))
        return ec2.NatGateway(
            self.child(role),
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=self.named(role),
            # AWS gives an address to one gateway at a time.
            opts=self.options(delete_before_replace=True),
        )

    def _private_routes(self, gateways: Sequence[ec2.NatGateway]) -> list[ec2.RouteTable]:
        """A table for each zone; where there are fewer gateways than zones, zones take turns."""
        tables = []
        for number, (zone, subnet) in enumerate(zip(self.zones, self.private_subnets, strict=True)):
            role = f"private-{zone[-1]}"
            gateway = gateways[number % len(gateways)]
            table = self._route_table(role, {"cidr_block": EVERYWHERE, "nat_gateway_id": gateway.id})
            self._associate(role, table, subnet)
            tables.append(table)
        return tables

    def _route_table(self, role: str, route: ec2.RouteTableRouteArgsDict) -> ec2.RouteTable:
        return ec2.RouteTable(self.child(role), vpc_id=self.vpc.id, routes=[route], tags=self.named(role), opts=self.options())

    def _associate(self, role: str, table: ec2.RouteTable, subnet: ec2.Subnet) -> None:
        ec2.RouteTableAssociation(self.child(role), route_table_id=table.id, subnet_id=subnet.id, opts=self.options())

    # -- ways to AWS's services ------------------------------------------------------------------------------------------

    def _gateway_endpoints(self) -> None:
        for service in GATEWAY_ENDPOINTS:
            ec2.VpcEndpoint(
                self.child(service),
                vpc_id=self.vpc.id,
                vpc_endpoint_type="Gateway",
                service_name=f"com.amazonaws.{self.args.region}.{service}",
                route_table_ids=[table.id for table in self.private_tables],
                tags=self.named(service),
                opts=self.options(),
            )

    def _interface_endpoints(self) -> None:
        group = ec2.SecurityGroup(
            self.child("endpoints"),
            vpc_id=self.vpc.id,
            description="AWS services, for this network",
            ingress=[
                {
                    "protocol": "tcp",
                    "from_port": 443,
                    "to_port": 443,
                    "cidr_blocks": [self.args.cidr],
                    "description": "HTTPS from this network",
                }
            ],
            egress=[],
            tags=self.named("endpoints"),
            opts=self.options(),
        )
        for service in self.args.interface_endpoints:
            role = service.replace(".", "-")
            ec2.VpcEndpoint(
                self.child(role),
                vpc_id=self.vpc.id,
                vpc_endpoint_type="Interface",
                service_name=f"com.amazonaws.{self.args.region}.{service}",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in self.private_subnets],
                security_group_ids=[group.id],
                tags=self.named(role),
                opts=self.options(),
            )

    # -- the record of all traffic ---------------------------------------------------------------------------------------

    def _flow_log(self) -> None:
        group = cloudwatch.LogGroup(
            self.child("traffic"),
            retention_in_days=self.args.flow_log_days,
            kms_key_id=self.args.logs_key_arn,
            tags=self.named("traffic"),
            opts=self.options(),
        )
        role = self._flow_log_role()
        permissions = self._flow_log_permissions(role, group)
        ec2.FlowLog(
            self.child("traffic"),
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=self.named("traffic"),
            # Without them the flow log begins with an error that stays for ten minutes.
            opts=self.options(depends_on=[permissions]),
        )

    def _flow_log_role(self) -> iam.Role:
        logs = pulumi.Output.concat(f"arn:aws:ec2:{self.args.region}:", self.vpc.owner_id, ":vpc-flow-log/*")
        return iam.Role(
            fitted(self.child("traffic"), "aws:iam/role:Role"),
            description="Records the traffic of the network",
            assume_role_policy=policy_document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": self.vpc.owner_id}, "ArnLike": {"aws:SourceArn": logs}},
                }
            ),
            permissions_boundary=self.args.permissions_boundary_arn,
            tags=self.named("traffic"),
            opts=self.options(),
        )

    def _flow_log_permissions(self, role: iam.Role, group: cloudwatch.LogGroup) -> iam.RolePolicy:
        groups = pulumi.Output.concat(f"arn:aws:logs:{self.args.region}:", self.vpc.owner_id, ":log-group:*")
        return iam.RolePolicy(
            self.child("traffic"),
            role=role.id,
            policy=policy_document(
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    "Resource": pulumi.Output.concat(group.arn, ":*"),
                },
                # The list of groups cannot be had for one group.
                {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": groups},
            ),
            opts=self.options(),
        )
