"""Amazon ECS: services. Source: the ECS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.row import (
    AutoName,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Property to parameter, of those that travel as they are and that both create and update take.
_PLAIN = {
    "availabilityZoneRebalancing": "availabilityZoneRebalancing",
    "enableEcsManagedTags": "enableECSManagedTags",
    "enableExecuteCommand": "enableExecuteCommand",
    "healthCheckGracePeriodSeconds": "healthCheckGracePeriodSeconds",
    "orderedPlacementStrategies": "placementStrategy",
    "placementConstraints": "placementConstraints",
    "platformVersion": "platformVersion",
    "propagateTags": "propagateTags",
    "taskDefinition": "taskDefinition",
}
# Parameters that only create takes.
_FIXED = {"iamRole": "role", "launchType": "launchType", "schedulingStrategy": "schedulingStrategy"}
# Inputs that moto takes and forgets.
_FORGOTTEN = (
    "alarms",
    "availabilityZoneRebalancing",
    "capacityProviderStrategies",
    "deploymentCircuitBreaker",
    "deploymentConfiguration",
    "deploymentMaximumPercent",
    "deploymentMinimumHealthyPercent",
    "enableEcsManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "orderedPlacementStrategies",
    "placementConstraints",
    "serviceConnectConfiguration",
    "volumeConfiguration",
    "vpcLatticeConfigurations",
)
_LOCAL = ("forceDelete", "forceNewDeployment", "sigintRollback", "triggers", "waitForSteadyState")
_ROLLING = {"deploymentMaximumPercent": "maximumPercent", "deploymentMinimumHealthyPercent": "minimumHealthyPercent"}
_STRATEGIES = {
    "canaryConfiguration": ("canaryConfiguration", ("canaryBakeTimeInMinutes", "canaryPercent")),
    "linearConfiguration": ("linearConfiguration", ("stepBakeTimeInMinutes", "stepPercent")),
}
_PERCENTAGES = ("canaryPercent", "stepPercent")

# -- the API's shape ----------------------------------------------------------------------------------------------------


def _deployment(inputs: Properties) -> Properties:
    """The API's deploymentConfiguration, which the SDK has in several properties."""
    daemon = inputs.get("schedulingStrategy") == "DAEMON"
    request: Properties = {
        name: int(inputs[key])
        for key, name in _ROLLING.items()
        if inputs.get(key) is not None and not (daemon and name == "maximumPercent")
    }
    if breaker := inputs.get("deploymentCircuitBreaker"):
        request["deploymentCircuitBreaker"] = {"enable": breaker["enable"], "rollback": breaker["rollback"]}
    if alarms := inputs.get("alarms"):
        request["alarms"] = {
            "alarmNames": alarms["alarmNames"],
            "enable": alarms["enable"],
            "rollback": alarms["rollback"],
        }
    given = inputs.get("deploymentConfiguration") or {}
    if given.get("strategy"):
        request["strategy"] = given["strategy"]
    if given.get("bakeTimeInMinutes") is not None:
        request["bakeTimeInMinutes"] = int(given["bakeTimeInMinutes"])
    for key, (name, fields) in _STRATEGIES.items():
        if given.get(key):
            request[name] = {
                field: float(given[key][field]) if field in _PERCENTAGES else int(given[key][field])
                for field in fields
                if given[key].get(field) is not None
            }
    if given.get("lifecycleHooks"):
        request["lifecycleHooks"] = [
            {field: hook[field] for field in ("hookTargetArn", "lifecycleStages", "roleArn") if hook.get(field) is not None}
            for hook in given["lifecycleHooks"]
        ]
    return request


def _load_balancers(inputs: Properties) -> list[Properties]:
    requests = []
    for balancer in inputs.get("loadBalancers") or []:
        request = {"containerName": balancer["containerName"], "containerPort": int(balancer["containerPort"])}
        for key, name in (("elbName", "loadBalancerName"), ("targetGroupArn", "targetGroupArn")):
            if balancer.get(key):
                request[name] = balancer[key]
        if balancer.get("advancedConfiguration"):
            request["advancedConfiguration"] = balancer["advancedConfiguration"]
        requests.append(request)
    return requests


