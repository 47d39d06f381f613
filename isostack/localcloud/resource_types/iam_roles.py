"""AWS IAM roles and instance profiles. Source: the IAM API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.iam_policies import (
    NO_SUCH_ENTITY,
    attached_policies,
    policy_text,
    require_policy,
)
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

_HOUR = 3600


def timestamp(moment: datetime) -> str:
    """A moment as Terraform writes it (RFC 3339, seconds, UTC)."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# -- roles -------------------------------------------------------------------------------------------------------------


def _require_trust_policy(text: Any) -> None:
    require_policy(text, "assumeRolePolicy")
    statements = json.loads(text)["Statement"]
    for statement in [statements] if isinstance(statements, dict) else statements:
        if "Resource" in statement:
            raise ProviderError("MalformedPolicyDocument: assumeRolePolicy: Has prohibited field Resource")


def _create_role(cloud: Cloud, inputs: Properties) -> Created:
    _require_trust_policy(inputs["assumeRolePolicy"])
    inline = _inline_policies(inputs)
    iam = cloud.client("iam")
    optional = {
        "Description": inputs.get("description"),
        "PermissionsBoundary": inputs.get("permissionsBoundary"),
        "Tags": tag_list(inputs.get("tagsAll")),
    }
    role = iam.create_role(
        RoleName=inputs["name"],
        Path=inputs.get("path", "/"),
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        MaxSessionDuration=int(inputs.get("maxSessionDuration", _HOUR)),
        **{key: value for key, value in optional.items() if value},
    )["Role"]
    try:
        for name, text in inline.items():
            iam.put_role_policy(RoleName=inputs["name"], PolicyName=name, PolicyDocument=text)
        for arn in inputs.get("managedPolicyArns") or []:
            iam.attach_role_policy(RoleName=inputs["name"], PolicyArn=arn)
    except Exception:
        _strip_role(cloud, inputs["name"])
        iam.delete_role(RoleName=inputs["name"])
        raise
    outputs = _role_outputs(role, inputs)
    outputs["tagsAll"] = inputs.get("tagsAll") or {}
    outputs["inlinePolicies"] = inputs.get("inlinePolicies") or []
    outputs["managedPolicyArns"] = inputs.get("managedPolicyArns") or []
    return Created(inputs["name"], outputs)


def _inline_policies(inputs: Properties) -> dict[str, str]:
    """Inline policies by name. One empty block asks for there to be none."""
    policies = {}
    for block in inputs.get("inlinePolicies") or []:
        name, text = block.get("name"), block.get("policy")
        if not name and not text:
            continue
        if not name or not text:
            raise ProviderError("inlinePolicies: each needs both name and policy")
        require_policy(text, f"inlinePolicies {name}")
        policies[name] = text
    return policies


def _role_outputs(role: Properties, known: Properties) -> Properties:
    return {
        "arn": role["Arn"],
        "assumeRolePolicy": policy_text(role["AssumeRolePolicyDocument"], known.get("assumeRolePolicy")),
        "createDate": timestamp(role["CreateDate"]),
        "description": role.get("Description", ""),
        "maxSessionDuration": role.get("MaxSessionDuration", _HOUR),
        "name": role["RoleName"],
        "path": role["Path"],
        "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "tagsAll": tag_map(role.get("Tags")),
        "uniqueId": role["RoleId"],
        **{key: known[key] for key in ("namePrefix",) if key in known},
    }


