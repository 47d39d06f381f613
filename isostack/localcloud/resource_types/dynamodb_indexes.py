"""The keys, indexes and capacity of DynamoDB tables: requests for them, what changes between two sets, and reading back."""

from __future__ import annotations

from typing import Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties
from isostack.localcloud.resource_types.shapes import to_aws

ON_DEMAND = "PAY_PER_REQUEST"


def index_keys(index: Properties) -> list[tuple[str, str]]:
    """The key of a global index: (attribute, HASH or RANGE)."""
    if index.get("keySchemas"):
        return [(key["attributeName"], key["keyType"]) for key in index["keySchemas"]]
    return table_keys(index)


def table_keys(inputs: Properties) -> list[tuple[str, str]]:
    """The key that ``hashKey`` and ``rangeKey`` name."""
    names = (("hashKey", "HASH"), ("rangeKey", "RANGE"))
    return [(inputs[name], kind) for name, kind in names if inputs.get(name)]


def schema(keys: list[tuple[str, str]]) -> list[dict[str, str]]:
    """A key as part of a request."""
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys]


def local_keys(inputs: Properties, index: Properties) -> list[tuple[str, str]]:
    """The key of a local index of the table."""
    return [(inputs["hashKey"], "HASH"), (index["rangeKey"], "RANGE")]


def projection(index: Properties) -> Properties:
    """What an index holds, as part of a request."""
    result: Properties = {"ProjectionType": index["projectionType"]}
    if index.get("nonKeyAttributes"):
        result["NonKeyAttributes"] = index["nonKeyAttributes"]
    return result


def throughput(inputs: Properties, on_demand: bool, what: str) -> Properties:
    """The provisioned throughput as part of a request; empty on demand."""
    read, write = inputs.get("readCapacity"), inputs.get("writeCapacity")
    if on_demand:
        return {}
    if not read or not write:
        raise ProviderError(f"{what}: billing mode PROVISIONED needs readCapacity and writeCapacity of at least 1")
    return {"ProvisionedThroughput": {"ReadCapacityUnits": int(read), "WriteCapacityUnits": int(write)}}


def global_index(index: Properties, on_demand: bool) -> Properties:
    """A new global index, as part of a request."""
    result = {
        "IndexName": index["name"],
        "KeySchema": schema(index_keys(index)),
        "Projection": projection(index),
        **throughput(index, on_demand, f"Table: global index {index['name']}"),
    }
    for name, header in (("onDemandThroughput", "OnDemandThroughput"), ("warmThroughput", "WarmThroughput")):
        if index.get(name):
            result[header] = to_aws(index[name])
    return result


def capacity(item: Properties, on_demand: bool) -> Properties:
    """Capacities as DescribeTable tells them; 0 on demand."""
    units = {} if on_demand else item.get("ProvisionedThroughput") or {}
    return {"readCapacity": units.get("ReadCapacityUnits", 0), "writeCapacity": units.get("WriteCapacityUnits", 0)}


def read_projection(item: Properties) -> Properties:
    """What an index holds, as DescribeTable tells it."""
    told = item["Projection"]
    attributes = {"nonKeyAttributes": told["NonKeyAttributes"]} if told.get("NonKeyAttributes") else {}
    return {"projectionType": told["ProjectionType"], **attributes}


def read_index(item: Properties, on_demand: bool, known: Properties) -> Properties:
    keys = {key["KeyType"]: key["AttributeName"] for key in item["KeySchema"]}
    """A global index as DescribeTable tells it, with what moto forgets taken from ``known``."""
    indexes: list[Properties] = known.get("globalSecondaryIndexes") or []
    given = next((index for index in indexes if index.get("name") == item["IndexName"]), {})
    result: Properties = {
        "name": item["IndexName"],
        "hashKey": keys.get("HASH", ""),
        **({"rangeKey": keys["RANGE"]} if "RANGE" in keys else {}),
        **read_projection(item),
        **capacity(item, on_demand),
        **{name: given[name] for name in ("onDemandThroughput", "warmThroughput") if given.get(name)},
    }
    if given.get("keySchemas"):
        result["keySchemas"] = [{"attributeName": key["AttributeName"], "keyType": key["KeyType"]} for key in item["KeySchema"]]
    return result


def capacity_change(index: Properties) -> Properties:
    """New capacities of a global index, as part of a request."""
    what = f"Table: global index {index['name']}"
    return {"Update": {"IndexName": index["name"], **throughput(index, False, what)}}


def index_changes(old: Properties, new: Properties) -> list[Properties]:
    """Changes of global indexes, each for a call of its own: DynamoDB makes or drops one at a time."""
    on_demand = new.get("billingMode") == ON_DEMAND
    before = {index["name"]: index for index in old.get("globalSecondaryIndexes") or []}
    after = {index["name"]: index for index in new.get("globalSecondaryIndexes") or []}
    drop, make, adjust = [], [], []
    for name, index in before.items():
        if name not in after or _shape(index) != _shape(after[name]):
            drop.append({"Delete": {"IndexName": name}})
    fixed = on_demand or old.get("billingMode") == ON_DEMAND
    for name, index in after.items():
        if name not in before or _shape(before[name]) != _shape(index):
            make.append({"Create": global_index(index, on_demand)})
        elif not fixed and any(before[name].get(key) != index.get(key) for key in ("readCapacity", "writeCapacity")):
            adjust.append(capacity_change(index))
    return [*drop, *make, *adjust]


def _shape(index: Properties) -> Any:
    """What of a global index cannot be changed in place."""
    return sorted(index_keys(index)), index["projectionType"], sorted(index.get("nonKeyAttributes") or [])
