"""Application Auto Scaling's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref

_CONTAINERS = json.dumps([{"name": "web", "image": "web:1", "memory": 64}])
_SERVICE = {
    "cluster": Need("aws:ecs/cluster:Cluster", {"name": "shop"}),
    "task": Need("aws:ecs/taskDefinition:TaskDefinition", {"family": "web", "containerDefinitions": _CONTAINERS}),
    "service": Need(
        "aws:ecs/service:Service",
        {"name": "web", "cluster": Ref("cluster", "name"), "taskDefinition": Ref("task", "arn")},
    ),
}
_KEY = {
    "serviceNamespace": "ecs",
    "scalableDimension": "ecs:service:DesiredCount",
    "resourceId": Ref("service", "name", "service/shop/{}"),
}
_TARGET = Need("aws:appautoscaling/target:Target", {**_KEY, "minCapacity": 1, "maxCapacity": 4})

CASES = [
    Case(
        token="aws:appautoscaling/target:Target",
        needs=_SERVICE,
        inputs={**_KEY, "minCapacity": 1, "maxCapacity": 4, "tags": {"a": "1"}},
        update={"maxCapacity": 8, "suspendedState": {"dynamicScalingInSuspended": True}, "tags": {"a": "2"}},
        replace={"resourceId": "service/shop/other"},
        expect={"arn": str},
        import_id="{serviceNamespace}/{resourceId}/{scalableDimension}",
    ),
    Case(
        token="aws:appautoscaling/policy:Policy",
        needs={**_SERVICE, "target": _TARGET},
        inputs={
            **_KEY,
            "policyType": "TargetTrackingScaling",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 60,
                "scaleInCooldown": 300,
                "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
            },
        },
        update={
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 75.5,
                "customizedMetricSpecification": {
                    "metricName": "Orders",
                    "namespace": "Shop",
                    "statistic": "Average",
                    "dimensions": [{"name": "Stage", "value": "dev"}],
                },
            }
        },
        replace={"name": "other"},
        expect={"arn": str, "name": str},
        import_id="{serviceNamespace}/{resourceId}/{scalableDimension}/{name}",
    ),
    Case(
        token="aws:appautoscaling/policy:Policy",
        name="steps",
        needs={**_SERVICE, "target": _TARGET},
        inputs={
            **_KEY,
            "name": "steps",
            "stepScalingPolicyConfiguration": {
                "adjustmentType": "ChangeInCapacity",
                "cooldown": 60,
                "metricAggregationType": "Maximum",
                "stepAdjustments": [
                    {"metricIntervalLowerBound": "0", "metricIntervalUpperBound": "10", "scalingAdjustment": 1},
                    {"metricIntervalLowerBound": "10", "scalingAdjustment": 2},
                ],
            },
        },
        expect={"policyType": "StepScaling"},
        import_id="{serviceNamespace}/{resourceId}/{scalableDimension}/{name}",
    ),
]
