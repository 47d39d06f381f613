"""The network of an environment: a VPC, public and private subnets in each zone, gateways and routes."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_aws import ec2

from components.base import Component


@dataclass(frozen=True)
class NetworkArgs:
    """``cidr`` is cut into equal parts: public subnets first, then private ones, one of each for every zone."""

    cidr: str
    zones: tuple[str, ...]


class Network(Component):
    """Gives ``vpc_id``, ``public_subnet_ids`` and ``private_subnet_ids``. Private subnets reach out through one gateway."""

    def __init__(
        self, name: str, args: NetworkArgs, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, tags, opts)
        self.args = args
        self.vpc = ec2.Vpc(
            self.child("vpc"),
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self.named("vpc"),
            opts=self.options(),
        )
        public_blocks, private_blocks = self._blocks()
        self.public_subnets = self._subnets("public", public_blocks)
        self.private_subnets = self._subnets("private", private_blocks)
        self._public_routes()
        self._private_routes()
        self.vpc_id = self.vpc.id
        self.public_subnet_ids = [subnet.id for subnet in self.public_subnets]
        self.private_subnet_ids = [subnet.id for subnet in self.private_subnets]
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
            }
        )

    def _blocks(self) -> tuple[list[str], list[str]]:
        count = len(self.args.zones)
        bits = max(1, (2 * count - 1).bit_length())
        blocks = [str(block) for block in IPv4Network(self.args.cidr).subnets(prefixlen_diff=bits)]
        return blocks[:count], blocks[count : 2 * count]

    def _subnets(self, role: str, blocks: list[str]) -> list[ec2.Subnet]:
        return [
            ec2.Subnet(
                self.child(f"{role}-{zone[-1]}"),
                vpc_id=self.vpc.id,
                cidr_block=block,
                availability_zone=zone,
                tags=self.named(f"{role}-{zone[-1]}"),
                opts=self.options(),
            )
            for zone, block in zip(self.args.zones, blocks, strict=True)
        ]

    def _public_routes(self) -> None:
        gateway = ec2.InternetGateway(
            self.child("internet"), vpc_id=self.vpc.id, tags=self.named("internet"), opts=self.options()
        )
        table = ec2.RouteTable(
            self.child("public"), vpc_id=self.vpc.id, tags=self.named("public"), opts=self.options()
        )
        ec2.Route(
            self.child("public-default"),
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self.options(),
        )
        self._associate("public", table, self.public_subnets)
        self.gateway = gateway

    def _private_routes(self) -> None:
        address = ec2.Eip(
            self.child("nat"), domain="vpc", tags=self.named("nat"), opts=self.options(depends_on=[self.gateway])
        )
        nat = ec2.NatGateway(
            self.child("nat"),
            allocation_id=address.id,
            subnet_id=self.public_subnets[0].id,
            tags=self.named("nat"),
            # AWS gives an address to one gateway at a time.
            opts=self.options(delete_before_replace=True),
        )
        table = ec2.RouteTable(
            self.child("private"), vpc_id=self.vpc.id, tags=self.named("private"), opts=self.options()
        )
        ec2.Route(
            self.child("private-default"),
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            nat_gateway_id=nat.id,
            opts=self.options(),
        )
        self._associate("private", table, self.private_subnets)

    def _associate(self, role: str, table: ec2.RouteTable, subnets: list[ec2.Subnet]) -> None:
        for zone, subnet in zip(self.args.zones, subnets, strict=True):
            ec2.RouteTableAssociation(
                self.child(f"{role}-{zone[-1]}"), route_table_id=table.id, subnet_id=subnet.id, opts=self.options()
            )
