"""Amazon CloudWatch: alarms and dashboards; logs and events, which Pulumi files under the same name, have modules of theirs.

Source: the CloudWatch API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import cloudwatch_composite, cloudwatch_events, cloudwatch_logs
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

# Property to parameter, of those that travel as they are.
_ALARM = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "name": "AlarmName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "thresholdMetricId": "ThresholdMetricId",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}
_NUMBERS = {"datapointsToAlarm": int, "evaluationPeriods": int, "period": int, "threshold": float}
_QUERY = {
    "accountId": "AccountId",
    "expression": "Expression",
    "id": "Id",
    "label": "Label",
    "period": "Period",
    "returnData": "ReturnData",
}
_METRIC_STAT = {"period": "Period", "stat": "Stat", "unit": "Unit"}
_UNSUPPORTED = ("evaluationCriteria", "evaluationInterval", "evaluationWindow", "warmUpConfiguration")
_BODY_LIMIT = 1000  # characters of an invalid dashboard body that an error shows at most


def _dimensions(dimensions: Properties | None) -> list[dict[str, str]]:
    return [{"Name": name, "Value": str(value)} for name, value in sorted((dimensions or {}).items())]


def _query(query: Properties) -> Properties:
    request = {name: query[key] for key, name in _QUERY.items() if query.get(key) is not None}
    request.setdefault("ReturnData", False)
    if metric := query.get("metric"):
        described = {"MetricName": metric["metricName"], "Dimensions": _dimensions(metric.get("dimensions"))}
        if metric.get("namespace"):
            described["Namespace"] = metric["namespace"]
        stat = {name: metric[key] for key, name in _METRIC_STAT.items() if metric.get(key) is not None}
        request["MetricStat"] = {"Metric": described, **stat}
    return request


def _query_outputs(query: Properties, known: Properties) -> Properties:
    outputs = {key: query[name] for key, name in _QUERY.items() if query.get(name) is not None}
    outputs.setdefault("returnData", False)
    if known.get("accountId"):
        outputs["accountId"] = known["accountId"]  # moto forgets it
    if stat := query.get("MetricStat"):
        metric = {key: stat[name] for key, name in _METRIC_STAT.items() if stat.get(name) is not None}
        metric["metricName"] = stat["Metric"]["MetricName"]
        metric["dimensions"] = {item["Name"]: item["Value"] for item in stat["Metric"].get("Dimensions", [])}
        if stat["Metric"].get("Namespace"):
            metric["namespace"] = stat["Metric"]["Namespace"]
        outputs["metric"] = metric
    return outputs


def _validate_alarm(inputs: Properties) -> None:
    for name in _UNSUPPORTED:
        if inputs.get(name):
            raise ProviderError(f"MetricAlarm: {name} is not supported on the local cloud; leave it out")
    for name in ("comparisonOperator", "evaluationPeriods"):
        if inputs.get(name) is None:
            raise ProviderError(f"MetricAlarm: {name} is missing")
    if bool(inputs.get("metricName")) == bool(inputs.get("metricQueries")):
        raise ProviderError("MetricAlarm: give either metricName or metricQueries")
    if (inputs.get("threshold") is None) == (inputs.get("thresholdMetricId") is None):
        raise ProviderError("MetricAlarm: give either threshold or thresholdMetricId")
    if inputs.get("metricName"):
        for name in ("namespace", "period"):
            if not inputs.get(name):
                raise ProviderError(f"MetricAlarm: metricName needs {name} too")
        if bool(inputs.get("statistic")) == bool(inputs.get("extendedStatistic")):
            raise ProviderError("MetricAlarm: give either statistic or extendedStatistic")


def _alarm(inputs: Properties) -> Properties:
    _validate_alarm(inputs)
    request = {
        name: _NUMBERS.get(key, lambda value: value)(inputs[key])
        for key, name in _ALARM.items()
        if inputs.get(key) not in (None, "", [])
    }
    if inputs.get("dimensions"):
        request["Dimensions"] = _dimensions(inputs["dimensions"])
    if inputs.get("metricQueries"):
        request["Metrics"] = [_query(query) for query in inputs["metricQueries"]]
    return request


def _create_alarm(cloud: Cloud, inputs: Properties) -> str:
    cloud.client("cloudwatch").put_metric_alarm(**_alarm(inputs), Tags=tag_list(inputs.get("tagsAll")))
    return str(inputs["name"])


def _read_alarm(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("cloudwatch")
    alarms = client.describe_alarms(AlarmNames=[id_], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not alarms:
        return None
    alarm = alarms[0]
    outputs = {key: alarm[name] for key, name in _ALARM.items() if alarm.get(name) not in (None, "")}
    queries = {query["id"]: query for query in known.get("metricQueries") or []}
    tags = client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    return {
        **outputs,
        "arn": alarm["AlarmArn"],
        "dimensions": {item["Name"]: item["Value"] for item in alarm.get("Dimensions") or []},
        "metricQueries": [_query_outputs(query, queries.get(query["Id"], {})) for query in alarm.get("Metrics") or []],
        "tagsAll": tag_map(tags),
    }


def _update_alarm(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("cloudwatch")
    if changed - {"tags", "tagsAll"}:
        client.put_metric_alarm(**_alarm(new))
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(ResourceARN=old["arn"], TagKeys=removed)
        if tags:
            client.tag_resource(ResourceARN=old["arn"], Tags=tag_list(tags))


def _delete_alarm(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[id_])


def _put_dashboard(cloud: Cloud, inputs: Properties) -> Created:
    name, body = inputs["dashboardName"], inputs["dashboardBody"]
    try:
        json.loads(body)
    except (TypeError, ValueError) as error:
        raise ProviderError(f"Dashboard: dashboardBody of {name!r} is not JSON ({error}): {str(body)[:_BODY_LIMIT]}") from error
    cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    arn = f"arn:{cloud.partition}:cloudwatch::{cloud.account_id}:dashboard/{name}"
    return Created(name, {**inputs, "dashboardArn": arn})


def _read_dashboard(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    answer = cloud.client("cloudwatch").get_dashboard(DashboardName=id_)
    body, before = answer["DashboardBody"], known.get("dashboardBody")
    return {
        "dashboardArn": answer["DashboardArn"],
        "dashboardBody": before if isinstance(before, str) and json.loads(before) == json.loads(body) else body,
        "dashboardName": answer["DashboardName"],
    }


def _update_dashboard(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_dashboard(cloud, new)


def _delete_dashboard(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("cloudwatch").delete_dashboards(DashboardNames=[id_])


RESOURCE_TYPES = (
    ResourceType(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        create=_create_alarm,
        read=_read_alarm,
        update=_update_alarm,
        delete=_delete_alarm,
        name=AutoName(max_length=255, unless=()),
        replace_on=("name",),
        computed=("arn",),
        sticky=("evaluateLowSampleCountPercentiles",),
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        sets=("alarmActions", "insufficientDataActions", "metricQueries", "okActions"),
        tagged=True,
        limits="no PromQL criteria, evaluation windows and warm-up; alarms are not evaluated",
    ),
    ResourceType(
        token="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        create=_put_dashboard,
        read=_read_dashboard,
        update=_update_dashboard,
        delete=_delete_dashboard,
        required=("dashboardBody", "dashboardName"),
        replace_on=("dashboardName",),
        computed=("dashboardArn",),
        json_documents=("dashboardBody",),
        absent=("ResourceNotFound", "DashboardNotFoundError"),
        adopts=True,
    ),
    *cloudwatch_composite.RESOURCE_TYPES,
    *cloudwatch_logs.RESOURCE_TYPES,
    *cloudwatch_events.RESOURCE_TYPES,
)

FUNCTIONS = cloudwatch_logs.FUNCTIONS
