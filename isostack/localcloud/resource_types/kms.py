"""AWS KMS: keys, their policies and aliases. Source: the KMS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import kms_grants
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

_TAG = ("TagKey", "TagValue")
_POLICY = "default"  # the only name that a key policy can have
_YEAR = 365

# -- keys --------------------------------------------------------------------------------------------------------------


def _create_key(cloud: Cloud, inputs: Properties) -> Created:
    for refused in ("customKeyStoreId", "xksKeyId"):
        if inputs.get(refused):
            raise ProviderError(f"Key: the local cloud has no custom key stores; leave out {refused}")
    if inputs.get("policy"):
        require_policy(inputs["policy"], "policy")
    window = inputs.get("deletionWindowInDays")
    if window is not None and not 7 <= int(window) <= 30:
        raise ProviderError(f"Key: deletionWindowInDays is {window}, and must be between 7 and 30")
    kms = cloud.client("kms")
    optional = {
        "Description": inputs.get("description"),
        "Policy": inputs.get("policy"),
        "MultiRegion": inputs.get("multiRegion"),
        "BypassPolicyLockoutSafetyCheck": inputs.get("bypassPolicyLockoutSafetyCheck"),
        "Tags": tag_list(inputs.get("tagsAll"), *_TAG),
    }
    key = kms.create_key(
        KeyUsage=inputs.get("keyUsage", "ENCRYPT_DECRYPT"),
        KeySpec=inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT"),
        **{name: value for name, value in optional.items() if value},
    )["KeyMetadata"]
    id_ = key["KeyId"]
    try:
        _set_rotation(cloud, id_, inputs)
        if not inputs.get("isEnabled", True):
            kms.disable_key(KeyId=id_)
    except Exception:
        _delete_key(cloud, id_, inputs)
        raise
    policy = inputs.get("policy") or kms.get_key_policy(KeyId=id_, PolicyName=_POLICY)["Policy"]
    rotation = bool(inputs.get("enableKeyRotation"))
    outputs = _key_outputs(key, inputs, policy, rotation) | {"isEnabled": inputs.get("isEnabled", True)}
    return Created(id_, outputs | {"tagsAll": inputs.get("tagsAll") or {}})


def _set_rotation(cloud: Cloud, id_: str, inputs: Properties) -> None:
    if inputs.get("enableKeyRotation"):
        period = inputs.get("rotationPeriodInDays")
        optional = {"RotationPeriodInDays": int(period)} if period else {}
        cloud.client("kms").enable_key_rotation(KeyId=id_, **optional)


def _key_outputs(key: Properties, known: Properties, policy: str, rotation: bool) -> Properties:
    return {
        "arn": key["Arn"],
        "customerMasterKeySpec": key["KeySpec"],
        "description": key.get("Description", ""),
        "enableKeyRotation": rotation,
        "isEnabled": key["Enabled"],
        "keyId": key["KeyId"],
        "keyUsage": key["KeyUsage"],
        "multiRegion": key.get("MultiRegion", False),
        "policy": policy,
        # moto does not say; AWS rotates once a year unless told otherwise.
        "rotationPeriodInDays": known.get("rotationPeriodInDays") or (_YEAR if rotation else 0),
    }


def _read_key(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    kms = cloud.client("kms")
    policy = kms.get_key_policy(KeyId=id_, PolicyName=_POLICY)["Policy"]
    key = _describe_key(cloud, id_) or _remembered(id_, known)
    if key["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"):
        return None
    rotation = bool(kms.get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"])
    outputs = _key_outputs(key, known, policy_text(policy, known.get("policy")), rotation)
    return outputs | {"tagsAll": tag_map(kms.list_resource_tags(KeyId=id_)["Tags"], *_TAG)}


def _describe_key(cloud: Cloud, id_: str) -> Properties | None:
    """What AWS says of a key; None where moto denies it: it takes any Deny of kms:* to be meant for this caller."""
    kms = cloud.client("kms")
    try:
        return dict(kms.describe_key(KeyId=id_)["KeyMetadata"])
    except kms.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "AccessDeniedException":
            return None
        raise


def _remembered(id_: str, known: Properties) -> Properties:
    """What the state knows of a key that cannot be described."""
    if "arn" not in known:
        raise ProviderError(f"Key {id_}: its policy denies kms:* to somebody, so the local cloud does not describe it")
    return {
        "Arn": known["arn"],
        "Description": known.get("description", ""),
        "Enabled": known["isEnabled"],
        "KeyId": id_,
        "KeySpec": known["customerMasterKeySpec"],
        "KeyState": "Enabled",
        "KeyUsage": known["keyUsage"],
        "MultiRegion": known.get("multiRegion", False),
    }


def _update_key(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    kms = cloud.client("kms")
    enabled = new.get("isEnabled", True)
    if "isEnabled" in changed and enabled:  # AWS changes no rotation of a disabled key
        kms.enable_key(KeyId=id_)
    if changed & {"enableKeyRotation", "rotationPeriodInDays"}:
        if new.get("enableKeyRotation"):
            _set_rotation(cloud, id_, new)
        else:
            kms.disable_key_rotation(KeyId=id_)
    if "description" in changed:
        kms.update_key_description(KeyId=id_, Description=new.get("description") or "")
    if "policy" in changed and new.get("policy"):
        _put_key_policy(cloud, id_, new)
    if "isEnabled" in changed and not enabled:
        kms.disable_key(KeyId=id_)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            kms.untag_resource(KeyId=id_, TagKeys=removed)
        if tags:
            kms.tag_resource(KeyId=id_, Tags=tag_list(tags, *_TAG))


def _put_key_policy(cloud: Cloud, id_: str, inputs: Properties) -> None:
    require_policy(inputs["policy"], "policy")
    cloud.client("kms").put_key_policy(
        KeyId=id_,
        PolicyName=_POLICY,
        Policy=inputs["policy"],
        BypassPolicyLockoutSafetyCheck=bool(inputs.get("bypassPolicyLockoutSafetyCheck")),
    )


def _delete_key(cloud: Cloud, id_: str, known: Properties) -> None:
    window = int(known.get("deletionWindowInDays") or 30)
    cloud.client("kms").schedule_key_deletion(KeyId=id_, PendingWindowInDays=window)


def _find_key(cloud: Cloud, inputs: Properties) -> list[str]:
    kms = cloud.client("kms")
    found = []
    for page in kms.get_paginator("list_keys").paginate():
        for listed in page["Keys"]:
            key = _describe_key(cloud, listed["KeyId"])
            if key is None or key["KeyState"] not in ("Enabled", "Disabled"):
                continue
            wanted = {
                "KeyManager": "CUSTOMER",
                "Description": inputs.get("description", ""),
                "KeyUsage": inputs.get("keyUsage", "ENCRYPT_DECRYPT"),
                "KeySpec": inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT"),
                "MultiRegion": inputs.get("multiRegion", False),
            }
            tags = tag_map(kms.list_resource_tags(KeyId=listed["KeyId"])["Tags"], *_TAG)
            same = all(key.get(name, False) == value for name, value in wanted.items())
            if same and tags == (inputs.get("tagsAll") or {}):
                found.append(str(listed["KeyId"]))
    return found


# -- key policies ------------------------------------------------------------------------------------------------------


def _default_policy(cloud: Cloud) -> Properties:
    """The policy that AWS gives a key of which nobody says otherwise."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{cloud.partition}:iam::{cloud.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}


