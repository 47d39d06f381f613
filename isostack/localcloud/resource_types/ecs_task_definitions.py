"""Amazon ECS: task definitions. Source: the ECS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.row import (
    Created,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Properties that travel as they are.
_PLAIN = ("cpu", "executionRoleArn", "family", "ipcMode", "memory", "networkMode", "pidMode", "taskRoleArn")
# Fargate's sizes: task CPU to (least memory, most memory, step), in CPU units and MiB.
_FARGATE_SIZES = {
    256: (512, 2048, 512),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}

# -- container definitions ----------------------------------------------------------------------------------------------


def _containers(cloud: Cloud, text: Any) -> list[Properties]:
    """Container definitions as the API takes them. Like Go's JSON, which Terraform reads them with, this takes keys in
    any case, and leaves out what the API does not know."""
    try:
        containers = json.loads(text)
    except (TypeError, ValueError) as error:
        raise ProviderError(f"TaskDefinition: containerDefinitions is not JSON: {error}") from error
    if not isinstance(containers, list):
        raise ProviderError("TaskDefinition: containerDefinitions must be a JSON list of containers")
    shape = cloud.client("ecs").meta.service_model.shape_for("ContainerDefinitions")
    return list(_fitted(shape, containers))


def _fitted(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {name.lower(): (name, member) for name, member in shape.members.items()}
        fitted = {}
        for key, item in value.items():
            name, member = members.get(key.lower(), ("", None))
            if name and item is not None:
                fitted[name] = _fitted(member, item)
        return fitted
    if shape.type_name == "list" and isinstance(value, list):
        return [_fitted(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: str(item) if isinstance(item, (int, float)) else item for key, item in value.items()}
    return value


def _canonical(containers: list[Properties], awsvpc: bool) -> list[Properties]:
    """Containers in a form in which two definitions that mean the same are equal."""
    canonical = []
    for container in containers:
        meaning: Properties = {
            key: value for key, value in container.items() if isinstance(value, bool) or value not in (None, [], {}, "", 0)
        }
        meaning.setdefault("essential", True)
        for key in ("environment", "secrets"):
            if key in meaning:
                meaning[key] = sorted(meaning[key], key=lambda item: str(item.get("name")))
        ports = []
        for port in container.get("portMappings") or []:
            mapping = {"protocol": "tcp", **{key: value for key, value in port.items() if value not in (None, 0, "")}}
            if awsvpc:
                mapping.setdefault("hostPort", mapping.get("containerPort"))
            ports.append(mapping)
        if ports:
            meaning["portMappings"] = ports
        canonical.append(meaning)
    return sorted(canonical, key=lambda container: str(container.get("name")))


def _same(first: list[Properties], second: list[Properties], awsvpc: bool) -> bool:
    return _canonical(first, awsvpc) == _canonical(second, awsvpc)


# -- volumes and the like -----------------------------------------------------------------------------------------------


def _volume(volume: Properties) -> Properties:
    request = {key: value for key, value in volume.items() if key not in ("configureAtLaunch", "hostPath")}
    if volume.get("hostPath"):
        request["host"] = {"sourcePath": volume["hostPath"]}
    if "configureAtLaunch" in volume:
        request["configuredAtLaunch"] = volume["configureAtLaunch"]
    return {key: value for key, value in request.items() if value not in (None, {}, "")}


def _volume_outputs(volume: Properties) -> Properties:
    outputs = {key: value for key, value in volume.items() if key not in ("configuredAtLaunch", "host")}
    if (volume.get("host") or {}).get("sourcePath"):
        outputs["hostPath"] = volume["host"]["sourcePath"]
    if "configuredAtLaunch" in volume:
        outputs["configureAtLaunch"] = volume["configuredAtLaunch"]
    return outputs


def _validate(inputs: Properties, containers: list[Properties]) -> None:
    awsvpc, fargate = inputs.get("networkMode") == "awsvpc", "FARGATE" in (inputs.get("requiresCompatibilities") or [])
    for container in containers:
        for port in container.get("portMappings") or []:
            if awsvpc and port.get("hostPort") not in (None, 0, port.get("containerPort")):
                raise ProviderError(
                    "ClientException: when networkMode is awsvpc, hostPort and containerPort must match, and "
                    f"{container.get('name')} has {port['hostPort']} and {port.get('containerPort')}"
                )
        logs = (container.get("logConfiguration") or {}).get("logDriver") == "awslogs"
        if fargate and (logs or container.get("secrets")) and not inputs.get("executionRoleArn"):
            why = "log driver awslogs" if logs else "secrets"
            raise ProviderError(f"ClientException: Fargate requires executionRoleArn to support {why}")
    if not fargate:
        return
    if not awsvpc:
        raise ProviderError("ClientException: Fargate only supports networkMode awsvpc")
    cpu, memory = str(inputs.get("cpu") or ""), str(inputs.get("memory") or "")
    if not cpu or not memory:
        raise ProviderError("ClientException: Fargate requires cpu and memory on the task definition")
    if cpu.isdecimal() and memory.isdecimal():
        least, most, step = _FARGATE_SIZES.get(int(cpu), (0, -1, 1))
        if not least <= int(memory) <= most or (int(memory) % step and int(memory) != least):
            raise ProviderError(f"ClientException: No Fargate configuration exists for given values: cpu {cpu}, memory {memory}")


# -- the resource -------------------------------------------------------------------------------------------------------


def _register(cloud: Cloud, inputs: Properties) -> Created:
    containers = _containers(cloud, inputs["containerDefinitions"])
    _validate(inputs, containers)
    arguments: Properties = {key: str(inputs[key]) for key in _PLAIN if inputs.get(key)}
    for key in ("placementConstraints", "requiresCompatibilities", "runtimePlatform"):
        if inputs.get(key):
            arguments[key] = inputs[key]
    if inputs.get("ephemeralStorage"):
        arguments["ephemeralStorage"] = {"sizeInGiB": int(inputs["ephemeralStorage"]["sizeInGib"])}
    if inputs.get("volumes"):
        arguments["volumes"] = [_volume(volume) for volume in inputs["volumes"]]
    if proxy := inputs.get("proxyConfiguration"):
        properties = [{"name": name, "value": value} for name, value in (proxy.get("properties") or {}).items()]
        arguments["proxyConfiguration"] = {
            "containerName": proxy["containerName"],
            "properties": properties,
            "type": proxy.get("type", "APPMESH"),
        }
    if inputs.get("enableFaultInjection") is not None:
        arguments["enableFaultInjection"] = bool(inputs["enableFaultInjection"])
    if inputs.get("tagsAll"):
        arguments["tags"] = tag_list(inputs["tagsAll"], "key", "value")
    answer = cloud.client("ecs").register_task_definition(containerDefinitions=containers, **arguments)
    definition = answer["taskDefinition"]
    return Created(definition["family"], _outputs(cloud, definition, inputs, inputs.get("tagsAll") or {}))


def _outputs(cloud: Cloud, definition: Properties, known: Properties, tags: dict[str, str]) -> Properties:
    arn = definition["taskDefinitionArn"]
    mode = definition.get("networkMode") or ""
    containers, given = definition["containerDefinitions"], known.get("containerDefinitions")
    as_given = given is not None and _same(_containers(cloud, given), containers, mode == "awsvpc")
    outputs: Properties = {key: definition[key] for key in _PLAIN if definition.get(key)}
    outputs |= {
        "arn": arn,
        "arnWithoutRevision": arn.rpartition(":")[0],
        "containerDefinitions": given if as_given else json.dumps(containers, separators=(",", ":")),
        "enableFaultInjection": bool(known.get("enableFaultInjection")),
        "networkMode": mode,
        "placementConstraints": definition.get("placementConstraints") or [],
        "requiresCompatibilities": definition.get("requiresCompatibilities") or [],
        "revision": definition["revision"],
        "tagsAll": tags,
        "volumes": [_volume_outputs(volume) for volume in definition.get("volumes") or []],
    }
    if definition.get("runtimePlatform"):
        outputs["runtimePlatform"] = definition["runtimePlatform"]
    if definition.get("ephemeralStorage"):
        outputs["ephemeralStorage"] = {"sizeInGib": definition["ephemeralStorage"]["sizeInGiB"]}
    if proxy := definition.get("proxyConfiguration"):
        properties = {item["name"]: item["value"] for item in proxy.get("properties") or []}
        outputs["proxyConfiguration"] = {**proxy, "properties": properties}
    return outputs


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("ecs")
    revision = known.get("arn") if not known.get("trackLatest") else id_
    try:
        answer = client.describe_task_definition(taskDefinition=revision or id_, include=["TAGS"])
    except client.exceptions.ClientException:
        return None
    definition = answer["taskDefinition"]
    if definition.get("status") != "ACTIVE":
        return None
    return {**_outputs(cloud, definition, known, tag_map(answer.get("tags"), "key", "value")), "id": definition["family"]}


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("ecs")
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(resourceArn=old["arn"], tagKeys=removed)
        if tags:
            client.tag_resource(resourceArn=old["arn"], tags=tag_list(tags, "key", "value"))


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    if known.get("skipDestroy"):
        return
    client = cloud.client("ecs")
    try:
        client.deregister_task_definition(taskDefinition=known["arn"])
    except client.exceptions.ClientException as error:
        if "Unable to describe task definition" not in str(error):
            raise


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    latest = _read(cloud, inputs["family"], inputs)
    if latest is None or latest["tagsAll"] != (inputs.get("tagsAll") or {}):
        return []
    same = all(latest.get(key) == inputs[key] for key in ("containerDefinitions", *_PLAIN) if key in inputs)
    return [inputs["family"]] if same else []


_IN_PLACE = {"skipDestroy", "tags", "tagsAll", "trackLatest"}


def _compare(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """Whatever changes the task makes a new revision, but not the order of variables and other ways to say the same."""
    try:
        before, after = json.loads(old["containerDefinitions"]), json.loads(new["containerDefinitions"])
        if _same(before, after, new.get("networkMode") == "awsvpc"):
            changed = changed - {"containerDefinitions"}
    except (AttributeError, TypeError, ValueError):
        pass  # unknown at preview, or no JSON: then it has changed
    return Diff(tuple(sorted(changed)), tuple(sorted(changed - _IN_PLACE)))


def _get_task_definition(cloud: Cloud, arguments: Properties) -> Properties:
    client, asked = cloud.client("ecs"), arguments["taskDefinition"]
    try:
        definition = client.describe_task_definition(taskDefinition=asked)["taskDefinition"]
    except client.exceptions.ClientException as error:
        raise ProviderError(f"getTaskDefinition: there is no task definition {asked!r} in {cloud.region}") from error
    outputs = _outputs(cloud, definition, {}, {})
    blocks = {
        "ephemeralStorages": "ephemeralStorage",
        "proxyConfigurations": "proxyConfiguration",
        "runtimePlatforms": "runtimePlatform",
    }
    lists = {name: [outputs.pop(block)] if block in outputs else [] for name, block in blocks.items()}
    texts = {key: outputs.get(key, "") for key in _PLAIN}
    return {
        **{key: value for key, value in outputs.items() if key != "tagsAll"},
        **texts,
        **lists,
        "id": outputs["arn"],
        "region": cloud.region,
        "status": definition["status"],
        "taskDefinition": asked,
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ecs/taskDefinition:TaskDefinition",
        service="ecs",
        create=_register,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        required=("containerDefinitions", "family"),
        computed=("arn", "arnWithoutRevision", "revision"),
        sticky=("enableFaultInjection", "networkMode"),
        local=("skipDestroy", "trackLatest"),
        defaults={"skipDestroy": False, "trackLatest": False},
        sets=("placementConstraints", "requiresCompatibilities", "volumes"),
        json_documents=("containerDefinitions",),
        compare=_compare,
        tagged=True,
        limits="tasks do not run",
    ),
)

FUNCTIONS = (Function(token="aws:ecs/getTaskDefinition:getTaskDefinition", service="ecs", call=_get_task_definition),)
