"""AWS KMS grants. Source: the KMS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.localcloud.resource_types.row import Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_GRANT = {
    "name": "Name",
    "granteePrincipal": "GranteePrincipal",
    "retiringPrincipal": "RetiringPrincipal",
    "operations": "Operations",
}
_CONSTRAINTS = {
    "encryptionContextEquals": "EncryptionContextEquals",
    "encryptionContextSubset": "EncryptionContextSubset",
}


def _create_grant(cloud: Cloud, inputs: Properties) -> Created:
    request = {name: inputs[key] for key, name in _GRANT.items() if inputs.get(key)}
    for block in inputs.get("constraints") or []:
        request["Constraints"] = {name: block[key] for key, name in _CONSTRAINTS.items() if block.get(key)}
    if inputs.get("grantCreationTokens"):
        request["GrantTokens"] = inputs["grantCreationTokens"]
    answer = cloud.client("kms").create_grant(KeyId=inputs["keyId"], **request)
    outputs = {**inputs, "grantId": answer["GrantId"], "grantToken": answer["GrantToken"]}
    return Created(f"{inputs['keyId']}:{answer['GrantId']}", outputs)


def _grants(cloud: Cloud, key: str, **only: str) -> list[Properties]:
    pages = cloud.client("kms").get_paginator("list_grants").paginate(KeyId=key, **only)
    return [grant for page in pages for grant in page["Grants"]]


def _read_grant(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    key, _, grant_id = id_.rpartition(":")
    for grant in _grants(cloud, key, GrantId=grant_id):
        outputs = {name: grant[field] for name, field in _GRANT.items() if grant.get(field)}
        constraints = {name: grant.get("Constraints", {}).get(field) for name, field in _CONSTRAINTS.items()}
        if any(constraints.values()):
            outputs["constraints"] = [{name: value for name, value in constraints.items() if value}]
        if sorted(outputs["operations"]) == sorted(known.get("operations") or []):
            outputs["operations"] = known["operations"]
        kept = {name: known[name] for name in ("grantToken",) if name in known}
        return {**outputs, "keyId": key, "grantId": grant_id, **kept}
    return None


def _delete_grant(cloud: Cloud, id_: str, known: Properties) -> None:
    key, _, grant_id = id_.rpartition(":")
    kms = cloud.client("kms")
    call = kms.retire_grant if known.get("retireOnDelete") else kms.revoke_grant
    call(KeyId=key, GrantId=grant_id)


def _find_grant(cloud: Cloud, inputs: Properties) -> list[str]:
    wanted = {field: inputs[name] for name, field in _GRANT.items() if inputs.get(name) and name != "operations"}
    return [
        f"{inputs['keyId']}:{grant['GrantId']}"
        for grant in _grants(cloud, inputs["keyId"])
        if all(grant.get(field) == value for field, value in wanted.items())
        and sorted(grant["Operations"]) == sorted(inputs["operations"])
    ]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:kms/grant:Grant",
        service="kms",
        create=_create_grant,
        read=_read_grant,
        delete=_delete_grant,
        find=_find_grant,
        required=("granteePrincipal", "keyId", "operations"),
        computed=("grantId", "grantToken"),
        local=("grantCreationTokens", "retireOnDelete"),
        sets=("operations",),
        secret_outputs=("grantToken",),
    ),
)
