"""Amazon EventBridge: buses, rules and targets, which Pulumi files under CloudWatch.

Source: the EventBridge API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_DEFAULT_BUS = "default"
_MISSING = ("ResourceNotFoundException",)

# -- buses --------------------------------------------------------------------------------------------------------------


def _create_bus(cloud: Cloud, inputs: Properties) -> str:
    arguments: Properties = {"Name": inputs["name"]}
    for key, name in (
        ("description", "Description"),
        ("eventSourceName", "EventSourceName"),
        ("kmsKeyIdentifier", "KmsKeyIdentifier"),
    ):
        if inputs.get(key):
            arguments[name] = inputs[key]
    if inputs.get("deadLetterConfig"):
        arguments["DeadLetterConfig"] = {"Arn": inputs["deadLetterConfig"]["arn"]}
    if inputs.get("tagsAll"):
        arguments["Tags"] = tag_list(inputs["tagsAll"])
    cloud.client("events").create_event_bus(**arguments)
    return str(inputs["name"])


def _read_bus(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("events")
    bus = client.describe_event_bus(Name=id_)
    outputs: Properties = {
        "arn": bus["Arn"],
        "description": bus.get("Description") or "",
        "kmsKeyIdentifier": bus.get("KmsKeyIdentifier") or "",
        "name": bus["Name"],
        "tagsAll": tag_map(client.list_tags_for_resource(ResourceARN=bus["Arn"])["Tags"]),
    }
    if (bus.get("DeadLetterConfig") or {}).get("Arn"):
        outputs["deadLetterConfig"] = {"arn": bus["DeadLetterConfig"]["Arn"]}
    return outputs


def _update_bus(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    fixed = sorted(changed & {"deadLetterConfig", "description", "kmsKeyIdentifier"})
    if fixed:
        raise ProviderError(
            f"EventBus: the local cloud cannot change {', '.join(fixed)} of the existing bus {id_}; give it another name"
        )
    _update_tags(cloud, old, new)


def _update_tags(cloud: Cloud, old: Properties, new: Properties) -> None:
    tags, removed = tag_changes(old, new)
    if removed:
        cloud.client("events").untag_resource(ResourceARN=old["arn"], TagKeys=removed)
    if tags:
        cloud.client("events").tag_resource(ResourceARN=old["arn"], Tags=tag_list(tags))


def _delete_bus(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("events")
    if client.list_rules(EventBusName=id_)["Rules"]:
        raise ProviderError(f"ValidationException: event bus {id_} still has rules; delete them first")
    client.delete_event_bus(Name=id_)


# -- rules --------------------------------------------------------------------------------------------------------------

_RULE = {
    "description": "Description",
    "eventPattern": "EventPattern",
    "roleArn": "RoleArn",
    "scheduleExpression": "ScheduleExpression",
}


def _rule_id(inputs: Properties) -> str:
    bus = inputs.get("eventBusName") or _DEFAULT_BUS
    return str(inputs["name"]) if bus == _DEFAULT_BUS else f"{bus}/{inputs['name']}"


def _put_rule(cloud: Cloud, inputs: Properties, tags: dict[str, str] | None) -> None:
    if not inputs.get("eventPattern") and not inputs.get("scheduleExpression"):
        raise ProviderError("EventRule: give eventPattern or scheduleExpression")
    state = inputs.get("state") or ("DISABLED" if inputs.get("isEnabled") is False else "ENABLED")
    arguments = {name: inputs[key] for key, name in _RULE.items() if inputs.get(key)}
    if tags:
        arguments["Tags"] = tag_list(tags)
    cloud.client("events").put_rule(
        Name=inputs["name"], EventBusName=inputs.get("eventBusName") or _DEFAULT_BUS, State=state, **arguments
    )


def _create_rule(cloud: Cloud, inputs: Properties) -> str:
    _put_rule(cloud, inputs, inputs.get("tagsAll"))
    return _rule_id(inputs)


def _read_rule(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    bus, _, name = id_.rpartition("/")
    client = cloud.client("events")
    rule = client.describe_rule(Name=name, EventBusName=bus or _DEFAULT_BUS)
    return {
        **{key: rule.get(field) or "" for key, field in _RULE.items()},
        "arn": rule["Arn"],
        "eventBusName": known.get("eventBusName") or bus or _DEFAULT_BUS,
        "isEnabled": rule["State"] != "DISABLED",
        "name": name,
        "state": rule["State"],
        "tagsAll": tag_map(client.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]),
    }


def _update_rule(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed - {"tags", "tagsAll", "forceDestroy"}:
        _put_rule(cloud, new, None)
    if "tagsAll" in changed:
        _update_tags(cloud, old, new)


def _delete_rule(cloud: Cloud, id_: str, known: Properties) -> None:
    bus, _, name = id_.rpartition("/")
    cloud.client("events").delete_rule(Name=name, EventBusName=bus or _DEFAULT_BUS)


def _find_rule(cloud: Cloud, inputs: Properties) -> list[str]:
    return [_rule_id(inputs)] if _read_rule(cloud, _rule_id(inputs), inputs) else []


# -- targets ------------------------------------------------------------------------------------------------------------

# Block to (parameter, its fields). A field that is a pair is a block or a list of blocks itself.
Fields = dict[str, Any]
_NAME_VALUE: Fields = {"name": "Name", "value": "Value"}
_TYPED: Fields = {"type": "type", "expression": "expression", "field": "field"}
_BLOCKS: dict[str, tuple[str, Fields]] = {
    "appsyncTarget": ("AppSyncParameters", {"graphqlOperation": "GraphQLOperation"}),
    "deadLetterConfig": ("DeadLetterConfig", {"arn": "Arn"}),
    "ecsTarget": (
        "EcsParameters",
        {
            "capacityProviderStrategies": (
                "CapacityProviderStrategy",
                {"base": "base", "capacityProvider": "capacityProvider", "weight": "weight"},
            ),
            "enableEcsManagedTags": "EnableECSManagedTags",
            "enableExecuteCommand": "EnableExecuteCommand",
            "group": "Group",
            "launchType": "LaunchType",
            "orderedPlacementStrategies": ("PlacementStrategy", _TYPED),
            "placementConstraints": ("PlacementConstraints", _TYPED),
            "platformVersion": "PlatformVersion",
            "propagateTags": "PropagateTags",
            "taskCount": "TaskCount",
            "taskDefinitionArn": "TaskDefinitionArn",
        },
    ),
    "httpTarget": (
        "HttpParameters",
        {
            "headerParameters": "HeaderParameters",
            "pathParameterValues": "PathParameterValues",
            "queryStringParameters": "QueryStringParameters",
        },
    ),
    "inputTransformer": ("InputTransformer", {"inputPaths": "InputPathsMap", "inputTemplate": "InputTemplate"}),
    "kinesisTarget": ("KinesisParameters", {"partitionKeyPath": "PartitionKeyPath"}),
    "redshiftTarget": (
        "RedshiftDataParameters",
        {
            "database": "Database",
            "dbUser": "DbUser",
            "secretsManagerArn": "SecretManagerArn",
            "sql": "Sql",
            "statementName": "StatementName",
            "withEvent": "WithEvent",
        },
    ),
    "retryPolicy": (
        "RetryPolicy",
        {"maximumEventAgeInSeconds": "MaximumEventAgeInSeconds", "maximumRetryAttempts": "MaximumRetryAttempts"},
    ),
    "sagemakerPipelineTarget": (
        "SageMakerPipelineParameters",
        {"pipelineParameterLists": ("PipelineParameterList", _NAME_VALUE)},
    ),
    "sqsTarget": ("SqsParameters", {"messageGroupId": "MessageGroupId"}),
}
_PLAIN = {"arn": "Arn", "input": "Input", "inputPath": "InputPath", "roleArn": "RoleArn", "targetId": "Id"}


def _request(block: Any, fields: Fields) -> Any:
    if isinstance(block, list):
        return [_request(item, fields) for item in block]
    request = {}
    for key, name in fields.items():
        if block.get(key) in (None, "", [], {}):
            continue
        request.update({name: block[key]} if isinstance(name, str) else {name[0]: _request(block[key], name[1])})
    return request


def _block(answer: Any, fields: Fields) -> Any:
    if isinstance(answer, list):
        return [_block(item, fields) for item in answer]
    block = {}
    for key, name in fields.items():
        actual = answer.get(name if isinstance(name, str) else name[0])
        if actual is not None:
            block[key] = actual if isinstance(name, str) else _block(actual, name[1])
    return block


def _target(inputs: Properties) -> Properties:
    if len([name for name in ("input", "inputPath", "inputTransformer") if inputs.get(name)]) > 1:
        raise ProviderError("EventTarget: give one of input, inputPath and inputTransformer")
    target = {name: inputs[key] for key, name in _PLAIN.items() if inputs.get(key)}
    for key, (name, fields) in _BLOCKS.items():
        if inputs.get(key):
            target[name] = _request(inputs[key], fields)
    if ecs := inputs.get("ecsTarget"):
        parameters = target["EcsParameters"]
        parameters.setdefault("TaskCount", 1)
        if network := ecs.get("networkConfiguration"):
            parameters["NetworkConfiguration"] = {
                "awsvpcConfiguration": {
                    "Subnets": network["subnets"],
                    "SecurityGroups": network.get("securityGroups") or [],
                    "AssignPublicIp": "ENABLED" if network.get("assignPublicIp") else "DISABLED",
                }
            }
        if ecs.get("tags"):
            parameters["Tags"] = tag_list(ecs["tags"])
    if batch := inputs.get("batchTarget"):
        parameters = {"JobDefinition": batch["jobDefinition"], "JobName": batch["jobName"]}
        if batch.get("arraySize"):
            parameters["ArrayProperties"] = {"Size": batch["arraySize"]}
        if batch.get("jobAttempts"):
            parameters["RetryStrategy"] = {"Attempts": batch["jobAttempts"]}
        target["BatchParameters"] = parameters
    if commands := inputs.get("runCommandTargets"):
        target["RunCommandParameters"] = {
            "RunCommandTargets": [{"Key": item["key"], "Values": item["values"]} for item in commands]
        }
    return target


def _target_outputs(target: Properties) -> Properties:
    outputs = {key: target[name] for key, name in _PLAIN.items() if target.get(name)}
    for key, (name, fields) in _BLOCKS.items():
        if target.get(name):
            outputs[key] = _block(target[name], fields)
    if ecs := target.get("EcsParameters"):
        if network := (ecs.get("NetworkConfiguration") or {}).get("awsvpcConfiguration"):
            outputs["ecsTarget"]["networkConfiguration"] = {
                "assignPublicIp": network.get("AssignPublicIp") == "ENABLED",
                "securityGroups": network.get("SecurityGroups") or [],
                "subnets": network["Subnets"],
            }
        if ecs.get("Tags"):
            outputs["ecsTarget"]["tags"] = tag_map(ecs["Tags"])
    if batch := target.get("BatchParameters"):
        outputs["batchTarget"] = {
            "arraySize": batch.get("ArrayProperties", {}).get("Size", 0),
            "jobAttempts": batch.get("RetryStrategy", {}).get("Attempts", 0),
            "jobDefinition": batch["JobDefinition"],
            "jobName": batch["JobName"],
        }
    if commands := target.get("RunCommandParameters"):
        outputs["runCommandTargets"] = [{"key": item["Key"], "values": item["Values"]} for item in commands["RunCommandTargets"]]
    return outputs


def _target_id(inputs: Properties) -> str:
    bus = inputs.get("eventBusName") or _DEFAULT_BUS
    own = f"{inputs['rule']}-{inputs['targetId']}"
    return own if bus == _DEFAULT_BUS else f"{bus}-{own}"


def _put_target(cloud: Cloud, inputs: Properties) -> None:
    answer = cloud.client("events").put_targets(
        Rule=inputs["rule"], EventBusName=inputs.get("eventBusName") or _DEFAULT_BUS, Targets=[_target(inputs)]
    )
    for failure in answer.get("FailedEntries") or []:
        raise ProviderError(f"{failure['ErrorCode']}: {failure['ErrorMessage']} (PutTargets)")


def _create_target(cloud: Cloud, inputs: Properties) -> Created:
    inputs = {**inputs, "targetId": inputs.get("targetId") or f"terraform-{secrets.token_hex(13)}"}
    _put_target(cloud, inputs)
    where = {key: inputs[key] for key in ("eventBusName", "rule")}
    return Created(_target_id(inputs), {**_target_outputs(_target(inputs)), **where})


def _targets(cloud: Cloud, rule: str, bus: str) -> list[Properties]:
    client = cloud.client("events")
    try:
        client.describe_rule(Name=rule, EventBusName=bus)  # moto's list_targets_by_rule breaks on a missing rule
    except client.exceptions.ResourceNotFoundException:
        return []
    pages = client.get_paginator("list_targets_by_rule").paginate(Rule=rule, EventBusName=bus)
    return [target for page in pages for target in page["Targets"]]


def _read_target(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if known.get("targetId"):
        bus, rule, target_id = known.get("eventBusName") or _DEFAULT_BUS, known["rule"], known["targetId"]
    else:
        head, _, target_id = id_.rpartition("/")
        bus, _, rule = head.rpartition("/")
        bus = bus or _DEFAULT_BUS
    for target in _targets(cloud, rule, bus):
        if target["Id"] == target_id:
            where = {"eventBusName": bus, "rule": rule, "targetId": target_id}
            return {**_target_outputs(target), **where, "id": _target_id(where)}
    return None


def _update_target(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed - {"forceDestroy"}:
        _put_target(cloud, {**new, "targetId": old["targetId"]})


def _delete_target(cloud: Cloud, id_: str, known: Properties) -> None:
    bus = known.get("eventBusName") or _DEFAULT_BUS
    if any(target["Id"] == known["targetId"] for target in _targets(cloud, known["rule"], bus)):
        cloud.client("events").remove_targets(Rule=known["rule"], EventBusName=bus, Ids=[known["targetId"]])


def _find_target(cloud: Cloud, inputs: Properties) -> list[str]:
    bus = inputs.get("eventBusName") or _DEFAULT_BUS
    found = []
    for target in _targets(cloud, inputs["rule"], bus):
        if target == _target({**inputs, "targetId": inputs.get("targetId") or target["Id"]}):
            found.append(_target_id({**inputs, "targetId": target["Id"]}))
    return found


RESOURCE_TYPES = (
    ResourceType(
        token="aws:cloudwatch/eventBus:EventBus",
        service="events",
        create=_create_bus,
        read=_read_bus,
        update=_update_bus,
        delete=_delete_bus,
        name=AutoName(max_length=256, unless=()),
        replace_on=("eventSourceName", "name"),
        computed=("arn",),
        local=("eventSourceName", "logConfig"),
        absent=_MISSING,
        tagged=True,
        limits="description, key and dead letters of an existing bus cannot change; logConfig is recorded only",
    ),
    ResourceType(
        token="aws:cloudwatch/eventRule:EventRule",
        service="events",
        create=_create_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule,
        find=_find_rule,
        name=AutoName(max_length=64),
        replace_on=("eventBusName", "name", "namePrefix"),
        computed=("arn",),
        local=("forceDestroy", "namePrefix"),
        defaults={"eventBusName": _DEFAULT_BUS, "forceDestroy": False},
        json_documents=("eventPattern",),
        absent=_MISSING,
        tagged=True,
        volatile=("isEnabled", "state"),
        limits="schedules do not fire",
    ),
    ResourceType(
        token="aws:cloudwatch/eventTarget:EventTarget",
        service="events",
        create=_create_target,
        read=_read_target,
        update=_update_target,
        delete=_delete_target,
        find=_find_target,
        required=("arn", "rule"),
        replace_on=("eventBusName", "rule", "targetId"),
        sticky=("targetId",),
        local=("forceDestroy",),
        defaults={"eventBusName": _DEFAULT_BUS, "forceDestroy": False},
        sets=("ecsTarget.networkConfiguration.subnets", "ecsTarget.networkConfiguration.securityGroups"),
        absent=_MISSING,
    ),
)
