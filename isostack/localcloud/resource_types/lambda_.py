"""AWS Lambda: functions. Source: the Lambda API reference; property names as in pulumi_aws 7.

Aliases and layers are :mod:`isostack.localcloud.resource_types.lambda_versions`'s; permissions, event sources and URLs,
``lambda_triggers``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud import assets
from isostack.localcloud.resource_types import lambda_triggers, lambda_versions
from isostack.localcloud.resource_types.lambda_versions import ABSENT, invoke_arn, timestamp
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType, tag_changes
from isostack.localcloud.resource_types.shapes import from_aws, to_aws

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_LATEST = "$LATEST"
_UNSERVED = ("capacityProviderConfig", "durableConfig", "tenancyConfig")
_CODE = {"code", "s3Bucket", "s3Key", "s3ObjectVersion", "imageUri", "sourceCodeHash", "architectures"}
# Property to the configuration's name, and what it is sent as when a program stops giving it.
_CONFIGURATION: dict[str, tuple[str, Any]] = {
    "deadLetterConfig": ("DeadLetterConfig", {"TargetArn": ""}),
    "description": ("Description", ""),
    "environment": ("Environment", {"Variables": {}}),
    "ephemeralStorage": ("EphemeralStorage", {"Size": 512}),
    "fileSystemConfig": ("FileSystemConfigs", []),
    "handler": ("Handler", None),
    "imageConfig": ("ImageConfig", {}),
    "kmsKeyArn": ("KMSKeyArn", ""),
    "layers": ("Layers", []),
    "loggingConfig": ("LoggingConfig", {"LogFormat": "Text"}),
    "memorySize": ("MemorySize", 128),
    "role": ("Role", None),
    "runtime": ("Runtime", None),
    "snapStart": ("SnapStart", {"ApplyOn": "None"}),
    "timeout": ("Timeout", 3),
    "tracingConfig": ("TracingConfig", {"Mode": "PassThrough"}),
    "vpcConfig": ("VpcConfig", {"SubnetIds": [], "SecurityGroupIds": []}),
}
# What moto keeps through create and update; of the rest the state remembers what was asked for.
_TOLD = ("description", "environment", "handler", "memorySize", "role", "runtime", "timeout")
_IMAGE = {"commands": "Command", "entryPoints": "EntryPoint"}
_VPC = {"ipv6AllowedForDualStack": "Ipv6AllowedForDualStack"}

# -- what to ask for ---------------------------------------------------------------------------------------------------


def _require_valid(inputs: Properties) -> None:
    for name in _UNSERVED:
        if inputs.get(name):
            raise ProviderError(f"Function: {name} is not served by the local cloud; leave it out")
    sources = [name for name in ("code", "imageUri", "s3Bucket") if inputs.get(name)]
    if len(sources) != 1:
        raise ProviderError(f"Function: give one of code, imageUri and s3Bucket; found {' and '.join(sources) or 'none'}")
    if inputs.get("s3Bucket") and not inputs.get("s3Key"):
        raise ProviderError("Function: s3Bucket needs s3Key")
    image = inputs.get("packageType", "Zip") == "Image"
    if image != bool(inputs.get("imageUri")):
        raise ProviderError("Function: imageUri and packageType Image go together")
    for name in ("handler", "runtime"):
        if not image and not inputs.get(name):
            raise ProviderError(f"Function: {name} must be given with packageType Zip")
        if image and inputs.get(name):
            raise ProviderError(f"Function: {name} is not for functions of packageType Image; leave it out")
    for name, least, most in (("memorySize", 128, 10_240), ("timeout", 1, 900)):
        value = inputs.get(name)
        if value is not None and not least <= int(value) <= most:
            raise ProviderError(f"Function: {name} is {value}, and must be between {least} and {most}")


def code_source(inputs: Properties) -> Properties:
    """Where the code comes from, as CreateFunction and PublishLayerVersion take it."""
    if inputs.get("code"):
        return {"ZipFile": assets.content(inputs["code"])}
    if inputs.get("imageUri"):
        return {"ImageUri": inputs["imageUri"]}
    version = {"S3ObjectVersion": inputs["s3ObjectVersion"]} if inputs.get("s3ObjectVersion") else {}
    return {"S3Bucket": inputs["s3Bucket"], "S3Key": inputs["s3Key"], **version}


def _configuration(cloud: Cloud, inputs: Properties, names: set[str], *, fill: bool) -> Properties:
    """The configuration's part of a request; ``fill`` says in words what the program has stopped giving."""
    request: Properties = {}
    for name, (header, nothing) in _CONFIGURATION.items():
        if name not in names:
            continue
        value = inputs.get(name)
        if value in (None, "", [], {}):
            if fill and nothing is not None:
                request[header] = nothing
        elif name == "environment":
            variables = {key: str(text) for key, text in (value.get("variables") or {}).items()}
            request[header] = {"Variables": variables}
        elif name == "layers":
            # Other accounts' layers, such as AWS's own, are not in the local cloud.
            request[header] = [arn for arn in value if arn.split(":")[4] == cloud.account_id]
        elif name == "fileSystemConfig":
            request[header] = [to_aws(value)]
        elif name == "vpcConfig":
            given = {key: item for key, item in value.items() if key != "vpcId"}
            request[header] = {"SubnetIds": [], "SecurityGroupIds": [], **to_aws(given, _VPC)}
        elif name == "snapStart":
            request[header] = {"ApplyOn": value["applyOn"]}
        else:
            request[header] = to_aws(value, _IMAGE) if isinstance(value, dict) else value
    return request


