"""AWS IAM users, groups, memberships and access keys.

Source: the IAM API reference; ids and what forces a replacement as in Terraform's provider, except where moto cannot
follow (each such place is in a row's ``limits``).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from typing import TYPE_CHECKING

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.iam_policies import NO_SUCH_ENTITY, attached_policies
from isostack.localcloud.resource_types.iam_roles import timestamp
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

# -- users -------------------------------------------------------------------------------------------------------------


def _create_user(cloud: Cloud, inputs: Properties) -> Created:
    optional = {"PermissionsBoundary": inputs.get("permissionsBoundary"), "Tags": tag_list(inputs.get("tagsAll"))}
    user = cloud.client("iam").create_user(
        UserName=inputs["name"],
        Path=inputs.get("path", "/"),
        **{key: value for key, value in optional.items() if value},
    )["User"]
    return Created(inputs["name"], _user_outputs(user) | {"tagsAll": inputs.get("tagsAll") or {}, **_boundary(inputs)})


def _user_outputs(user: Properties) -> Properties:
    return {
        "arn": user["Arn"],
        "name": user["UserName"],
        "path": user["Path"],
        "tagsAll": tag_map(user.get("Tags")),
        "uniqueId": user["UserId"],
    }


def _boundary(known: Properties) -> Properties:
    """moto keeps no permissions boundary of a user, so what the program says is what there is."""
    return {"permissionsBoundary": known.get("permissionsBoundary", "")}


def _read_user(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _user_outputs(cloud.client("iam").get_user(UserName=id_)["User"]) | _boundary(known)


def _update_user(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam = cloud.client("iam")
    tags, removed = tag_changes(old, new)
    if "path" in changed:
        iam.update_user(UserName=id_, NewPath=new.get("path", "/"))
        tags = new.get("tagsAll") or {}  # moto keeps a user's tags by its ARN, which the path is part of
    if removed:
        iam.untag_user(UserName=id_, TagKeys=removed)
    if tags:
        iam.tag_user(UserName=id_, Tags=tag_list(tags))


def _delete_user(cloud: Cloud, id_: str, known: Properties) -> None:
    iam = cloud.client("iam")
    keys = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=id_)["AccessKeyMetadata"]]
    if keys and not known.get("forceDestroy"):  # moto would delete the user all the same
        raise ProviderError(
            f"DeleteConflict: user {id_} has access keys that are not part of the program ({', '.join(keys)}); "
            "delete them, or set forceDestroy"
        )
    for group in iam.list_groups_for_user(UserName=id_)["Groups"]:
        iam.remove_user_from_group(GroupName=group["GroupName"], UserName=id_)
    if known.get("forceDestroy"):
        for key in keys:
            iam.delete_access_key(UserName=id_, AccessKeyId=key)
        with contextlib.suppress(iam.exceptions.NoSuchEntityException):
            iam.delete_login_profile(UserName=id_)
        for name in iam.list_user_policies(UserName=id_)["PolicyNames"]:
            iam.delete_user_policy(UserName=id_, PolicyName=name)
        for arn in attached_policies(cloud, "user", id_):
            iam.detach_user_policy(UserName=id_, PolicyArn=arn)
    iam.delete_user(UserName=id_)


# -- groups ------------------------------------------------------------------------------------------------------------


def _create_group(cloud: Cloud, inputs: Properties) -> Created:
    group = cloud.client("iam").create_group(GroupName=inputs["name"], Path=inputs.get("path", "/"))["Group"]
    return Created(inputs["name"], _group_outputs(group))


def _group_outputs(group: Properties) -> Properties:
    return {"arn": group["Arn"], "name": group["GroupName"], "path": group["Path"], "uniqueId": group["GroupId"]}


def _read_group(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return _group_outputs(cloud.client("iam").get_group(GroupName=id_)["Group"])


def _delete_group(cloud: Cloud, id_: str, known: Properties) -> None:
    iam = cloud.client("iam")
    users = [user["UserName"] for user in iam.get_group(GroupName=id_)["Users"]]
    if users or attached_policies(cloud, "group", id_):  # moto would delete it all the same
        raise ProviderError(f"DeleteConflict: group {id_} still has users or attached policies {', '.join(users)}")
    iam.delete_group(GroupName=id_)


def _compare_name_and_path(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A new path alone needs the old one's name, so the old one goes first."""
    replaces = tuple(sorted(changed & {"name", "path"}))
    return Diff(tuple(sorted(changed)), replaces, delete_before_replace=replaces == ("path",))


