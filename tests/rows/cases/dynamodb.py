"""DynamoDB's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref

_ATTRIBUTES = [{"name": "customer", "type": "S"}, {"name": "placed", "type": "N"}]
_TABLE = Need(
    "aws:dynamodb/table:Table",
    {"name": "orders", "billingMode": "PAY_PER_REQUEST", "hashKey": "id", "attributes": [{"name": "id", "type": "S"}]},
)
_RANGED = Need(
    "aws:dynamodb/table:Table",
    {
        "name": "events",
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": "id",
        "rangeKey": "at",
        "attributes": [{"name": "id", "type": "B"}, {"name": "at", "type": "N"}],
    },
)


def _item(key: str, **more: object) -> str:
    return json.dumps({"id": {"S": key}, **more}, indent=1)


CASES = [
    Case(
        token="aws:dynamodb/table:Table",
        inputs={
            "name": "orders",
            "billingMode": "PAY_PER_REQUEST",
            "hashKey": "customer",
            "rangeKey": "placed",
            "attributes": [*_ATTRIBUTES, {"name": "state", "type": "S"}],
            "globalSecondaryIndexes": [
                {
                    "name": "by-state",
                    "hashKey": "state",
                    "rangeKey": "placed",
                    "projectionType": "INCLUDE",
                    "nonKeyAttributes": ["b", "a"],
                }
            ],
            "localSecondaryIndexes": [{"name": "by-state-here", "rangeKey": "state", "projectionType": "ALL"}],
            "pointInTimeRecovery": {"enabled": True},
            "serverSideEncryption": {"enabled": True},
            "streamEnabled": True,
            "streamViewType": "NEW_AND_OLD_IMAGES",
            "tableClass": "STANDARD_INFREQUENT_ACCESS",
            "ttl": {"attributeName": "expires", "enabled": True},
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "globalSecondaryIndexes": [
                {
                    "name": "by-state-and-time",
                    "keySchemas": [
                        {"attributeName": "state", "keyType": "HASH"},
                        {"attributeName": "placed", "keyType": "RANGE"},
                    ],
                    "projectionType": "KEYS_ONLY",
                }
            ],
            "deletionProtectionEnabled": False,
            "pointInTimeRecovery": {"enabled": True, "recoveryPeriodInDays": 7},
            "tableClass": "STANDARD",
            "ttl": {"attributeName": "expires", "enabled": False},
            "tags": {"a": "2"},
        },
        replace={"name": "other-orders"},
        expect={"arn": str, "streamArn": str, "streamLabel": str, "readCapacity": 0},
    ),
    Case(
        token="aws:dynamodb/table:Table",
        name="provisioned",
        inputs={
            "hashKey": "customer",
            "attributes": _ATTRIBUTES,
            "readCapacity": 2,
            "writeCapacity": 1,
            "globalSecondaryIndexes": [
                {
                    "name": "by-time",
                    "hashKey": "placed",
                    "projectionType": "ALL",
                    "readCapacity": 1,
                    "writeCapacity": 1,
                }
            ],
        },
        update={
            "readCapacity": 3,
            "globalSecondaryIndexes": [
                {
                    "name": "by-time",
                    "hashKey": "placed",
                    "projectionType": "ALL",
                    "readCapacity": 5,
                    "writeCapacity": 1,
                }
            ],
            "serverSideEncryption": {"enabled": True},
        },
        replace={"hashKey": "placed", "attributes": [_ATTRIBUTES[1]], "globalSecondaryIndexes": None},
        expect={"billingMode": "PROVISIONED", "streamEnabled": False, "ttl": {"attributeName": "", "enabled": False}},
    ),
    Case(
        token="aws:dynamodb/table:Table",
        name="that-goes-on-demand",
        inputs={
            "hashKey": "customer",
            "attributes": [_ATTRIBUTES[0]],
            "readCapacity": 2,
            "writeCapacity": 1,
        },
        update={
            "billingMode": "PAY_PER_REQUEST",
            "readCapacity": None,
            "writeCapacity": None,
            "streamEnabled": True,
            "streamViewType": "KEYS_ONLY",
        },
        replace={"rangeKey": "placed", "attributes": _ATTRIBUTES},
        expect={"tableClass": "STANDARD"},
    ),
    Case(
        token="aws:dynamodb/tableItem:TableItem",
        needs={"table": _TABLE},
        inputs={"tableName": Ref("table", "name"), "hashKey": "id", "item": _item("1", n={"N": "1"}, t={"BOOL": True})},
        update={"item": _item("1", n={"N": "2"}, l={"L": [{"S": "a"}, {"M": {"b": {"NULL": True}}}]})},
        replace={"item": _item("2")},
        expect={"hashKeyValue": "1"},
    ),
    Case(
        token="aws:dynamodb/tableItem:TableItem",
        name="with-a-range",
        needs={"table": _RANGED},
        inputs={
            "tableName": Ref("table", "id"),
            "hashKey": "id",
            "rangeKey": "at",
            "item": json.dumps({"id": {"B": "aGVsbG8="}, "at": {"N": "7"}, "set": {"SS": ["a"]}}),
        },
        update={"item": json.dumps({"id": {"B": "aGVsbG8="}, "at": {"N": "7"}})},
        replace={"item": json.dumps({"id": {"B": "aGVsbG8="}, "at": {"N": "8"}})},
        expect={"hashKeyValue": "aGVsbG8=", "rangeKeyValue": "7"},
    ),
]
