"""AWS CloudTrail: trails. Source: the CloudTrail API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import (
    AutoName,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Property to parameter; the second table's are left out, or sent empty by an update, where a program gives none.
_FLAGS = {
    "enableLogFileValidation": "EnableLogFileValidation",
    "includeGlobalServiceEvents": "IncludeGlobalServiceEvents",
    "isMultiRegionTrail": "IsMultiRegionTrail",
    "isOrganizationTrail": "IsOrganizationTrail",
}
_TEXTS = {
    "cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn",
    "cloudWatchLogsRoleArn": "CloudWatchLogsRoleArn",
    "kmsKeyId": "KmsKeyId",
    "s3KeyPrefix": "S3KeyPrefix",
    "snsTopicName": "SnsTopicName",
}
_OPERATORS = {
    "endsWiths": "EndsWith",
    "equals": "Equals",
    "notEndsWiths": "NotEndsWith",
    "notEquals": "NotEquals",
    "notStartsWiths": "NotStartsWith",
    "startsWiths": "StartsWith",
}
# What a trail records when nothing is selected: management events.
_DEFAULT_SELECTOR: Properties = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}


def _validate(cloud: Cloud, inputs: Properties) -> None:
    group, role = inputs.get("cloudWatchLogsGroupArn"), inputs.get("cloudWatchLogsRoleArn")
    if bool(group) != bool(role):
        raise ProviderError("Trail: cloudWatchLogsGroupArn and cloudWatchLogsRoleArn go together")
    if group and not group.endswith(":*"):
        raise ProviderError(f"InvalidCloudWatchLogsLogGroupArnException: cloudWatchLogsGroupArn {group} must end with ':*'")
    if inputs.get("isMultiRegionTrail") and not inputs.get("includeGlobalServiceEvents", True):
        raise ProviderError("Trail: isMultiRegionTrail needs includeGlobalServiceEvents")
    if inputs.get("eventSelectors") and inputs.get("advancedEventSelectors"):
        raise ProviderError("Trail: give either eventSelectors or advancedEventSelectors")
    s3, bucket = cloud.client("s3"), inputs["s3BucketName"]
    try:
        policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    except s3.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise ProviderError(f"S3BucketDoesNotExistException: S3 bucket {bucket} does not exist") from error
        if code != "NoSuchBucketPolicy":
            raise
        policy = ""
    if "cloudtrail.amazonaws.com" not in policy and '"*"' not in policy:
        raise ProviderError(
            f"InsufficientS3BucketPolicyException: the policy of bucket {bucket} does not let cloudtrail.amazonaws.com "
            "write; give it one, and let the trail depend on it"
        )


def _request(inputs: Properties) -> Properties:
    topic = (inputs.get("snsTopicName") or "").rpartition(":")[2]  # AWS takes an ARN too, moto a name
    return {
        "S3BucketName": inputs["s3BucketName"],
        **{name: bool(inputs[key]) for key, name in _FLAGS.items() if key in inputs},
        **{name: inputs.get(key) or "" for key, name in _TEXTS.items()},
        "SnsTopicName": topic,
    }


def _create_trail(cloud: Cloud, inputs: Properties) -> str:
    _validate(cloud, inputs)
    client, name = cloud.client("cloudtrail"), inputs["name"]
    if _find_trail(cloud, inputs):
        raise ProviderError(f"TrailAlreadyExistsException: trail {name} already exists in {cloud.region}")
    request = {key: value for key, value in _request(inputs).items() if value != ""}
    arn = client.create_trail(Name=name, **request, TagsList=tag_list(inputs.get("tagsAll")))["TrailARN"]
    try:
        if inputs.get("enableLogging", True):
            client.start_logging(Name=arn)
        if inputs.get("eventSelectors") or inputs.get("advancedEventSelectors"):
            _put_event_selectors(client, arn, inputs)
        if inputs.get("insightSelectors"):
            _put_insight_selectors(client, arn, inputs["insightSelectors"])
    except Exception:
        client.delete_trail(Name=name)
        raise
    return str(arn)


def _put_event_selectors(client: Any, arn: str, inputs: Properties) -> None:
    if inputs.get("advancedEventSelectors"):
        advanced = [
            {
                **({"Name": selector["name"]} if selector.get("name") else {}),
                "FieldSelectors": [
                    {
                        "Field": field["field"],
                        **{name: field[key] for key, name in _OPERATORS.items() if field.get(key)},
                    }
                    for field in selector["fieldSelectors"]
                ],
            }
            for selector in inputs["advancedEventSelectors"]
        ]
        client.put_event_selectors(TrailName=arn, AdvancedEventSelectors=advanced)
        return
    selectors = []
    for selector in inputs.get("eventSelectors") or []:
        request = {
            "ReadWriteType": selector.get("readWriteType", "All"),
            "IncludeManagementEvents": selector.get("includeManagementEvents", True),
            "DataResources": [{"Type": data["type"], "Values": data["values"]} for data in selector.get("dataResources") or []],
        }
        if selector.get("excludeManagementEventSources"):
            request["ExcludeManagementEventSources"] = selector["excludeManagementEventSources"]
        selectors.append(request)
    client.put_event_selectors(TrailName=arn, EventSelectors=selectors or [_DEFAULT_SELECTOR])


def _put_insight_selectors(client: Any, arn: str, selectors: list[Properties]) -> None:
    client.put_insight_selectors(
        TrailName=arn, InsightSelectors=[{"InsightType": selector["insightType"]} for selector in selectors]
    )


def _read_trail(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("cloudtrail")
    trail = client.get_trail(Name=id_)["Trail"]
    arn = trail["TrailARN"]
    outputs: Properties = {
        **{key: trail.get(name) or "" for key, name in _TEXTS.items()},
        **{key: bool(trail.get(name)) for key, name in _FLAGS.items()},
        "enableLogFileValidation": bool(trail.get("LogFileValidationEnabled")),
        "arn": arn,
        "enableLogging": client.get_trail_status(Name=arn)["IsLogging"],
        "homeRegion": trail.get("HomeRegion") or cloud.region,
        "id": arn,
        "name": trail["Name"],
        "s3BucketName": trail["S3BucketName"],
        "snsTopicArn": trail.get("SnsTopicARN") or "",
        "tagsAll": tag_map(client.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]),
        **_selectors(client, arn, known),
    }
    if known.get("snsTopicName") and known["snsTopicName"] == outputs["snsTopicArn"]:
        outputs["snsTopicName"] = known["snsTopicName"]
    insights = client.get_insight_selectors(TrailName=arn).get("InsightSelectors") or []
    kinds = dict.fromkeys(insight["InsightType"] for insight in insights)  # moto repeats what is put twice
    outputs["insightSelectors"] = [{"insightType": kind} for kind in kinds]
    return outputs


def _selectors(client: Any, arn: str, known: Properties) -> Properties:
    answer = client.get_event_selectors(TrailName=arn)
    plain, advanced = answer.get("EventSelectors") or [], answer.get("AdvancedEventSelectors") or []
    if plain:
        advanced = []
    if plain == [_DEFAULT_SELECTOR] and not known.get("eventSelectors"):
        plain = []
    return {
        "advancedEventSelectors": [
            {
                "fieldSelectors": [
                    {"field": field["Field"], **{key: field[name] for key, name in _OPERATORS.items() if field.get(name)}}
                    for field in selector["FieldSelectors"]
                ],
                "name": selector.get("Name", ""),
            }
            for selector in advanced
        ],
        "eventSelectors": [
            {
                "dataResources": [
                    {"type": data["Type"], "values": data["Values"]} for data in selector.get("DataResources") or []
                ],
                "excludeManagementEventSources": selector.get("ExcludeManagementEventSources") or [],
                "includeManagementEvents": selector.get("IncludeManagementEvents", True),
                "readWriteType": selector.get("ReadWriteType", "All"),
            }
            for selector in plain
        ],
    }


def _update_trail(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("cloudtrail")
    removed = [item for item in old.get("insightSelectors") or [] if item not in (new.get("insightSelectors") or [])]
    if "insightSelectors" in changed and removed:
        raise ProviderError("Trail: the local cloud cannot remove an insight selector; give the trail another name")
    if changed & {*_FLAGS, *_TEXTS, "s3BucketName"}:
        _validate(cloud, new)
        client.update_trail(Name=id_, **_request(new))
    if "enableLogging" in changed:
        (client.start_logging if new.get("enableLogging", True) else client.stop_logging)(Name=id_)
    if changed & {"eventSelectors", "advancedEventSelectors"}:
        _put_event_selectors(client, id_, new)
    if "insightSelectors" in changed:
        _put_insight_selectors(client, id_, new["insightSelectors"])
    if "tagsAll" in changed:
        tags, keys = tag_changes(old, new)
        if keys:
            client.remove_tags(ResourceId=id_, TagsList=[{"Key": k, "Value": old["tagsAll"][k]} for k in keys])
        if tags:
            client.add_tags(ResourceId=id_, TagsList=tag_list(tags))


def _delete_trail(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("cloudtrail").delete_trail(Name=id_.rpartition("/")[2])  # moto takes no ARN here


def _find_trail(cloud: Cloud, inputs: Properties) -> list[str]:
    trails = cloud.client("cloudtrail").describe_trails(trailNameList=[inputs["name"]], includeShadowTrails=False)
    return [trail["TrailARN"] for trail in trails["trailList"] if trail["Name"] == inputs["name"]]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:cloudtrail/trail:Trail",
        service="cloudtrail",
        create=_create_trail,
        read=_read_trail,
        update=_update_trail,
        delete=_delete_trail,
        find=_find_trail,
        name=AutoName(max_length=128, unless=()),
        required=("s3BucketName",),
        replace_on=("name",),
        computed=("arn", "homeRegion", "snsTopicArn"),
        defaults={
            "enableLogFileValidation": False,
            "enableLogging": True,
            "includeGlobalServiceEvents": True,
            "isMultiRegionTrail": False,
            "isOrganizationTrail": False,
        },
        sets=("insightSelectors",),
        absent=("TrailNotFoundException",),
        volatile=("snsTopicArn",),
        tagged=True,
        limits="nothing is recorded; insight selectors cannot be removed",
    ),
)
