"""Application Auto Scaling: scalable targets and their policies.

Source: the Application Auto Scaling API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import AutoName, Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_KEY = ("resourceId", "scalableDimension", "serviceNamespace")
_BOUNDS = ("metricIntervalLowerBound", "metricIntervalUpperBound")  # numbers that Terraform spells as strings
_INTEGERS = ("cooldown", "minAdjustmentMagnitude", "scaleInCooldown", "scaleOutCooldown", "scalingAdjustment")


def _request(value: Any, key: str = "") -> Any:
    """A block as the API takes it: the same names, with a capital."""
    if isinstance(value, dict):
        given = {name: item for name, item in value.items() if item not in (None, "", [], {})}
        return {name[0].upper() + name[1:]: _request(item, name) for name, item in given.items()}
    if isinstance(value, list):
        return [_request(item) for item in value]
    if key in _BOUNDS or key == "targetValue":
        return float(value)
    return int(value) if key in _INTEGERS else value


def _outputs(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _outputs(item, name) for name, item in ((k[0].lower() + k[1:], item) for k, item in value.items())}
    if isinstance(value, list):
        return [_outputs(item) for item in value]
    return f"{value:g}" if key in _BOUNDS else value


def _where(known: Properties) -> Properties:
    return {
        "ResourceId": known["resourceId"],
        "ScalableDimension": known["scalableDimension"],
        "ServiceNamespace": known["serviceNamespace"],
    }


# -- targets ------------------------------------------------------------------------------------------------------------


def _register(cloud: Cloud, inputs: Properties) -> str:
    arguments: Properties = {"MaxCapacity": int(inputs["maxCapacity"]), "MinCapacity": int(inputs["minCapacity"])}
    if arguments["MinCapacity"] > arguments["MaxCapacity"]:
        raise ProviderError("ValidationException: minCapacity must not be above maxCapacity")
    if inputs.get("roleArn"):
        arguments["RoleARN"] = inputs["roleArn"]
    if inputs.get("suspendedState"):
        arguments["SuspendedState"] = _request(inputs["suspendedState"])
    if inputs.get("tagsAll"):
        arguments["Tags"] = inputs["tagsAll"]
    cloud.client("application-autoscaling").register_scalable_target(**_where(inputs), **arguments)
    return str(inputs["resourceId"])


def _target(cloud: Cloud, known: Properties) -> Properties | None:
    where = _where(known)
    answer = cloud.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace=where["ServiceNamespace"],
        ScalableDimension=where["ScalableDimension"],
        ResourceIds=[where["ResourceId"]],
    )
    return next(iter(answer["ScalableTargets"]), None)


def _read_target(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if "serviceNamespace" not in known:
        namespace, _, rest = id_.partition("/")
        resource, found, dimension = rest.rpartition("/")
        if not found:
            raise ProviderError(f"{id_!r} is no id to import by; write namespace/resource-id/scalable-dimension")
        known = {"resourceId": resource, "scalableDimension": dimension, "serviceNamespace": namespace}
    target = _target(cloud, known)
    if target is None:
        return None
    outputs: Properties = {
        "arn": target.get("ScalableTargetARN", ""),
        "id": target["ResourceId"],
        "maxCapacity": target["MaxCapacity"],
        "minCapacity": target["MinCapacity"],
        "roleArn": target.get("RoleARN") or "",
        "tagsAll": known.get("tagsAll") or {},  # moto keeps none
        **{key: known[key] for key in _KEY},
    }
    if target.get("SuspendedState"):
        outputs["suspendedState"] = _outputs(target["SuspendedState"])
    return outputs


def _update_target(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed - {"tags", "tagsAll"}:
        _register(cloud, {key: value for key, value in new.items() if key != "tagsAll"})


def _deregister(cloud: Cloud, id_: str, known: Properties) -> None:
    if _target(cloud, known):
        cloud.client("application-autoscaling").deregister_scalable_target(**_where(known))


def _find_target(cloud: Cloud, inputs: Properties) -> list[str]:
    return [inputs["resourceId"]] if _target(cloud, inputs) else []


# -- policies -----------------------------------------------------------------------------------------------------------

_CONFIGURATIONS = {
    "StepScaling": ("stepScalingPolicyConfiguration", "StepScalingPolicyConfiguration"),
    "TargetTrackingScaling": (
        "targetTrackingScalingPolicyConfiguration",
        "TargetTrackingScalingPolicyConfiguration",
    ),
}


def _put_policy(cloud: Cloud, inputs: Properties) -> Created:
    kind = inputs.get("policyType", "StepScaling")
    if kind not in _CONFIGURATIONS:
        raise ProviderError(f"Policy: policyType {kind} is not supported on the local cloud; use TargetTrackingScaling")
    name, parameter = _CONFIGURATIONS[kind]
    if not inputs.get(name):
        raise ProviderError(f"ValidationException: a policy of type {kind} needs {name}")
    if _target(cloud, inputs) is None:
        raise ProviderError(
            f"ObjectNotFoundException: No scalable target registered for service namespace {inputs['serviceNamespace']}, "
            f"resource {inputs['resourceId']}, scalable dimension {inputs['scalableDimension']}"
        )
    answer = cloud.client("application-autoscaling").put_scaling_policy(
        PolicyName=inputs["name"], PolicyType=kind, **_where(inputs), **{parameter: _request(inputs[name])}
    )
    alarms = [alarm["AlarmARN"] for alarm in answer.get("Alarms") or []]
    return Created(inputs["name"], {**inputs, "alarmArns": alarms, "arn": answer["PolicyARN"]})


def _policy(cloud: Cloud, known: Properties) -> Properties | None:
    where = _where(known)
    pages = cloud.client("application-autoscaling").get_paginator("describe_scaling_policies").paginate(**where)
    policies = (policy for page in pages for policy in page["ScalingPolicies"])
    return next((policy for policy in policies if policy["PolicyName"] == known["name"]), None)


def _read_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if "serviceNamespace" not in known:
        head, _, name = id_.rpartition("/")
        namespace, _, rest = head.partition("/")
        resource, found, dimension = rest.rpartition("/")
        if not found:
            raise ProviderError(f"{id_!r} is no id to import by; write namespace/resource-id/scalable-dimension/name")
        known = {"resourceId": resource, "scalableDimension": dimension, "serviceNamespace": namespace, "name": name}
    policy = _policy(cloud, known)
    if policy is None:
        return None
    name, parameter = _CONFIGURATIONS[policy["PolicyType"]]
    return {
        "alarmArns": [alarm["AlarmARN"] for alarm in policy.get("Alarms") or []],
        "arn": policy["PolicyARN"],
        "id": policy["PolicyName"],
        "name": policy["PolicyName"],
        "policyType": policy["PolicyType"],
        name: _outputs(policy[parameter]),
        **{key: known[key] for key in _KEY},
    }


def _update_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_policy(cloud, new)


def _delete_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    if _policy(cloud, known):
        cloud.client("application-autoscaling").delete_scaling_policy(PolicyName=known["name"], **_where(known))


def _find_policy(cloud: Cloud, inputs: Properties) -> list[str]:
    return [inputs["name"]] if _policy(cloud, inputs) else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:appautoscaling/target:Target",
        service="application-autoscaling",
        create=_register,
        read=_read_target,
        update=_update_target,
        delete=_deregister,
        find=_find_target,
        required=("maxCapacity", "minCapacity", *_KEY),
        replace_on=_KEY,
        computed=("arn",),
        sticky=("roleArn", "suspendedState"),
        tagged=True,
        limits="nothing is scaled; tags are recorded only",
    ),
    ResourceType(
        token="aws:appautoscaling/policy:Policy",
        service="application-autoscaling",
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        find=_find_policy,
        name=AutoName(max_length=255, unless=()),
        required=_KEY,
        replace_on=("name", "policyType", *_KEY),
        computed=("alarmArns", "arn"),
        defaults={"policyType": "StepScaling"},
        sets=("stepScalingPolicyConfiguration.stepAdjustments",),
        volatile=("alarmArns", "arn"),
        limits="no predictive scaling; nothing is scaled",
    ),
)
