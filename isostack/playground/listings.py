"""What an account and region hold that bears a playground's tag, whether or not any state knows it.

Owns how each type of resource is listed: by tag where AWS lists so (the tagging API, EC2's tags), else by the service's own
list, of which the unknown ones are read to see their tags. What goes with its container (a bucket's objects, a balancer's
listeners, a VPC's default groups) is not listed. Which of it is too much, :mod:`isostack.playground.sweep` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from isostack.engine.provider import ProviderError
from isostack.localcloud.provider import GLOBAL_SERVICES, LocalCloudProvider

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud
    from isostack.localcloud.docker_engine import DockerEngine

TAG = "playground"
AT_ONCE = 8
Item = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """A resource of a playground that no state knows; ``outputs`` is what its deletion needs. Of containers, networks and
    volumes the ``cloud`` is their engine."""

    playground: str
    type: str
    id: str
    outputs: Mapping[str, Any]
    cloud: Cloud | DockerEngine

    def __str__(self) -> str:
        return f"{self.type} {self.id} of playground {self.playground} in {self.cloud}"

    def as_dict(self) -> dict[str, str]:
        """What ``--json`` says of it."""
        engine = getattr(self.cloud, "address", "")
        place = {"engine": engine} if engine else {"account": self.cloud.account_id, "region": self.cloud.region}
        return {"playground": self.playground, "type": self.type, "id": self.id, **place}


@dataclass(frozen=True, order=True)
class _Candidate:
    """Something that may be a playground's: the id that an import would take, and the names that a state knows it by."""

    type: str
    id: str
    names: tuple[str, ...] = ()
    owner: str = ""


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """How a service lists a type: ``id`` and ``arn`` are templates over an item; ``items`` replaces the plain call."""

    type: str
    service: str
    operation: str = ""
    key: str = ""
    id: str
    arn: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    items: Callable[[Any], Iterable[Item]] | None = None
    state_id: str = ""
    """What a state has as its id, where an import takes another one."""


@dataclass
class Survey:
    """What was found, and in a line each what could not be looked at."""

    found: list[Found] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def survey(cloud: Cloud, known: Set[str], names: Iterable[str], *, everywhere: bool = True) -> Survey:
    """All that bears the tag in this account and region, less what is known by an id or ARN.

    ``names`` are the playgrounds that there are or have been: what takes no tags is theirs by its name. ``everywhere``
    includes the services without a region.
    """
    result = Survey()
    provider = LocalCloudProvider(cloud, {})

    def read(candidate: _Candidate) -> Found | None:
        there = _seen(result, candidate.type, lambda: provider.read(candidate.type, candidate.id, None, {}))
        owner = candidate.owner or (there.outputs.get("tagsAll") or {}).get(TAG) if there else None
        return Found(str(owner), candidate.type, there.id, there.outputs, cloud) if there and owner else None

    def look(one: _Listing | None) -> set[_Candidate]:
        listed = _seen(result, one.type if one else "tags", lambda: list(_listed(cloud, one) if one else _by_tag(cloud)))
        return {c for c in listed or () if known.isdisjoint((c.id, *c.names))}

    def unknown(listings: Iterable[_Listing | None]) -> set[_Candidate]:
        wanted = [one for one in listings if everywhere or not one or one.type.split("/")[0][4:] not in GLOBAL_SERVICES]
        return set[_Candidate]().union(*pool.map(look, wanted))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        result.found += [one for one in pool.map(read, sorted(unknown([None, *_LISTINGS]))) if one]
        owners = {*names, *(one.playground for one in result.found)}
        named = [replace(c, owner=_owner_by_name(c.id, owners)) for c in sorted(unknown(_UNTAGGED))]
        result.found += [one for one in pool.map(read, (c for c in named if c.owner)) if one]
    return result


def listed_types() -> set[str]:
    """The types that a survey can find."""
    by_tag = {type_ for type_, _ in _BY_ARN.values()} | {f"aws:ec2/{type_}" for type_ in _BY_PREFIX.values()}
    return by_tag | {listing.type for listing in (*_LISTINGS, *_UNTAGGED)}


