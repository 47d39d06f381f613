"""Amazon CloudWatch Logs: groups, streams, filters and resource policies.

Source: the CloudWatch Logs API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType, tag_changes

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_RETENTION = (0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_MISSING = ("ResourceNotFoundException",)


def _arn(cloud: Cloud, group: str) -> str:
    return f"arn:{cloud.partition}:logs:{cloud.region}:{cloud.account_id}:log-group:{group}"


def _retention(inputs: Properties) -> int:
    days = int(inputs.get("retentionInDays") or 0)
    if days not in _RETENTION:
        raise ProviderError(f"LogGroup: retentionInDays is {days}, not one of {', '.join(map(str, _RETENTION))}")
    return days


def _create_group(cloud: Cloud, inputs: Properties) -> Created:
    name, days = inputs["name"], _retention(inputs)
    arguments = {"logGroupName": name, "tags": inputs.get("tagsAll") or {}, "kmsKeyId": inputs.get("kmsKeyId")}
    client = cloud.client("logs")
    client.create_log_group(**{key: value for key, value in arguments.items() if value})
    if days:
        try:
            client.put_retention_policy(logGroupName=name, retentionInDays=days)
        except Exception:
            client.delete_log_group(logGroupName=name)
            raise
    group = {"logGroupName": name, "retentionInDays": days, "kmsKeyId": inputs.get("kmsKeyId")}
    return Created(name, _group(cloud, group, inputs, inputs.get("tagsAll") or {}))


def _group(cloud: Cloud, group: Properties, known: Properties, tags: dict[str, str]) -> Properties:
    return {
        "arn": _arn(cloud, group["logGroupName"]),
        "deletionProtectionEnabled": bool(known.get("deletionProtectionEnabled")),
        "kmsKeyId": group.get("kmsKeyId") or "",
        "logGroupClass": known.get("logGroupClass") or "STANDARD",
        "name": group["logGroupName"],
        "retentionInDays": group.get("retentionInDays") or 0,
        "tagsAll": tags,
    }


def _described(cloud: Cloud, name: str) -> Properties | None:
    pages = cloud.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    groups = (group for page in pages for group in page["logGroups"])
    return next((group for group in groups if group["logGroupName"] == name), None)


def _read_group(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    group = _described(cloud, id_)
    if group is None:
        return None
    tags = cloud.client("logs").list_tags_for_resource(resourceArn=_arn(cloud, id_))["tags"]
    return _group(cloud, group, known, tags)


def _update_group(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if "kmsKeyId" in changed:
        raise ProviderError(
            f"LogGroup: the local cloud cannot change kmsKeyId of the existing log group {id_}; "
            "give the group another name, or leave the key as it is"
        )
    client = cloud.client("logs")
    if "retentionInDays" in changed:
        days = _retention(new)
        if days:
            client.put_retention_policy(logGroupName=id_, retentionInDays=days)
        else:
            client.delete_retention_policy(logGroupName=id_)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(resourceArn=_arn(cloud, id_), tagKeys=removed)
        if tags:
            client.tag_resource(resourceArn=_arn(cloud, id_), tags=tags)


def _delete_group(cloud: Cloud, id_: str, known: Properties) -> None:
    if known.get("skipDestroy"):
        return
    if known.get("deletionProtectionEnabled"):
        raise ProviderError(f"LogGroup: {id_} has deletionProtectionEnabled; set it to false and run up first")
    cloud.client("logs").delete_log_group(logGroupName=id_)


def _create_stream(cloud: Cloud, inputs: Properties) -> Created:
    group, name = inputs["logGroupName"], inputs["name"]
    cloud.client("logs").create_log_stream(logGroupName=group, logStreamName=name)
    return Created(name, {**inputs, "arn": f"{_arn(cloud, group)}:log-stream:{name}"})


def _read_stream(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    group, name = _both(id_, ":", known, "logGroupName")
    pages = cloud.client("logs").get_paginator("describe_log_streams")
    for page in pages.paginate(logGroupName=group, logStreamNamePrefix=name):
        if any(stream["logStreamName"] == name for stream in page["logStreams"]):
            arn = f"{_arn(cloud, group)}:log-stream:{name}"
            return {"arn": arn, "id": name, "logGroupName": group, "name": name}
    return None


def _delete_stream(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("logs").delete_log_stream(logGroupName=known["logGroupName"], logStreamName=known["name"])


def _find_stream(cloud: Cloud, inputs: Properties) -> list[str]:
    return [inputs["name"]] if _read_stream(cloud, inputs["name"], inputs) else []


def _both(id_: str, separator: str, known: Properties, group_property: str) -> tuple[str, str]:
    """Group and name: what the state knows, or the two parts of an import's id."""
    if group_property in known:
        return known[group_property], known["name"]
    group, found, name = id_.rpartition(separator)
    if not found:
        raise ProviderError(f"{id_!r} is no id to import by; write the log group, {separator!r} and the name")
    return group, name


