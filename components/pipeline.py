"""What the pipeline may do, and the boundary that holds it and every other role of an environment.

Owns the line between making things and owning the account: roles are made within the boundary alone, and what holds data or
records is made and changed, never deleted. To delete an environment takes the role that first made it.
"""

from __future__ import annotations

from components.levels import TASKS, Place, Scope, Statement, allow, describe, describe_roles

# The services that are given one of the environment's roles when the thing that uses it is made.
GIVEN_ROLES = (TASKS, "cloudtrail.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com")
LINKED_ROLES = (
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticache.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "rds.amazonaws.com",
    "wafv2.amazonaws.com",
)
MONITORING_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"


def deploy(scope: Scope) -> list[Statement]:
    """What the environment's things take, once they have a :func:`foundation`. It reads no data.

    The secrets that it has made it reads back, since Pulumi compares them.
    """
    return [*describe(scope), *_data(scope), *_compute(scope), *_watch(scope)]


def foundation(scope: Scope) -> list[Statement]:
    """The other half of what the pipeline may do (AWS takes no policy as long as both): network, way in and roles."""
    return [*_network(scope), *_way_in(scope), *roles(scope)]


def _network(scope: Scope) -> list[Statement]:
    """EC2's things have no names, and few know their tags when they are made."""
    changes = (
        "AllocateAddress AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress "
        "AuthorizeSecurityGroupIngress CreateFlowLogs CreateInternetGateway CreateNatGateway CreateRoute "
        "CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags CreateVpc CreateVpcEndpoint DeleteFlowLogs "
        "DeleteInternetGateway DeleteNatGateway DeleteRoute DeleteRouteTable DeleteSecurityGroup "
        "DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints DetachInternetGateway DisassociateAddress DisassociateRouteTable "
        "ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint "
        "ReleaseAddress ReplaceRoute ReplaceRouteTableAssociation RevokeSecurityGroupEgress RevokeSecurityGroupIngress "
        "UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress"
    )
    return [allow("Network", {"ec2": changes}, scope.arn("ec2", "*"))]


def _way_in(scope: Scope) -> list[Statement]:
    balancers = (
        "AddListenerCertificates AddTags CreateListener CreateLoadBalancer CreateRule CreateTargetGroup DeleteListener "
        "DeleteLoadBalancer DeleteRule DeleteTargetGroup ModifyListener ModifyListenerAttributes ModifyLoadBalancerAttributes "
        "ModifyRule ModifyTargetGroup ModifyTargetGroupAttributes RemoveListenerCertificates RemoveTags SetRulePriorities "
        "SetSecurityGroups SetSubnets SetWebACL"
    )
    certificates = "AddTagsToCertificate DeleteCertificate RemoveTagsFromCertificate RequestCertificate"
    firewall = (
        "AssociateWebACL CreateIPSet CreateWebACL DeleteIPSet DeleteLoggingConfiguration DeleteWebACL DisassociateWebACL "
        "PutLoggingConfiguration TagResource UntagResource UpdateIPSet UpdateWebACL"
    )
    walls = [scope.arn("wafv2", f"regional/{kind}") for kind in ("ipset/*", "managedruleset/*", "webacl/*")]
    return [
        allow("LoadBalancers", {"elasticloadbalancing": balancers}, scope.balancers),
        allow("Certificates", {"acm": certificates}, scope.arn("acm", "certificate/*")),
        allow("Firewall", {"wafv2": firewall}, [*walls, scope.arn("elasticloadbalancing", f"loadbalancer/app/{scope.name}-*")]),
    ]