def _seen(result: Survey, what: str, look: Callable[[], T]) -> T | None:
    """What ``look`` gives; where the cloud refuses, None, and the reason among what was not seen."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return look()
    except (ProviderError, ClientError, BotoCoreError) as error:
        result.unseen.append(f"{what}: {error}")
        return None


def _owner_by_name(id_: str, owners: Iterable[str]) -> str:
    """The playground whose name is among the words of an id; the longest where there are several, else none."""
    words = f"-{id_.replace('/', '-')}-"
    return max((owner for owner in owners if f"-{owner}-" in words), key=len, default="")


def _by_tag(cloud: Cloud) -> Iterator[_Candidate]:
    pages = cloud.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": TAG}], PaginationConfig={"PageSize": 100}):
        for resource in page["ResourceTagMappingList"]:
            arn = resource["ResourceARN"]
            _, _, service, _, _, rest = arn.split(":", 5)
            kind, name = ("", rest) if service in _BY_ARN else _KIND.split(rest, maxsplit=1) if _KIND.search(rest) else (rest, "")
            type_, whole = _BY_ARN.get(f"{service}:{kind}" if kind else service, ("", False))
            if type_ and not name.startswith("rds:"):  # RDS's automated snapshots go with their instance
                yield _Candidate(type_, arn if whole else name, (arn,))
    for page in cloud.client("ec2").get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": [TAG]}]):
        for tag in page["Tags"]:
            type_ = _BY_PREFIX.get(tag["ResourceId"].partition("-")[0], "")
            if type_:
                yield _Candidate(f"aws:ec2/{type_}", tag["ResourceId"])


def _listed(cloud: Cloud, listing: _Listing) -> Iterator[_Candidate]:
    client = cloud.client(listing.service)
    if listing.items:
        items = listing.items(client)
    elif client.can_paginate(listing.operation):
        pages = client.get_paginator(listing.operation).paginate(**listing.arguments)
        items = (item for page in pages for item in page.get(listing.key, []))
    else:
        items = getattr(client, listing.operation)(**listing.arguments).get(listing.key, [])
    for item in items:
        names = (listing.arn.format(**item), (listing.state_id or listing.id).format(**item))
        yield _Candidate(listing.type, listing.id.format(**item), names)


# -- how each type is listed --------------------------------------------------------------------------------------------


def _profiles(appconfig: Any) -> Iterator[Item]:
    for applications in appconfig.get_paginator("list_applications").paginate():
        for application in applications["Items"]:
            listed = appconfig.get_paginator("list_configuration_profiles").paginate(ApplicationId=application["Id"])
            yield from (item for page in listed for item in page["Items"])


def _rules(events: Any) -> Iterator[Item]:
    for bus in events.list_event_buses()["EventBuses"]:
        for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
            yield rule if bus["Name"] == "default" else {**rule, "Name": f"{bus['Name']}/{rule['Name']}"}


def _scaling(operation: str, key: str) -> Callable[[Any], Iterator[Item]]:
    def items(autoscaling: Any) -> Iterator[Item]:
        for namespace in ("ecs", "dynamodb", "rds", "lambda"):
            pages = autoscaling.get_paginator(operation).paginate(ServiceNamespace=namespace)
            yield from (item for page in pages for item in page[key])

    return items


def _web_acl_sets(type_: str, operation: str, key: str) -> _Listing:
    return _Listing(
        type=f"aws:wafv2/{type_}",
        service="wafv2",
        operation=operation,
        key=key,
        id="{Id}/{Name}/REGIONAL",
        arn="{ARN}",
        arguments={"Scope": "REGIONAL"},
    )


_KIND = re.compile("[:/]")
# What the tagging API shows, by service and kind of ARN: the type, and whether its id is the whole ARN.
_BY_ARN = {
    "acm:certificate": ("aws:acm/certificate:Certificate", True),
    "cloudwatch:alarm": ("aws:cloudwatch/metricAlarm:MetricAlarm", False),
    "dynamodb:table": ("aws:dynamodb/table:Table", False),
    "ecs:cluster": ("aws:ecs/cluster:Cluster", True),
    "ecs:service": ("aws:ecs/service:Service", True),
    "ecs:task-definition": ("aws:ecs/taskDefinition:TaskDefinition", True),
    "elasticache:cluster": ("aws:elasticache/cluster:Cluster", False),
    "elasticache:replicationgroup": ("aws:elasticache/replicationGroup:ReplicationGroup", False),
    "elasticache:subnetgroup": ("aws:elasticache/subnetGroup:SubnetGroup", False),
    "elasticache:user": ("aws:elasticache/user:User", False),
    "elasticloadbalancing:loadbalancer": ("aws:lb/loadBalancer:LoadBalancer", True),
    "elasticloadbalancing:targetgroup": ("aws:lb/targetGroup:TargetGroup", True),
    "events:event-bus": ("aws:cloudwatch/eventBus:EventBus", False),
    "kms:key": ("aws:kms/key:Key", False),
    "lambda:function": ("aws:lambda/function:Function", False),
    "logs:log-group": ("aws:cloudwatch/logGroup:LogGroup", False),
    "rds:db": ("aws:rds/instance:Instance", False),
    "rds:snapshot": ("aws:rds/snapshot:Snapshot", False),
    "s3": ("aws:s3/bucket:Bucket", False),
    "secretsmanager:secret": ("aws:secretsmanager/secret:Secret", True),
    "sns": ("aws:sns/topic:Topic", True),
    "sqs": ("aws:sqs/queue:Queue", False),
}
_BY_PREFIX = {
    "acl": "networkAcl:NetworkAcl",
    "dopt": "vpcDhcpOptions:VpcDhcpOptions",
    "eigw": "egressOnlyInternetGateway:EgressOnlyInternetGateway",
    "eipalloc": "eip:Eip",
    "fl": "flowLog:FlowLog",
    "i": "instance:Instance",
    "igw": "internetGateway:InternetGateway",
    "nat": "natGateway:NatGateway",
    "pcx": "vpcPeeringConnection:VpcPeeringConnection",
    "pl": "managedPrefixList:ManagedPrefixList",
    "rtb": "routeTable:RouteTable",
    "sg": "securityGroup:SecurityGroup",
    "subnet": "subnet:Subnet",
    "vpc": "vpc:Vpc",
    "vpce": "vpcEndpoint:VpcEndpoint",
}
_LISTINGS = (
    _Listing(
        type="aws:appconfig/application:Application",
        service="appconfig",
        operation="list_applications",
        key="Items",
        id="{Id}",
    ),
    _Listing(
        type="aws:appconfig/configurationProfile:ConfigurationProfile",
        service="appconfig",
        items=_profiles,
        id="{Id}:{ApplicationId}",
    ),
    _Listing(
        type="aws:cloudtrail/trail:Trail",
        service="cloudtrail",
        operation="list_trails",
        key="Trails",
        id="{TrailARN}",
    ),
    _Listing(
        type="aws:cloudwatch/compositeAlarm:CompositeAlarm",
        service="cloudwatch",
        operation="describe_alarms",
        key="CompositeAlarms",
        arguments={"AlarmTypes": ["CompositeAlarm"]},
        id="{AlarmName}",
        arn="{AlarmArn}",
    ),
    _Listing(type="aws:cloudwatch/eventRule:EventRule", service="events", items=_rules, id="{Name}", arn="{Arn}"),
    _Listing(type="aws:ec2/keyPair:KeyPair", service="ec2", operation="describe_key_pairs", key="KeyPairs", id="{KeyName}"),
    _Listing(
        type="aws:ecr/repository:Repository",
        service="ecr",
        operation="describe_repositories",
        key="repositories",
        id="{repositoryName}",
        arn="{repositoryArn}",
    ),
    _Listing(
        type="aws:iam/instanceProfile:InstanceProfile",
        service="iam",
        operation="list_instance_profiles",
        key="InstanceProfiles",
        id="{InstanceProfileName}",
        arn="{Arn}",
    ),
    _Listing(
        type="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        service="iam",
        operation="list_open_id_connect_providers",
        key="OpenIDConnectProviderList",
        id="{Arn}",
    ),
    _Listing(
        type="aws:iam/policy:Policy",
        service="iam",
        operation="list_policies",
        key="Policies",
        arguments={"Scope": "Local"},
        id="{Arn}",
    ),
    _Listing(type="aws:iam/role:Role", service="iam", operation="list_roles", key="Roles", id="{RoleName}", arn="{Arn}"),
    _Listing(type="aws:iam/user:User", service="iam", operation="list_users", key="Users", id="{UserName}", arn="{Arn}"),
    _Listing(
        type="aws:lambda/eventSourceMapping:EventSourceMapping",
        service="lambda",
        operation="list_event_source_mappings",
        key="EventSourceMappings",
        id="{UUID}",
    ),
    _Listing(
        type="aws:rds/clusterParameterGroup:ClusterParameterGroup",
        service="rds",
        operation="describe_db_cluster_parameter_groups",
        key="DBClusterParameterGroups",
        id="{DBClusterParameterGroupName}",
    ),
    _Listing(
        type="aws:rds/eventSubscription:EventSubscription",
        service="rds",
        operation="describe_event_subscriptions",
        key="EventSubscriptionsList",
        id="{CustSubscriptionId}",
    ),
    _Listing(
        type="aws:rds/parameterGroup:ParameterGroup",
        service="rds",
        operation="describe_db_parameter_groups",
        key="DBParameterGroups",
        id="{DBParameterGroupName}",
    ),
    _Listing(
        type="aws:rds/subnetGroup:SubnetGroup",
        service="rds",
        operation="describe_db_subnet_groups",
        key="DBSubnetGroups",
        id="{DBSubnetGroupName}",
    ),
    _Listing(type="aws:route53/zone:Zone", service="route53", operation="list_hosted_zones", key="HostedZones", id="{Id}"),
    _Listing(type="aws:ssm/parameter:Parameter", service="ssm", operation="describe_parameters", key="Parameters", id="{Name}"),
    _web_acl_sets("ipSet:IpSet", "list_ip_sets", "IPSets"),
    _web_acl_sets("regexPatternSet:RegexPatternSet", "list_regex_pattern_sets", "RegexPatternSets"),
    _web_acl_sets("ruleGroup:RuleGroup", "list_rule_groups", "RuleGroups"),
    _web_acl_sets("webAcl:WebAcl", "list_web_acls", "WebACLs"),
)
# Some things take no tags and go with nothing that does. moto keeps no tags of scalable targets, nor drops their policies.
_UNTAGGED = (
    _Listing(
        type="aws:appautoscaling/policy:Policy",
        service="application-autoscaling",
        items=_scaling("describe_scaling_policies", "ScalingPolicies"),
        id="{ServiceNamespace}/{ResourceId}/{ScalableDimension}/{PolicyName}",
        arn="{PolicyARN}",
        state_id="{PolicyName}",
    ),
    _Listing(
        type="aws:appautoscaling/target:Target",
        service="application-autoscaling",
        items=_scaling("describe_scalable_targets", "ScalableTargets"),
        id="{ServiceNamespace}/{ResourceId}/{ScalableDimension}",
        state_id="{ResourceId}",
    ),
    _Listing(
        type="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        operation="list_dashboards",
        key="DashboardEntries",
        id="{DashboardName}",
        arn="{DashboardArn}",
    ),
    _Listing(
        type="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        service="logs",
        operation="describe_resource_policies",
        key="resourcePolicies",
        id="{policyName}",
    ),
    _Listing(type="aws:iam/group:Group", service="iam", operation="list_groups", key="Groups", id="{GroupName}", arn="{Arn}"),
)
