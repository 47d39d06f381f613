"""What each level of access may do, as data: a level is a function from a scope to IAM statements. Pure.

Owns the levels of people. The pipeline's is :mod:`components.pipeline`'s; who has which is :mod:`components.access`'.

Actions that change something are named in full; wildcards stand only after verbs that describe. Where AWS has names, resources
are those that begin with the environment's; where it has none, those of its account and region. ``*`` stands where an action
takes no resource, or only describes one, and even there the region is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Statement = Mapping[str, Any]

READER = "reader"
"""The database user, who may read only, as whom people log in by IAM."""

TASKS = "ecs-tasks.amazonaws.com"
GITHUB = "token.actions.githubusercontent.com"


@dataclass(frozen=True, kw_only=True)
class Place:
    """An environment's name (that with which its resources' names begin), account and region."""

    name: str
    account_id: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of the account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    def iam(self, resource: str) -> str:
        """The ARN of a resource of IAM, which has no region."""
        return f"arn:aws:iam::{self.account_id}:{resource}"

    @property
    def boundary_name(self) -> str:
        """Fixed, since the boundary speaks of itself."""
        return f"{self.name}-boundary"

    @property
    def boundary_arn(self) -> str:
        return self.iam(f"policy/{self.boundary_name}")

    @property
    def github(self) -> str:
        """The ARN of the account's provider of identities for workflows on GitHub."""
        return self.iam(f"oidc-provider/{GITHUB}")

    @property
    def databases(self) -> list[str]:
        """ARNs of instances, and of the snapshots made of them by people and by RDS."""
        return [self.arn("rds", f"{kind}:{self.name}-*") for kind in ("db", "snapshot", "snapshot:rds")]

    @property
    def balancers(self) -> list[str]:
        """ARNs of load balancers and of what belongs to them."""
        kinds = ("loadbalancer/app", "targetgroup", "listener/app", "listener-rule/app")
        return [self.arn("elasticloadbalancing", f"{kind}/{self.name}-*") for kind in kinds]

    @property
    def log_groups(self) -> list[str]:
        """ARNs of log groups: those with our names, and with names that AWS chooses."""
        begin = ("", "aws-waf-logs-", "/aws/ecs/containerinsights/", "/aws/rds/instance/")
        return [self.arn("logs", f"log-group:{words}{self.name}-*") for words in begin]

    @property
    def here(self) -> Mapping[str, Any]:
        """The condition that a request is to the region."""
        return {"StringEquals": {"aws:RequestedRegion": self.region}}

    def through(self, *services: str) -> Mapping[str, Any]:
        """The condition that a key is used by these services for the caller, and not by the caller."""
        return {"StringEquals": {"kms:ViaService": [f"{service}.{self.region}.amazonaws.com" for service in services]}}


@dataclass(frozen=True, kw_only=True)
class Scope(Place):
    """What the levels speak of beside that: the resources that hold data."""

    bucket_arn: str
    queue_arn: str
    database_resource_id: str
    key_arn: str
    secret_arns: Sequence[str]