# -- memberships -------------------------------------------------------------------------------------------------------


def _group_users(cloud: Cloud, group: str) -> list[str]:
    pages = cloud.client("iam").get_paginator("get_group").paginate(GroupName=group)
    return [user["UserName"] for page in pages for user in page["Users"]]


def _create_group_membership(cloud: Cloud, inputs: Properties) -> Created:
    for user in inputs["users"]:
        cloud.client("iam").add_user_to_group(GroupName=inputs["group"], UserName=user)
    return Created(inputs["name"])


def _read_group_membership(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    name, slash, group = id_.partition("/")
    group = known.get("group") or group
    if not group:
        raise ProviderError(f"GroupMembership {id_} does not say which group: import it by NAME/GROUP")
    actual, wanted = _group_users(cloud, group), known.get("users") or []
    if wanted and not actual:
        return None
    users = wanted if sorted(wanted) == sorted(actual) else sorted(actual)
    return {"id": name if slash else id_, "name": name if slash else id_, "group": group, "users": users}


def _update_group_membership(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam, actual, wanted = cloud.client("iam"), set(_group_users(cloud, new["group"])), set(new["users"])
    for user in sorted(actual - wanted):
        iam.remove_user_from_group(GroupName=new["group"], UserName=user)
    for user in sorted(wanted - actual):
        iam.add_user_to_group(GroupName=new["group"], UserName=user)


def _delete_group_membership(cloud: Cloud, id_: str, known: Properties) -> None:
    for user in set(known["users"]) & set(_group_users(cloud, known["group"])):
        cloud.client("iam").remove_user_from_group(GroupName=known["group"], UserName=user)


def _user_groups(cloud: Cloud, user: str) -> list[str]:
    pages = cloud.client("iam").get_paginator("list_groups_for_user").paginate(UserName=user)
    return [group["GroupName"] for page in pages for group in page["Groups"]]


def _create_user_group_membership(cloud: Cloud, inputs: Properties) -> Created:
    for group in inputs["groups"]:
        cloud.client("iam").add_user_to_group(GroupName=group, UserName=inputs["user"])
    return Created("/".join((inputs["user"], *inputs["groups"])), dict(inputs))


def _read_user_group_membership(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    user, *groups = id_.split("/")
    actual = _user_groups(cloud, known.get("user", user))
    still = [group for group in known.get("groups", groups) if group in actual]
    return {"user": known.get("user", user), "groups": still} if still else None


def _update_user_group_membership(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam = cloud.client("iam")
    before, after = set(old.get("groups") or []), set(new["groups"])
    for group in sorted((before - after) & set(_user_groups(cloud, new["user"]))):
        iam.remove_user_from_group(GroupName=group, UserName=new["user"])
    for group in sorted(after - before):
        iam.add_user_to_group(GroupName=group, UserName=new["user"])


def _delete_user_group_membership(cloud: Cloud, id_: str, known: Properties) -> None:
    for group in set(known["groups"]) & set(_user_groups(cloud, known["user"])):
        cloud.client("iam").remove_user_from_group(GroupName=group, UserName=known["user"])


# -- access keys -------------------------------------------------------------------------------------------------------


def _create_access_key(cloud: Cloud, inputs: Properties) -> Created:
    if inputs.get("pgpKey"):
        raise ProviderError("AccessKey: the local cloud knows no pgpKey; leave it out and use the output secret")
    iam = cloud.client("iam")
    key = iam.create_access_key(UserName=inputs["user"])["AccessKey"]
    status = inputs.get("status", "Active")
    if status != "Active":
        iam.update_access_key(UserName=inputs["user"], AccessKeyId=key["AccessKeyId"], Status=status)
    secret = key["SecretAccessKey"]
    outputs = {"secret": secret, "sesSmtpPasswordV4": _smtp_password(secret, cloud.region)}
    return Created(key["AccessKeyId"], outputs | _access_key_outputs(key) | {"status": status})


def _smtp_password(secret: str, region: str) -> str:
    """The password for SES's SMTP endpoint, derived as the SES developer guide says."""
    signature = f"AWS4{secret}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + signature).decode()


def _access_key_outputs(key: Properties) -> Properties:
    return {"user": key["UserName"], "status": key["Status"], "createDate": timestamp(key["CreateDate"])}


def _read_access_key(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    iam = cloud.client("iam")
    user = known.get("user") or iam.get_access_key_last_used(AccessKeyId=id_)["UserName"]
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        if key["AccessKeyId"] == id_:
            kept = {name: known[name] for name in ("secret", "sesSmtpPasswordV4") if name in known}
            return kept | _access_key_outputs(key)
    return None


def _update_access_key(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    status = new.get("status", "Active")
    cloud.client("iam").update_access_key(UserName=new["user"], AccessKeyId=id_, Status=status)


def _delete_access_key(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("iam").delete_access_key(UserName=known["user"], AccessKeyId=id_)


def _find_access_key(cloud: Cloud, inputs: Properties) -> list[str]:
    keys = cloud.client("iam").list_access_keys(UserName=inputs["user"])["AccessKeyMetadata"]
    return [key["AccessKeyId"] for key in keys if key["Status"] == inputs.get("status", "Active")]


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_user(cloud: Cloud, arguments: Properties) -> Properties:
    user = cloud.client("iam").get_user(UserName=arguments["userName"])["User"]
    return {
        "arn": user["Arn"],
        "id": user["UserId"],
        "path": user["Path"],
        "permissionsBoundary": "",
        "tags": tag_map(user.get("Tags")),
        "userId": user["UserId"],
        "userName": user["UserName"],
    }


def _get_group(cloud: Cloud, arguments: Properties) -> Properties:
    answer = cloud.client("iam").get_group(GroupName=arguments["groupName"])
    group = answer["Group"]
    return {
        "arn": group["Arn"],
        "groupId": group["GroupId"],
        "groupName": group["GroupName"],
        "id": group["GroupId"],
        "path": group["Path"],
        "users": [
            {"arn": user["Arn"], "path": user["Path"], "userId": user["UserId"], "userName": user["UserName"]}
            for user in answer["Users"]
        ],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:iam/user:User",
        service="iam",
        create=_create_user,
        read=_read_user,
        update=_update_user,
        delete=_delete_user,
        name=AutoName(max_length=64, unless=()),
        replace_on=("name",),
        computed=("arn", "uniqueId"),
        local=("forceDestroy", "permissionsBoundary"),
        defaults={"forceDestroy": False, "path": "/"},
        tagged=True,
        absent=NO_SUCH_ENTITY,
        limits="renaming replaces the user; a permissions boundary is recorded, not kept by the cloud",
    ),
    ResourceType(
        token="aws:iam/group:Group",
        service="iam",
        create=_create_group,
        read=_read_group,
        update=lambda cloud, id_, old, new, changed: None,
        delete=_delete_group,
        name=AutoName(max_length=128, unless=()),
        computed=("arn", "uniqueId"),
        defaults={"path": "/"},
        compare=_compare_name_and_path,
        absent=NO_SUCH_ENTITY,
        limits="a new name or path replaces the group",
    ),
    ResourceType(
        token="aws:iam/groupMembership:GroupMembership",
        service="iam",
        create=_create_group_membership,
        read=_read_group_membership,
        update=_update_group_membership,
        delete=_delete_group_membership,
        required=("group", "users"),
        name=AutoName(unless=()),
        replace_on=("name", "group"),
        sets=("users",),
        absent=NO_SUCH_ENTITY,
        adopts=True,
    ),
    ResourceType(
        token="aws:iam/userGroupMembership:UserGroupMembership",
        service="iam",
        create=_create_user_group_membership,
        read=_read_user_group_membership,
        update=_update_user_group_membership,
        delete=_delete_user_group_membership,
        required=("groups", "user"),
        replace_on=("user",),
        sets=("groups",),
        absent=NO_SUCH_ENTITY,
        adopts=True,
    ),
    ResourceType(
        token="aws:iam/accessKey:AccessKey",
        service="iam",
        create=_create_access_key,
        read=_read_access_key,
        update=_update_access_key,
        delete=_delete_access_key,
        find=_find_access_key,
        required=("user",),
        replace_on=("user", "pgpKey"),
        computed=("createDate", "secret", "sesSmtpPasswordV4"),
        defaults={"status": "Active"},
        secret_outputs=("secret", "sesSmtpPasswordV4"),
        absent=NO_SUCH_ENTITY,
        limits="pgpKey is refused",
    ),
)

FUNCTIONS = (
    Function(token="aws:iam/getUser:getUser", service="iam", call=_get_user),
    Function(token="aws:iam/getGroup:getGroup", service="iam", call=_get_group),
)
