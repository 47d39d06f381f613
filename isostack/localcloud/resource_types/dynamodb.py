"""Amazon DynamoDB: tables. Source: the DynamoDB API reference; property names as in pulumi_aws 7.

Keys and indexes are :mod:`isostack.localcloud.resource_types.dynamodb_indexes`'s, items ``dynamodb_items``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import dynamodb_items
from isostack.localcloud.resource_types.dynamodb_indexes import (
    ON_DEMAND,
    capacity,
    capacity_change,
    global_index,
    index_changes,
    index_keys,
    local_keys,
    projection,
    read_index,
    read_projection,
    schema,
    table_keys,
    throughput,
)
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)
from isostack.localcloud.resource_types.shapes import to_aws

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

ABSENT = ("ResourceNotFound", "ResourceNotFoundException", "TableNotFoundException")
_UNSERVED = {
    "globalTableWitness": "there are no global tables",
    "importTable": "there is no import",
    "replicas": "there are no global tables",
    "restoreBackupArn": "there are no backups",
    "restoreSourceName": "there are no backups",
    "restoreSourceTableArn": "there are no backups",
}
_NO_TTL = {"attributeName": "", "enabled": False}

# -- what to ask for ---------------------------------------------------------------------------------------------------


def _attribute_definitions(inputs: Properties) -> list[dict[str, str]]:
    """The attributes that keys use. Raises ProviderError where they and the keys disagree, as DynamoDB does."""
    used = {name for name, _ in table_keys(inputs)}
    for index in inputs.get("globalSecondaryIndexes") or []:
        used |= {name for name, _ in index_keys(index)}
    for index in inputs.get("localSecondaryIndexes") or []:
        used |= {name for name, _ in local_keys(inputs, index)}
    given = {attribute["name"]: attribute["type"] for attribute in inputs.get("attributes") or []}
    if missing := sorted(used - given.keys()):
        raise ProviderError(f"Table: attributes lacks {', '.join(missing)}, which a key of the table or an index uses")
    if unused := sorted(given.keys() - used):
        raise ProviderError(f"Table: all attributes must be part of a key; unused: {', '.join(unused)}")
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in given.items()]


def _require_served(inputs: Properties) -> None:
    for name, reason in _UNSERVED.items():
        if inputs.get(name):
            raise ProviderError(f"Table: {name} is not served by the local cloud: {reason}")
    if not inputs.get("hashKey"):
        raise ProviderError("Table: give hashKey")
    if inputs.get("streamEnabled") and not inputs.get("streamViewType"):
        raise ProviderError("Table: streamEnabled needs a streamViewType")


def _stream(inputs: Properties) -> Properties:
    if not inputs.get("streamEnabled"):
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": inputs["streamViewType"]}


def _encryption(inputs: Properties) -> Properties:
    block = inputs.get("serverSideEncryption") or {}
    if not block.get("enabled"):
        return {"Enabled": False}
    return {"Enabled": True, "SSEType": "KMS", **({"KMSMasterKeyId": block["kmsKeyArn"]} if "kmsKeyArn" in block else {})}


# -- tables ------------------------------------------------------------------------------------------------------------


def _create_table(cloud: Cloud, inputs: Properties) -> Created:
    _require_served(inputs)
    client, name = cloud.client("dynamodb"), inputs["name"]
    on_demand = inputs.get("billingMode") == ON_DEMAND
    request: Properties = {
        "AttributeDefinitions": _attribute_definitions(inputs),
        "BillingMode": inputs.get("billingMode", "PROVISIONED"),
        "DeletionProtectionEnabled": bool(inputs.get("deletionProtectionEnabled")),
        "KeySchema": schema(table_keys(inputs)),
        "Tags": tag_list(inputs.get("tagsAll")),
        **throughput(inputs, on_demand, "Table"),
    }
    if inputs.get("globalSecondaryIndexes"):
        request["GlobalSecondaryIndexes"] = [global_index(i, on_demand) for i in inputs["globalSecondaryIndexes"]]
    if inputs.get("localSecondaryIndexes"):
        request["LocalSecondaryIndexes"] = [
            {"IndexName": i["name"], "KeySchema": schema(local_keys(inputs, i)), "Projection": projection(i)}
            for i in inputs["localSecondaryIndexes"]
        ]
    for property_, header in (("onDemandThroughput", "OnDemandThroughput"), ("warmThroughput", "WarmThroughput")):
        if inputs.get(property_):
            request[header] = to_aws(inputs[property_])
    if inputs.get("streamEnabled"):
        request["StreamSpecification"] = _stream(inputs)
    if (inputs.get("serverSideEncryption") or {}).get("enabled"):
        request["SSESpecification"] = _encryption(inputs)
    if inputs.get("tableClass"):
        request["TableClass"] = inputs["tableClass"]
    table = client.create_table(TableName=name, **request)["TableDescription"]
    try:
        _set_ttl(client, name, {}, inputs)
        _set_recovery(client, name, {}, inputs)
    except Exception:
        client.update_table(TableName=name, DeletionProtectionEnabled=False)
        client.delete_table(TableName=name)
        raise
    recovery = inputs.get("pointInTimeRecovery") or {}
    outputs = {
        **_outputs(table, inputs),
        "pointInTimeRecovery": _recovery(bool(recovery.get("enabled")), recovery.get("recoveryPeriodInDays")),
        "ttl": _ttl(bool((inputs.get("ttl") or {}).get("enabled")), inputs),
        "tagsAll": inputs.get("tagsAll") or {},
    }
    return Created(name, outputs)


def _recovery(enabled: bool, days: Any) -> Properties:
    return {"enabled": enabled, "recoveryPeriodInDays": int(days or 35) if enabled else 0}


def _ttl(enabled: bool, known: Properties) -> Properties:
    """DynamoDB tells no attribute where nothing expires; a program may name one all the same."""
    return {"attributeName": (known.get("ttl") or {}).get("attributeName") or "", "enabled": enabled}


def _set_ttl(client: Any, name: str, old: Properties, new: Properties) -> None:
    before, after = old.get("ttl") or _NO_TTL, new.get("ttl") or _NO_TTL
    if bool(before.get("enabled")) == bool(after.get("enabled")) and not after.get("enabled"):
        return
    attribute = after.get("attributeName") or before.get("attributeName")
    if not attribute:
        raise ProviderError("Table: ttl needs attributeName")
    specification = {"AttributeName": attribute, "Enabled": bool(after.get("enabled"))}
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)


def _set_recovery(client: Any, name: str, old: Properties, new: Properties) -> None:
    block = new.get("pointInTimeRecovery") or {}
    if not block.get("enabled") and not (old.get("pointInTimeRecovery") or {}).get("enabled"):
        return
    specification: Properties = {"PointInTimeRecoveryEnabled": bool(block.get("enabled"))}
    if block.get("enabled") and block.get("recoveryPeriodInDays"):
        specification["RecoveryPeriodInDays"] = int(block["recoveryPeriodInDays"])
    client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)


def _outputs(table: Properties, known: Properties) -> Properties:
    """What DescribeTable tells; without ttl, recovery and tags."""
    mode = table.get("BillingModeSummary", {}).get("BillingMode") or "PROVISIONED"
    keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
    stream = table.get("StreamSpecification") or {"StreamEnabled": False}
    encryption = table.get("SSEDescription") or {}
    outputs: Properties = {
        "arn": table["TableArn"],
        "attributes": [{"name": item["AttributeName"], "type": item["AttributeType"]} for item in table["AttributeDefinitions"]],
        "billingMode": mode,
        "deletionProtectionEnabled": bool(table.get("DeletionProtectionEnabled")),
        "globalSecondaryIndexes": [
            read_index(item, mode == ON_DEMAND, known) for item in table.get("GlobalSecondaryIndexes") or []
        ],
        "hashKey": keys["HASH"],
        "localSecondaryIndexes": [
            {"name": item["IndexName"], **read_projection(item), "rangeKey": item["KeySchema"][1]["AttributeName"]}
            for item in table.get("LocalSecondaryIndexes") or []
        ],
        "name": table["TableName"],
        **capacity(table, mode == ON_DEMAND),
        "streamArn": table.get("LatestStreamArn", ""),
        "streamEnabled": stream["StreamEnabled"],
        "streamLabel": table.get("LatestStreamLabel", ""),
        # moto forgets the class, on-demand limits, and a change of the encryption.
        "tableClass": known.get("tableClass") or "STANDARD",
        **{name: known[name] for name in ("onDemandThroughput", "restoreToLatestTime") if known.get(name)},
    }
    if "RANGE" in keys:
        outputs["rangeKey"] = keys["RANGE"]
    if stream["StreamEnabled"]:
        outputs["streamViewType"] = stream["StreamViewType"]
    elif known.get("streamViewType"):
        outputs["streamViewType"] = known["streamViewType"]
    if known.get("warmThroughput") and table.get("WarmThroughput"):
        warm = table["WarmThroughput"]
        outputs["warmThroughput"] = {
            "readUnitsPerSecond": warm["ReadUnitsPerSecond"],
            "writeUnitsPerSecond": warm["WriteUnitsPerSecond"],
        }
    default = {"enabled": bool(encryption), "kmsKeyArn": encryption.get("KMSMasterKeyArn", "")}
    block = known.get("serverSideEncryption") or default
    if default["enabled"] and block.get("enabled"):
        block = {**default, **{key: value for key, value in block.items() if value}}
    outputs["serverSideEncryption"] = block
    return outputs


def _read_table(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("dynamodb")
    table = client.describe_table(TableName=id_)["Table"]
    if table["TableStatus"] == "DELETING":
        return None
    ttl = client.describe_time_to_live(TableName=id_)["TimeToLiveDescription"]
    backups = client.describe_continuous_backups(TableName=id_)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription") or {}
    expires = ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return {
        **_outputs(table, known),
        "pointInTimeRecovery": _recovery(
            recovery.get("PointInTimeRecoveryStatus") == "ENABLED", recovery.get("RecoveryPeriodInDays")
        ),
        "tagsAll": _tags(client, table["TableArn"]),
        "ttl": _ttl(expires, {"ttl": {"attributeName": ttl["AttributeName"]}} if expires else known),
    }


def _tags(client: Any, arn: str) -> dict[str, str]:
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return tag_map([tag for page in pages for tag in page["Tags"]])


def _update_table(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_served(new)
    client = cloud.client("dynamodb")
    definitions = _attribute_definitions(new)
    if changed & {"billingMode", "readCapacity", "writeCapacity"}:
        _update_billing(client, id_, old, new)
    if changed & {"streamEnabled", "streamViewType"}:
        _update_stream(client, id_, old, new)
    for change in index_changes(old, new):
        client.update_table(TableName=id_, AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[change])
    if "deletionProtectionEnabled" in changed:
        enabled = bool(new.get("deletionProtectionEnabled"))
        client.update_table(TableName=id_, DeletionProtectionEnabled=enabled)
    if "serverSideEncryption" in changed:
        client.update_table(TableName=id_, SSESpecification=_encryption(new))
    if "tableClass" in changed:
        client.update_table(TableName=id_, TableClass=new.get("tableClass") or "STANDARD")
    for property_, header in (("onDemandThroughput", "OnDemandThroughput"), ("warmThroughput", "WarmThroughput")):
        if property_ in changed and new.get(property_):
            client.update_table(TableName=id_, **{header: to_aws(new[property_])})
    if "ttl" in changed:
        _set_ttl(client, id_, old, new)
    if "pointInTimeRecovery" in changed:
        _set_recovery(client, id_, old, new)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(ResourceArn=old["arn"], TagKeys=removed)
        if tags:
            client.tag_resource(ResourceArn=old["arn"], Tags=tag_list(tags))


def _update_billing(client: Any, name: str, old: Properties, new: Properties) -> None:
    """Mode and capacity of the table; indexes that stay get theirs in the same breath when the mode changes."""
    mode = new.get("billingMode", "PROVISIONED")
    request: Properties = throughput(new, mode == ON_DEMAND, "Table")
    if old.get("billingMode") != mode:
        request["BillingMode"] = mode
        there = {index["name"] for index in old.get("globalSecondaryIndexes") or []}
        stay = [index for index in new.get("globalSecondaryIndexes") or [] if index["name"] in there]
        if mode != ON_DEMAND and stay:
            request["GlobalSecondaryIndexUpdates"] = [capacity_change(index) for index in stay]
    if request:
        client.update_table(TableName=name, **request)


def _update_stream(client: Any, name: str, old: Properties, new: Properties) -> None:
    if not old.get("streamEnabled") and not new.get("streamEnabled"):
        return
    if new.get("streamEnabled") and old.get("streamArn"):
        raise ProviderError(
            "Table: the local cloud gives a table one stream in its life, so streamViewType cannot be changed "
            "and a stream that was off cannot go on again; replace the table"
        )
    client.update_table(TableName=name, StreamSpecification=_stream(new))


def _delete_table(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("dynamodb").delete_table(TableName=id_)


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_table(cloud: Cloud, arguments: Properties) -> Properties:
    client = cloud.client("dynamodb")
    if not (outputs := _read_table(cloud, arguments["name"], {})):
        raise ProviderError(f"getTable: {arguments['name']} is being deleted")
    table = client.describe_table(TableName=arguments["name"])["Table"]
    warm = table.get("WarmThroughput") or {}
    tags = outputs.pop("tagsAll")
    indexes = [
        {"keySchemas": [], "onDemandThroughputs": [], "warmThroughputs": [], "nonKeyAttributes": [], "rangeKey": ""} | i
        for i in outputs["globalSecondaryIndexes"]
    ]
    return {
        **outputs,
        "globalSecondaryIndexes": indexes,
        "id": arguments["name"],
        "onDemandThroughputs": [],
        "rangeKey": outputs.get("rangeKey", ""),
        "region": cloud.region,
        "replicas": [],
        "streamViewType": outputs.get("streamViewType", ""),
        "tags": tags,
        "warmThroughputs": [
            {"readUnitsPerSecond": warm["ReadUnitsPerSecond"], "writeUnitsPerSecond": warm["WriteUnitsPerSecond"]}
        ]
        if warm
        else [],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:dynamodb/table:Table",
        service="dynamodb",
        create=_create_table,
        read=_read_table,
        update=_update_table,
        delete=_delete_table,
        name=AutoName(max_length=255, unless=()),
        replace_on=("name", "hashKey", "rangeKey", "localSecondaryIndexes", "importTable"),
        computed=("arn", "streamArn", "streamLabel"),
        sticky=(
            "onDemandThroughput",
            "pointInTimeRecovery",
            "readCapacity",
            "serverSideEncryption",
            "streamViewType",
            "ttl",
            "warmThroughput",
            "writeCapacity",
        ),
        defaults={"billingMode": "PROVISIONED"},
        sets=(
            "attributes",
            "globalSecondaryIndexes",
            "globalSecondaryIndexes.nonKeyAttributes",
            "localSecondaryIndexes",
            "localSecondaryIndexes.nonKeyAttributes",
        ),
        tagged=True,
        absent=ABSENT,
        limits="no replicas, import or backups; one stream in a table's life",
    ),
    *dynamodb_items.RESOURCE_TYPES,
)

FUNCTIONS = (
    Function(token="aws:dynamodb/getTable:getTable", service="dynamodb", call=_get_table),
    *dynamodb_items.FUNCTIONS,
)