def _network(inputs: Properties) -> Properties | None:
    network = inputs.get("networkConfiguration")
    if not network:
        return None
    return {
        "awsvpcConfiguration": {
            "assignPublicIp": "ENABLED" if network.get("assignPublicIp") else "DISABLED",
            "securityGroups": network.get("securityGroups") or [],
            "subnets": network["subnets"],
        }
    }


def _service_connect(inputs: Properties) -> Properties | None:
    given = inputs.get("serviceConnectConfiguration")
    if not given:
        return None
    request = {key: given[key] for key in ("enabled", "namespace", "accessLogConfiguration") if given.get(key) is not None}
    if logs := given.get("logConfiguration"):
        request["logConfiguration"] = {key: logs[key] for key in ("logDriver", "options") if logs.get(key) is not None}
        if logs.get("secretOptions"):
            request["logConfiguration"]["secretOptions"] = logs["secretOptions"]
    services = []
    for service in given.get("services") or []:
        item = {key: service[key] for key in ("discoveryName", "ingressPortOverride", "portName") if service.get(key)}
        alias = service.get("clientAlias")
        for single in [alias] if isinstance(alias, dict) else alias or []:
            item.setdefault("clientAliases", []).append({key: single[key] for key in ("dnsName", "port") if single.get(key)})
        if service.get("timeout"):
            item["timeout"] = service["timeout"]
        services.append(item)
    if services:
        request["services"] = services
    return request


def _registries(inputs: Properties) -> list[Properties]:
    registry = inputs.get("serviceRegistries")
    if not registry:
        return []
    return [{key: value for key, value in registry.items() if value not in (None, "", 0)}]


def _blocks(inputs: Properties) -> Properties:
    """The nested parameters, by name; None or empty where the program gives none."""
    return {
        "capacityProviderStrategy": [
            {
                "base": int(item.get("base", 0)),
                "capacityProvider": item["capacityProvider"],
                "weight": int(item.get("weight", 0)),
            }
            for item in inputs.get("capacityProviderStrategies") or []
        ],
        "deploymentConfiguration": _deployment(inputs),
        "loadBalancers": _load_balancers(inputs),
        "networkConfiguration": _network(inputs),
        "serviceConnectConfiguration": _service_connect(inputs),
        "serviceRegistries": _registries(inputs),
    }


# -- the resource -------------------------------------------------------------------------------------------------------


def _cluster(inputs: Properties) -> str:
    return str(inputs.get("cluster") or "default")


def _validate(inputs: Properties) -> None:
    if inputs.get("capacityProviderStrategies") and inputs.get("launchType"):
        raise ProviderError("Service: give either launchType or capacityProviderStrategies")
    if inputs.get("healthCheckGracePeriodSeconds") is not None and not inputs.get("loadBalancers"):
        raise ProviderError(
            "InvalidParameterException: healthCheckGracePeriodSeconds is only valid for services with loadBalancers"
        )
    for name in ("volumeConfiguration", "vpcLatticeConfigurations"):
        if inputs.get(name):
            raise ProviderError(f"Service: {name} is not supported on the local cloud; leave it out")


def _create(cloud: Cloud, inputs: Properties) -> str:
    _validate(inputs)
    client, cluster = cloud.client("ecs"), _cluster(inputs)
    if _find(cloud, inputs):
        raise ProviderError(
            f"InvalidParameterException: Creation of service was not idempotent: {inputs['name']} exists in {cluster}"
        )
    arguments = {name: inputs[key] for key, name in {**_PLAIN, **_FIXED}.items() if inputs.get(key) not in (None, "", [])}
    if inputs.get("schedulingStrategy") != "DAEMON":
        arguments["desiredCount"] = int(inputs.get("desiredCount") or 0)
    arguments |= {name: value for name, value in _blocks(inputs).items() if value}
    if inputs.get("deploymentController"):
        arguments["deploymentController"] = {"type": inputs["deploymentController"].get("type", "ECS")}
    if inputs.get("tagsAll"):
        arguments["tags"] = tag_list(inputs["tagsAll"], "key", "value")
    service = client.create_service(cluster=cluster, serviceName=inputs["name"], **arguments)["service"]
    return str(service["serviceArn"])


