"""What calls a Lambda function: permissions, event source mappings and function URLs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.lambda_versions import ABSENT, function_name
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType, tag_changes
from isostack.localcloud.resource_types.shapes import from_aws, to_aws

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# -- permissions -------------------------------------------------------------------------------------------------------

_PERMISSION = {
    "action": "Action",
    "eventSourceToken": "EventSourceToken",
    "functionUrlAuthType": "FunctionUrlAuthType",
    "invokedViaFunctionUrl": "InvokedViaFunctionUrl",
    "principal": "Principal",
    "principalOrgId": "PrincipalOrgID",
    "sourceAccount": "SourceAccount",
    "sourceArn": "SourceArn",
    "statementId": "StatementId",
}
_CONDITIONS = {
    "AWS:SourceArn": "sourceArn",
    "AWS:SourceAccount": "sourceAccount",
    "aws:PrincipalOrgID": "principalOrgId",
    "lambda:FunctionUrlAuthType": "functionUrlAuthType",
}


def _qualifier(known: Properties) -> dict[str, str]:
    return {"Qualifier": known["qualifier"]} if known.get("qualifier") else {}


def _statements(client: Any, known: Properties) -> list[Properties]:
    """The statements of a function's policy; empty where it has none, or is not there."""
    try:
        answer = client.get_policy(FunctionName=known["function"], **_qualifier(known))
    except client.exceptions.ResourceNotFoundException:
        return []
    return list(json.loads(answer["Policy"])["Statement"])


def _add_permission(cloud: Cloud, inputs: Properties) -> Created:
    client, id_ = cloud.client("lambda"), str(inputs["statementId"])
    if any(statement.get("Sid") == id_ for statement in _statements(client, inputs)):
        raise ProviderError(f"ResourceConflictException: {inputs['function']} has a statement {id_!r} already; rename it")
    request = {header: inputs[name] for name, header in _PERMISSION.items() if inputs.get(name) not in (None, "")}
    client.add_permission(FunctionName=inputs["function"], **request, **_qualifier(inputs))
    return Created(id_, dict(inputs))


def _read_permission(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if "function" not in known:
        function, _, id_ = id_.rpartition("/")
        name, _, qualifier = function.rpartition(":function:")[2].partition(":")
        known = {"function": name, **({"qualifier": qualifier} if qualifier else {})}
    statement = next((s for s in _statements(cloud.client("lambda"), known) if s.get("Sid") == id_), None)
    if statement is None:
        return None
    principal = statement["Principal"]
    text = principal if isinstance(principal, str) else str(next(iter(principal.values())))
    given = known.get("principal")
    account = f"arn:{cloud.partition}:iam::{given}:root"  # which AWS makes of an account's number
    outputs: Properties = {
        **{name: known[name] for name in ("function", "qualifier", "statementIdPrefix") if known.get(name)},
        "action": statement["Action"],
        "principal": given if text == account else text,
        "statementId": id_,
    }
    # moto leaves these where AddPermission put them, or drops them.
    for name in ("eventSourceToken", "functionUrlAuthType", "invokedViaFunctionUrl"):
        if known.get(name) is not None:
            outputs[name] = known[name]
    for operator in (statement.get("Condition") or {}).values():
        outputs |= {_CONDITIONS[key]: value for key, value in operator.items() if key in _CONDITIONS}
    return {**outputs, "id": id_}


def _remove_permission(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("lambda").remove_permission(FunctionName=known["function"], StatementId=id_, **_qualifier(known))


def _find_permission(cloud: Cloud, inputs: Properties) -> list[str]:
    id_ = inputs["statementId"]
    return [id_] if any(s.get("Sid") == id_ for s in _statements(cloud.client("lambda"), inputs)) else []


# -- event sources -----------------------------------------------------------------------------------------------------

_NAMES = {"destinationArn": "Destination", "kmsKeyArn": "KMSKeyArn"}
_AT_CREATE = ("eventSourceArn", "startingPosition", "startingPositionTimestamp")
_SETTINGS = (
    "batchSize",
    "bisectBatchOnFunctionError",
    "destinationConfig",
    "enabled",
    "filterCriteria",
    "functionResponseTypes",
    "kmsKeyArn",
    "maximumBatchingWindowInSeconds",
    "maximumRecordAgeInSeconds",
    "maximumRetryAttempts",
    "metricsConfig",
    "parallelizationFactor",
    "provisionedPollerConfig",
    "scalingConfig",
    "tumblingWindowInSeconds",
)
_UNSERVED = (
    "amazonManagedKafkaEventSourceConfig",
    "documentDbEventSourceConfig",
    "queues",
    "selfManagedEventSource",
    "selfManagedKafkaEventSourceConfig",
    "sourceAccessConfigurations",
    "topics",
)
# Written when a program stops giving the property.
_RESET = {
    "DestinationConfig": {"OnFailure": {}},
    "FilterCriteria": {"Filters": []},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MetricsConfig": {"Metrics": []},
    "ScalingConfig": {},
    "TumblingWindowInSeconds": 0,
}


def _require_valid_mapping(cloud: Cloud, inputs: Properties) -> None:
    for name in _UNSERVED:
        if inputs.get(name):
            raise ProviderError(f"EventSourceMapping: {name} is not served: the local cloud has SQS and streams only")
    source = inputs.get("eventSourceArn")
    if not source:
        raise ProviderError("EventSourceMapping: give eventSourceArn")
    if source.split(":")[2] in ("dynamodb", "kinesis"):
        if not inputs.get("startingPosition"):
            raise ProviderError("EventSourceMapping: a stream needs startingPosition, such as LATEST")
    elif inputs.get("startingPosition"):
        raise ProviderError("EventSourceMapping: startingPosition is for streams only; leave it out")
    if source.split(":")[2] == "sqs":
        _require_patience(cloud, inputs)


def _require_patience(cloud: Cloud, inputs: Properties) -> None:
    """Lambda takes no queue that hands out a message again before the function may have finished."""
    sqs = cloud.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=inputs["eventSourceArn"].rpartition(":")[2])["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return  # Lambda says so itself
    names = ["VisibilityTimeout"]
    visible = int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]["VisibilityTimeout"])
    name = inputs["functionName"]
    timeout = int(cloud.client("lambda").get_function_configuration(FunctionName=name)["Timeout"])
    if visible < timeout:
        raise ProviderError(
            f"InvalidParameterValueException: the queue's visibility timeout of {visible} seconds is less than the "
            f"function's timeout of {timeout}; raise visibility_timeout_seconds, to six times the timeout best of all"
        )


