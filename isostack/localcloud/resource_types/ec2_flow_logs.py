"""VPC flow logs. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    arn,
    filters,
    given,
    has_tags_of,
    refuse,
    tagged,
    update_tags,
)
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType, tag_list, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# What is watched: the property to EC2's name for the kind, and how its ids begin.
_WATCHED = {
    "eniId": ("NetworkInterface", "eni-"),
    "subnetId": ("Subnet", "subnet-"),
    "vpcId": ("VPC", "vpc-"),
    "transitGatewayAttachmentId": ("TransitGatewayAttachment", "tgw-attach-"),
    "transitGatewayId": ("TransitGateway", "tgw-"),
}


def _watched(inputs: Properties) -> tuple[str, str]:
    """The id of what is watched, and its kind."""
    found = [(str(inputs[name]), kind) for name, (kind, _) in _WATCHED.items() if inputs.get(name)]
    if len(found) != 1:
        raise ProviderError(f"FlowLog: give exactly one of {', '.join(_WATCHED)}")
    return found[0]


def _create_flow_log(cloud: Cloud, inputs: Properties) -> Created:
    refuse(inputs, "FlowLog", "the local cloud has no such sources and tags", "regionalNatGatewayId", "tagFieldSpecifications")
    id_watched, kind = _watched(inputs)
    if kind in ("NetworkInterface", "Subnet", "VPC") and not inputs.get("trafficType"):
        raise ProviderError("FlowLog: missing trafficType; give ACCEPT, REJECT or ALL")
    if not inputs.get("logDestination"):
        raise ProviderError("FlowLog: missing logDestination, the ARN of a log group, bucket or stream")
    options = inputs.get("destinationOptions")
    if options:
        switches = (("HiveCompatiblePartitions", "hiveCompatiblePartitions"), ("PerHourPartition", "perHourPartition"))
        options = {
            "FileFormat": options.get("fileFormat", "plain-text"),
            **{parameter: bool(options.get(name)) for parameter, name in switches},
        }
    parameters = given(
        DeliverCrossAccountRole=inputs.get("deliverCrossAccountRole"),
        DeliverLogsPermissionArn=inputs.get("iamRoleArn"),
        DestinationOptions=options,
        LogDestination=_bucket_alone(inputs["logDestination"]),
        LogDestinationType=inputs["logDestinationType"],
        LogFormat=inputs.get("logFormat"),
        MaxAggregationInterval=int(inputs["maxAggregationInterval"]),
        TrafficType=inputs.get("trafficType"),
    )
    answer = cloud.client("ec2").create_flow_logs(
        ResourceIds=[id_watched], ResourceType=kind, **parameters, **tagged("vpc-flow-log", inputs)
    )
    for failure in answer["Unsuccessful"]:
        raise ProviderError(f"{failure['Error']['Code']}: {failure['Error']['Message']} (CreateFlowLogs)")
    id_ = str(answer["FlowLogIds"][0])
    shown = {"FlowLogId": id_, "ResourceId": id_watched, "Tags": tag_list(inputs.get("tagsAll")), **parameters}
    return Created(id_, _flow_log_outputs(cloud, {"LogFormat": _FORMAT, **shown}, inputs))


# What EC2 writes where nothing is asked for.
_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} "
    "${bytes} ${start} ${end} ${action} ${log-status}"
)


def _bucket_alone(destination: str) -> str:
    """The destination without a folder in the bucket, for moto takes the folder for a part of the bucket's name."""
    return destination.partition("/")[0] if ":s3:::" in destination else destination


def _flow_log_outputs(cloud: Cloud, log: Thing, known: Properties) -> Properties:
    destination, asked = log.get("LogDestination", ""), known.get("logDestination", "")
    watched = next(name for name, (_, prefix) in _WATCHED.items() if log["ResourceId"].startswith(prefix))
    return {
        "arn": arn(cloud, "vpc-flow-log", log["FlowLogId"]),
        "deliverCrossAccountRole": log.get("DeliverCrossAccountRole", known.get("deliverCrossAccountRole", "")),
        "iamRoleArn": log.get("DeliverLogsPermissionArn", ""),
        "logDestination": asked if asked and _bucket_alone(asked) == destination else destination,
        "logDestinationType": log["LogDestinationType"],
        "logFormat": log["LogFormat"],
        "maxAggregationInterval": log["MaxAggregationInterval"],
        "tagsAll": tag_map(log.get("Tags")),
        **given(trafficType=log.get("TrafficType")),
        watched: log["ResourceId"],
    }


def _read_flow_log(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    found = cloud.client("ec2").describe_flow_logs(FlowLogIds=[id_])["FlowLogs"]
    return _flow_log_outputs(cloud, found[0], known) if found else None


def _delete_flow_log(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_flow_logs(FlowLogIds=[id_])


def _find_flow_log(cloud: Cloud, inputs: Properties) -> list[str]:
    found = cloud.client("ec2").describe_flow_logs(Filters=filters(resource_id=_watched(inputs)[0]))["FlowLogs"]
    destination = _bucket_alone(inputs["logDestination"])
    return [log["FlowLogId"] for log in found if log.get("LogDestination") == destination and has_tags_of(log, inputs)]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/flowLog:FlowLog",
        service="ec2",
        create=_create_flow_log,
        read=_read_flow_log,
        update=update_tags,
        delete=_delete_flow_log,
        find=_find_flow_log,
        replace_on=(
            "deliverCrossAccountRole",
            "destinationOptions",
            "iamRoleArn",
            "logDestination",
            "logDestinationType",
            "logFormat",
            "maxAggregationInterval",
            "regionalNatGatewayId",
            "tagFieldSpecifications",
            "trafficType",
            *_WATCHED,
        ),
        computed=("arn",),
        sticky=("logDestination", "logFormat"),
        local=("destinationOptions",),
        defaults={"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600},
        tagged=True,
    ),
)
