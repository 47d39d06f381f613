"""AWS Systems Manager's parameters. Source: the SSM API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isostack.engine.provider import Diff, ProviderError
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

_SECURE = "SecureString"
_AWS_KEY = "alias/aws/ssm"
_VALUES = ("value", "insecureValue", "valueWo")
_OPTIONAL = {
    "allowedPattern": "AllowedPattern",
    "dataType": "DataType",
    "description": "Description",
    "tier": "Tier",
}


def _value(inputs: Properties) -> str:
    given = [name for name in _VALUES if inputs.get(name)]
    if len(given) != 1:
        raise ProviderError("Parameter: give exactly one of value, insecureValue and valueWo, not empty")
    if given[0] == "insecureValue" and inputs["type"] == _SECURE:
        raise ProviderError("Parameter: a SecureString cannot have insecureValue; use value")
    value = str(inputs[given[0]])
    pattern = inputs.get("allowedPattern")
    if pattern and not re.search(pattern, value):  # moto does not look
        raise ProviderError(f"ParameterPatternMismatchException: the value does not match allowedPattern {pattern!r}")
    return value


def _put(cloud: Cloud, inputs: Properties, *, overwrite: bool, tags: bool) -> Properties:
    request = {name: inputs[key] for key, name in _OPTIONAL.items() if inputs.get(key) is not None}
    if inputs["type"] == _SECURE and inputs.get("keyId"):
        request["KeyId"] = inputs["keyId"]
    if tags and inputs.get("tagsAll"):
        request["Tags"] = tag_list(inputs["tagsAll"])
    return dict(
        cloud.client("ssm").put_parameter(
            Name=inputs["name"], Type=inputs["type"], Value=_value(inputs), Overwrite=overwrite, **request
        )
    )


def _create(cloud: Cloud, inputs: Properties) -> Created:
    name, overwrite = inputs["name"], bool(inputs.get("overwrite"))
    answer = _put(cloud, inputs, overwrite=overwrite, tags=not overwrite)
    if overwrite and inputs.get("tagsAll"):  # AWS takes no tags with an overwrite
        cloud.client("ssm").add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=tag_list(inputs["tagsAll"]))
    secure = inputs["type"] == _SECURE
    outputs = {
        "allowedPattern": inputs.get("allowedPattern", ""),
        "arn": _arn(cloud, name),
        "dataType": inputs.get("dataType", "text"),
        "description": inputs.get("description", ""),
        "keyId": inputs.get("keyId", _AWS_KEY) if secure else "",
        "name": name,
        "tagsAll": inputs.get("tagsAll") or {},
        "tier": answer.get("Tier", "Standard"),
        "type": inputs["type"],
        "version": answer["Version"],
    }
    return Created(name, outputs | _value_outputs(_value(inputs), inputs))


def _arn(cloud: Cloud, name: str) -> str:
    return f"arn:{cloud.partition}:ssm:{cloud.region}:{cloud.account_id}:parameter/{name.removeprefix('/')}"


def _value_outputs(value: str, known: Properties) -> Properties:
    """The value under the property that the program uses for it."""
    outputs: Properties = {"hasValueWo": bool(known.get("valueWo"))}
    if known.get("valueWo"):
        return outputs | {name: known[name] for name in ("valueWo", "valueWoVersion") if name in known}
    return outputs | {"insecureValue" if known.get("insecureValue") else "value": value}


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    ssm = cloud.client("ssm")
    parameter = ssm.get_parameter(Name=id_, WithDecryption=True)["Parameter"]
    only = {"Key": "Name", "Option": "Equals", "Values": [parameter["Name"]]}
    details: Properties = next(iter(ssm.describe_parameters(ParameterFilters=[only])["Parameters"]), {})
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter["Name"])["TagList"]
    outputs = {
        "id": parameter["Name"],
        "allowedPattern": details.get("AllowedPattern", ""),
        "arn": _arn(cloud, parameter["Name"]),
        "dataType": parameter.get("DataType", "text"),
        "description": details.get("Description", ""),
        "keyId": details.get("KeyId", "") if parameter["Type"] == _SECURE else "",
        "name": parameter["Name"],
        "tagsAll": tag_map(tags),
        "tier": details.get("Tier", "Standard"),
        "type": parameter["Type"],
        "version": parameter["Version"],
    }
    return outputs | _value_outputs(parameter["Value"], known)


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    if changed - {"overwrite", "tags", "tagsAll"}:
        # AWS keeps what is left out, so what the program has dropped is written empty.
        dropped: Properties = {name: "" for name in ("allowedPattern", "description") if name in changed and name not in new}
        request = {**dropped, "tier": old.get("tier"), **new}
        _put(cloud, request, overwrite=bool(new.get("overwrite", True)), tags=False)
    if "tagsAll" in changed:
        ssm = cloud.client("ssm")
        tags, removed = tag_changes(old, new)
        if removed:
            ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=id_, TagKeys=removed)
        if tags:
            ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=id_, Tags=tag_list(tags))


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ssm").delete_parameter(Name=id_)


def _compare(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """AWS never makes an advanced parameter a standard one; a write-only value counts when its version does."""
    changed = changed - {"valueWo"}
    if new.get("tier") == "Intelligent-Tiering" and old.get("tier"):
        changed = changed - {"tier"}
    replaces = changed & {"name", "dataType"}
    if "tier" in changed and (old.get("tier"), new.get("tier")) == ("Advanced", "Standard"):
        replaces = replaces | {"tier"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)), bool(replaces) and "name" not in changed)


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_parameter(cloud: Cloud, arguments: Properties) -> Properties:
    decrypt = arguments.get("withDecryption", True)
    parameter = cloud.client("ssm").get_parameter(Name=arguments["name"], WithDecryption=decrypt)["Parameter"]
    secure = parameter["Type"] == _SECURE
    return {
        "arn": _arn(cloud, parameter["Name"]),
        "id": parameter["Name"],
        "insecureValue": "" if secure else parameter["Value"],
        "name": parameter["Name"],
        "region": cloud.region,
        "type": parameter["Type"],
        "value": parameter["Value"],
        "version": parameter["Version"],
        "withDecryption": decrypt,
    }


def _get_parameters_by_path(cloud: Cloud, arguments: Properties) -> Properties:
    decrypt, recursive = arguments.get("withDecryption", True), arguments.get("recursive", False)
    pages = (
        cloud.client("ssm")
        .get_paginator("get_parameters_by_path")
        .paginate(Path=arguments["path"], Recursive=recursive, WithDecryption=decrypt)
    )
    parameters = [parameter for page in pages for parameter in page["Parameters"]]
    return {
        "arns": [_arn(cloud, parameter["Name"]) for parameter in parameters],
        "id": arguments["path"],
        "names": [parameter["Name"] for parameter in parameters],
        "path": arguments["path"],
        "recursive": recursive,
        "region": cloud.region,
        "types": [parameter["Type"] for parameter in parameters],
        "values": [parameter["Value"] for parameter in parameters],
        "withDecryption": decrypt,
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ssm/parameter:Parameter",
        service="ssm",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        required=("type",),
        name=AutoName(unless=()),
        computed=("hasValueWo", "version"),
        sticky=("arn", "dataType", "insecureValue", "keyId", "tier", "value"),
        local=("overwrite",),
        secret_outputs=("value", "valueWo"),
        absent=("ParameterNotFound", "InvalidResourceId"),
        volatile=("version",),
        tagged=True,
        compare=_compare,
    ),
)

FUNCTIONS = (
    Function(token="aws:ssm/getParameter:getParameter", service="ssm", call=_get_parameter),
    Function(token="aws:ssm/getParametersByPath:getParametersByPath", service="ssm", call=_get_parameters_by_path),
)
