"""More ways to break the real production stack: its network, its data, its traces, and what makes it an environment. Data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from isostack.engine.graph import Node
from isostack.engine.values import plain
from tests.policies.mutations import Mutation, setting, statements

GROUP, SUBNET = "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/subnet:Subnet"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
DATABASE, DATABASES_GROUP = ("aws:rds/instance:Instance", "shop-database"), (GROUP, "shop-database")
SERVICES_GROUP = (GROUP, "shop-service")
BLOCK = ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "shop-assets")
BUCKET = ("aws:s3/bucket:Bucket", "shop-assets")
TRAIL = ("aws:cloudtrail/trail:Trail", "shop-trail")
FLOW_LOG = ("aws:ec2/flowLog:FlowLog", "shop-traffic")
PROVIDER = ("pulumi:providers:aws", "account")
SECRET = "aws:secretsmanager/secret:Secret"
DEV = "111111111111"
WORLD = "0.0.0.0/0"
TO_THE_INTERNET = [{"cidrBlock": WORLD, "gatewayId": "shop-internet.id"}]


def tcp(port: int, **sources: Any) -> dict[str, Any]:
    return {"protocol": "tcp", "fromPort": port, "toPort": port, **sources}


def letting_in(*rules: dict[str, Any]) -> Callable[[Node], Node]:
    """More rules within a group."""
    return lambda node: setting(ingress=[*plain(node.inputs)["ingress"], *rules])(node)


def within(key: str, **values: Any) -> Callable[[Node], Node]:
    """Other values within an input that is an object."""
    return lambda node: setting(**{key: {**plain(node.inputs)[key], **values}})(node)


def gone(node: Node) -> None:
    """Without the resource."""


def separate(port: int, **peer: Any) -> dict[str, Any]:
    """A rule of the services' group, as a resource of its own."""
    return {"securityGroupId": "shop-service.id", "ipProtocol": "tcp", "fromPort": port, "toPort": port, **peer}


def others_secret(node: Node) -> Node:
    """A task that is given dev's secret."""
    [container] = json.loads(plain(node.inputs)["containerDefinitions"])
    container["secrets"][0]["valueFrom"] = f"arn:aws:secretsmanager:eu-west-1:{DEV}:secret:shop-cache-url-AbCdEf"
    return setting(containerDefinitions=json.dumps([container]))(node)


def trusting_operations(given: list[dict[str, Any]]) -> None:
    given[0].update(Effect="Allow", Principal={"AWS": "arn:aws:iam:region:000000000000:shop-operations/arn"})


def only(key: str, value: Any, **more: Any) -> Mutation:
    """The database with another value of one property."""
    return Mutation(node=DATABASE, change=setting(**{key: value}), **more)


IN_REACH = "database-out-of-reach"