def allow(
    sid: str, actions: Mapping[str, str], resources: Any, condition: Mapping[str, Any] | None = None, effect: str = "Allow"
) -> Statement:
    """A statement; ``actions`` has the names of actions, between spaces, by service."""
    named = [f"{service}:{action}" for service, names in actions.items() for action in names.split()]
    statement = {"Sid": sid, "Effect": effect, "Action": named, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


# -- the levels of people --------------------------------------------------------------------------------------------------


def none(scope: Scope) -> list[Statement]:
    """Nothing, whatever else the role may be given one day."""
    return [{"Sid": "Nothing", "Effect": "Deny", "Action": "*", "Resource": "*"}]


def read(scope: Scope) -> list[Statement]:
    """What there is, how it does, and what it logs; no data and no secrets."""
    logs = {"logs": "DescribeLogStreams FilterLogEvents GetLogEvents StartQuery"}
    return [
        *describe(scope),
        allow("ReadLogs", logs, scope.log_groups),
        allow("ReadResultsOfQueries", {"logs": "GetQueryResults StopQuery"}, "*", scope.here),
    ]


def use(scope: Scope) -> list[Statement]:
    """What :func:`read` may, and the data: jobs, assets, and the database as a user who may read."""
    jobs = {"sqs": "ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage SendMessage"}
    login = scope.arn("rds-db", f"dbuser:{scope.database_resource_id}/{READER}")
    return [
        *read(scope),
        allow("UseJobs", jobs, scope.queue_arn),
        allow("ListAssets", {"s3": "ListBucket"}, scope.bucket_arn),
        allow("UseAssets", {"s3": "GetObject PutObject"}, f"{scope.bucket_arn}/*"),
        allow("UseKey", {"kms": "Decrypt GenerateDataKey"}, scope.key_arn, scope.through("s3", "sqs")),
        allow("LogInToTheDatabase", {"rds-db": "connect"}, login),
    ]


def operate(scope: Scope) -> list[Statement]:
    """What :func:`use` may, and to restart, to scale, to look into a container, to run a task, to redrive dead letters.

    The one permission of IAM is what running a task takes: to give it the roles that services have.
    """
    name = scope.name
    services = [scope.arn("ecs", f"{kind}/{name}-*") for kind in ("service", "task", "task-definition", "cluster")]
    roles = [scope.iam(f"role/{name}-*-{role}-*") for role in ("execution", "task")]
    targets = {"application-autoscaling": "RegisterScalableTarget"}
    return [
        *use(scope),
        allow("RunServices", {"ecs": "ExecuteCommand RunTask StopTask UpdateService"}, services),
        allow("GiveRolesToTasks", {"iam": "PassRole"}, roles, {"StringEquals": {"iam:PassedToService": TASKS}}),
        allow("Scale", targets, scope.arn("application-autoscaling", "scalable-target/*")),
        allow("RestartDatabase", {"rds": "CreateDBSnapshot RebootDBInstance"}, scope.databases),
        allow("FailCacheOver", {"elasticache": "TestFailover"}, scope.arn("elasticache", f"replicationgroup:{name}-*")),
        allow("RedriveDeadLetters", {"sqs": "CancelMessageMoveTask StartMessageMoveTask"}, scope.arn("sqs", f"{name}-*")),
        allow(
            "Silence",
            {"cloudwatch": "DisableAlarmActions EnableAlarmActions"},
            scope.arn("cloudwatch", f"alarm:{name}-*"),
        ),
    ]


def emergency(scope: Scope) -> list[Statement]:
    """What :func:`operate` may, and to switch traffic, to read the secrets, to change and to restore the database."""
    switch = {"elasticloadbalancing": "ModifyListener ModifyRule ModifyTargetGroupAttributes"}
    restore = {"rds": "ModifyDBInstance RestoreDBInstanceFromDBSnapshot RestoreDBInstanceToPointInTime"}
    groups = [scope.arn("rds", f"{kind}:{scope.name}-*") for kind in ("subgrp", "pg")]
    return [
        *operate(scope),
        allow("SwitchTraffic", switch, scope.balancers),
        allow("Restore", restore, [*scope.databases, *groups]),
        allow("ReadSecrets", {"secretsmanager": "GetSecretValue"}, list(scope.secret_arns)),
        allow("DecryptSecrets", {"kms": "Decrypt"}, scope.key_arn, scope.through("secretsmanager")),
    ]


def describe(place: Place) -> list[Statement]:
    """What there is. These actions give settings and metrics; few of them can be held to a resource."""
    settings = (
        "GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging "
        "GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock "
        "GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration "
        "GetLifecycleConfiguration GetReplicationConfiguration"
    )
    actions = {
        "acm": "DescribeCertificate ListCertificates ListTagsForCertificate",
        "appconfig": "GetApplication GetConfigurationProfile GetHostedConfigurationVersion ListTagsForResource",
        "application-autoscaling": "Describe* ListTagsForResource",
        "cloudtrail": "DescribeTrails GetEventSelectors GetInsightSelectors GetTrail GetTrailStatus ListTags LookupEvents",
        "cloudwatch": "Describe* GetDashboard GetMetricData GetMetricStatistics List*",
        "ec2": "Describe* GetManagedPrefixListAssociations GetManagedPrefixListEntries",
        "ecs": "Describe* List*",
        "elasticache": "Describe* ListTagsForResource",
        "elasticloadbalancing": "Describe*",
        "kms": "DescribeKey GetKeyPolicy GetKeyRotationStatus ListAliases ListResourceTags",
        "logs": "DescribeLogGroups DescribeMetricFilters DescribeResourcePolicies ListTagsForResource",
        "rds": "Describe* ListTagsForResource",
        "secretsmanager": "DescribeSecret GetResourcePolicy",
        "sns": "GetSubscriptionAttributes GetTopicAttributes List*",
        "sqs": "GetQueueAttributes GetQueueUrl ListQueueTags",
        "wafv2": "GetIPSet GetLoggingConfiguration GetWebACL GetWebACLForResource List*",
    }
    return [
        allow("Describe", actions, "*", place.here),
        allow("DescribeBuckets", {"s3": settings}, f"arn:aws:s3:::{place.name}-*"),
        describe_roles(place),
    ]


def describe_roles(place: Place) -> Statement:
    """What roles may do. Not held to the region, since IAM has none."""
    actions = (
        "GetOpenIDConnectProvider GetPolicy GetPolicyVersion GetRole GetRolePolicy ListAttachedRolePolicies "
        "ListInstanceProfilesForRole ListPolicyTags ListPolicyVersions ListRolePolicies ListRoleTags"
    )
    named = [place.iam(f"{kind}/{place.name}-*") for kind in ("role", "policy")]
    return allow("DescribeRoles", {"iam": actions}, [*named, place.github])