def _describe(cloud: Cloud, cluster: str, name: str) -> Properties | None:
    answer = cloud.client("ecs").describe_services(cluster=cluster, services=[name], include=["TAGS"])
    for service in answer["services"]:
        if service["status"] != "INACTIVE":
            return dict(service)
    return None


def _where(id_: str, known: Properties) -> tuple[str, str]:
    """Cluster and service: from an ARN, or from the ``cluster/service`` that an import is given."""
    parts = id_.rpartition(":service/")[2].split("/")
    return (parts[0] if len(parts) > 1 else _cluster(known)), parts[-1]


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    service = _describe(cloud, *_where(id_, known))
    if service is None:
        return None
    outputs: Properties = {
        "arn": service["serviceArn"],
        "cluster": _as_known(service["clusterArn"], known.get("cluster")),
        "deploymentController": {"type": (service.get("deploymentController") or {}).get("type", "ECS")},
        "desiredCount": service["desiredCount"],
        "iamRole": service.get("roleArn") or "",
        "id": service["serviceArn"],
        "loadBalancers": [_load_balancer_outputs(balancer) for balancer in service.get("loadBalancers") or []],
        "name": service["serviceName"],
        "propagateTags": service.get("propagateTags") or "NONE",
        "schedulingStrategy": service.get("schedulingStrategy") or "REPLICA",
        "tagsAll": tag_map(service.get("tags"), "key", "value"),
        **{key: known[key] for key in _FORGOTTEN if key in known},
    }
    if not known.get("capacityProviderStrategies"):
        outputs["launchType"] = service.get("launchType") or "EC2"
    if outputs.get("launchType") == "FARGATE":
        outputs["platformVersion"] = service.get("platformVersion") or "LATEST"
    if service.get("taskDefinition"):
        outputs["taskDefinition"] = _as_known(service["taskDefinition"], known.get("taskDefinition"))
    if network := (service.get("networkConfiguration") or {}).get("awsvpcConfiguration"):
        outputs["networkConfiguration"] = {
            "assignPublicIp": network.get("assignPublicIp") == "ENABLED",
            "securityGroups": network.get("securityGroups") or [],
            "subnets": network["subnets"],
        }
    if service.get("serviceRegistries"):
        outputs["serviceRegistries"] = service["serviceRegistries"][0]
    return outputs


def _as_known(arn: str, known: Any) -> str:
    """The name or ARN as the program wrote it, if it is this one's (a family alone stands for its latest revision)."""
    if not isinstance(known, str):
        return arn
    name = arn.rpartition("/")[2]
    same = known.rpartition("/")[2] in (name, name.rpartition(":")[0] or name)
    return known if same else arn


def _load_balancer_outputs(balancer: Properties) -> Properties:
    outputs = {
        "containerName": balancer["containerName"],
        "containerPort": balancer["containerPort"],
        "elbName": balancer.get("loadBalancerName", ""),
        "targetGroupArn": balancer.get("targetGroupArn", ""),
    }
    if balancer.get("advancedConfiguration"):
        outputs["advancedConfiguration"] = balancer["advancedConfiguration"]
    return outputs


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _validate(new)
    client = cloud.client("ecs")
    cluster, name = _where(id_, old)
    real = changed - {"tags", "tagsAll", *_LOCAL}
    if real or (new.get("forceNewDeployment") and changed - {"tags", "tagsAll"}):
        arguments: Properties = {parameter: new[key] for key, parameter in _PLAIN.items() if key in real and key in new}
        for key, reset in (("propagateTags", "NONE"), ("orderedPlacementStrategies", []), ("placementConstraints", [])):
            if key in real and key not in new:
                arguments[_PLAIN[key]] = reset
        if "desiredCount" in real and new.get("schedulingStrategy") != "DAEMON":
            arguments["desiredCount"] = int(new.get("desiredCount") or 0)
        arguments |= _changed_blocks(new, real)
        if new.get("forceNewDeployment"):
            arguments["forceNewDeployment"] = True
        client.update_service(cluster=cluster, service=name, **arguments)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(resourceArn=id_, tagKeys=removed)
        if tags:
            client.tag_resource(resourceArn=id_, tags=tag_list(tags, "key", "value"))


