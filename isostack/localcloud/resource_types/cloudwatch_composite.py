"""CloudWatch's composite alarms. Source: the CloudWatch API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.localcloud.resource_types.row import Properties, ResourceType, tag_changes, tag_list, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_ALARM = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "alarmName": "AlarmName",
    "alarmRule": "AlarmRule",
    "insufficientDataActions": "InsufficientDataActions",
    "okActions": "OKActions",
}


def _put(cloud: Cloud, inputs: Properties, **more: Any) -> str:
    given: dict[str, Any] = {parameter: inputs[name] for name, parameter in _ALARM.items() if inputs.get(name) not in (None, "")}
    if suppressor := inputs.get("actionsSuppressor"):
        given["ActionsSuppressor"] = suppressor["alarm"]
        given["ActionsSuppressorExtensionPeriod"] = int(suppressor["extensionPeriod"])
        given["ActionsSuppressorWaitPeriod"] = int(suppressor["waitPeriod"])
    cloud.client("cloudwatch").put_composite_alarm(**given, **more)
    return str(inputs["alarmName"])


def _create(cloud: Cloud, inputs: Properties) -> str:
    return _put(cloud, inputs, Tags=tag_list(inputs.get("tagsAll")))


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("cloudwatch")
    alarms = client.describe_alarms(AlarmNames=[id_], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    if not alarms:
        return None
    outputs = {name: alarms[0][parameter] for name, parameter in _ALARM.items() if alarms[0].get(parameter) is not None}
    tags = client.list_tags_for_resource(ResourceARN=alarms[0]["AlarmArn"])["Tags"]
    if suppressor := alarms[0].get("ActionsSuppressor"):
        outputs["actionsSuppressor"] = {
            "alarm": suppressor,
            "extensionPeriod": alarms[0].get("ActionsSuppressorExtensionPeriod", 0),
            "waitPeriod": alarms[0].get("ActionsSuppressorWaitPeriod", 0),
        }
    return {**outputs, "arn": alarms[0]["AlarmArn"], "tagsAll": tag_map(tags)}


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("cloudwatch")
    if changed - {"tags", "tagsAll"}:
        _put(cloud, new)
    tags, removed = tag_changes(old, new)
    if removed:
        client.untag_resource(ResourceARN=old["arn"], TagKeys=removed)
    if tags:
        client.tag_resource(ResourceARN=old["arn"], Tags=tag_list(tags))


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[id_])


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    return [inputs["alarmName"]] if _read(cloud, inputs["alarmName"], {}) else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:cloudwatch/compositeAlarm:CompositeAlarm",
        service="cloudwatch",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        required=("alarmName", "alarmRule"),
        replace_on=("actionsEnabled", "alarmName"),
        computed=("arn",),
        defaults={"actionsEnabled": True},
        sets=("alarmActions", "insufficientDataActions", "okActions"),
        delete_before_replace=True,
        tagged=True,
        limits="its rule is not evaluated",
    ),
)
