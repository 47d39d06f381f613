"""Which databases can be reached from a public subnet: through routes, security groups, and what stands where.

A subnet is public where its routes lead to an Internet gateway. A database is reachable from one where it stands in one itself,
or where its security groups let in the addresses of one, or a group of something that stands in one. Network ACLs are left
out, since they may only close what is open here; so is what stands between: a service that is called by the public and calls
the database is no way to the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import ip_network
from typing import Any

from policies.references import References
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.security_groups import (
    EGRESS_RULE,
    GROUPS,
    INGRESS_RULE,
    RULE,
    SELF,
    SEPARATE,
    Network,
    Permission,
    groups_let_in,
    permissions,
    reached_from,
    resolved,
    widest,
)

SUBNETS = ("aws:ec2/subnet:Subnet", "aws:ec2/defaultSubnet:DefaultSubnet")
VPCS = ("aws:ec2/vpc:Vpc", "aws:ec2/defaultVpc:DefaultVpc")
TABLES = ("aws:ec2/routeTable:RouteTable", "aws:ec2/defaultRouteTable:DefaultRouteTable")
INTERNET = ("aws:ec2/internetGateway:InternetGateway",)
GATEWAYS = (*INTERNET, "aws:ec2/vpnGateway:VpnGateway", "aws:ec2/carrierGateway:CarrierGateway")
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"


@dataclass(frozen=True)
class Stands:
    """Where a type of resource says in which subnets it stands, and which groups it has."""

    subnets: str
    groups: str


STANDING = {
    "aws:alb/loadBalancer:LoadBalancer": Stands("subnets", "securityGroups"),
    "aws:ec2/instance:Instance": Stands("subnetId", "vpcSecurityGroupIds"),
    "aws:ec2/networkInterface:NetworkInterface": Stands("subnetId", "securityGroups"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Stands("subnetIds", "securityGroupIds"),
    "aws:ecs/service:Service": Stands("networkConfiguration.subnets", "networkConfiguration.securityGroups"),
    "aws:elb/loadBalancer:LoadBalancer": Stands("subnets", "securityGroups"),
    "aws:lambda/function:Function": Stands("vpcConfig.subnetIds", "vpcConfig.securityGroupIds"),
    "aws:lb/loadBalancer:LoadBalancer": Stands("subnets", "securityGroups"),
}


@dataclass(frozen=True)
class Database:
    """Where a type of database says which subnet group it has (and of which type that is), and which security groups."""

    subnet_group: str
    subnet_groups: str
    groups: str


DATABASES = {
    "aws:docdb/cluster:Cluster": Database("dbSubnetGroupName", "aws:docdb/subnetGroup:SubnetGroup", "vpcSecurityGroupIds"),
    "aws:elasticache/cluster:Cluster": Database("subnetGroupName", "aws:elasticache/subnetGroup:SubnetGroup", "securityGroupIds"),
    "aws:elasticache/replicationGroup:ReplicationGroup": Database(
        "subnetGroupName", "aws:elasticache/subnetGroup:SubnetGroup", "securityGroupIds"
    ),
    "aws:neptune/cluster:Cluster": Database(
        "neptuneSubnetGroupName", "aws:neptune/subnetGroup:SubnetGroup", "vpcSecurityGroupIds"
    ),
    "aws:rds/cluster:Cluster": Database("dbSubnetGroupName", "aws:rds/subnetGroup:SubnetGroup", "vpcSecurityGroupIds"),
    "aws:rds/instance:Instance": Database("dbSubnetGroupName", "aws:rds/subnetGroup:SubnetGroup", "vpcSecurityGroupIds"),
    "aws:redshift/cluster:Cluster": Database(
        "clusterSubnetGroupName", "aws:redshift/subnetGroup:SubnetGroup", "vpcSecurityGroupIds"
    ),
}
# AWS's own where a program names none, by how the engine's name begins.
PORTS = {
    "aurora-mysql": 3306,
    "aurora-postgresql": 5432,
    "db2": 50000,
    "docdb": 27017,
    "mariadb": 3306,
    "memcached": 11211,
    "mysql": 3306,
    "neptune": 8182,
    "oracle": 1521,
    "postgres": 5432,
    "redis": 6379,
    "redshift": 5439,
    "sqlserver": 1433,
    "valkey": 6379,
}
_ENGINES = {
    "aws:docdb/cluster:Cluster": "docdb",
    "aws:neptune/cluster:Cluster": "neptune",
    "aws:redshift/cluster:Cluster": "redshift",
}


@dataclass(frozen=True)
class Way:
    """A way to a database, in words that complete "can be reached from a public subnet: "."""

    database: Resource
    words: str


class Reachability:
    """The network of one stack. What raises CannotTell does so for values that a preview does not know."""

    def __init__(self, references: References) -> None:
        self.references = references

    # -- routes ----------------------------------------------------------------------------------------------------------

    @cached_property
    def public_subnets(self) -> list[Resource]:
        """Subnets whose routes lead to an Internet gateway, of any destination."""
        return [subnet for subnet in self.references.of(*SUBNETS) if self._leads_to_the_internet(self._table(subnet))]

    def _table(self, subnet: Resource) -> Resource | None:
        """The table of a subnet: the one that it was given, else the main one of its network."""
        references = self.references
        for association in references.of("aws:ec2/routeTableAssociation:RouteTableAssociation"):
            if references.one(association, "subnetId", SUBNETS) is subnet:
                return references.one(association, "routeTableId", TABLES)
        vpc = references.one(subnet, "vpcId", VPCS)
        if vpc is None:
            return None
        for main in references.of("aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"):
            if references.one(main, "vpcId", VPCS) is vpc:
                return references.one(main, "routeTableId", TABLES)
        for table in references.of("aws:ec2/defaultRouteTable:DefaultRouteTable"):
            if self._is_default_of(table, vpc):
                return table
        return None

    def _is_default_of(self, table: Resource, vpc: Resource) -> bool:
        own, given = vpc.props.get("defaultRouteTableId", UNKNOWN), table.peek("defaultRouteTableId")
        if given is UNKNOWN:
            return self.references.one(table, "defaultRouteTableId", VPCS) is vpc
        if own is UNKNOWN:
            raise CannotTell("defaultRouteTableId")
        return bool(own == given)

    def _leads_to_the_internet(self, table: Resource | None) -> bool:
        if table is None:
            return False
        references = self.references
        gateways = [gateway for gateway in items(table.peek("routes"), "gatewayId") if gateway is not None]
        separate = [
            route
            for route in references.of("aws:ec2/route:Route")
            if route.peek("gatewayId") is not None and references.one(route, "routeTableId", TABLES) is table
        ]
        return (
            any(gateway is not UNKNOWN and gateway.startswith("igw-") for gateway in gateways)
            or any(one.type in INTERNET for one in references.named(table, "routes", gateways, GATEWAYS))
            or any(self._internet(route) for route in separate)
        )

    def _internet(self, route: Resource) -> bool:
        gateway = route.peek("gatewayId")
        if gateway is not UNKNOWN and gateway.startswith("igw-"):
            return True
        found = self.references.one(route, "gatewayId", GATEWAYS)
        return found is not None and found.type in INTERNET

    # -- security groups -------------------------------------------------------------------------------------------------

    def holders(self, group: Resource) -> list[Resource]:
        """The group, and the resources that are rules of it."""
        separate = [
            rule for rule in self.references.of(*SEPARATE) if self.references.one(rule, "securityGroupId", GROUPS) is group
        ]
        return [group, *separate]

    def permissions(self, group: Resource) -> list[Permission]:
        """All that a group lets through, wherever it is written, with the blocks of the stack's own prefix lists."""
        found: list[Permission] = []
        for holder in self.holders(group):
            found += resolved(permissions(holder.type, holder.props), partial(self._blocks_of, holder))
        return found

    def _blocks_of(self, holder: Resource, permission: Permission) -> list[Any] | None:
        path = {RULE: "prefixListIds", INGRESS_RULE: "prefixListId", EGRESS_RULE: "prefixListId"}.get(holder.type)
        try:
            lists = self.references.named(holder, path or permission.direction, [permission.peer], (PREFIX_LIST,))
            return [block for one in lists for block in self._entries(one)] if lists else None
        except CannotTell:
            return [UNKNOWN]

    def _entries(self, prefix_list: Resource) -> list[Any]:
        separate = [
            entry.peek("cidr")
            for entry in self.references.of(PREFIX_LIST_ENTRY)
            if self.references.one(entry, "prefixListId", (PREFIX_LIST,)) is prefix_list
        ]
        return [*items(prefix_list.peek("entries"), "cidr"), *separate]

    def _let_in(self, group: Resource, ports: set[int]) -> Iterator[tuple[Resource, bool]]:
        """The groups of the stack that a group lets in at one of some ports, and whether that is certain."""
        for holder in self.holders(group):
            given = permissions(holder.type, holder.props)
            allowed = list(dict.fromkeys(one for port in ports for one in groups_let_in(given, "tcp", port)))
            certain = all(one.traffic_known for one in allowed)
            others = [one.peer for one in allowed if one.peer is UNKNOWN or one.peer != SELF]
            if len(others) < len(allowed):
                yield group, certain
            path = {RULE: "sourceSecurityGroupId", INGRESS_RULE: "referencedSecurityGroupId"}.get(holder.type, "ingress")
            yield from ((caller, certain) for caller in self.references.named(holder, path, others, GROUPS))

    def in_public(self, group: Resource) -> Iterator[tuple[Resource, Resource]]:
        """What has a group and stands in a public subnet, with the subnet."""
        for one in self.references.of(*STANDING):
            stands = STANDING[one.type]
            if any(group is each for each in self._given(one, stands.groups, GROUPS)):
                subnets = self._given(one, stands.subnets, SUBNETS)
                yield from ((one, subnet) for subnet in subnets if self._is_public(subnet))

    def _given(self, one: Resource, path: str, types: Collection[str]) -> list[Resource]:
        """What the program gave; not what AWS chooses where the program says nothing, as of a gateway's groups.

        What a program gives and a preview does not know depends on something.
        """
        if one.uses and one.peek(path) is UNKNOWN and not one.uses.get(path.partition(".")[0]):
            return []
        return self.references.many(one, path, types)

    def _is_public(self, subnet: Resource) -> bool:
        return any(one is subnet for one in self.public_subnets)

    # -- databases -------------------------------------------------------------------------------------------------------

    def ways(self, database: Resource) -> Iterator[Way]:
        """How a database can be reached from public subnets. Raises CannotTell after the ways that are certain."""
        places = DATABASES[database.type]
        unsure: CannotTell | None = None
        for look in (self._placed, self._addressed, self._called):
            try:
                yield from (Way(database, words) for words in look(database, places))
            except CannotTell as missing:
                unsure = missing
        if unsure is not None:
            raise unsure

    def _placed(self, database: Resource, places: Database) -> Iterator[str]:
        for subnet_group in self.references.many(database, places.subnet_group, (places.subnet_groups,)):
            for subnet in self.references.many(subnet_group, "subnetIds", SUBNETS):
                if self._is_public(subnet):
                    yield f"it stands in {subnet.name}, whose routes lead to the Internet"

    def _addressed(self, database: Resource, places: Database) -> Iterator[str]:
        ports, unsure = ports_of(database), False
        for group in self.references.many(database, places.groups, GROUPS):
            allowed = self.permissions(group)
            for subnet in self.public_subnets:
                for block in _blocks(subnet):
                    if any(reached_from(allowed, block, "tcp", port) for port in ports):
                        yield f"{group.name} lets in {block}, the addresses of {subnet.name}"
                    else:
                        unsure |= any(reached_from(widest(allowed), block, "tcp", port) for port in ports)
        if unsure:
            raise CannotTell("ingress")

    def _called(self, database: Resource, places: Database) -> Iterator[str]:
        ports, unsure = ports_of(database), False
        for group in self.references.many(database, places.groups, GROUPS):
            for caller, certain in self._let_in(group, ports):
                for standing, subnet in self.in_public(caller):
                    unsure |= not certain
                    if certain:
                        yield f"{group.name} lets in {caller.name}, the group of {standing.shown} in {subnet.name}"
        if unsure:
            raise CannotTell("ingress")


def items(given: Any, key: str) -> list[Any]:
    """What each dictionary of a list has under a key: UNKNOWN where it, or the dictionary, or the list is not known."""
    if given is UNKNOWN:
        return [UNKNOWN]
    return [UNKNOWN if one is UNKNOWN else one.get(key) for one in given or ()]


def ports_of(database: Resource) -> set[int]:
    """Where a database listens: at the port that it says, and at its engine's usual one. Raises CannotTell.

    A stand-in for AWS may serve it at a port of its own, and says that one.
    """
    engine = _ENGINES.get(database.type) or str(database.get("engine", ""))
    usual = {port for begin, port in PORTS.items() if engine.startswith(begin)}
    port = database.peek("port")
    chosen_by_aws = port is None or (port is UNKNOWN and database.uses and not database.uses.get("port"))
    if (chosen_by_aws and not usual) or (port is UNKNOWN and not chosen_by_aws):
        raise CannotTell("port")
    return usual if chosen_by_aws else usual | {int(port)}


def _blocks(subnet: Resource) -> Iterable[Network]:
    given: Sequence[object] = [subnet.get("cidrBlock"), subnet.peek("ipv6CidrBlock")]
    return [ip_network(one) for one in given if isinstance(one, str) and one]
