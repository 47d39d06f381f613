"""Secrets Manager's resource types."""

from __future__ import annotations

import base64
import json

from tests.rows.case import Case, Need, Ref


def _policy(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


_READ, _WRITE = _policy("secretsmanager:GetSecretValue"), _policy("secretsmanager:PutSecretValue")
_KEY = Need("aws:kms/key:Key", {})
_SECRET = Need("aws:secretsmanager/secret:Secret", {"name": "app/database", "recoveryWindowInDays": 0})
_OTHER = Need("aws:secretsmanager/secret:Secret", {"name": "app/other", "recoveryWindowInDays": 0})
_FIRST = Need("aws:secretsmanager/secretVersion:SecretVersion", {"secretId": Ref("secret", "id"), "secretString": "first"})
_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
_ROLE = Need("aws:iam/role:Role", {"name": "rotator", "assumeRolePolicy": json.dumps({"Statement": [_TRUST]})})
_ROTATOR = Need(
    "aws:lambda/function:Function",
    {
        "name": "rotator",
        "role": Ref("role", "arn"),
        "packageType": "Image",
        "imageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rotator:1",
    },
)

CASES = [
    Case(
        token="aws:secretsmanager/secret:Secret",
        needs={"key": _KEY},
        inputs={
            "name": "app/token",
            "description": "d",
            "kmsKeyId": Ref("key", "arn"),
            "policy": _READ,
            "recoveryWindowInDays": 0,
            "replicas": [{"region": "us-east-1"}],
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "description": "e",
            "policy": "{}",
            "recoveryWindowInDays": 7,
            "replicas": [{"region": "us-west-2"}],
            "tags": {"a": "2"},
        },
        replace={"name": "app/token2"},
        expect={"arn": str, "forceOverwriteReplicaSecret": False},
    ),
    Case(
        token="aws:secretsmanager/secret:Secret",
        name="kept-for-a-month",
        inputs={"namePrefix": "app-", "policy": "{}"},
        update={"policy": _WRITE, "tags": {"a": "1"}},
        replace={"name": "mine"},
        expect={"recoveryWindowInDays": 30, "name": str},
    ),
    Case(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        needs={"secret": _SECRET, "first": _FIRST},
        inputs={"secretId": Ref("secret", "arn"), "secretString": "second", "versionStages": ["blue"]},
        update={"versionStages": ["green", "blue"]},
        replace={"secretString": "third"},
        expect={"arn": str, "secretArn": str, "versionId": str, "hasSecretStringWo": False},
    ),
    Case(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        name="binary",
        needs={"secret": _SECRET, "first": _FIRST},
        inputs={
            "secretId": Ref("secret", "id"),
            "secretBinary": base64.b64encode(b"\x00\xff").decode(),
            "versionStages": ["blue"],
        },
        update={"versionStages": ["red"]},
        replace={"secretBinary": "AAAA"},
    ),
    Case(
        token="aws:secretsmanager/secretPolicy:SecretPolicy",
        needs={"secret": _SECRET, "other": _OTHER},
        inputs={"secretArn": Ref("secret", "arn"), "policy": _READ, "blockPublicPolicy": True},
        update={"policy": _WRITE, "blockPublicPolicy": False},
        replace={"secretArn": Ref("other", "arn")},
    ),
    Case(
        token="aws:secretsmanager/secretRotation:SecretRotation",
        needs={"secret": _SECRET, "other": _OTHER, "first": _FIRST, "role": _ROLE, "rotator": _ROTATOR},
        inputs={
            "secretId": Ref("secret", "id"),
            "rotationLambdaArn": Ref("rotator", "arn"),
            "rotationRules": {"automaticallyAfterDays": 30, "duration": "2h"},
        },
        update={"rotationRules": {"automaticallyAfterDays": 7}, "rotateImmediately": False},
        replace={"secretId": Ref("other", "id")},
        expect={"rotationEnabled": True},
    ),
]