def _create_key_policy(cloud: Cloud, inputs: Properties) -> Created:
    _put_key_policy(cloud, inputs["keyId"], inputs)
    return Created(inputs["keyId"], dict(inputs))


def _read_key_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    policy = cloud.client("kms").get_key_policy(KeyId=id_, PolicyName=_POLICY)["Policy"]
    default = policy_text(_default_policy(cloud), known.get("policy"))
    text = policy_text(policy, known.get("policy"))
    if policy_text(policy, default) == default != known.get("policy"):
        return None
    return {"keyId": id_, "policy": text}


def _update_key_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if "policy" in changed:
        _put_key_policy(cloud, id_, new)


def _delete_key_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    _put_key_policy(cloud, id_, {**known, "policy": policy_text(_default_policy(cloud), None)})


# -- aliases -----------------------------------------------------------------------------------------------------------


def _key_id(key: str) -> str:
    """A key's id from its id or ARN."""
    return key.rpartition("/")[2]


def _alias_outputs(cloud: Cloud, name: str, key: str, known: Properties) -> Properties:
    stem = f"arn:{cloud.partition}:kms:{cloud.region}:{cloud.account_id}"
    written = known.get("targetKeyId")
    return {
        "arn": f"{stem}:{name}",
        "name": name,
        "targetKeyArn": f"{stem}:key/{key}",
        "targetKeyId": written if written and _key_id(written) == key else key,
        **{name: known[name] for name in ("namePrefix",) if name in known},
    }


def _create_alias(cloud: Cloud, inputs: Properties) -> Created:
    name = inputs["name"]
    if not name.startswith("alias/") or name.startswith("alias/aws/"):
        raise ProviderError(f"Alias: the name {name!r} must begin with alias/, and not with alias/aws/, which is AWS's")
    cloud.client("kms").create_alias(AliasName=name, TargetKeyId=inputs["targetKeyId"])
    return Created(name, _alias_outputs(cloud, name, _key_id(inputs["targetKeyId"]), inputs))


