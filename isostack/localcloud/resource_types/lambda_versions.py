"""Aliases of Lambda functions and versions of layers, and the spelling of ARNs that Lambda's types share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud import assets
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

ABSENT = ("ResourceNotFoundException", "404")


def function_name(name_or_arn: str) -> str:
    """A function's name from its name or ARN, either with or without a qualifier."""
    return name_or_arn.rpartition(":function:")[2].partition(":")[0]


def invoke_arn(cloud: Cloud, arn: str, *, streaming: bool = False) -> str:
    """The ARN by which API Gateway calls a function."""
    what = "2021-11-15" if streaming else "2015-03-31"
    end = "response-streaming-invocations" if streaming else "invocations"
    return f"arn:{cloud.partition}:apigateway:{cloud.region}:lambda:path/{what}/functions/{arn}/{end}"


def timestamp(text: str) -> str:
    """A time as Lambda gives it; moto says ``Z`` and nanoseconds for what is ``+0000`` and milliseconds."""
    seconds, _, fraction = text.removesuffix("Z").removesuffix("+0000").partition(".")
    return f"{seconds}.{fraction[:3].ljust(3, '0')}+0000"


# -- aliases -----------------------------------------------------------------------------------------------------------


def _weights(inputs: Properties) -> Properties:
    weights = (inputs.get("routingConfig") or {}).get("additionalVersionWeights") or {}
    return {"AdditionalVersionWeights": {version: float(weight) for version, weight in weights.items()}}


