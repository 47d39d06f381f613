"""Items in DynamoDB tables. Their ids are ``table,hash key[,range key]``, with binary keys in Base64."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _from_json(value: Any) -> Any:
    """An attribute value with bytes where its JSON has Base64."""
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        if key == "B" and isinstance(item, str):
            result[key] = base64.b64decode(item)
        elif key == "BS" and isinstance(item, list):
            result[key] = [base64.b64decode(text) for text in item]  # type: ignore[assignment]  # a set of binaries
        else:
            result[key] = _from_json(item)
    return result


def _to_json(value: Any) -> Any:
    """The other way round."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, set)):
        return [_to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    return value


def _item(inputs: Properties) -> Properties:
    try:
        item = json.loads(inputs["item"])
    except ValueError as error:
        raise ProviderError(f"TableItem: item is not JSON: {error}") from error
    if not isinstance(item, dict) or not all(isinstance(value, dict) and len(value) == 1 for value in item.values()):
        raise ProviderError('TableItem: item must look like {"name": {"S": "value"}}')
    for name in _key_names(inputs):
        if name not in item:
            raise ProviderError(f"TableItem: item lacks the key {name}")
    return {name: _from_json(value) for name, value in item.items()}


def _key_names(inputs: Properties) -> list[str]:
    return [inputs[name] for name in ("hashKey", "rangeKey") if inputs.get(name)]


def _key(inputs: Properties) -> Properties:
    item = _item(inputs)
    return {name: item[name] for name in _key_names(inputs)}


def _key_texts(key: Properties) -> list[str]:
    return [str(_to_json(value)) for attribute in key.values() for value in attribute.values()]


def _create_item(cloud: Cloud, inputs: Properties) -> Created:
    client = cloud.client("dynamodb")
    try:
        client.put_item(
            TableName=inputs["tableName"],
            Item=_item(inputs),
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": inputs["hashKey"]},
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        raise ProviderError(f"TableItem: {inputs['tableName']} holds an item with this key already; import it") from error
    texts = _key_texts(_key(inputs))
    return Created(",".join([inputs["tableName"], *texts]), _outputs(inputs, texts, inputs["item"]))


def _outputs(known: Properties, texts: list[str], text: str) -> Properties:
    return {
        "hashKey": known["hashKey"],
        "hashKeyValue": texts[0],
        "item": text,
        "tableName": known["tableName"],
        **({"rangeKey": known["rangeKey"], "rangeKeyValue": texts[1]} if known.get("rangeKey") else {}),
    }


def _read_item(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if "item" in known:
        key = _key(known)
    else:
        known, key = _import_key(cloud, id_)
    answer = cloud.client("dynamodb").get_item(TableName=known["tableName"], Key=key, ConsistentRead=True)
    if "Item" not in answer:
        return None
    actual = _to_json(answer["Item"])
    same = "item" in known and _to_json(_item(known)) == actual
    return _outputs(known, _key_texts(key), known["item"] if same else json.dumps(actual))


def _import_key(cloud: Cloud, id_: str) -> tuple[Properties, Properties]:
    """The table with its key's names, and the key's values, from an id."""
    table_name, *texts = id_.split(",")
    table = cloud.client("dynamodb").describe_table(TableName=table_name)["Table"]
    types = {item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]}
    names = {item["KeyType"]: item["AttributeName"] for item in table["KeySchema"]}
    if len(texts) != len(names):
        raise ProviderError(f"TableItem {id_}: the id of an item is table,hash key and, where there is one, range key")
    known = {"tableName": table_name, "hashKey": names["HASH"]}
    if "RANGE" in names:
        known["rangeKey"] = names["RANGE"]
    pairs = zip(_key_names(known), texts, strict=True)
    return known, {name: _from_json({types[name]: text}) for name, text in pairs}


def _update_item(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if "item" in changed:
        cloud.client("dynamodb").put_item(TableName=new["tableName"], Item=_item(new))


def _delete_item(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("dynamodb").delete_item(TableName=known["tableName"], Key=_key(known))


def _find_item(cloud: Cloud, inputs: Properties) -> list[str]:
    found = _read_item(cloud, "", inputs)
    return [",".join([inputs["tableName"], *_key_texts(_key(inputs))])] if found else []


def _compare(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A change of the key is another item, and another id."""
    replaces = changed & {"tableName", "hashKey", "rangeKey"}
    if not replaces and "item" in changed and isinstance(new["item"], str):
        before, after = json.loads(old["item"]), json.loads(new["item"])
        if any(before.get(name) != after.get(name) for name in _key_names(old)):
            replaces = {"item"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _get_table_item(cloud: Cloud, arguments: Properties) -> Properties:
    names = {"expressionAttributeNames": "ExpressionAttributeNames", "projectionExpression": "ProjectionExpression"}
    request = {header: arguments[name] for name, header in names.items() if arguments.get(name)}
    key = {name: _from_json(value) for name, value in json.loads(arguments["key"]).items()}
    answer = cloud.client("dynamodb").get_item(TableName=arguments["tableName"], Key=key, ConsistentRead=True, **request)
    if "Item" not in answer:
        raise ProviderError(f"getTableItem: {arguments['tableName']} holds no item with the key {arguments['key']}")
    id_ = "|".join([arguments["tableName"], *key])
    return {**arguments, "id": id_, "item": json.dumps(_to_json(answer["Item"])), "region": cloud.region}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:dynamodb/tableItem:TableItem",
        service="dynamodb",
        create=_create_item,
        read=_read_item,
        update=_update_item,
        delete=_delete_item,
        find=_find_item,
        required=("hashKey", "item", "tableName"),
        compare=_compare,
        computed=("hashKeyValue", "rangeKeyValue"),
        json_documents=("item",),
        absent=("ResourceNotFoundException",),
    ),
)

FUNCTIONS = (Function(token="aws:dynamodb/getTableItem:getTableItem", service="dynamodb", call=_get_table_item),)