def _data(scope: Scope) -> list[Statement]:
    name, keys = scope.name, scope.arn("kms", "key/*")
    databases = (
        "AddTagsToResource CreateDBInstance CreateDBParameterGroup CreateDBSnapshot CreateDBSubnetGroup DeleteDBParameterGroup "
        "DeleteDBSubnetGroup ModifyDBInstance ModifyDBParameterGroup ModifyDBSubnetGroup RebootDBInstance "
        "RemoveTagsFromResource ResetDBParameterGroup RestoreDBInstanceFromDBSnapshot"
    )
    caches = (
        "AddTagsToResource CreateCacheParameterGroup CreateCacheSubnetGroup CreateReplicationGroup DecreaseReplicaCount "
        "DeleteCacheParameterGroup DeleteCacheSubnetGroup DeleteReplicationGroup IncreaseReplicaCount "
        "ModifyCacheParameterGroup ModifyCacheSubnetGroup ModifyReplicationGroup RemoveTagsFromResource"
    )
    buckets = (
        "CreateBucket ListBucket PutBucketLogging PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy "
        "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration PutLifecycleConfiguration"
    )
    secrets = "CreateSecret DeleteSecret GetSecretValue PutSecretValue TagResource UntagResource UpdateSecret"
    key = "EnableKeyRotation PutKeyPolicy TagResource UntagResource UpdateKeyDescription"
    aliases = [keys, scope.arn("kms", f"alias/{name}-*")]
    # Keys have no names but that of their tag, which they get when they are made; a key with another's tag cannot be given ours.
    ours = {"StringLike": {"aws:ResourceTag/Name": f"{name}-*"}}
    becoming_ours = {"StringLike": {"aws:RequestTag/Name": f"{name}-*"}, "Null": {"aws:ResourceTag/Name": "true"}}
    grants = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    by_name = [scope.arn("rds", f"{kind}:{name}-*") for kind in ("subgrp", "pg")]
    kinds = ("parametergroup", "replicationgroup", "subnetgroup")
    caches_by_name = [scope.arn("elasticache", f"{kind}:{name}-*") for kind in kinds]
    return [
        allow("Databases", {"rds": databases}, [*scope.databases, *by_name]),
        allow("Caches", {"elasticache": caches}, [*caches_by_name, scope.arn("elasticache", "parametergroup:default.*")]),
        allow("Buckets", {"s3": buckets}, f"arn:aws:s3:::{name}-*"),
        allow("Queues", {"sqs": "CreateQueue SetQueueAttributes TagQueue UntagQueue"}, scope.arn("sqs", f"{name}-*")),
        allow("Secrets", {"secretsmanager": secrets}, scope.arn("secretsmanager", f"secret:{name}-*")),
        allow("NewKeys", {"kms": "CreateKey"}, "*", scope.here),
        allow("TagsOfNewKeys", {"kms": "TagResource"}, keys, becoming_ours),
        allow("Keys", {"kms": key}, keys, ours),
        allow("NamesOfKeys", {"kms": "CreateAlias DeleteAlias UpdateAlias"}, aliases),
        allow("KeysForDisks", {"kms": "CreateGrant"}, keys, grants),
        allow("KeysForSecrets", {"kms": "Decrypt GenerateDataKey"}, keys, scope.through("secretsmanager")),
    ]


def _compute(scope: Scope) -> list[Statement]:
    name = scope.name
    clusters = (
        "CreateCluster CreateService DeleteCluster DeleteService PutClusterCapacityProviders TagResource UntagResource "
        "UpdateCluster UpdateClusterSettings UpdateService"
    )
    things = [scope.arn("ecs", f"{kind}/{name}-*") for kind in ("cluster", "service", "task-definition")]
    scaling = "DeleteScalingPolicy DeregisterScalableTarget PutScalingPolicy RegisterScalableTarget TagResource UntagResource"
    flags = (
        "CreateApplication CreateConfigurationProfile CreateHostedConfigurationVersion DeleteApplication "
        "DeleteConfigurationProfile DeleteHostedConfigurationVersion TagResource UntagResource UpdateApplication "
        "UpdateConfigurationProfile ValidateConfiguration"
    )
    applications = [scope.arn("appconfig", kind) for kind in ("application", "application/*")]
    return [
        allow("Services", {"ecs": clusters}, things),
        allow("Tasks", {"ecs": "DeregisterTaskDefinition RegisterTaskDefinition"}, "*", scope.here),
        allow("Scaling", {"application-autoscaling": scaling}, scope.arn("application-autoscaling", "scalable-target/*")),
        allow("Flags", {"appconfig": flags}, applications),
    ]