def _vpc_of(cloud: Cloud, subnets: list[str]) -> str:
    """The VPC of a function's subnets; moto makes one up."""
    ec2 = cloud.client("ec2")
    try:
        return str(ec2.describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"])
    except ec2.exceptions.ClientError as error:
        raise ProviderError(f"InvalidParameterValueException: vpcConfig: {error.response['Error']['Message']}") from error


# -- functions ---------------------------------------------------------------------------------------------------------


def _create_function(cloud: Cloud, inputs: Properties) -> Created:
    _require_valid(inputs)
    client, name = cloud.client("lambda"), inputs["name"]
    vpc = inputs.get("vpcConfig") or {}
    vpc_id = _vpc_of(cloud, vpc["subnetIds"]) if vpc.get("subnetIds") else ""
    optional = {
        "Architectures": inputs.get("architectures"),
        "CodeSigningConfigArn": inputs.get("codeSigningConfigArn"),
        "Publish": bool(inputs.get("publish")),
        "Tags": inputs.get("tagsAll"),
    }
    answer = client.create_function(
        FunctionName=name,
        Code=code_source(inputs),
        PackageType=inputs.get("packageType", "Zip"),
        **_configuration(cloud, inputs, set(_CONFIGURATION), fill=False),
        **{key: value for key, value in optional.items() if value},
    )
    try:
        reserved = _reserve(client, name, inputs)
    except Exception:
        client.delete_function(FunctionName=name)
        raise
    version = answer["Version"] if inputs.get("publish") else _LATEST
    outputs = _outputs(cloud, answer, inputs, version, vpc_id)
    return Created(name, {**outputs, **reserved, "tagsAll": inputs.get("tagsAll") or {}})


def _reserve(client: Any, name: str, inputs: Properties) -> Properties:
    wanted = inputs.get("reservedConcurrentExecutions")
    if wanted is not None and int(wanted) >= 0:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(wanted))
        return {"reservedConcurrentExecutions": int(wanted)}
    return {"reservedConcurrentExecutions": -1}