def _put_metric_filter(cloud: Cloud, inputs: Properties) -> Created:
    given = inputs["metricTransformation"]
    transformation: Properties = {
        "metricName": given["name"],
        "metricNamespace": given["namespace"],
        "metricValue": given["value"],
        "unit": given.get("unit") or "None",
    }
    if given.get("defaultValue") not in (None, ""):
        transformation["defaultValue"] = float(given["defaultValue"])
    if given.get("dimensions"):
        transformation["dimensions"] = given["dimensions"]
    cloud.client("logs").put_metric_filter(
        logGroupName=inputs["logGroupName"],
        filterName=inputs["name"],
        filterPattern=inputs["pattern"].strip(),
        metricTransformations=[transformation],
    )
    return Created(inputs["name"], {**inputs, "metricTransformation": {"unit": "None", **given}})


def _read_metric_filter(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    group, name = _both(id_, ":", known, "logGroupName")
    pages = cloud.client("logs").get_paginator("describe_metric_filters")
    for page in pages.paginate(logGroupName=group, filterNamePrefix=name):
        for found in page["metricFilters"]:
            if found["filterName"] == name and found["logGroupName"] == group:
                pattern, before = found["filterPattern"], known.get("pattern")
                return {
                    "id": name,
                    "logGroupName": group,
                    "metricTransformation": _transformation(found["metricTransformations"][0]),
                    "name": name,
                    "pattern": before if isinstance(before, str) and before.strip() == pattern else pattern,
                }
    return None


def _transformation(found: Properties) -> Properties:
    outputs = {
        "name": found["metricName"],
        "namespace": found["metricNamespace"],
        "unit": found.get("unit") or "None",
        "value": found["metricValue"],
    }
    if found.get("defaultValue") is not None:
        outputs["defaultValue"] = f"{found['defaultValue']:g}"
    if found.get("dimensions"):
        outputs["dimensions"] = found["dimensions"]
    return outputs


def _update_metric_filter(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _delete_metric_filter(cloud, id_, new)  # moto ignores the put of a filter that exists
    _put_metric_filter(cloud, new)


def _delete_metric_filter(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("logs").delete_metric_filter(logGroupName=known["logGroupName"], filterName=known["name"])


def _subscription_id(group: str) -> str:
    return f"cwlsf-{zlib.crc32(f'{group}-'.encode())}"


def _put_subscription(cloud: Cloud, inputs: Properties) -> Created:
    for name in ("applyOnTransformedLogs", "emitSystemFields"):
        if inputs.get(name):
            raise ProviderError(f"LogSubscriptionFilter: {name} is not supported on the local cloud; leave it out")
    arguments = {"roleArn": inputs.get("roleArn"), "distribution": inputs.get("distribution")}
    cloud.client("logs").put_subscription_filter(
        logGroupName=inputs["logGroup"],
        filterName=inputs["name"],
        filterPattern=inputs["filterPattern"],
        destinationArn=inputs["destinationArn"],
        **{key: value for key, value in arguments.items() if value},
    )
    return Created(_subscription_id(inputs["logGroup"]), {**inputs, "roleArn": inputs.get("roleArn") or ""})


def _read_subscription(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    group, name = _both(id_, "|", known, "logGroup")
    filters = cloud.client("logs").describe_subscription_filters(logGroupName=group, filterNamePrefix=name)
    for found in filters["subscriptionFilters"]:
        if found["filterName"] == name:
            return {
                "destinationArn": found["destinationArn"],
                "distribution": known.get("distribution") or "ByLogStream",
                "filterPattern": found["filterPattern"],
                "id": _subscription_id(group),
                "logGroup": group,
                "name": name,
                "roleArn": found.get("roleArn") or "",
            }
    return None


def _update_subscription(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_subscription(cloud, new)


def _delete_subscription(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("logs").delete_subscription_filter(logGroupName=known["logGroup"], filterName=known["name"])


def _put_resource_policy(cloud: Cloud, inputs: Properties) -> Created:
    if inputs.get("resourceArn") or not inputs.get("policyName"):
        raise ProviderError("LogResourcePolicy: resourceArn is not supported on the local cloud; give policyName")
    document = inputs["policyDocument"]
    cloud.client("logs").put_resource_policy(policyName=inputs["policyName"], policyDocument=document)
    return Created(inputs["policyName"], {**inputs, "policyScope": "ACCOUNT", "revisionId": ""})


def _read_resource_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    for policy in cloud.client("logs").describe_resource_policies()["resourcePolicies"]:
        if policy["policyName"] == id_:
            document: Any = policy["policyDocument"]
            before = known.get("policyDocument")
            same = isinstance(before, str) and json.loads(before) == json.loads(document)
            return {
                "policyDocument": before if same else document,
                "policyName": id_,
                "policyScope": "ACCOUNT",
                "revisionId": "",
            }
    return None


def _update_resource_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_resource_policy(cloud, new)


def _delete_resource_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("logs").delete_resource_policy(policyName=id_)


def _get_group(cloud: Cloud, arguments: Properties) -> Properties:
    name = arguments["name"]
    group = _described(cloud, name)
    if group is None:
        raise ProviderError(f"getLogGroup: there is no log group {name!r} in {cloud.region}")
    outputs = _read_group(cloud, name, {}) or {}
    return {
        **{key: value for key, value in outputs.items() if key != "tagsAll"},
        "creationTime": group["creationTime"],
        "id": name,
        "region": cloud.region,
        "tags": outputs["tagsAll"],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create=_create_group,
        read=_read_group,
        update=_update_group,
        delete=_delete_group,
        name=AutoName(max_length=512),
        replace_on=("logGroupClass", "name", "namePrefix"),
        computed=("arn",),
        sticky=("deletionProtectionEnabled", "logGroupClass"),
        local=("deletionProtectionEnabled", "logGroupClass", "namePrefix", "skipDestroy"),
        defaults={"retentionInDays": 0, "skipDestroy": False},
        absent=_MISSING,
        tagged=True,
        limits="kmsKeyId of an existing group cannot change; logGroupClass is recorded only",
    ),
    ResourceType(
        token="aws:cloudwatch/logStream:LogStream",
        service="logs",
        create=_create_stream,
        read=_read_stream,
        delete=_delete_stream,
        find=_find_stream,
        required=("logGroupName",),
        name=AutoName(max_length=512, unless=()),
        replace_on=("logGroupName", "name"),
        computed=("arn",),
        absent=_MISSING,
    ),
    ResourceType(
        token="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        create=_put_metric_filter,
        read=_read_metric_filter,
        update=_update_metric_filter,
        delete=_delete_metric_filter,
        required=("logGroupName", "metricTransformation", "pattern"),
        name=AutoName(max_length=512, unless=()),
        replace_on=("logGroupName", "name"),
        local=("applyOnTransformedLogs",),
        absent=_MISSING,
        adopts=True,
    ),
    ResourceType(
        token="aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
        service="logs",
        create=_put_subscription,
        read=_read_subscription,
        update=_update_subscription,
        delete=_delete_subscription,
        required=("destinationArn", "filterPattern", "logGroup"),
        name=AutoName(max_length=512, unless=()),
        replace_on=("logGroup", "name"),
        sticky=("roleArn",),
        local=("distribution",),
        defaults={"distribution": "ByLogStream"},
        absent=_MISSING,
        adopts=True,
        limits="destinations are Lambda functions, Kinesis and Firehose streams of the local cloud",
    ),
    ResourceType(
        token="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        service="logs",
        create=_put_resource_policy,
        read=_read_resource_policy,
        update=_update_resource_policy,
        delete=_delete_resource_policy,
        required=("policyDocument",),
        replace_on=("policyName", "resourceArn"),
        computed=("policyScope", "revisionId"),
        json_documents=("policyDocument",),
        absent=_MISSING,
        adopts=True,
        limits="account-wide policies only",
    ),
)

FUNCTIONS = (Function(token="aws:cloudwatch/getLogGroup:getLogGroup", service="logs", call=_get_group),)