def _read_role(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    iam = cloud.client("iam")
    outputs = _role_outputs(iam.get_role(RoleName=id_)["Role"], known)
    written = {block.get("name"): block.get("policy") for block in known.get("inlinePolicies") or []}
    inline = []
    # In the program's order, and then what is new: the list is a set to AWS, and steady in the state.
    order = list(written)
    names = _inline_names(cloud, id_)
    for name in sorted(names, key=lambda name: (order.index(name) if name in written else len(order), name)):
        document = iam.get_role_policy(RoleName=id_, PolicyName=name)["PolicyDocument"]
        inline.append({"name": name, "policy": policy_text(document, written.get(name))})
    asked_for_none = not any(written) and known.get("inlinePolicies")
    outputs["inlinePolicies"] = known["inlinePolicies"] if asked_for_none and not inline else inline
    attached = attached_policies(cloud, "role", id_)
    wanted = known.get("managedPolicyArns") or []
    outputs["managedPolicyArns"] = wanted if sorted(wanted) == sorted(attached) else sorted(attached)
    return outputs


def _inline_names(cloud: Cloud, role: str) -> list[str]:
    pages = cloud.client("iam").get_paginator("list_role_policies").paginate(RoleName=role)
    return [name for page in pages for name in page["PolicyNames"]]


def _update_role(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam = cloud.client("iam")
    if "assumeRolePolicy" in changed:
        _require_trust_policy(new["assumeRolePolicy"])
        iam.update_assume_role_policy(RoleName=id_, PolicyDocument=new["assumeRolePolicy"])
    if changed & {"description", "maxSessionDuration"}:
        iam.update_role(
            RoleName=id_,
            Description=new.get("description") or "",
            MaxSessionDuration=int(new.get("maxSessionDuration", _HOUR)),
        )
    if "permissionsBoundary" in changed:
        if new.get("permissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=id_, PermissionsBoundary=new["permissionsBoundary"])
        else:
            iam.delete_role_permissions_boundary(RoleName=id_)
    if "inlinePolicies" in changed:
        wanted = _inline_policies(new)
        for name in set(_inline_names(cloud, id_)) - set(wanted):
            iam.delete_role_policy(RoleName=id_, PolicyName=name)
        for name, text in wanted.items():
            iam.put_role_policy(RoleName=id_, PolicyName=name, PolicyDocument=text)
    if "managedPolicyArns" in changed:
        attached, arns = set(attached_policies(cloud, "role", id_)), set(new.get("managedPolicyArns") or [])
        for arn in attached - arns:
            iam.detach_role_policy(RoleName=id_, PolicyArn=arn)
        for arn in arns - attached:
            iam.attach_role_policy(RoleName=id_, PolicyArn=arn)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            iam.untag_role(RoleName=id_, TagKeys=removed)
        if tags:
            iam.tag_role(RoleName=id_, Tags=tag_list(tags))


def _delete_role(cloud: Cloud, id_: str, known: Properties) -> None:
    iam = cloud.client("iam")
    try:
        iam.delete_role(RoleName=id_)
    except iam.exceptions.DeleteConflictException:
        force = bool(known.get("forceDetachPolicies"))
        for profile in iam.list_instance_profiles_for_role(RoleName=id_)["InstanceProfiles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=id_)
        _strip_role(
            cloud,
            id_,
            inline=force or bool(known.get("inlinePolicies")),
            managed=force or bool(known.get("managedPolicyArns")),
        )
        iam.delete_role(RoleName=id_)


def _strip_role(cloud: Cloud, role: str, *, inline: bool = True, managed: bool = True) -> None:
    """Take a role's policies away: AWS deletes no role that has any."""
    iam = cloud.client("iam")
    for name in _inline_names(cloud, role) if inline else ():
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for arn in attached_policies(cloud, "role", role) if managed else ():
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)


# -- service-linked roles ----------------------------------------------------------------------------------------------


def _create_service_linked_role(cloud: Cloud, inputs: Properties) -> str:
    optional = {"Description": inputs.get("description"), "CustomSuffix": inputs.get("customSuffix")}
    role = cloud.client("iam").create_service_linked_role(
        AWSServiceName=inputs["awsServiceName"], **{key: value for key, value in optional.items() if value}
    )["Role"]
    if inputs.get("tagsAll"):
        cloud.client("iam").tag_role(RoleName=role["RoleName"], Tags=tag_list(inputs["tagsAll"]))
    return str(role["Arn"])


def _read_service_linked_role(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    _, _, service, name = id_.rpartition(":")[2].split("/")
    role = cloud.client("iam").get_role(RoleName=name)["Role"]
    outputs = _role_outputs(role, {})
    keep = ("arn", "createDate", "description", "name", "path", "tagsAll", "uniqueId")
    suffix = {"customSuffix": name.rpartition("_")[2]} if known.get("customSuffix") else {}
    return {key: outputs[key] for key in keep} | {"awsServiceName": service} | suffix


def _update_service_linked_role(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam, name = cloud.client("iam"), id_.rpartition("/")[2]
    if "description" in changed:
        iam.update_role(RoleName=name, Description=new.get("description") or "")
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            iam.untag_role(RoleName=name, TagKeys=removed)
        if tags:
            iam.tag_role(RoleName=name, Tags=tag_list(tags))


def _delete_service_linked_role(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("iam").delete_service_linked_role(RoleName=id_.rpartition("/")[2])


def _find_service_linked_role(cloud: Cloud, inputs: Properties) -> list[str]:
    prefix = f"/aws-service-role/{inputs['awsServiceName']}/"
    roles = cloud.client("iam").list_roles(PathPrefix=prefix)["Roles"]
    suffix = f"_{inputs['customSuffix']}" if inputs.get("customSuffix") else ""
    return [role["Arn"] for role in roles if role["RoleName"].endswith(suffix)]


# -- instance profiles -------------------------------------------------------------------------------------------------


def _create_instance_profile(cloud: Cloud, inputs: Properties) -> Created:
    iam = cloud.client("iam")
    name = inputs["name"]
    optional = {"Tags": tag_list(inputs.get("tagsAll"))} if inputs.get("tagsAll") else {}
    profile = iam.create_instance_profile(InstanceProfileName=name, Path=inputs.get("path", "/"), **optional)
    if inputs.get("role"):
        try:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=inputs["role"])
        except Exception:
            iam.delete_instance_profile(InstanceProfileName=name)
            raise
    outputs = _instance_profile_outputs(profile["InstanceProfile"], inputs)
    return Created(name, outputs | {"role": inputs.get("role", ""), "tagsAll": inputs.get("tagsAll") or {}})


def _instance_profile_outputs(profile: Properties, known: Properties) -> Properties:
    return {
        "arn": profile["Arn"],
        "createDate": timestamp(profile["CreateDate"]),
        "name": profile["InstanceProfileName"],
        "path": profile["Path"],
        "role": next((role["RoleName"] for role in profile["Roles"]), ""),
        "tagsAll": tag_map(profile.get("Tags")),
        "uniqueId": profile["InstanceProfileId"],
        **{key: known[key] for key in ("namePrefix",) if key in known},
    }


def _read_instance_profile(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    profile = cloud.client("iam").get_instance_profile(InstanceProfileName=id_)["InstanceProfile"]
    return _instance_profile_outputs(profile, known)


def _update_instance_profile(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam = cloud.client("iam")
    if "role" in changed:
        _remove_roles(cloud, id_)
        if new.get("role"):
            iam.add_role_to_instance_profile(InstanceProfileName=id_, RoleName=new["role"])
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            iam.untag_instance_profile(InstanceProfileName=id_, TagKeys=removed)
        if tags:
            iam.tag_instance_profile(InstanceProfileName=id_, Tags=tag_list(tags))


def _remove_roles(cloud: Cloud, profile: str) -> None:
    iam = cloud.client("iam")
    for role in iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role["RoleName"])


def _delete_instance_profile(cloud: Cloud, id_: str, known: Properties) -> None:
    _remove_roles(cloud, id_)
    cloud.client("iam").delete_instance_profile(InstanceProfileName=id_)


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_role(cloud: Cloud, arguments: Properties) -> Properties:
    role = cloud.client("iam").get_role(RoleName=arguments["name"])["Role"]
    outputs = _role_outputs(role, {})
    used = role.get("RoleLastUsed") or {}
    if used.get("LastUsedDate"):
        last = [{"lastUsedDate": timestamp(used["LastUsedDate"]), "region": used.get("Region") or ""}]
    else:
        last = []
    return {**outputs, "id": arguments["name"], "tags": outputs.pop("tagsAll"), "roleLastUseds": last}


def _get_instance_profile(cloud: Cloud, arguments: Properties) -> Properties:
    profile = cloud.client("iam").get_instance_profile(InstanceProfileName=arguments["name"])["InstanceProfile"]
    role: Properties = next(iter(profile["Roles"]), {})
    return {
        "arn": profile["Arn"],
        "createDate": timestamp(profile["CreateDate"]),
        "id": profile["InstanceProfileId"],
        "name": profile["InstanceProfileName"],
        "path": profile["Path"],
        "roleArn": role.get("Arn", ""),
        "roleId": role.get("RoleId", ""),
        "roleName": role.get("RoleName", ""),
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:iam/role:Role",
        service="iam",
        create=_create_role,
        read=_read_role,
        update=_update_role,
        delete=_delete_role,
        required=("assumeRolePolicy",),
        name=AutoName(max_length=64),
        replace_on=("name", "namePrefix", "path"),
        computed=("arn", "createDate", "uniqueId"),
        sticky=("inlinePolicies", "managedPolicyArns"),
        local=("forceDetachPolicies",),
        defaults={"forceDetachPolicies": False, "maxSessionDuration": _HOUR, "path": "/"},
        sets=("inlinePolicies", "managedPolicyArns"),
        json_documents=("assumeRolePolicy", "inlinePolicies.policy"),
        tagged=True,
        absent=NO_SUCH_ENTITY,
    ),
    ResourceType(
        token="aws:iam/serviceLinkedRole:ServiceLinkedRole",
        service="iam",
        create=_create_service_linked_role,
        read=_read_service_linked_role,
        update=_update_service_linked_role,
        delete=_delete_service_linked_role,
        find=_find_service_linked_role,
        required=("awsServiceName",),
        replace_on=("awsServiceName", "customSuffix"),
        computed=("arn", "createDate", "name", "path", "uniqueId"),
        tagged=True,
        absent=NO_SUCH_ENTITY,
    ),
    ResourceType(
        token="aws:iam/instanceProfile:InstanceProfile",
        service="iam",
        create=_create_instance_profile,
        read=_read_instance_profile,
        update=_update_instance_profile,
        delete=_delete_instance_profile,
        name=AutoName(max_length=128),
        replace_on=("name", "namePrefix", "path"),
        computed=("arn", "createDate", "uniqueId"),
        defaults={"path": "/"},
        tagged=True,
        absent=NO_SUCH_ENTITY,
    ),
)

FUNCTIONS = (
    Function(token="aws:iam/getRole:getRole", service="iam", call=_get_role),
    Function(token="aws:iam/getInstanceProfile:getInstanceProfile", service="iam", call=_get_instance_profile),
)