def _read_alias(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    for page in cloud.client("kms").get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias["AliasName"] == id_ and "TargetKeyId" in alias:
                return _alias_outputs(cloud, id_, alias["TargetKeyId"], known)
    return None


def _update_alias(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if "targetKeyId" in changed:
        cloud.client("kms").update_alias(AliasName=id_, TargetKeyId=new["targetKeyId"])


def _delete_alias(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("kms").delete_alias(AliasName=id_)


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_key(cloud: Cloud, arguments: Properties) -> Properties:
    key = cloud.client("kms").describe_key(KeyId=arguments["keyId"])["KeyMetadata"]
    regions = key.get("MultiRegionConfiguration")
    return {
        **arguments,
        "arn": key["Arn"],
        "awsAccountId": key["AWSAccountId"],
        "cloudHsmClusterId": key.get("CloudHsmClusterId", ""),
        "creationDate": key["CreationDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "customKeyStoreId": key.get("CustomKeyStoreId", ""),
        "customerMasterKeySpec": key["KeySpec"],
        "deletionDate": key["DeletionDate"].strftime("%Y-%m-%dT%H:%M:%SZ") if "DeletionDate" in key else "",
        "description": key.get("Description", ""),
        "enabled": key["Enabled"],
        "expirationModel": key.get("ExpirationModel", ""),
        "id": key["KeyId"],
        "keyManager": key["KeyManager"],
        "keySpec": key["KeySpec"],
        "keyState": key["KeyState"],
        "keyUsage": key["KeyUsage"],
        "multiRegion": key.get("MultiRegion", False),
        "multiRegionConfigurations": [_regions(regions)] if regions else [],
        "origin": key["Origin"],
        "pendingDeletionWindowInDays": key.get("PendingDeletionWindowInDays", 0),
        "region": cloud.region,
        "validTo": "",
        "xksKeyConfigurations": [],
    }


def _regions(configuration: Properties) -> Properties:
    def place(key: Properties) -> Properties:
        return {"arn": key["Arn"], "region": key["Region"]}

    return {
        "multiRegionKeyType": configuration["MultiRegionKeyType"],
        "primaryKeys": [place(configuration["PrimaryKey"])],
        "replicaKeys": [place(key) for key in configuration["ReplicaKeys"]],
    }


def _get_alias(cloud: Cloud, arguments: Properties) -> Properties:
    name = arguments["name"]
    key = cloud.client("kms").describe_key(KeyId=name)["KeyMetadata"]
    outputs = _alias_outputs(cloud, name, key["KeyId"], {})
    return {**outputs, "id": outputs["arn"], "region": cloud.region}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:kms/key:Key",
        service="kms",
        create=_create_key,
        read=_read_key,
        update=_update_key,
        delete=_delete_key,
        find=_find_key,
        replace_on=("customerMasterKeySpec", "customKeyStoreId", "keyUsage", "multiRegion", "xksKeyId"),
        computed=("arn", "keyId"),
        sticky=("description", "multiRegion", "policy", "rotationPeriodInDays"),
        local=("bypassPolicyLockoutSafetyCheck", "deletionWindowInDays"),
        defaults={
            "bypassPolicyLockoutSafetyCheck": False,
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "enableKeyRotation": False,
            "isEnabled": True,
            "keyUsage": "ENCRYPT_DECRYPT",
        },
        json_documents=("policy",),
        tagged=True,
        absent=("KMSInvalidStateException",),
        limits="no custom or external key stores; a rotation period is recorded, not kept by the cloud",
    ),
    ResourceType(
        token="aws:kms/keyPolicy:KeyPolicy",
        service="kms",
        create=_create_key_policy,
        read=_read_key_policy,
        update=_update_key_policy,
        delete=_delete_key_policy,
        required=("keyId", "policy"),
        replace_on=("keyId",),
        local=("bypassPolicyLockoutSafetyCheck",),
        json_documents=("policy",),
        adopts=True,
    ),
    ResourceType(
        token="aws:kms/alias:Alias",
        service="kms",
        create=_create_alias,
        read=_read_alias,
        update=_update_alias,
        delete=_delete_alias,
        required=("targetKeyId",),
        name=AutoName(max_length=256, prefix="alias/"),
        replace_on=("name", "namePrefix"),
        computed=("arn", "targetKeyArn"),
        volatile=("targetKeyArn",),
    ),
    *kms_grants.RESOURCE_TYPES,
)

FUNCTIONS = (
    Function(token="aws:kms/getKey:getKey", service="kms", call=_get_key),
    Function(token="aws:kms/getAlias:getAlias", service="kms", call=_get_alias),
)