def _mapping_request(inputs: Properties, names: set[str] | None = None) -> Properties:
    request: Properties = {}
    for name in _SETTINGS:
        if names is not None and name not in names:
            continue
        value = inputs.get(name)
        header = next(iter(to_aws({name: True}, _NAMES)))
        if value not in (None, [], {}):
            request[header] = to_aws(value, _NAMES)
        elif names is not None and header in _RESET:
            request[header] = _RESET[header]
    return request


def _create_mapping(cloud: Cloud, inputs: Properties) -> Created:
    _require_valid_mapping(cloud, inputs)
    start = to_aws({name: inputs.get(name) for name in _AT_CREATE})
    tags = {"Tags": inputs["tagsAll"]} if inputs.get("tagsAll") else {}
    told = cloud.client("lambda").create_event_source_mapping(
        FunctionName=inputs["functionName"], **start, **_mapping_request(inputs), **tags
    )
    return Created(told["UUID"], {**_mapping_outputs(told, inputs), "tagsAll": inputs.get("tagsAll") or {}})


def _mapping_outputs(told: Properties, known: Properties) -> Properties:
    given = str(known.get("functionName", ""))
    same = function_name(given) == function_name(told["FunctionArn"])
    modified = told["LastModified"]
    outputs: Properties = {
        "arn": told["EventSourceMappingArn"],
        "enabled": told["State"] not in ("Disabled", "Disabling"),
        "eventSourceArn": told["EventSourceArn"],
        "functionArn": told["FunctionArn"],
        "functionName": given if same else told["FunctionArn"],
        "lastModified": modified.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(modified, datetime) else str(modified),
        "lastProcessingResult": told.get("LastProcessingResult") or "",
        "state": told["State"],
        "stateTransitionReason": told.get("StateTransitionReason") or "",
        "uuid": told["UUID"],
    }
    for name in (*_SETTINGS, *_AT_CREATE[1:]):
        header = next(iter(to_aws({name: True}, _NAMES)))
        value = told.get(header)
        if name not in outputs and value not in (None, "", [], {}, _RESET.get(header)):
            outputs[name] = from_aws(value, _NAMES)
    if isinstance(outputs.get("startingPositionTimestamp"), datetime):
        outputs["startingPositionTimestamp"] = known["startingPositionTimestamp"]
    return outputs


