"""KMS's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref


def _policy(sid: str) -> str:
    statement = {"Sid": sid, "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


_KEY = Need("aws:kms/key:Key", {"description": "first"})
_OTHER_KEY = Need("aws:kms/key:Key", {"description": "second"})

CASES = [
    Case(
        token="aws:kms/key:Key",
        inputs={
            "description": "d",
            "deletionWindowInDays": 7,
            "enableKeyRotation": True,
            "policy": _policy("a"),
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "description": "e",
            "enableKeyRotation": False,
            "isEnabled": False,
            "policy": _policy("b"),
            "tags": {"a": "2"},
        },
        replace={"multiRegion": True},
        expect={"arn": str, "keyId": str, "keyUsage": "ENCRYPT_DECRYPT", "rotationPeriodInDays": 365},
    ),
    Case(
        token="aws:kms/key:Key",
        name="for-signing",
        inputs={"customerMasterKeySpec": "ECC_NIST_P256", "keyUsage": "SIGN_VERIFY", "isEnabled": False},
        update={"isEnabled": True, "deletionWindowInDays": 8},
        replace={"customerMasterKeySpec": "ECC_NIST_P384"},
        expect={"policy": str, "multiRegion": False, "isEnabled": False},
    ),
    Case(
        token="aws:kms/keyPolicy:KeyPolicy",
        needs={"key": _KEY, "other": _OTHER_KEY},
        inputs={"keyId": Ref("key", "id"), "policy": _policy("a")},
        update={"policy": _policy("b")},
        replace={"keyId": Ref("other", "id")},
    ),
    Case(
        token="aws:kms/alias:Alias",
        needs={"key": _KEY, "other": _OTHER_KEY},
        inputs={"name": "alias/app", "targetKeyId": Ref("key", "arn")},
        update={"targetKeyId": Ref("other", "keyId")},
        replace={"name": "alias/other"},
        expect={"arn": str, "targetKeyArn": str},
    ),
    Case(
        token="aws:kms/alias:Alias",
        name="named-automatically",
        needs={"key": _KEY},
        inputs={"targetKeyId": Ref("key", "keyId")},
        replace={"name": "alias/other"},
    ),
    Case(
        token="aws:kms/grant:Grant",
        needs={"key": _KEY},
        inputs={
            "name": "g",
            "keyId": Ref("key", "keyId"),
            "granteePrincipal": "arn:aws:iam::123456789012:role/worker",
            "operations": ["Encrypt", "Decrypt"],
            "constraints": [{"encryptionContextEquals": {"app": "shop"}}],
        },
        replace={"operations": ["Decrypt"]},
        expect={"grantId": str, "grantToken": str},
    ),
]