def _outputs(cloud: Cloud, told: Properties, known: Properties, version: str, vpc_id: str) -> Properties:
    name = told["FunctionName"]
    arn = f"arn:{cloud.partition}:lambda:{cloud.region}:{cloud.account_id}:function:{name}"
    architectures = known.get("architectures") or told.get("Architectures") or ["x86_64"]
    outputs: Properties = {
        "architectures": architectures,
        "arn": arn,
        "codeSha256": told["CodeSha256"],
        "ephemeralStorage": known.get("ephemeralStorage") or from_aws(told.get("EphemeralStorage") or {"Size": 512}),
        "invokeArn": invoke_arn(cloud, arn),
        "lastModified": timestamp(told["LastModified"]),
        "loggingConfig": {"logFormat": "Text", "logGroup": f"/aws/lambda/{name}", **(known.get("loggingConfig") or {})},
        "name": name,
        "packageType": told.get("PackageType") or "Zip",
        "qualifiedArn": f"{arn}:{version}",
        "qualifiedInvokeArn": invoke_arn(cloud, f"{arn}:{version}"),
        "responseStreamingInvokeArn": invoke_arn(cloud, arn, streaming=True),
        "signingJobArn": told.get("SigningJobArn") or "",
        "signingProfileVersionArn": told.get("SigningProfileVersionArn") or "",
        "sourceCodeHash": known.get("sourceCodeHash") or told["CodeSha256"],
        "sourceCodeSize": told["CodeSize"],
        "tracingConfig": known.get("tracingConfig") or {"mode": "PassThrough"},
        "version": version,
    }
    for property_ in _TOLD:
        value = told.get(_CONFIGURATION[property_][0])
        if value not in (None, "", {}):
            outputs[property_] = {"variables": value["Variables"]} if property_ == "environment" else value
    for property_ in ("deadLetterConfig", "fileSystemConfig", "imageConfig", "imageUri", "kmsKeyArn", "snapStart"):
        if known.get(property_):
            outputs[property_] = known[property_]
    if layers := _layers(cloud, told, known):
        outputs["layers"] = layers
    vpc = told.get("VpcConfig") or {}
    if vpc.get("SubnetIds"):
        allowed = bool((known.get("vpcConfig") or {}).get("ipv6AllowedForDualStack"))
        outputs["vpcConfig"] = {
            "ipv6AllowedForDualStack": allowed,
            "securityGroupIds": vpc["SecurityGroupIds"],
            "subnetIds": vpc["SubnetIds"],
            "vpcId": vpc_id,
        }
    return outputs


def _layers(cloud: Cloud, told: Properties, known: Properties) -> list[str]:
    own = [layer["Arn"] for layer in told.get("Layers") or []]
    given = known.get("layers") or []
    kept = [arn for arn in given if arn.split(":")[4] != cloud.account_id]
    return given if sorted(own) == sorted(set(given) - set(kept)) else [*own, *kept]


def _read_function(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("lambda")
    answer = client.get_function(FunctionName=id_)
    told = answer["Configuration"]
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=id_)
    versions = [item["Version"] for page in pages for item in page["Versions"]]
    subnets = (told.get("VpcConfig") or {}).get("SubnetIds") or []
    remembered = known.get("vpcConfig") or {}
    vpc_id = str(remembered.get("vpcId") or "")
    if subnets and (not vpc_id or remembered.get("subnetIds") != subnets):
        vpc_id = _vpc_of(cloud, subnets)
    reserved = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    if reserved is None:  # moto takes 0 for nothing
        reserved = 0 if known.get("reservedConcurrentExecutions") == 0 else -1
    outputs = _outputs(cloud, told, known, versions[-1] if versions else _LATEST, vpc_id)
    if image := answer.get("Code", {}).get("ImageUri"):
        outputs["imageUri"] = image
    return {**outputs, "reservedConcurrentExecutions": reserved, "tagsAll": answer.get("Tags") or {}}