def _watch(scope: Scope) -> list[Statement]:
    """Records are begun and never stopped."""
    name = scope.name
    groups = (
        "AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteMetricFilter PutMetricFilter PutRetentionPolicy TagResource "
        "UntagResource"
    )
    delivery = "CreateLogDelivery DeleteLogDelivery GetLogDelivery ListLogDeliveries PutResourcePolicy UpdateLogDelivery"
    topics = (
        "CreateTopic DeleteTopic SetSubscriptionAttributes SetTopicAttributes Subscribe TagResource Unsubscribe UntagResource"
    )
    alarms = "DeleteAlarms PutMetricAlarm TagResource UntagResource"
    trails = "AddTags CreateTrail PutEventSelectors RemoveTags StartLogging UpdateTrail"
    dashboards = f"arn:aws:cloudwatch::{scope.account_id}:dashboard/{name}-*"
    return [
        allow("Logs", {"logs": groups}, scope.log_groups),
        allow("LogsOfTheFirewall", {"logs": delivery}, "*", scope.here),
        allow("Topics", {"sns": topics}, scope.arn("sns", f"{name}-*")),
        allow("Alarms", {"cloudwatch": alarms}, scope.arn("cloudwatch", f"alarm:{name}-*")),
        allow("Dashboards", {"cloudwatch": "DeleteDashboards PutDashboard"}, dashboards),
        allow("Trails", {"cloudtrail": trails}, scope.arn("cloudtrail", f"trail/{name}-*")),
    ]


def roles(place: Place) -> list[Statement]:
    """Roles that begin with the environment's name, within the boundary; not one's own, and not that of an emergency."""
    name, own = place.name, place.iam(f"role/{place.name}-*")
    within = {"StringEquals": {"iam:PermissionsBoundary": place.boundary_arn}}
    attached = {"StringEquals": {**within["StringEquals"], "iam:PolicyARN": MONITORING_POLICY}}
    reserved = [place.iam(f"role/{name}-{role}-*") for role in ("deployer", "break-glass")]
    changes = (
        "AttachRolePolicy DeleteRole DeleteRolePolicy DetachRolePolicy PassRole PutRolePolicy PutRolePermissionsBoundary "
        "UpdateAssumeRolePolicy UpdateRole"
    )
    ours = {"iam": "CreateOpenIDConnectProvider TagOpenIDConnectProvider UntagOpenIDConnectProvider"}
    linked = {"StringEquals": {"iam:AWSServiceName": list(LINKED_ROLES)}}
    return [
        allow("MakeRoles", {"iam": "CreateRole DeleteRolePolicy PutRolePermissionsBoundary PutRolePolicy"}, own, within),
        allow("AttachToRoles", {"iam": "AttachRolePolicy DetachRolePolicy"}, own, attached),
        allow("ChangeRoles", {"iam": "DeleteRole TagRole UntagRole UpdateAssumeRolePolicy UpdateRole"}, own),
        allow("ReservedRoles", {"iam": changes}, reserved, effect="Deny"),
        allow("MakeBoundary", {"iam": "CreatePolicy TagPolicy UntagPolicy"}, place.boundary_arn),
        allow("GiveRoles", {"iam": "PassRole"}, own, {"StringEquals": {"iam:PassedToService": list(GIVEN_ROLES)}}),
        allow("LinkedRoles", {"iam": "CreateServiceLinkedRole"}, place.iam("role/aws-service-role/*"), linked),
        allow("TrustGitHub", ours, place.github),
    ]


def boundary(place: Place) -> list[Statement]:
    """The most that any role of an environment may do. It gives nothing: whole services stand here, within names and region."""
    name, account = place.name, place.account_id
    services = (
        "acm appconfig application-autoscaling cloudtrail cloudwatch ec2 ecr ecs elasticache elasticloadbalancing logs rds "
        "sns ssmmessages wafv2"
    )
    named = [
        f"arn:aws:s3:::{name}-*",
        *(place.arn(service, resource) for service, resource in (
            ("secretsmanager", f"secret:{name}-*"), ("sqs", f"{name}-*"), ("kms", "key/*"), ("kms", f"alias/{name}-*"),
            ("rds-db", "dbuser:*"),
        )),
    ]  # fmt: skip
    never = {
        "cloudtrail": "DeleteTrail StopLogging",
        "ec2": "ModifySnapshotAttribute",
        "iam": "CreatePolicyVersion DeletePolicy DeletePolicyVersion DeleteRolePermissionsBoundary SetDefaultPolicyVersion",
        "kms": "DisableKey ScheduleKeyDeletion",
        "rds": "DeleteDBInstance ModifyDBSnapshotAttribute",
        "s3": "BypassGovernanceRetention DeleteBucket",
    }
    data = dict.fromkeys(("kms", "rds-db", "s3", "secretsmanager", "sqs"), "*")
    return [
        allow("Services", dict.fromkeys(services.split(), "*") | {"kms": "CreateKey ListAliases"}, "*", place.here),
        allow("Data", data, named, {"StringEquals": {"aws:ResourceAccount": account}}),
        describe_roles(place),
        *roles(place),
        allow("Never", never, "*", effect="Deny"),
    ]
