"""ECS's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref

_CLUSTER = Need("aws:ecs/cluster:Cluster", {"name": "shop"})
_OTHER = Need("aws:ecs/cluster:Cluster", {"name": "other"})
_ROLE = "arn:aws:iam::123456789012:role/tasks"


def _containers(image: str, **more: object) -> str:
    container = {
        "name": "web",
        "image": image,
        "portMappings": [{"containerPort": 80}],
        "environment": [{"name": "STAGE", "value": "dev"}, {"name": "COLOUR", "value": "blue"}],
        "secrets": [{"name": "PASSWORD", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/password"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/shop/web"}},
        **more,
    }
    return json.dumps([container], indent=2)


_FARGATE = {
    "family": "web",
    "cpu": "256",
    "memory": "512",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "executionRoleArn": _ROLE,
    "containerDefinitions": _containers("shop/web:1"),
}
_TASK = Need("aws:ecs/taskDefinition:TaskDefinition", _FARGATE)
_NEXT_TASK = Need("aws:ecs/taskDefinition:TaskDefinition", {**_FARGATE, "containerDefinitions": _containers("shop/web:2")})
_NETWORK = {
    "vpc": Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}),
    "a": Need(
        "aws:ec2/subnet:Subnet",
        {"vpcId": Ref("vpc", "id"), "cidrBlock": "10.0.1.0/24", "availabilityZone": "eu-west-1a"},
    ),
    "b": Need(
        "aws:ec2/subnet:Subnet",
        {"vpcId": Ref("vpc", "id"), "cidrBlock": "10.0.2.0/24", "availabilityZone": "eu-west-1b"},
    ),
    "group": Need("aws:ec2/securityGroup:SecurityGroup", {"name": "web", "vpcId": Ref("vpc", "id")}),
    "targets": Need(
        "aws:lb/targetGroup:TargetGroup",
        {"name": "web", "port": 80, "protocol": "HTTP", "vpcId": Ref("vpc", "id"), "targetType": "ip"},
    ),
}

CASES = [
    Case(
        token="aws:ecs/cluster:Cluster",
        inputs={
            "name": "web",
            "settings": [{"name": "containerInsights", "value": "enabled"}],
            "configuration": {
                "executeCommandConfiguration": {
                    "logging": "OVERRIDE",
                    "logConfiguration": {"s3BucketName": "logs", "s3BucketEncryptionEnabled": True},
                }
            },
            "tags": {"a": "1", "b": "1"},
        },
        update={"settings": [{"name": "containerInsights", "value": "disabled"}], "tags": {"a": "2"}},
        replace={"name": "web2"},
        expect={"arn": str},
        import_id="{name}",
    ),
    Case(
        token="aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        needs={"cluster": _CLUSTER, "other": _OTHER},
        inputs={
            "clusterName": Ref("cluster", "name"),
            "capacityProviders": ["FARGATE_SPOT", "FARGATE"],
            "defaultCapacityProviderStrategies": [{"capacityProvider": "FARGATE", "base": 1, "weight": 100}],
        },
        update={"capacityProviders": ["FARGATE"]},
        replace={"clusterName": Ref("other", "name")},
    ),
    Case(
        token="aws:ecs/taskDefinition:TaskDefinition",
        inputs={
            **_FARGATE,
            "taskRoleArn": _ROLE,
            "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            "ephemeralStorage": {"sizeInGib": 30},
            "volumes": [{"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED"}}],
            "tags": {"a": "1", "b": "1"},
        },
        update={"tags": {"a": "2"}},
        replace={"containerDefinitions": _containers("shop/web:2")},
        expect={"arn": str, "arnWithoutRevision": str, "revision": 1},
        import_id="{arn}",
    ),
    Case(
        token="aws:ecs/taskDefinition:TaskDefinition",
        name="on-instances",
        inputs={
            "family": "batch",
            "containerDefinitions": json.dumps([{"Name": "job", "Image": "job:1", "Memory": 64, "unknown": 1}]),
            "volumes": [{"name": "host", "hostPath": "/srv"}],
            "placementConstraints": [{"type": "memberOf", "expression": "attribute:stage == dev"}],
        },
        replace={"volumes": []},
        expect={"networkMode": "bridge"},
        import_id="{arn}",
    ),
    Case(
        token="aws:ecs/service:Service",
        needs={**_NETWORK, "cluster": _CLUSTER, "other": _OTHER, "task": _TASK, "next": _NEXT_TASK},
        inputs={
            "name": "web",
            "cluster": Ref("cluster", "arn"),
            "taskDefinition": Ref("task", "arn"),
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {
                "subnets": [Ref("a", "id"), Ref("b", "id")],
                "securityGroups": [Ref("group", "id")],
                "assignPublicIp": True,
            },
            "loadBalancers": [{"targetGroupArn": Ref("targets", "arn"), "containerName": "web", "containerPort": 80}],
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "deploymentMinimumHealthyPercent": 50,
            "healthCheckGracePeriodSeconds": 30,
            "enableExecuteCommand": True,
            "propagateTags": "SERVICE",
            "waitForSteadyState": True,
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "taskDefinition": Ref("next", "arn"),
            "desiredCount": 3,
            "networkConfiguration": {"subnets": [Ref("b", "id")], "securityGroups": [Ref("group", "id")]},
            "propagateTags": None,
            "forceNewDeployment": True,
            "tags": {"a": "2"},
        },
        replace={"cluster": Ref("other", "arn")},
        expect={"arn": str, "deploymentMaximumPercent": 200, "schedulingStrategy": "REPLICA"},
        import_id="shop/{name}",
    ),
    Case(
        token="aws:ecs/service:Service",
        name="on-capacity",
        needs={**_NETWORK, "cluster": _CLUSTER, "task": _TASK},
        inputs={
            "cluster": Ref("cluster", "name"),
            "taskDefinition": Ref("task", "arn"),
            "capacityProviderStrategies": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            "networkConfiguration": {"subnets": [Ref("a", "id")]},
            "serviceConnectConfiguration": {
                "enabled": True,
                "namespace": "shop",
                "services": [{"portName": "http", "clientAlias": [{"dnsName": "web", "port": 80}]}],
            },
        },
        update={"desiredCount": 1},
        replace={"capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}]},
        expect={"name": str},
    ),
]