NETWORK = (
    Mutation(
        rule="no-world-ingress-ssh",
        what="SSH to the services, from everywhere",
        node=SERVICES_GROUP,
        change=letting_in(tcp(22, cidrBlocks=[WORLD])),
    ),
    Mutation(
        rule="no-world-ingress-ssh",
        what="SSH, by IPv6 and a rule of its own",
        node=(INGRESS, "ssh"),
        props=separate(22, cidrIpv6="::/0"),
    ),
    Mutation(
        rule="no-world-ingress-rdp",
        what="remote desktops, from everywhere",
        node=SERVICES_GROUP,
        change=letting_in(tcp(3389, cidrBlocks=["0.0.0.0/1", "128.0.0.0/1"])),
    ),
    Mutation(
        rule="no-world-ingress-any",
        what="the services without the load balancer, from everywhere",
        node=(INGRESS, "direct"),
        props=separate(8080, cidrIpv4=WORLD),
    ),
    Mutation(
        rule="no-world-ingress-any",
        what="everything to the services, from everywhere",
        node=SERVICES_GROUP,
        change=letting_in({"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}),
        also=frozenset({"no-world-ingress-ssh", "no-world-ingress-rdp"}),
    ),
    Mutation(
        rule="no-world-ingress-in-parts",
        what="everywhere, in a prefix list",
        node=(INGRESS, "listed"),
        props=separate(22, prefixListId="callers.id"),
        more=(("aws:ec2/managedPrefixList:ManagedPrefixList", "callers", {"entries": [{"cidr": WORLD}]}),),
    ),
    Mutation(
        rule="default-security-group-closed",
        what="the default group lets its members talk",
        node=("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "shop-default"),
        change=setting(ingress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True}]),
    ),
    Mutation(
        rule="default-security-group-closed",
        what="nothing closes the default group",
        node=("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "shop-default"),
        change=gone,
    ),
    Mutation(
        rule="no-public-address",
        what="machines in a private subnet get public addresses",
        node=(SUBNET, "shop-private-a"),
        change=setting(mapPublicIpOnLaunch=True),
    ),
    Mutation(
        rule="no-public-address",
        what="a service has public addresses",
        node=("aws:ecs/service:Service", "shop-backend-blue-service"),
        change=within("networkConfiguration", assignPublicIp=True),
    ),
    Mutation(
        rule="imds-v2",
        what="a machine gives its metadata without a token",
        node=("aws:ec2/instance:Instance", "bastion"),
        props={"subnetId": "shop-private-a.id", "vpcSecurityGroupIds": ["shop-endpoints.id"]},
    ),
)

DATA = (
    only("publiclyAccessible", True, rule="database-private", what="the database has a public address"),
    Mutation(
        rule=IN_REACH,
        what="the database lets in the whole network",
        node=DATABASES_GROUP,
        change=letting_in(tcp(5432, cidrBlocks=["10.40.0.0/16"])),
    ),
    Mutation(
        rule=IN_REACH,
        what="the database lets in the load balancer",
        node=DATABASES_GROUP,
        change=letting_in(tcp(5432, securityGroups=["shop-balancer.id"])),
    ),
    Mutation(
        rule=IN_REACH,
        what="the databases' subnets lead to the Internet",
        node=("aws:ec2/defaultRouteTable:DefaultRouteTable", "shop-default"),
        change=setting(routes=TO_THE_INTERNET),
    ),
    Mutation(
        rule=IN_REACH,
        what="the services' subnets lead to the Internet",
        node=("aws:ec2/routeTable:RouteTable", "shop-private-a"),
        change=setting(routes=TO_THE_INTERNET),
    ),
    Mutation(
        rule=IN_REACH,
        what="the database lets in everybody",
        node=DATABASES_GROUP,
        change=letting_in(tcp(5432, cidrBlocks=[WORLD])),
        also=frozenset({"no-world-ingress-any"}),
    ),
    only("deletionProtection", False, rule="database-deletion-protection", what="the database can be deleted"),
    only("backupRetentionPeriod", 1, rule="database-backups", what="the database has backups of a day"),
    only("multiAz", False, rule="database-multi-az", what="the database has no standby"),
    only("storageEncrypted", False, rule="database-encrypted", what="the database is not encrypted"),
    only("iamDatabaseAuthenticationEnabled", None, rule="database-iam-login", what="people log in with passwords"),
    Mutation(
        rule="snapshot-not-public",
        what="a snapshot is everybody's",
        node=("aws:rds/snapshot:Snapshot", "copy"),
        props={"dbInstanceIdentifier": "shop-database", "sharedAccounts": ["all"]},
    ),
    *(
        Mutation(rule="bucket-not-public", what=f"{switch} of the assets is off", node=BLOCK, change=setting(**{switch: False}))
        for switch in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ),
    Mutation(rule="bucket-not-public", what="nothing blocks public access to the assets", node=BLOCK, change=gone),
    Mutation(
        rule="secret-rotated",
        what="a new secret that nothing rotates",
        node=(SECRET, "token"),
        props={"description": "A partner's token"},
    ),
)

TRACE = (
    Mutation(
        rule="trail-everywhere-and-validated",
        what="the trail is of one region",
        node=TRAIL,
        change=setting(isMultiRegionTrail=False),
    ),
    Mutation(
        rule="trail-everywhere-and-validated",
        what="the trail's files are not validated",
        node=TRAIL,
        change=setting(enableLogFileValidation=None),
    ),
    Mutation(
        rule="trail-everywhere-and-validated", what="the trail is turned off", node=TRAIL, change=setting(enableLogging=False)
    ),
    Mutation(rule="trail-everywhere-and-validated", what="there is no trail", node=TRAIL, change=gone),
    Mutation(
        rule="key-rotation",
        what="the data's key stays as it is",
        node=("aws:kms/key:Key", "shop-data"),
        change=setting(enableKeyRotation=False),
    ),
    Mutation(rule="network-flow-logs", what="nothing records the traffic", node=FLOW_LOG, change=gone),
    Mutation(
        rule="network-flow-logs", what="rejected traffic is not recorded", node=FLOW_LOG, change=setting(trafficType="ACCEPT")
    ),
)

ENVIRONMENT = (
    Mutation(
        rule="provider-in-own-account",
        what="the provider works in dev's account",
        node=PROVIDER,
        change=setting(allowedAccountIds=json.dumps([DEV])),
    ),
    Mutation(
        rule="provider-in-own-account",
        what="the provider works in any account",
        node=PROVIDER,
        change=setting(allowedAccountIds=None),
    ),
    Mutation(
        rule="provider-in-own-account",
        what="the provider becomes a role of dev's",
        node=PROVIDER,
        change=setting(assumeRoles=json.dumps([{"role_arn": f"arn:aws:iam::{DEV}:role/isostack-entry"}])),
    ),
    Mutation(
        rule="no-secret-of-another-environment",
        what="a task is given dev's secret",
        node=("aws:ecs/taskDefinition:TaskDefinition", "shop-backend-blue-task"),
        change=others_secret,
    ),
    Mutation(rule="no-dev-only-option", what="the assets go with their bucket", node=BUCKET, change=setting(forceDestroy=True)),
    only("skipFinalSnapshot", True, rule="no-dev-only-option", what="the database goes without a snapshot"),
    Mutation(
        rule="no-dev-only-option",
        what="a secret goes at once",
        node=(SECRET, "shop-database-url"),
        change=setting(recoveryWindowInDays=0),
    ),
    Mutation(
        rule="not-disposable",
        what="the assets have an end",
        node=BUCKET,
        change=within("tags", expires="2030-01-31T18:00:00Z"),
        also=frozenset({"disposable-has-owner-and-end"}),
    ),
    Mutation(
        rule="disposable-has-owner-and-end",
        what="it is a disposable stack, without an end",
        node=("isostack:disposable_dev_stack:DisposableDevStack", "shop-ada"),
        props={},
        also=frozenset({"not-disposable"}),
    ),
    Mutation(
        rule="no-role-chain",
        what="who has operations can become a developer",
        node=("aws:iam/role:Role", "shop-developer"),
        change=statements("assumeRolePolicy", trusting_operations),
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*NETWORK, *DATA, *TRACE, *ENVIRONMENT)
