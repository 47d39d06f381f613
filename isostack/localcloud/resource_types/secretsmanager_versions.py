"""The values of AWS Secrets Manager's secrets: versions and the labels on them.

Source: the Secrets Manager API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_CURRENT = "AWSCURRENT"


def _value(inputs: Properties) -> Properties:
    given = [name for name in ("secretString", "secretBinary", "secretStringWo") if inputs.get(name)]
    if len(given) != 1:
        raise ProviderError("SecretVersion: give exactly one of secretString, secretBinary and secretStringWo, not empty")
    if given[0] == "secretBinary":
        return {"SecretBinary": base64.b64decode(inputs["secretBinary"])}
    return {"SecretString": str(inputs[given[0]])}


def _create_version(cloud: Cloud, inputs: Properties) -> Created:
    optional = {"VersionStages": inputs["versionStages"]} if inputs.get("versionStages") else {}
    answer = cloud.client("secretsmanager").put_secret_value(SecretId=inputs["secretId"], **_value(inputs), **optional)
    return Created(f"{inputs['secretId']}|{answer['VersionId']}", _version_outputs(answer, inputs["secretId"], inputs))


def _version_outputs(answer: Properties, secret: str, known: Properties) -> Properties:
    asked, stages = known.get("versionStages") or [], answer.get("VersionStages") or []
    outputs: Properties = {
        "arn": answer["ARN"],
        "secretArn": answer["ARN"],
        "secretId": secret,
        "versionId": answer["VersionId"],
        "versionStages": asked if sorted(asked) == sorted(stages) else stages,
        "hasSecretStringWo": bool(known.get("secretStringWo")),
    }
    kept = ("secretString", "secretBinary", "secretStringWo", "secretStringWoVersion")
    return outputs | {name: known[name] for name in kept if name in known}


def _read_version(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    secret, _, version = id_.rpartition("|")
    client = cloud.client("secretsmanager")
    try:
        answer = client.get_secret_value(SecretId=secret, VersionId=version)
    except client.exceptions.InvalidRequestException:  # the secret waits for its deletion
        return None
    if not answer.get("VersionStages"):  # AWS throws away what has no label
        return None
    outputs = _version_outputs(answer, secret, known)
    if "secretStringWo" not in outputs:
        if "SecretBinary" in answer:
            outputs["secretBinary"] = base64.b64encode(answer["SecretBinary"]).decode()
        else:
            outputs["secretString"] = answer["SecretString"]
    return outputs


def _update_version(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    secret, _, version = id_.rpartition("|")
    client = cloud.client("secretsmanager")
    by_version = _stages(cloud, secret)
    before, after = set(by_version.get(version, [])), set(new.get("versionStages") or [])
    for stage in sorted(after - before):
        holder = next((id_ for id_, stages in by_version.items() if stage in stages), None)
        moved = {"RemoveFromVersionId": holder} if holder else {}
        client.update_secret_version_stage(SecretId=secret, VersionStage=stage, MoveToVersionId=version, **moved)
    _remove_stages(cloud, secret, version, before - after)


def _stages(cloud: Cloud, secret: str) -> dict[str, list[str]]:
    answer = cloud.client("secretsmanager").describe_secret(SecretId=secret)
    return dict(answer.get("VersionIdsToStages") or {})


def _remove_stages(cloud: Cloud, secret: str, version: str, stages: set[str]) -> None:
    """Take labels off a version. AWSCURRENT stays: Secrets Manager lets it be moved, and not removed."""
    for stage in sorted((stages - {_CURRENT}) & set(_stages(cloud, secret).get(version, []))):
        cloud.client("secretsmanager").update_secret_version_stage(
            SecretId=secret, VersionStage=stage, RemoveFromVersionId=version
        )


def _delete_version(cloud: Cloud, id_: str, known: Properties) -> None:
    secret, _, version = id_.rpartition("|")
    stages = set(known.get("versionStages") or []) - {_CURRENT}
    if stages:
        _remove_stages(cloud, secret, version, stages)


def _find_version(cloud: Cloud, inputs: Properties) -> list[str]:
    stage = (inputs.get("versionStages") or [_CURRENT])[0]
    found = cloud.client("secretsmanager").get_secret_value(SecretId=inputs["secretId"], VersionStage=stage)
    same = all(found.get(name) == value for name, value in _value(inputs).items())
    return [f"{inputs['secretId']}|{found['VersionId']}"] if same else []


def _compare_version(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A write-only value counts when its version does."""
    changed = changed - {"secretStringWo"}
    replaces = changed & {"secretId", "secretString", "secretBinary", "secretStringWoVersion"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _get_secret_version(cloud: Cloud, arguments: Properties) -> Properties:
    secret, version = arguments["secretId"], arguments.get("versionId")
    stage = arguments.get("versionStage", _CURRENT)
    which = {"VersionId": version} if version else {"VersionStage": stage}
    answer = cloud.client("secretsmanager").get_secret_value(SecretId=secret, **which)
    binary = answer.get("SecretBinary")
    return {
        "arn": answer["ARN"],
        "createdDate": answer["CreatedDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": f"{secret}|{version or stage}",
        "region": cloud.region,
        "secretArn": answer["ARN"],
        "secretBinary": base64.b64encode(binary).decode() if binary else "",
        "secretId": secret,
        "secretString": answer.get("SecretString", ""),
        "versionId": answer["VersionId"],
        "versionStage": stage,
        "versionStages": answer["VersionStages"],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        service="secretsmanager",
        create=_create_version,
        read=_read_version,
        update=_update_version,
        delete=_delete_version,
        find=_find_version,
        required=("secretId",),
        computed=("arn", "hasSecretStringWo", "secretArn", "versionId"),
        sticky=("versionStages",),
        sets=("versionStages",),
        secret_outputs=("secretBinary", "secretString", "secretStringWo"),
        compare=_compare_version,
    ),
)

FUNCTIONS = (
    Function(token="aws:secretsmanager/getSecretVersion:getSecretVersion", service="secretsmanager", call=_get_secret_version),
)