def _read_mapping(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    told = cloud.client("lambda").get_event_source_mapping(UUID=id_)
    if told["State"] == "Deleting":
        return None
    return {**_mapping_outputs(told, known), "tagsAll": told.get("Tags") or known.get("tagsAll") or {}}


def _update_mapping(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_valid_mapping(cloud, new)
    client = cloud.client("lambda")
    request = _mapping_request(new, changed)
    if "functionName" in changed:
        request["FunctionName"] = new["functionName"]
    if request:
        client.update_event_source_mapping(UUID=id_, **request)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(Resource=old["arn"], TagKeys=removed)
        if tags:
            client.tag_resource(Resource=old["arn"], Tags=tags)


def _delete_mapping(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("lambda").delete_event_source_mapping(UUID=id_)


def _find_mapping(cloud: Cloud, inputs: Properties) -> list[str]:
    pages = cloud.client("lambda").get_paginator("list_event_source_mappings").paginate(EventSourceArn=inputs["eventSourceArn"])
    wanted = function_name(inputs["functionName"])
    return [
        str(item["UUID"])
        for page in pages
        for item in page["EventSourceMappings"]
        if function_name(item["FunctionArn"]) == wanted
    ]


# -- function URLs -----------------------------------------------------------------------------------------------------


def _url_request(inputs: Properties) -> Properties:
    if inputs.get("qualifier"):
        raise ProviderError("FunctionUrl: the local cloud has URLs of whole functions only; leave out qualifier")
    mode = {"InvokeMode": inputs["invokeMode"]} if inputs.get("invokeMode") else {}
    cors = {"Cors": to_aws(inputs["cors"])} if inputs.get("cors") else {}
    return {"FunctionName": inputs["functionName"], "AuthType": inputs["authorizationType"], **mode, **cors}


def _create_url(cloud: Cloud, inputs: Properties) -> Created:
    told = cloud.client("lambda").create_function_url_config(**_url_request(inputs))
    return Created(inputs["functionName"], _url_outputs(told, inputs))


def _url_outputs(told: Properties, known: Properties) -> Properties:
    url = told["FunctionUrl"].rstrip("/") + "/"
    return {
        "authorizationType": told["AuthType"],
        **({"cors": from_aws(told["Cors"])} if told.get("Cors") else {}),
        "functionArn": told["FunctionArn"],
        "functionName": known.get("functionName") or function_name(told["FunctionArn"]),
        "functionUrl": url,
        "invokeMode": known.get("invokeMode") or "BUFFERED",
        "urlId": url.removeprefix("https://").partition(".")[0],
    }


def _read_url(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _url_outputs(cloud.client("lambda").get_function_url_config(FunctionName=id_), known)


def _update_url(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    request = _url_request(new)
    if "cors" in changed and not new.get("cors"):
        request["Cors"] = {"AllowOrigins": [], "AllowMethods": [], "AllowHeaders": [], "ExposeHeaders": []}
    cloud.client("lambda").update_function_url_config(**request)


def _delete_url(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("lambda").delete_function_url_config(FunctionName=id_)


def _find_url(cloud: Cloud, inputs: Properties) -> list[str]:
    cloud.client("lambda").get_function_url_config(FunctionName=inputs["functionName"])
    return [str(inputs["functionName"])]


def _get_url(cloud: Cloud, arguments: Properties) -> Properties:
    name = arguments["functionName"]
    told = cloud.client("lambda").get_function_url_config(FunctionName=name)
    outputs = _url_outputs(told, {"functionName": name})
    times = {"creationTime": told["CreationTime"], "lastModifiedTime": told["LastModifiedTime"]}
    cors = [outputs.pop("cors")] if "cors" in outputs else []
    return {**outputs, **times, "cors": cors, "id": name, "region": cloud.region}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:lambda/permission:Permission",
        service="lambda",
        create=_add_permission,
        read=_read_permission,
        delete=_remove_permission,
        find=_find_permission,
        required=("action", "function", "principal"),
        name=AutoName(property="statementId", max_length=100, unless=("statementIdPrefix",)),
        absent=ABSENT,
    ),
    ResourceType(
        token="aws:lambda/eventSourceMapping:EventSourceMapping",
        service="lambda",
        create=_create_mapping,
        read=_read_mapping,
        update=_update_mapping,
        delete=_delete_mapping,
        find=_find_mapping,
        required=("functionName",),
        replace_on=_AT_CREATE,
        computed=(
            "arn",
            "functionArn",
            "lastModified",
            "lastProcessingResult",
            "state",
            "stateTransitionReason",
            "uuid",
        ),
        sticky=(
            "batchSize",
            "maximumRecordAgeInSeconds",
            "maximumRetryAttempts",
            "parallelizationFactor",
        ),
        local=("useResourceTimeoutForPropagation",),
        defaults={"enabled": True},
        sets=("filterCriteria.filters", "functionResponseTypes"),
        tagged=True,
        absent=ABSENT,
        limits="SQS, DynamoDB and Kinesis only",
    ),
    ResourceType(
        token="aws:lambda/functionUrl:FunctionUrl",
        service="lambda",
        create=_create_url,
        read=_read_url,
        update=_update_url,
        delete=_delete_url,
        find=_find_url,
        required=("authorizationType", "functionName"),
        replace_on=("functionName", "qualifier"),
        computed=("functionArn", "functionUrl", "urlId"),
        sticky=("invokeMode",),
        sets=tuple(f"cors.{name}" for name in ("allowHeaders", "allowMethods", "allowOrigins", "exposeHeaders")),
        absent=ABSENT,
        limits="the URL is not served; no qualifier",
    ),
)

FUNCTIONS = (Function(token="aws:lambda/getFunctionUrl:getFunctionUrl", service="lambda", call=_get_url),)