def _update_function(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_valid(new)
    client = cloud.client("lambda")
    settings = changed & _CONFIGURATION.keys()
    vpc = new.get("vpcConfig") or {}
    if "vpcConfig" in changed and vpc.get("subnetIds"):
        _vpc_of(cloud, vpc["subnetIds"])
    if settings:
        request = _configuration(cloud, new, settings, fill=True)
        client.update_function_configuration(FunctionName=id_, **request)
    if changed & _CODE:
        architectures = {"Architectures": new["architectures"]} if new.get("architectures") else {}
        client.update_function_code(FunctionName=id_, **code_source(new), **architectures)
    if "reservedConcurrentExecutions" in changed and _reserve(client, id_, new)["reservedConcurrentExecutions"] < 0:
        client.delete_function_concurrency(FunctionName=id_)
    if new.get("publish") and (settings or changed & {*_CODE, "publish"}):
        client.publish_version(FunctionName=id_)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(Resource=old["arn"], TagKeys=removed)
        if tags:
            client.tag_resource(Resource=old["arn"], Tags=tags)


def _delete_function(cloud: Cloud, id_: str, known: Properties) -> None:
    if not known.get("skipDestroy"):
        cloud.client("lambda").delete_function(FunctionName=id_)


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_function(cloud: Cloud, arguments: Properties) -> Properties:
    name, qualifier = arguments["functionName"], arguments.get("qualifier")
    client = cloud.client("lambda")
    answer = client.get_function(FunctionName=name, **({"Qualifier": qualifier} if qualifier else {}))
    told = answer["Configuration"]
    subnets = (told.get("VpcConfig") or {}).get("SubnetIds") or []
    version = told["Version"]
    outputs = _outputs(cloud, told, {}, version, _vpc_of(cloud, subnets) if subnets else "")
    blocks = {
        "ephemeralStorages": [outputs.pop("ephemeralStorage")],
        "loggingConfigs": [outputs.pop("loggingConfig")],
    }
    reserved = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions", -1)
    del outputs["name"], outputs["packageType"]
    return {
        "description": "",
        "handler": "",
        "layers": [],
        "runtime": "",
        **outputs,
        **blocks,
        "capacityProviderConfigs": [],
        "codeSigningConfigArn": "",
        "deadLetterConfig": {"targetArn": ""},
        "durableConfigs": [],
        "environment": outputs.get("environment", {"variables": {}}),
        "fileSystemConfigs": [],
        "functionName": name,
        "id": name,
        "imageUri": answer.get("Code", {}).get("ImageUri", ""),
        "kmsKeyArn": told.get("KMSKeyArn") or "",
        "qualifier": qualifier,
        "region": cloud.region,
        "reservedConcurrentExecutions": reserved,
        "sourceKmsKeyArn": "",
        "tags": answer.get("Tags") or {},
        "tenancyConfigs": [],
        "vpcConfig": outputs.get("vpcConfig", {"securityGroupIds": [], "subnetIds": [], "vpcId": ""}),
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:lambda/function:Function",
        service="lambda",
        create=_create_function,
        read=_read_function,
        update=_update_function,
        delete=_delete_function,
        required=("role",),
        name=AutoName(max_length=64, unless=()),
        replace_on=("name", "packageType", *_UNSERVED),
        computed=(
            "arn",
            "invokeArn",
            "lastModified",
            "qualifiedArn",
            "qualifiedInvokeArn",
            "responseStreamingInvokeArn",
            "signingJobArn",
            "signingProfileVersionArn",
            "sourceCodeSize",
            "version",
        ),
        sticky=(
            "architectures",
            "codeSha256",
            "ephemeralStorage",
            "loggingConfig",
            "snapStart",
            "sourceCodeHash",
            "tracingConfig",
        ),
        local=(
            "code",
            "codeSigningConfigArn",
            "publish",
            "publishTo",
            "replaceSecurityGroupsOnDestroy",
            "replacementSecurityGroupIds",
            "s3Bucket",
            "s3Key",
            "s3ObjectVersion",
            "skipDestroy",
            "sourceKmsKeyArn",
            "useResourceTimeoutForPropagation",
        ),
        defaults={
            "memorySize": 128,
            "packageType": "Zip",
            "publish": False,
            "reservedConcurrentExecutions": -1,
            "skipDestroy": False,
            "timeout": 3,
        },
        sets=("architectures", "vpcConfig.securityGroupIds", "vpcConfig.subnetIds"),
        assets=("code",),
        tagged=True,
        absent=ABSENT,
        volatile=(
            "codeSha256",
            "lastModified",
            "qualifiedArn",
            "qualifiedInvokeArn",
            "sourceCodeHash",
            "sourceCodeSize",
            "version",
        ),
        limits="code is kept and not run; layers of other accounts are remembered only",
    ),
    *lambda_versions.RESOURCE_TYPES,
    *lambda_triggers.RESOURCE_TYPES,
)

FUNCTIONS = (
    Function(token="aws:lambda/getFunction:getFunction", service="lambda", call=_get_function),
    *lambda_versions.FUNCTIONS,
    *lambda_triggers.FUNCTIONS,
)
