"""AWS Secrets Manager: secrets, their policies and their rotation. Values are ``secretsmanager_versions``'s.

Source: the Secrets Manager API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import secretsmanager_versions
from isostack.localcloud.resource_types.iam_policies import policy_text, require_policy
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

_NO_POLICY = "{}"  # how a program asks for a secret's policy to be removed

# -- secrets -----------------------------------------------------------------------------------------------------------


def _create_secret(cloud: Cloud, inputs: Properties) -> Created:
    if inputs.get("type"):
        raise ProviderError("Secret: managed external secrets (type) are not supported on the local cloud; leave out type")
    days = int(inputs.get("recoveryWindowInDays", 30))
    if days != 0 and not 7 <= days <= 30:
        raise ProviderError(f"Secret: recoveryWindowInDays is {days}, and must be 0 or between 7 and 30")
    policy = _wanted_policy(inputs)
    client = cloud.client("secretsmanager")
    optional = {
        "Description": inputs.get("description"),
        "KmsKeyId": inputs.get("kmsKeyId"),
        "Tags": tag_list(inputs.get("tagsAll")),
        "AddReplicaRegions": _replica_regions(inputs),
        "ForceOverwriteReplicaSecret": inputs.get("forceOverwriteReplicaSecret"),
    }
    answer = client.create_secret(Name=inputs["name"], **{key: value for key, value in optional.items() if value})
    arn = answer["ARN"]
    if policy:
        try:
            client.put_resource_policy(SecretId=arn, ResourcePolicy=policy)
        except Exception:
            _delete_secret(cloud, arn, {**inputs, "recoveryWindowInDays": 0})
            raise
    secret = {**answer, "Description": inputs.get("description", ""), "KmsKeyId": inputs.get("kmsKeyId", "")}
    outputs = _secret_outputs(secret, inputs) | {"tagsAll": inputs.get("tagsAll") or {}}
    return Created(arn, outputs | {"policy": inputs.get("policy", "")})


def _wanted_policy(inputs: Properties) -> str | None:
    policy = inputs.get("policy")
    if not policy or policy.strip() == _NO_POLICY:
        return None
    require_policy(policy, "policy")
    return str(policy)


def _replica_regions(inputs: Properties) -> list[Properties]:
    return [
        {"Region": replica["region"], **({"KmsKeyId": replica["kmsKeyId"]} if replica.get("kmsKeyId") else {})}
        for replica in inputs.get("replicas") or []
    ]


def _secret_outputs(secret: Properties, known: Properties) -> Properties:
    replicas = [
        next((asked for asked in known.get("replicas") or [] if asked["region"] == region), {"region": region})
        for region in (replica["Region"] for replica in secret.get("ReplicationStatus") or [])
    ]
    return {
        "arn": secret["ARN"],
        "description": secret.get("Description", ""),
        "kmsKeyId": secret.get("KmsKeyId") or "",
        "name": secret["Name"],
        "replicas": replicas,
        "tagsAll": tag_map(secret.get("Tags")),
        **{key: known[key] for key in ("namePrefix",) if key in known},
    }


def _read_secret(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("secretsmanager")
    secret = client.describe_secret(SecretId=id_)
    if secret.get("DeletedDate"):
        return None
    policy = client.get_resource_policy(SecretId=id_).get("ResourcePolicy")
    asked_for_none = known.get("policy") if not _wanted_policy(known) else None
    text = policy_text(policy, known.get("policy")) if policy else asked_for_none or ""
    return {**_secret_outputs(secret, known), "id": secret["ARN"], "policy": text}


def _update_secret(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("secretsmanager")
    if changed & {"description", "kmsKeyId"}:
        optional = {"KmsKeyId": new["kmsKeyId"]} if new.get("kmsKeyId") else {}
        client.update_secret(SecretId=id_, Description=new.get("description") or "", **optional)
    if "policy" in changed:
        policy = _wanted_policy(new)
        if policy:
            client.put_resource_policy(SecretId=id_, ResourcePolicy=policy)
        else:
            client.delete_resource_policy(SecretId=id_)
    if "replicas" in changed:
        before, after = _replica_regions(old), _replica_regions(new)
        kept = [region for region in after if region in before]
        _remove_replicas(cloud, id_, [region["Region"] for region in before if region not in kept])
        added = [region for region in after if region not in kept]
        if added:
            client.replicate_secret_to_regions(
                SecretId=id_,
                AddReplicaRegions=added,
                ForceOverwriteReplicaSecret=bool(new.get("forceOverwriteReplicaSecret")),
            )
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(SecretId=id_, TagKeys=removed)
        if tags:
            client.tag_resource(SecretId=id_, Tags=tag_list(tags))


def _remove_replicas(cloud: Cloud, id_: str, regions: list[str]) -> None:
    if regions:
        cloud.client("secretsmanager").remove_regions_from_replication(SecretId=id_, RemoveReplicaRegions=regions)


def _delete_secret(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("secretsmanager")
    _remove_replicas(cloud, id_, [replica["region"] for replica in known.get("replicas") or []])
    days = int(known.get("recoveryWindowInDays", 30))
    try:
        if days:
            client.delete_secret(SecretId=id_, RecoveryWindowInDays=days)
        else:
            client.delete_secret(SecretId=id_, ForceDeleteWithoutRecovery=True)
    except client.exceptions.InvalidRequestException:
        if not client.describe_secret(SecretId=id_).get("DeletedDate"):
            raise


def _find_secret(cloud: Cloud, inputs: Properties) -> list[str]:
    secret = cloud.client("secretsmanager").describe_secret(SecretId=inputs["name"])
    return [] if secret.get("DeletedDate") else [str(secret["ARN"])]


# -- policies ----------------------------------------------------------------------------------------------------------


def _create_secret_policy(cloud: Cloud, inputs: Properties) -> str:
    require_policy(inputs["policy"], "policy")
    cloud.client("secretsmanager").put_resource_policy(
        SecretId=inputs["secretArn"],
        ResourcePolicy=inputs["policy"],
        BlockPublicPolicy=bool(inputs.get("blockPublicPolicy")),
    )
    return str(inputs["secretArn"])


def _read_secret_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    answer = cloud.client("secretsmanager").get_resource_policy(SecretId=id_)
    if not answer.get("ResourcePolicy"):
        return None
    return {"secretArn": id_, "policy": policy_text(answer["ResourcePolicy"], known.get("policy"))}


def _update_secret_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _create_secret_policy(cloud, new)


def _delete_secret_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("secretsmanager").delete_resource_policy(SecretId=id_)


# -- rotation ----------------------------------------------------------------------------------------------------------


def _rotate(cloud: Cloud, inputs: Properties) -> str:
    for refused in ("externalSecretRotationMetadatas", "externalSecretRotationRoleArn"):
        if inputs.get(refused):
            raise ProviderError(f"SecretRotation: the local cloud has no managed external secrets; leave out {refused}")
    if inputs.get("rotationEnabled") is False:
        raise ProviderError("SecretRotation: rotationEnabled can be false for AWS's own secrets only; leave it out")
    if not inputs.get("rotationLambdaArn") or not inputs.get("rotationRules"):
        raise ProviderError("SecretRotation: the local cloud needs rotationLambdaArn and rotationRules")
    names = {
        "automaticallyAfterDays": "AutomaticallyAfterDays",
        "duration": "Duration",
        "scheduleExpression": "ScheduleExpression",
    }
    rules = inputs["rotationRules"]
    cloud.client("secretsmanager").rotate_secret(
        SecretId=inputs["secretId"],
        RotationLambdaARN=inputs["rotationLambdaArn"],
        RotationRules={name: rules[key] for key, name in names.items() if rules.get(key)},
        RotateImmediately=False,  # moto would make a version without a value the current one
    )
    return str(inputs["secretId"])


def _read_rotation(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    secret = cloud.client("secretsmanager").describe_secret(SecretId=id_)
    rules = dict(known.get("rotationRules") or {})
    if secret.get("DeletedDate") or not secret.get("RotationLambdaARN"):
        return None
    # moto calls a rotation by schedule disabled, since it knows rotations by days only.
    if not secret.get("RotationEnabled") and not rules.get("scheduleExpression"):
        return None
    if secret.get("RotationEnabled"):
        rules["automaticallyAfterDays"] = secret["RotationRules"]["AutomaticallyAfterDays"]
    return {
        "rotationEnabled": True,
        "rotationLambdaArn": secret["RotationLambdaARN"],
        "rotationRules": rules,
        "secretId": id_,
    }


def _update_rotation(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed & {"rotationLambdaArn", "rotationRules"}:
        _rotate(cloud, new)


def _delete_rotation(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("secretsmanager").cancel_rotate_secret(SecretId=id_)


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_secret(cloud: Cloud, arguments: Properties) -> Properties:
    asked = arguments.get("arn") or arguments.get("name")
    if not asked:
        raise ProviderError("getSecret: give arn or name")
    client = cloud.client("secretsmanager")
    secret = client.describe_secret(SecretId=asked)
    if secret.get("DeletedDate"):
        raise ProviderError(f"getSecret: {asked} waits for its deletion")
    return {
        "arn": secret["ARN"],
        "createdDate": secret["CreatedDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": secret.get("Description", ""),
        "id": secret["ARN"],
        "kmsKeyId": secret.get("KmsKeyId") or "",
        "lastChangedDate": secret["LastChangedDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "name": secret["Name"],
        "policy": client.get_resource_policy(SecretId=asked).get("ResourcePolicy", ""),
        "region": cloud.region,
        "tags": tag_map(secret.get("Tags")),
        "type": "",
    }


_PASSWORD = {
    "excludeCharacters": "ExcludeCharacters",
    "excludeLowercase": "ExcludeLowercase",
    "excludeNumbers": "ExcludeNumbers",
    "excludePunctuation": "ExcludePunctuation",
    "excludeUppercase": "ExcludeUppercase",
    "includeSpace": "IncludeSpace",
    "passwordLength": "PasswordLength",
    "requireEachIncludedType": "RequireEachIncludedType",
}


def _get_random_password(cloud: Cloud, arguments: Properties) -> Properties:
    request = {name: arguments[key] for key, name in _PASSWORD.items() if key in arguments}
    password = cloud.client("secretsmanager").get_random_password(**request)["RandomPassword"]
    return {**arguments, "id": password, "randomPassword": password, "region": cloud.region}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:secretsmanager/secret:Secret",
        service="secretsmanager",
        create=_create_secret,
        read=_read_secret,
        update=_update_secret,
        delete=_delete_secret,
        find=_find_secret,
        name=AutoName(max_length=512),
        replace_on=("name", "namePrefix", "type"),
        computed=("arn",),
        sticky=("policy", "replicas"),
        local=("forceOverwriteReplicaSecret", "recoveryWindowInDays"),
        defaults={"forceOverwriteReplicaSecret": False, "recoveryWindowInDays": 30},
        sets=("replicas",),
        json_documents=("policy",),
        tagged=True,
        limits="no managed external secrets; a description can be changed, not emptied",
    ),
    ResourceType(
        token="aws:secretsmanager/secretPolicy:SecretPolicy",
        service="secretsmanager",
        create=_create_secret_policy,
        read=_read_secret_policy,
        update=_update_secret_policy,
        delete=_delete_secret_policy,
        required=("policy", "secretArn"),
        replace_on=("secretArn",),
        local=("blockPublicPolicy",),
        json_documents=("policy",),
        adopts=True,
    ),
    ResourceType(
        token="aws:secretsmanager/secretRotation:SecretRotation",
        service="secretsmanager",
        create=_rotate,
        read=_read_rotation,
        update=_update_rotation,
        delete=_delete_rotation,
        required=("secretId",),
        replace_on=("secretId",),
        sticky=("rotationEnabled",),
        local=("rotateImmediately",),
        defaults={"rotateImmediately": True},
        adopts=True,
        limits="a Lambda function and rules are needed; rotation is set up, and nothing is ever rotated",
    ),
    *secretsmanager_versions.RESOURCE_TYPES,
)

FUNCTIONS = (
    *secretsmanager_versions.FUNCTIONS,
    Function(token="aws:secretsmanager/getSecret:getSecret", service="secretsmanager", call=_get_secret),
    Function(
        token="aws:secretsmanager/getRandomPassword:getRandomPassword",
        service="secretsmanager",
        call=_get_random_password,
    ),
)
