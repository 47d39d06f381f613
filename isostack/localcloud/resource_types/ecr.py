"""Amazon ECR: private repositories and their policies.

Source: the ECR API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
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

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _mutability(inputs: Properties) -> dict[str, Any]:
    arguments: dict[str, Any] = {"imageTagMutability": inputs.get("imageTagMutability", "MUTABLE")}
    if inputs.get("imageTagMutabilityExclusionFilters"):
        arguments["imageTagMutabilityExclusionFilters"] = inputs["imageTagMutabilityExclusionFilters"]
    return arguments


def _scanning(inputs: Properties) -> dict[str, bool]:
    return {"scanOnPush": bool((inputs.get("imageScanningConfiguration") or {}).get("scanOnPush", False))}


def _create_repository(cloud: Cloud, inputs: Properties) -> Created:
    arguments = {"repositoryName": inputs["name"], "tags": tag_list(inputs.get("tagsAll")), **_mutability(inputs)}
    if inputs.get("imageScanningConfiguration"):
        arguments["imageScanningConfiguration"] = _scanning(inputs)
    for encryption in inputs.get("encryptionConfigurations") or []:
        arguments["encryptionConfiguration"] = {
            "encryptionType": encryption.get("encryptionType", "AES256"),
            **({"kmsKey": encryption["kmsKey"]} if encryption.get("kmsKey") else {}),
        }
    repository = cloud.client("ecr").create_repository(**arguments)["repository"]
    return Created(repository["repositoryName"], _repository(repository, inputs.get("tagsAll") or {}))


def _repository(repository: Properties, tags: dict[str, str]) -> Properties:
    encryption = repository.get("encryptionConfiguration") or {}
    return {
        "arn": repository["repositoryArn"],
        "encryptionConfigurations": [
            {"encryptionType": encryption.get("encryptionType", "AES256"), "kmsKey": encryption.get("kmsKey", "")}
        ],
        "imageScanningConfiguration": _scanning(repository),
        "imageTagMutability": repository.get("imageTagMutability", "MUTABLE"),
        "imageTagMutabilityExclusionFilters": repository.get("imageTagMutabilityExclusionFilters") or [],
        "name": repository["repositoryName"],
        "registryId": repository["registryId"],
        "repositoryUrl": repository["repositoryUri"],
        "tagsAll": tags,
    }


def _read_repository(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("ecr")
    repository = client.describe_repositories(repositoryNames=[id_])["repositories"][0]
    tags = tag_map(client.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"])
    return _repository(repository, tags)


def _update_repository(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("ecr")
    if changed & {"imageTagMutability", "imageTagMutabilityExclusionFilters"}:
        client.put_image_tag_mutability(repositoryName=id_, **_mutability(new))
    if "imageScanningConfiguration" in changed:
        client.put_image_scanning_configuration(repositoryName=id_, imageScanningConfiguration=_scanning(new))
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(resourceArn=old["arn"], tagKeys=removed)
        if tags:
            client.tag_resource(resourceArn=old["arn"], tags=tag_list(tags))


def _delete_repository(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("ecr")
    try:
        client.delete_repository(repositoryName=id_, force=bool(known.get("forceDelete")))
    except client.exceptions.RepositoryNotEmptyException as error:
        raise ProviderError(
            f"RepositoryNotEmptyException: ECR repository {id_} still has images; set forceDelete and run up first"
        ) from error


def _put_lifecycle_policy(cloud: Cloud, inputs: Properties) -> Created:
    answer = cloud.client("ecr").put_lifecycle_policy(repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"])
    return Created(answer["repositoryName"], {**inputs, "registryId": answer["registryId"]})


def _read_lifecycle_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    answer = cloud.client("ecr").get_lifecycle_policy(repositoryName=id_)
    return {
        "policy": _as_known(known, answer["lifecyclePolicyText"]),
        "registryId": answer["registryId"],
        "repository": answer["repositoryName"],
    }


def _delete_lifecycle_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ecr").delete_lifecycle_policy(repositoryName=id_)


def _put_repository_policy(cloud: Cloud, inputs: Properties) -> Created:
    answer = cloud.client("ecr").set_repository_policy(repositoryName=inputs["repository"], policyText=inputs["policy"])
    return Created(answer["repositoryName"], {**inputs, "registryId": answer["registryId"]})


def _read_repository_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    answer = cloud.client("ecr").get_repository_policy(repositoryName=id_)
    return {
        "policy": _as_known(known, answer["policyText"]),
        "registryId": answer["registryId"],
        "repository": answer["repositoryName"],
    }


def _update_repository_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_repository_policy(cloud, new)


def _delete_repository_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ecr").delete_repository_policy(repositoryName=id_)


def _as_known(known: Properties, actual: str) -> str:
    """The document as the program spelled it, if it still says the same."""
    before = known.get("policy")
    return before if isinstance(before, str) and json.loads(before) == json.loads(actual) else actual


def _get_repository(cloud: Cloud, arguments: Properties) -> Properties:
    outputs = _read_repository(cloud, arguments["name"], {}) or {}
    images = cloud.client("ecr").describe_images(repositoryName=arguments["name"], filter={"tagStatus": "TAGGED"})
    newest: Properties = max(images["imageDetails"], key=lambda image: image["imagePushedAt"], default={})
    return {
        **{key: value for key, value in outputs.items() if key != "tagsAll"},
        "id": arguments["name"],
        "imageScanningConfigurations": [outputs["imageScanningConfiguration"]],
        "mostRecentImageTags": newest.get("imageTags", []),
        "region": cloud.region,
        "registryId": arguments.get("registryId") or outputs["registryId"],
        "tags": outputs["tagsAll"],
    }


def _get_authorization_token(cloud: Cloud, arguments: Properties) -> Properties:
    registry = arguments.get("registryId")
    answer = cloud.client("ecr").get_authorization_token(**({"registryIds": [registry]} if registry else {}))
    data = answer["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": cloud.region,
        "password": password,
        "proxyEndpoint": data["proxyEndpoint"],
        "region": cloud.region,
        "userName": user,
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ecr/repository:Repository",
        service="ecr",
        create=_create_repository,
        read=_read_repository,
        update=_update_repository,
        delete=_delete_repository,
        name=AutoName(max_length=256, lower=True, unless=()),
        replace_on=("name", "encryptionConfigurations"),
        computed=("arn", "registryId", "repositoryUrl"),
        sticky=("encryptionConfigurations", "imageScanningConfiguration"),
        local=("forceDelete",),
        defaults={"imageTagMutability": "MUTABLE"},
        sets=("imageTagMutabilityExclusionFilters",),
        tagged=True,
    ),
    ResourceType(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        service="ecr",
        create=_put_lifecycle_policy,
        read=_read_lifecycle_policy,
        delete=_delete_lifecycle_policy,
        required=("policy", "repository"),
        computed=("registryId",),
        json_documents=("policy",),
        delete_before_replace=True,
        adopts=True,
    ),
    ResourceType(
        token="aws:ecr/repositoryPolicy:RepositoryPolicy",
        service="ecr",
        create=_put_repository_policy,
        read=_read_repository_policy,
        update=_update_repository_policy,
        delete=_delete_repository_policy,
        required=("policy", "repository"),
        replace_on=("repository",),
        computed=("registryId",),
        json_documents=("policy",),
        adopts=True,
    ),
)

FUNCTIONS = (
    Function(token="aws:ecr/getRepository:getRepository", service="ecr", call=_get_repository),
    Function(token="aws:ecr/getAuthorizationToken:getAuthorizationToken", service="ecr", call=_get_authorization_token),
)
