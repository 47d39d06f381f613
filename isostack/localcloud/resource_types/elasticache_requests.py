"""What the rows of ElastiCache have in common: versions, tags, logs, and how properties become parameters."""

from __future__ import annotations

import re
from typing import Any

from isostack.localcloud.resource_types.row import Properties, tag_changes, tag_list, tag_map

ABSENT = ("CacheClusterNotFound", "CacheSubnetGroupNotFoundFault", "ReplicationGroupNotFoundFault", "UserNotFound")
_INTEGERS = frozenset(
    {"numCacheClusters", "numCacheNodes", "numNodeGroups", "port", "replicasPerNodeGroup", "snapshotRetentionLimit"}
)


def spelled(inputs: Properties, names: dict[str, str]) -> dict[str, Any]:
    """The inputs that are there, by the API's names."""
    return {
        parameter: int(inputs[name]) if name in _INTEGERS else inputs[name]
        for name, parameter in names.items()
        if inputs.get(name) not in (None, "", [])
    }


def as_given(actual: str | None, known: Any) -> str:
    """What AWS says, in the spelling of the program where the two differ in capitals only."""
    text = actual or ""
    return known if isinstance(known, str) and known.lower() == text.lower() else text


# -- versions -----------------------------------------------------------------------------------------------------------


def _numbers(version: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(version or "")))


def actual_version(version: str) -> str:
    """The full version that a short one stands for."""
    if version == "6.x":
        return "6.2.6"
    return version if version.count(".") > 1 else f"{version}.0"


def is_downgrade(old: Any, new: Any) -> bool:
    """Whether the new version is older, as far as both are written out."""
    pairs = list(zip(_numbers(old), _numbers(new), strict=False))
    return bool(pairs) and [after for _, after in pairs] < [before for before, _ in pairs]


def at_least(version: Any, *wanted: int) -> bool:
    return _numbers(version) >= wanted


def default_parameters(engine: str, version: str, *, sharded: bool = False) -> str:
    """The name of the parameter group that AWS takes unasked."""
    numbers = _numbers(version) or (0,)
    family = ".".join(map(str, numbers[:2])) if engine == "memcached" or numbers[0] < 6 else str(numbers[0])
    family = f"{family}.x" if engine == "redis" and numbers[0] == 6 else family
    return f"default.{engine}{family}{'.cluster.on' if sharded else ''}"


# -- tags and logs ------------------------------------------------------------------------------------------------------


def tags_of(client: Any, arn: str) -> dict[str, str]:
    return tag_map(client.list_tags_for_resource(ResourceName=arn)["TagList"])


def update_tags(client: Any, old: Properties, new: Properties, changed: set[str]) -> None:
    """Set and remove tags until they are as in the new inputs."""
    if "tagsAll" not in changed:
        return
    tags, removed = tag_changes(old, new)
    if removed:
        client.remove_tags_from_resource(ResourceName=old["arn"], TagKeys=removed)
    if tags:
        client.add_tags_to_resource(ResourceName=old["arn"], Tags=tag_list(tags))


def log_requests(inputs: Properties, old: Properties | None = None) -> dict[str, Any]:
    """The parameter by which logs are delivered; kinds that only ``old`` has are switched off."""
    wanted = inputs.get("logDeliveryConfigurations") or []
    logs = [{"Enabled": True, "LogType": one["logType"], **_log_request(one)} for one in wanted]
    kinds = {one["logType"] for one in wanted}
    before = (old or {}).get("logDeliveryConfigurations") or []
    logs += [{"Enabled": False, "LogType": one["logType"]} for one in before if one["logType"] not in kinds]
    return {"LogDeliveryConfigurations": logs} if logs else {}


def _log_request(one: Properties) -> dict[str, Any]:
    details: dict[str, Any] = {"CloudWatchLogsDetails": {"LogGroup": one["destination"]}}
    if one["destinationType"] == "kinesis-firehose":
        details = {"KinesisFirehoseDetails": {"DeliveryStream": one["destination"]}}
    return {"DestinationType": one["destinationType"], "DestinationDetails": details, "LogFormat": one["logFormat"]}


def log_outputs(thing: dict[str, Any]) -> list[Properties]:
    """Where a cluster or a group delivers its logs."""
    found = []
    for one in thing.get("LogDeliveryConfigurations") or []:
        details = one["DestinationDetails"]
        destination = (details.get("CloudWatchLogsDetails") or {}).get("LogGroup")
        found.append(
            {
                "destination": destination or details["KinesisFirehoseDetails"]["DeliveryStream"],
                "destinationType": one["DestinationType"],
                "logFormat": one["LogFormat"],
                "logType": one["LogType"],
            }
        )
    return found
