"""ECR's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref

_EXPIRE = {
    "rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5},
    "action": {"type": "expire"},
}
_PULL = {"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}
_REPOSITORY = Need("aws:ecr/repository:Repository", {"name": "shop/api"})
_KEY = Need("aws:kms/key:Key", {})

CASES = [
    Case(
        token="aws:ecr/repository:Repository",
        needs={"key": _KEY},
        inputs={
            "name": "shop/web",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": Ref("key", "arn")}],
            "forceDelete": True,
            "tags": {"a": "1", "b": "1"},
        },
        update={"imageTagMutability": "MUTABLE", "imageScanningConfiguration": {"scanOnPush": False}, "tags": {"a": "2"}},
        replace={"encryptionConfigurations": [{"encryptionType": "AES256"}]},
        expect={"repositoryUrl": str, "registryId": str, "arn": str},
    ),
    Case(
        token="aws:ecr/repository:Repository",
        name="plain",
        inputs={},
        update={
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filter": "latest*", "filterType": "WILDCARD"}],
        },
        replace={"name": "other"},
        expect={"imageTagMutability": "MUTABLE", "name": str},
    ),
    Case(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        needs={"repository": _REPOSITORY},
        inputs={"repository": Ref("repository", "name"), "policy": json.dumps({"rules": [_EXPIRE]})},
        replace={"policy": json.dumps({"rules": [{**_EXPIRE, "description": "old images"}]})},
        expect={"registryId": str},
    ),
    Case(
        token="aws:ecr/repositoryPolicy:RepositoryPolicy",
        needs={"repository": _REPOSITORY},
        inputs={
            "repository": Ref("repository", "name"),
            "policy": json.dumps({"Version": "2012-10-17", "Statement": [_PULL]}),
        },
        update={"policy": json.dumps({"Version": "2012-10-17", "Statement": [{**_PULL, "Sid": "fetch"}]})},
        replace={"repository": "elsewhere"},
        expect={"registryId": str},
    ),
]