def _changed_blocks(new: Properties, changed: set[str]) -> Properties:
    blocks = _blocks(new)
    properties = {
        "capacityProviderStrategy": {"capacityProviderStrategies"},
        "deploymentConfiguration": {*_ROLLING, "alarms", "deploymentCircuitBreaker", "deploymentConfiguration"},
        "loadBalancers": {"loadBalancers"},
        "networkConfiguration": {"networkConfiguration"},
        "serviceConnectConfiguration": {"serviceConnectConfiguration"},
        "serviceRegistries": {"serviceRegistries"},
    }
    return {name: blocks[name] for name, keys in properties.items() if keys & changed and blocks[name] is not None}


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("ecs")
    cluster, name = _where(id_, known)
    service = _describe(cloud, cluster, name)
    if service is None:
        return
    daemon = service.get("schedulingStrategy") == "DAEMON"
    if service["desiredCount"] and not daemon:
        client.update_service(cluster=cluster, service=name, desiredCount=0)
    client.delete_service(cluster=cluster, service=name, force=bool(known.get("forceDelete")) or daemon)


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    service = _describe(cloud, _cluster(inputs), inputs["name"])
    return [str(service["serviceArn"])] if service else []


def _compare(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """Capacity providers change in place only with forceNewDeployment, and if there are some before and after."""
    replaces = changed & {"cluster", "deploymentController", "iamRole", "launchType", "name", "schedulingStrategy"}
    if "capacityProviderStrategies" in changed:
        before, after = old.get("capacityProviderStrategies"), new.get("capacityProviderStrategies")
        if not (new.get("forceNewDeployment") and before and after):
            replaces.add("capacityProviderStrategies")
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _get_service(cloud: Cloud, arguments: Properties) -> Properties:
    service = _describe(cloud, arguments["clusterArn"], arguments["serviceName"])
    if service is None:
        raise ProviderError(f"getService: cluster {arguments['clusterArn']} has no service {arguments['serviceName']!r}")
    outputs = _read(cloud, service["serviceArn"], {}) or {}
    network = outputs.get("networkConfiguration")
    return {
        "arn": outputs["arn"],
        "clusterArn": arguments["clusterArn"],
        "deploymentControllers": [outputs["deploymentController"]],
        "desiredCount": outputs["desiredCount"],
        "iamRole": outputs["iamRole"],
        "id": outputs["arn"],
        "launchType": outputs.get("launchType", ""),
        "loadBalancers": outputs["loadBalancers"],
        "networkConfigurations": [network] if network else [],
        "pendingCount": service.get("pendingCount", 0),
        "platformVersion": outputs.get("platformVersion", ""),
        "propagateTags": outputs["propagateTags"],
        "region": cloud.region,
        "runningCount": service.get("runningCount", 0),
        "schedulingStrategy": outputs["schedulingStrategy"],
        "serviceName": outputs["name"],
        "status": service["status"],
        "tags": outputs["tagsAll"],
        "taskDefinition": outputs.get("taskDefinition", ""),
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ecs/service:Service",
        service="ecs",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        name=AutoName(max_length=255, unless=()),
        computed=("arn",),
        sticky=("availabilityZoneRebalancing", "cluster", "iamRole", "launchType", "platformVersion", "triggers"),
        local=(*_FORGOTTEN, *_LOCAL),
        defaults={
            "deploymentMaximumPercent": 200,
            "deploymentMinimumHealthyPercent": 100,
            "schedulingStrategy": "REPLICA",
            "sigintRollback": False,
            "waitForSteadyState": False,
        },
        sets=(
            "capacityProviderStrategies",
            "loadBalancers",
            "networkConfiguration.securityGroups",
            "networkConfiguration.subnets",
            "placementConstraints",
        ),
        absent=("ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"),
        compare=_compare,
        tagged=True,
        limits="tasks do not run, so waitForSteadyState does not wait; no volumeConfiguration and VPC Lattice; "
        "deployment options, capacity providers and placement are recorded only",
    ),
)

FUNCTIONS = (Function(token="aws:ecs/getService:getService", service="ecs", call=_get_service),)
