"""Systems Manager's resource types."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

CASES = [
    Case(
        token="aws:ssm/parameter:Parameter",
        inputs={
            "name": "/app/size",
            "type": "String",
            "value": "12",
            "description": "d",
            "allowedPattern": "^[0-9]+$",
            "tags": {"a": "1", "b": "1"},
        },
        update={"value": "13", "description": "e", "tier": "Advanced", "tags": {"a": "2"}, "allowedPattern": None},
        replace={"name": "/app/length"},
        expect={
            "arn": str,
            "dataType": "text",
            "tier": "Standard",
            "version": 1,
            "hasValueWo": False,
        },
    ),
    Case(
        token="aws:ssm/parameter:Parameter",
        name="encrypted",
        needs={"key": Need("aws:kms/key:Key", {})},
        inputs={"type": "SecureString", "value": "hush", "keyId": Ref("key", "keyId"), "tier": "Advanced"},
        update={"value": "hush hush"},
        replace={"dataType": "aws:ec2:image"},
        expect={"value": "hush", "name": str},
    ),
    Case(
        token="aws:ssm/parameter:Parameter",
        name="in-the-open",
        inputs={
            "name": "plain",
            "type": "StringList",
            "insecureValue": "a,b",
            "overwrite": True,
            "tags": {"a": "1"},
        },
        update={"insecureValue": "a,b,c"},
        replace={"name": "plainer"},
        expect={"insecureValue": "a,b"},
    ),
    Case(
        token="aws:ssm/parameter:Parameter",
        name="write-only",
        inputs={"name": "hidden", "type": "SecureString", "valueWo": "hush", "valueWoVersion": 1},
        update={"valueWo": "hush hush", "valueWoVersion": 2},
        replace={"name": "hidden2"},
        expect={"hasValueWo": True, "keyId": "alias/aws/ssm"},
    ),
]