def _alias_outputs(cloud: Cloud, told: Properties, function: str) -> Properties:
    weights = (told.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return {
        "arn": told["AliasArn"],
        "description": told.get("Description") or "",
        "functionName": function,
        "functionVersion": told["FunctionVersion"],
        "invokeArn": invoke_arn(cloud, told["AliasArn"]),
        "name": told["Name"],
        **({"routingConfig": {"additionalVersionWeights": weights}} if weights else {}),
    }


def _create_alias(cloud: Cloud, inputs: Properties) -> Created:
    if str(inputs["name"]).isdigit():
        raise ProviderError(f"Alias: the name {inputs['name']!r} is a number, and numbers are versions")
    request = {"RoutingConfig": _weights(inputs)} if inputs.get("routingConfig") else {}
    told = cloud.client("lambda").create_alias(
        FunctionName=inputs["functionName"],
        Name=inputs["name"],
        FunctionVersion=inputs["functionVersion"],
        Description=inputs.get("description") or "",
        **request,
    )
    return Created(told["AliasArn"], _alias_outputs(cloud, told, inputs["functionName"]))


def _read_alias(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if id_.startswith("arn:"):
        function, name = id_.rpartition(":function:")[2].split(":")
    else:
        function, _, name = id_.partition("/")
    function = known.get("functionName") or function
    told = cloud.client("lambda").get_alias(FunctionName=function, Name=name)
    return {**_alias_outputs(cloud, told, function), "id": told["AliasArn"]}


def _update_alias(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    cloud.client("lambda").update_alias(
        FunctionName=new["functionName"],
        Name=new["name"],
        FunctionVersion=new["functionVersion"],
        Description=new.get("description") or "",
        RoutingConfig=_weights(new),
    )


def _delete_alias(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("lambda").delete_alias(FunctionName=known["functionName"], Name=known["name"])


def _find_alias(cloud: Cloud, inputs: Properties) -> list[str]:
    told = cloud.client("lambda").get_alias(FunctionName=inputs["functionName"], Name=inputs["name"])
    return [str(told["AliasArn"])]


def _get_alias(cloud: Cloud, arguments: Properties) -> Properties:
    told = cloud.client("lambda").get_alias(FunctionName=arguments["functionName"], Name=arguments["name"])
    outputs = _alias_outputs(cloud, told, arguments["functionName"])
    outputs.pop("routingConfig", None)
    return {**outputs, "id": outputs["arn"], "region": cloud.region}


# -- layers ------------------------------------------------------------------------------------------------------------


def _create_layer(cloud: Cloud, inputs: Properties) -> Created:
    if bool(inputs.get("code")) == bool(inputs.get("s3Bucket")):
        raise ProviderError("LayerVersion: give either code or s3Bucket and s3Key")
    if inputs.get("code"):
        content: Properties = {"ZipFile": assets.content(inputs["code"])}
    else:
        names = {"s3Bucket": "S3Bucket", "s3Key": "S3Key", "s3ObjectVersion": "S3ObjectVersion"}
        content = {header: inputs[name] for name, header in names.items() if inputs.get(name)}
    optional = {
        "CompatibleArchitectures": inputs.get("compatibleArchitectures"),
        "CompatibleRuntimes": inputs.get("compatibleRuntimes"),
        "Description": inputs.get("description"),
        "LicenseInfo": inputs.get("licenseInfo"),
    }
    told = cloud.client("lambda").publish_layer_version(
        LayerName=inputs["layerName"],
        Content=content,
        **{header: value for header, value in optional.items() if value},
    )
    return Created(told["LayerVersionArn"], _layer_outputs(told, inputs))


def _layer_outputs(told: Properties, known: Properties) -> Properties:
    optional = {
        "compatibleArchitectures": told.get("CompatibleArchitectures"),
        "compatibleRuntimes": told.get("CompatibleRuntimes"),
        "description": told.get("Description"),
        "licenseInfo": told.get("LicenseInfo"),
    }
    return {
        **{name: value for name, value in optional.items() if value},
        "arn": told["LayerVersionArn"],
        "codeSha256": told["Content"]["CodeSha256"],
        "createdDate": told["CreatedDate"],
        "layerArn": told["LayerArn"],
        "layerName": known.get("layerName") or told["LayerArn"].rpartition(":")[2],
        "signingJobArn": "",
        "signingProfileVersionArn": "",
        "sourceCodeHash": known.get("sourceCodeHash") or told["Content"]["CodeSha256"],
        "sourceCodeSize": told["Content"]["CodeSize"],
        "version": str(told["Version"]),
    }


def _read_layer(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    layer, _, version = id_.rpartition(":")
    told = cloud.client("lambda").get_layer_version(LayerName=layer.rpartition(":")[2], VersionNumber=int(version))
    return _layer_outputs(told, known)


def _update_layer(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    """``skipDestroy`` is the state's alone."""


def _delete_layer(cloud: Cloud, id_: str, known: Properties) -> None:
    if not known.get("skipDestroy"):
        layer, _, version = id_.rpartition(":")
        cloud.client("lambda").delete_layer_version(LayerName=layer.rpartition(":")[2], VersionNumber=int(version))


def _find_layer(cloud: Cloud, inputs: Properties) -> list[str]:
    pages = cloud.client("lambda").get_paginator("list_layer_versions").paginate(LayerName=inputs["layerName"])
    versions = [item for page in pages for item in page["LayerVersions"]]
    newest = max(versions, key=lambda item: item["Version"], default=None)
    return [str(newest["LayerVersionArn"])] if newest else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:lambda/alias:Alias",
        service="lambda",
        create=_create_alias,
        read=_read_alias,
        update=_update_alias,
        delete=_delete_alias,
        find=_find_alias,
        required=("functionName", "functionVersion"),
        name=AutoName(max_length=128, unless=()),
        replace_on=("functionName", "name"),
        computed=("arn", "invokeArn"),
        absent=ABSENT,
    ),
    ResourceType(
        token="aws:lambda/layerVersion:LayerVersion",
        service="lambda",
        create=_create_layer,
        read=_read_layer,
        update=_update_layer,
        delete=_delete_layer,
        find=_find_layer,
        required=("layerName",),
        replace_on=(
            "code",
            "compatibleArchitectures",
            "compatibleRuntimes",
            "description",
            "layerName",
            "licenseInfo",
            "s3Bucket",
            "s3Key",
            "s3ObjectVersion",
            "sourceCodeHash",
        ),
        computed=(
            "arn",
            "codeSha256",
            "createdDate",
            "layerArn",
            "signingJobArn",
            "signingProfileVersionArn",
            "sourceCodeSize",
            "version",
        ),
        sticky=("sourceCodeHash",),
        local=("code", "s3Bucket", "s3Key", "s3ObjectVersion", "skipDestroy"),
        defaults={"skipDestroy": False},
        sets=("compatibleArchitectures", "compatibleRuntimes"),
        assets=("code",),
        absent=ABSENT,
    ),
)

FUNCTIONS = (Function(token="aws:lambda/getAlias:getAlias", service="lambda", call=_get_alias),)
