"""AWS IAM policies: managed ones, inline ones, and their attachments to roles, users and groups.

Source: the IAM API reference; ids and what forces a replacement as in Terraform's provider. Roles and users themselves
are :mod:`isostack.localcloud.resource_types.iam_roles`'s and ``iam_users``'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
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

NO_SUCH_ENTITY = ("NoSuchEntity",)
_MOST_VERSIONS = 5


def require_policy(text: Any, property_: str) -> None:
    """Refuse what AWS calls a malformed policy document, as far as it shows without knowing every action."""
    try:
        document = json.loads(text)
    except (TypeError, ValueError) as error:
        raise ProviderError(f"MalformedPolicyDocument: {property_} is not JSON: {error}") from error
    statements = document.get("Statement") if isinstance(document, dict) else None
    for statement in [statements] if isinstance(statements, dict) else statements or [None]:
        if not isinstance(statement, dict) or "Effect" not in statement:
            raise ProviderError(f"MalformedPolicyDocument: {property_} needs a Statement, and each statement an Effect")


def policy_text(actual: Any, known: Any) -> str:
    """The policy as the program wrote it, where AWS's means the same; else AWS's."""
    if isinstance(actual, str):
        text, actual = actual, json.loads(actual)
    else:
        text = json.dumps(actual, separators=(",", ":"))
    try:
        return str(known) if isinstance(known, str) and json.loads(known) == actual else text
    except ValueError:
        return text


# -- managed policies --------------------------------------------------------------------------------------------------


def _create_policy(cloud: Cloud, inputs: Properties) -> Created:
    require_policy(inputs["policy"], "policy")
    optional = {"Description": inputs.get("description"), "Tags": tag_list(inputs.get("tagsAll"))}
    policy = cloud.client("iam").create_policy(
        PolicyName=inputs["name"],
        Path=inputs.get("path", "/"),
        PolicyDocument=inputs["policy"],
        **{key: value for key, value in optional.items() if value},
    )["Policy"]
    given = {"description": inputs.get("description", ""), "tagsAll": inputs.get("tagsAll") or {}}
    return Created(policy["Arn"], _policy_outputs(policy, inputs, inputs["policy"]) | given)


def _policy_outputs(policy: Properties, known: Properties, text: str) -> Properties:
    return {
        "arn": policy["Arn"],
        "attachmentCount": policy.get("AttachmentCount", 0),
        "description": policy.get("Description", ""),
        "name": policy["PolicyName"],
        "path": policy["Path"],
        "policy": text,
        "policyId": policy["PolicyId"],
        "tagsAll": tag_map(policy.get("Tags")),
        **{key: known[key] for key in ("namePrefix",) if key in known},
    }


def _read_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    iam = cloud.client("iam")
    policy = iam.get_policy(PolicyArn=id_)["Policy"]
    version = iam.get_policy_version(PolicyArn=id_, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    return _policy_outputs(policy, known, policy_text(version["Document"], known.get("policy")))


def _update_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam = cloud.client("iam")
    if "policy" in changed:
        require_policy(new["policy"], "policy")
        versions = iam.list_policy_versions(PolicyArn=id_)["Versions"]
        if len(versions) >= _MOST_VERSIONS:
            spare = [version for version in versions if not version["IsDefaultVersion"]]
            oldest = min(spare, key=lambda version: version["CreateDate"])
            iam.delete_policy_version(PolicyArn=id_, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=id_, PolicyDocument=new["policy"], SetAsDefault=True)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            iam.untag_policy(PolicyArn=id_, TagKeys=removed)
        if tags:
            iam.tag_policy(PolicyArn=id_, Tags=tag_list(tags))


def _delete_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    iam = cloud.client("iam")
    entities = iam.list_entities_for_policy(PolicyArn=id_)
    holders = [next(iter(e.values())) for key in ("PolicyRoles", "PolicyUsers", "PolicyGroups") for e in entities[key]]
    if holders:  # moto would delete it, and leave the attachments behind
        raise ProviderError(f"DeleteConflict: policy {id_} is still attached to {', '.join(holders)}")
    for version in iam.list_policy_versions(PolicyArn=id_)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=id_, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=id_)


def _find_policy(cloud: Cloud, inputs: Properties) -> list[str]:
    arn = f"arn:{cloud.partition}:iam::{cloud.account_id}:policy{inputs.get('path', '/')}{inputs['name']}"
    return [str(cloud.client("iam").get_policy(PolicyArn=arn)["Policy"]["Arn"])]


# -- inline policies and attachments: the same three calls for a role, a user and a group ------------------------------


def _inline_policy(owner: str) -> ResourceType:
    """The row of ``RolePolicy``, ``UserPolicy`` or ``GroupPolicy``; ``owner`` is ``role``, ``user`` or ``group``."""
    owner_name = f"{owner.title()}Name"

    def put(cloud: Cloud, holder: str, name: str, text: str) -> None:
        require_policy(text, "policy")
        call = getattr(cloud.client("iam"), f"put_{owner}_policy")
        call(**{owner_name: holder}, PolicyName=name, PolicyDocument=text)

    def create(cloud: Cloud, inputs: Properties) -> Created:
        put(cloud, inputs[owner], inputs["name"], inputs["policy"])
        return Created(f"{inputs[owner]}:{inputs['name']}", dict(inputs))

    def read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
        holder, _, name = id_.partition(":")
        call = getattr(cloud.client("iam"), f"get_{owner}_policy")
        answer = call(**{owner_name: holder}, PolicyName=name)
        outputs = {owner: holder, "name": name, "policy": policy_text(answer["PolicyDocument"], known.get("policy"))}
        return outputs | {key: known[key] for key in ("namePrefix",) if key in known}

    def update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
        holder, _, name = id_.partition(":")
        put(cloud, holder, name, new["policy"])

    def delete(cloud: Cloud, id_: str, known: Properties) -> None:
        holder, _, name = id_.partition(":")
        getattr(cloud.client("iam"), f"delete_{owner}_policy")(**{owner_name: holder}, PolicyName=name)

    def find(cloud: Cloud, inputs: Properties) -> list[str]:
        id_ = f"{inputs[owner]}:{inputs['name']}"
        return [id_] if read(cloud, id_, {}) else []

    return ResourceType(
        token=f"aws:iam/{owner}Policy:{owner.title()}Policy",
        service="iam",
        create=create,
        read=read,
        update=update,
        delete=delete,
        find=find,
        required=(owner, "policy"),
        name=AutoName(max_length=128),
        replace_on=(owner, "name", "namePrefix"),
        json_documents=("policy",),
        absent=NO_SUCH_ENTITY,
    )


def _attachment(owner: str) -> ResourceType:
    """The row of ``RolePolicyAttachment``, ``UserPolicyAttachment`` or ``GroupPolicyAttachment``."""
    owner_name = f"{owner.title()}Name"

    def create(cloud: Cloud, inputs: Properties) -> Created:
        call = getattr(cloud.client("iam"), f"attach_{owner}_policy")
        call(**{owner_name: inputs[owner]}, PolicyArn=inputs["policyArn"])
        return Created(f"{inputs[owner]}/{inputs['policyArn']}", dict(inputs))

    def read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
        holder, _, arn = id_.partition("/")
        if arn in attached_policies(cloud, owner, holder):
            return {owner: holder, "policyArn": arn}
        return None

    def delete(cloud: Cloud, id_: str, known: Properties) -> None:
        holder, _, arn = id_.partition("/")
        getattr(cloud.client("iam"), f"detach_{owner}_policy")(**{owner_name: holder}, PolicyArn=arn)

    return ResourceType(
        token=f"aws:iam/{owner}PolicyAttachment:{owner.title()}PolicyAttachment",
        service="iam",
        create=create,
        read=read,
        delete=delete,
        required=(owner, "policyArn"),
        absent=NO_SUCH_ENTITY,
        adopts=True,
    )


def attached_policies(cloud: Cloud, owner: str, holder: str) -> list[str]:
    """The ARNs of the managed policies attached to a role, user or group (``owner``) called ``holder``."""
    paginator = cloud.client("iam").get_paginator(f"list_attached_{owner}_policies")
    pages = paginator.paginate(**{f"{owner.title()}Name": holder})
    return [policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]]


# -- PolicyAttachment: everything that one policy is attached to -------------------------------------------------------

_OWNERS = {"role": "roles", "user": "users", "group": "groups"}


def _attach(cloud: Cloud, verb: str, arn: str, holders: Callable[[str], set[str]]) -> None:
    for owner, property_ in _OWNERS.items():
        for holder in sorted(holders(property_)):
            getattr(cloud.client("iam"), f"{verb}_{owner}_policy")(**{f"{owner.title()}Name": holder}, PolicyArn=arn)


def _create_policy_attachment(cloud: Cloud, inputs: Properties) -> Created:
    if not any(inputs.get(property_) for property_ in _OWNERS.values()):
        raise ProviderError("PolicyAttachment: give at least one of roles, users and groups")
    _attach(cloud, "attach", inputs["policyArn"], lambda property_: set(inputs.get(property_) or []))
    return Created(inputs["name"])


def _read_policy_attachment(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    name, slash, arn = id_.partition("/")
    arn = known.get("policyArn") or arn
    if not arn:
        raise ProviderError(f"PolicyAttachment {id_} does not say which policy: import it by NAME/POLICY_ARN")
    pages = cloud.client("iam").get_paginator("list_entities_for_policy").paginate(PolicyArn=arn)
    outputs: Properties = {"id": name if slash else id_, "name": name if slash else id_, "policyArn": arn}
    outputs |= {property_: [] for property_ in _OWNERS.values()}
    for page in pages:
        for owner, property_ in _OWNERS.items():
            outputs[property_] += [entity[f"{owner.title()}Name"] for entity in page[f"Policy{property_.title()}"]]
    return outputs if any(outputs[property_] for property_ in _OWNERS.values()) else None


def _update_policy_attachment(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    before = {p: set(old.get(p) or []) for p in _OWNERS.values()}
    after = {p: set(new.get(p) or []) for p in _OWNERS.values()}
    _attach(cloud, "detach", new["policyArn"], lambda property_: before[property_] - after[property_])
    _attach(cloud, "attach", new["policyArn"], lambda property_: after[property_] - before[property_])


def _delete_policy_attachment(cloud: Cloud, id_: str, known: Properties) -> None:
    actual = _read_policy_attachment(cloud, id_, known) or {}
    wanted = {p: set(known.get(p) or []) & set(actual.get(p) or []) for p in _OWNERS.values()}
    _attach(cloud, "detach", known["policyArn"], lambda property_: wanted[property_])


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_policy(cloud: Cloud, arguments: Properties) -> Properties:
    arn = arguments.get("arn")
    if not arn:
        pages = cloud.client("iam").get_paginator("list_policies").paginate(PathPrefix=arguments.get("pathPrefix", "/"))
        arns = [p["Arn"] for page in pages for p in page["Policies"] if p["PolicyName"] == arguments.get("name")]
        if len(arns) != 1:
            raise ProviderError(f"getPolicy: {len(arns) or 'no'} policies of this name: {arguments.get('name')!r}")
        arn = arns[0]
    found = _read_policy(cloud, arn, {}) or {}
    tags = found.pop("tagsAll", {})
    return {**arguments, **found, "id": arn, "tags": tags}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:iam/policy:Policy",
        service="iam",
        create=_create_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        find=_find_policy,
        required=("policy",),
        name=AutoName(max_length=128),
        replace_on=("name", "namePrefix", "path", "description"),
        computed=("arn", "attachmentCount", "policyId"),
        local=("delayAfterPolicyCreationInMs",),
        defaults={"path": "/"},
        json_documents=("policy",),
        tagged=True,
        absent=NO_SUCH_ENTITY,
    ),
    *(_inline_policy(owner) for owner in _OWNERS),
    *(_attachment(owner) for owner in _OWNERS),
    ResourceType(
        token="aws:iam/policyAttachment:PolicyAttachment",
        service="iam",
        create=_create_policy_attachment,
        read=_read_policy_attachment,
        update=_update_policy_attachment,
        delete=_delete_policy_attachment,
        required=("policyArn",),
        name=AutoName(),
        replace_on=("name", "policyArn"),
        sets=("groups", "roles", "users"),
        absent=NO_SUCH_ENTITY,
        adopts=True,
    ),
)

FUNCTIONS = (Function(token="aws:iam/getPolicy:getPolicy", service="iam", call=_get_policy),)
