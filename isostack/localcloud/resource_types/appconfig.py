"""AWS AppConfig: applications, configuration profiles and the versions that it hosts.

moto has neither environments nor deployments of configurations. Source: the AppConfig API reference; property names as in
pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import AutoName, Created, Properties, ResourceType, tag_changes

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_ABSENT = ("ResourceNotFoundException",)
_FREEFORM = "AWS.Freeform"


def _arn(cloud: Cloud, path: str) -> str:
    return f"arn:{cloud.partition}:appconfig:{cloud.region}:{cloud.account_id}:application/{path}"


def _tags(cloud: Cloud, path: str) -> dict[str, str]:
    return dict(cloud.client("appconfig").list_tags_for_resource(ResourceArn=_arn(cloud, path))["Tags"])


def _retag(cloud: Cloud, old: Properties, new: Properties, changed: set[str]) -> None:
    if "tagsAll" not in changed:
        return
    tags, removed = tag_changes(old, new)
    if removed:
        cloud.client("appconfig").untag_resource(ResourceArn=old["arn"], TagKeys=removed)
    if tags:
        cloud.client("appconfig").tag_resource(ResourceArn=old["arn"], Tags=tags)


def _given(inputs: Properties, **names: str) -> dict[str, Any]:
    return {parameter: inputs[name] for parameter, name in names.items() if inputs.get(name)}


def _changed(new: Properties, changed: set[str], **names: str) -> dict[str, Any]:
    return {parameter: new.get(name) or "" for parameter, name in names.items() if name in changed}


# -- applications -------------------------------------------------------------------------------------------------------


def _create_application(cloud: Cloud, inputs: Properties) -> Created:
    given = _given(inputs, Description="description", Tags="tagsAll")
    answer = cloud.client("appconfig").create_application(Name=inputs["name"], **given)
    return Created(answer["Id"], _application_outputs(cloud, answer, inputs.get("tagsAll") or {}))


def _application_outputs(cloud: Cloud, answer: Properties, tags: dict[str, str]) -> Properties:
    return {
        "arn": _arn(cloud, answer["Id"]),
        "description": answer.get("Description") or "",
        "name": answer["Name"],
        "tagsAll": tags,
    }


def _read_application(cloud: Cloud, id_: str, known: Properties) -> Properties:
    answer = cloud.client("appconfig").get_application(ApplicationId=id_)
    return _application_outputs(cloud, answer, _tags(cloud, id_))


def _update_application(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    changes = _changed(new, changed, Description="description", Name="name")
    if changes:
        cloud.client("appconfig").update_application(ApplicationId=id_, **changes)
    _retag(cloud, old, new, changed)


def _delete_application(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("appconfig").delete_application(ApplicationId=id_)


def _find_application(cloud: Cloud, inputs: Properties) -> list[str]:
    pages = cloud.client("appconfig").get_paginator("list_applications").paginate()
    ids = [item["Id"] for page in pages for item in page["Items"] if item["Name"] == inputs["name"]]
    return [id_ for id_ in ids if _tags(cloud, id_) == (inputs.get("tagsAll") or {})]


# -- configuration profiles ---------------------------------------------------------------------------------------------


def _validators(inputs: Properties) -> list[dict[str, str]]:
    return [{"Type": one["type"], "Content": one.get("content") or ""} for one in inputs.get("validators") or []]


def _create_profile(cloud: Cloud, inputs: Properties) -> Created:
    hosted, location = inputs["locationUri"] == "hosted", inputs["locationUri"]
    if not hosted and not location.startswith(("arn:", "codepipeline://", "s3://", "ssm-", "secretsmanager://")):
        raise ProviderError(f"ConfigurationProfile: locationUri {location!r} is none; write hosted, or such as s3://bucket/key")
    if not hosted and not location.startswith("codepipeline://") and not inputs.get("retrievalRoleArn"):
        raise ProviderError(f"BadRequestException: ConfigurationProfile: {location} needs a retrievalRoleArn to be read by")
    given = _given(inputs, Description="description", RetrievalRoleArn="retrievalRoleArn", Tags="tagsAll")
    given |= _given(inputs, KmsKeyIdentifier="kmsKeyIdentifier")
    if inputs.get("validators"):
        given["Validators"] = _validators(inputs)
    answer = cloud.client("appconfig").create_configuration_profile(
        ApplicationId=inputs["applicationId"], Name=inputs["name"], LocationUri=location, Type=inputs["type"], **given
    )
    return Created(f"{answer['Id']}:{answer['ApplicationId']}", _profile_outputs(cloud, answer, inputs.get("tagsAll") or {}))


def _profile_outputs(cloud: Cloud, answer: Properties, tags: dict[str, str]) -> Properties:
    validators = [{"type": one["Type"], "content": one.get("Content", "")} for one in answer.get("Validators") or []]
    return {
        "applicationId": answer["ApplicationId"],
        "arn": _arn(cloud, f"{answer['ApplicationId']}/configurationprofile/{answer['Id']}"),
        "configurationProfileId": answer["Id"],
        "description": answer.get("Description") or "",
        "locationUri": answer["LocationUri"],
        "name": answer["Name"],
        "retrievalRoleArn": answer.get("RetrievalRoleArn") or "",
        "tagsAll": tags,
        "type": answer.get("Type") or _FREEFORM,
        "validators": validators,
    }


def _profile_key(id_: str) -> dict[str, str]:
    profile, _, application = id_.partition(":")
    if not application:
        raise ProviderError(f"{id_!r} is no id to import by; write profile-id:application-id")
    return {"ApplicationId": application, "ConfigurationProfileId": profile}


def _read_profile(cloud: Cloud, id_: str, known: Properties) -> Properties:
    key = _profile_key(id_)
    answer = cloud.client("appconfig").get_configuration_profile(**key)
    tags = _tags(cloud, f"{key['ApplicationId']}/configurationprofile/{key['ConfigurationProfileId']}")
    return _profile_outputs(cloud, answer, tags)


def _update_profile(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    changes = _changed(
        new,
        changed,
        Description="description",
        KmsKeyIdentifier="kmsKeyIdentifier",
        Name="name",
        RetrievalRoleArn="retrievalRoleArn",
    )
    if "validators" in changed:
        changes["Validators"] = _validators(new)
    if changes:
        cloud.client("appconfig").update_configuration_profile(**_profile_key(id_), **changes)
    _retag(cloud, old, new, changed)


def _delete_profile(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("appconfig").delete_configuration_profile(**_profile_key(id_))


def _find_profile(cloud: Cloud, inputs: Properties) -> list[str]:
    application = inputs["applicationId"]
    pages = cloud.client("appconfig").get_paginator("list_configuration_profiles").paginate(ApplicationId=application)
    return [f"{item['Id']}:{application}" for page in pages for item in page["Items"] if item["Name"] == inputs["name"]]


# -- hosted versions ----------------------------------------------------------------------------------------------------


def _create_version(cloud: Cloud, inputs: Properties) -> Created:
    answer = cloud.client("appconfig").create_hosted_configuration_version(
        ApplicationId=inputs["applicationId"],
        ConfigurationProfileId=inputs["configurationProfileId"],
        Content=inputs["content"].encode(),
        ContentType=inputs["contentType"],
        **_given(inputs, Description="description", VersionLabel="versionLabel"),
    )
    outputs = {**inputs, "versionNumber": answer["VersionNumber"]}
    id_ = f"{inputs['applicationId']}/{inputs['configurationProfileId']}/{answer['VersionNumber']}"
    return Created(id_, {**outputs, "arn": _version_arn(cloud, id_)})


def _version_arn(cloud: Cloud, id_: str) -> str:
    application, profile, version = id_.split("/")
    return _arn(cloud, f"{application}/configurationprofile/{profile}/hostedconfigurationversion/{version}")


def _version_key(id_: str) -> dict[str, Any]:
    parts = id_.split("/")
    if len(parts) != 3 or not parts[2].isdecimal():
        raise ProviderError(f"{id_!r} is no id to import by; write application-id/profile-id/version-number")
    return {"ApplicationId": parts[0], "ConfigurationProfileId": parts[1], "VersionNumber": int(parts[2])}


def _read_version(cloud: Cloud, id_: str, known: Properties) -> Properties:
    key = _version_key(id_)
    answer = cloud.client("appconfig").get_hosted_configuration_version(**key)
    texts = {"description": answer.get("Description"), "versionLabel": answer.get("VersionLabel")}
    return {
        "applicationId": key["ApplicationId"],
        "arn": _version_arn(cloud, id_),
        "configurationProfileId": key["ConfigurationProfileId"],
        "content": answer["Content"].read().decode(),
        "contentType": answer["ContentType"],
        "versionNumber": key["VersionNumber"],
        **{name: text for name, text in texts.items() if text},
    }


def _delete_version(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("appconfig").delete_hosted_configuration_version(**_version_key(id_))


def _find_version(cloud: Cloud, inputs: Properties) -> list[str]:
    application, profile = inputs["applicationId"], inputs["configurationProfileId"]
    pages = cloud.client("appconfig").get_paginator("list_hosted_configuration_versions")
    ids = [
        f"{application}/{profile}/{item['VersionNumber']}"
        for page in pages.paginate(ApplicationId=application, ConfigurationProfileId=profile)
        for item in page["Items"]
    ]
    same = ("content", "contentType", "description", "versionLabel")
    found = {id_: _read_version(cloud, id_, {}) for id_ in ids}
    return [id_ for id_, version in found.items() if all(version.get(key) == inputs.get(key) for key in same)]


RESOURCE_TYPES = (
    ResourceType(
        token="aws:appconfig/application:Application",
        service="appconfig",
        create=_create_application,
        read=_read_application,
        update=_update_application,
        delete=_delete_application,
        find=_find_application,
        name=AutoName(max_length=64, unless=()),
        computed=("arn",),
        absent=_ABSENT,
        tagged=True,
    ),
    ResourceType(
        token="aws:appconfig/configurationProfile:ConfigurationProfile",
        service="appconfig",
        create=_create_profile,
        read=_read_profile,
        update=_update_profile,
        delete=_delete_profile,
        find=_find_profile,
        name=AutoName(max_length=128, unless=()),
        required=("applicationId", "locationUri"),
        replace_on=("applicationId", "locationUri", "type"),
        computed=("arn", "configurationProfileId"),
        local=("kmsKeyIdentifier",),
        sets=("validators",),
        json_documents=("validators.content",),
        defaults={"type": _FREEFORM},
        absent=_ABSENT,
        tagged=True,
        limits="validators are not run; kmsKeyIdentifier is recorded only",
    ),
    ResourceType(
        token="aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion",
        service="appconfig",
        create=_create_version,
        read=_read_version,
        delete=_delete_version,
        find=_find_version,
        required=("applicationId", "configurationProfileId", "content", "contentType"),
        computed=("arn", "versionNumber"),
        absent=_ABSENT,
        secret_outputs=("content",),
    ),
)
