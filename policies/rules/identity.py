"""Rules on identity: who may do what. Rule by rule, each statement of a policy is held against one idea of too much."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import Severity

from policies.actions import CREDENTIALS, DATA, ESCALATIONS, NARROWING, PERMISSIONS, only_describes, takes_no_resource
from policies.documents import BOUNDARY, Document, Kind, Statement, allowing, types_with, unreadable
from policies.patterns import matches
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.rule import DEV_MAY, EVERYWHERE, Area, Example, Given, Rule, Settings

WITH_POLICIES = types_with(Kind.IDENTITY)
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

# Properties that name managed policies, by type.
ATTACHED: Mapping[str, tuple[str, ...]] = {
    ATTACHMENT: ("policyArn",),
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": ("policyArn",),
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("policyArn",),
    "aws:iam/policyAttachment:PolicyAttachment": ("policyArn",),
    "aws:iam/role:Role": ("managedPolicyArns",),
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": ("policyArns",),
    "aws:ssoadmin/managedPolicyAttachment:ManagedPolicyAttachment": ("managedPolicyArn",),
    "aws:ssoadmin/customerManagedPolicyAttachment:CustomerManagedPolicyAttachment": ("customerManagedPolicyReference.name",),
}
ATTACHING = frozenset(ATTACHED)
USERS = frozenset(
    {
        "aws:iam/user:User",
        "aws:iam/accessKey:AccessKey",
        "aws:iam/userLoginProfile:UserLoginProfile",
        "aws:iam/userPolicy:UserPolicy",
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "aws:iam/userGroupMembership:UserGroupMembership",
        "aws:iam/serviceSpecificCredential:ServiceSpecificCredential",
        "aws:iam/sshKey:SshKey",
        "aws:iam/signingCertificate:SigningCertificate",
    }
)


def _narrower(resource: Resource) -> Iterator[tuple[Document, Statement]]:
    """Allow statements that rules 1 and 3 let pass: what those say of the others says it all."""
    return (one for one in allowing(resource, Kind.IDENTITY) if not one[1].every_action)


def _open(document: Document, statement: Statement, action: str) -> bool:
    """Whether an action is given for resources that nothing names: no name, no tag, no other condition on them."""
    return statement.every_of_kind and not statement.held_by(*NARROWING) and document.grants(statement, action)


def _listed(actions: Iterable[str], at_most: int = 4) -> str:
    all_of_them = sorted(actions)
    more = f" and {len(all_of_them) - at_most} more" if len(all_of_them) > at_most else ""
    return ", ".join(all_of_them[:at_most]) + more


def _full_access(resource: Resource, settings: Settings) -> Iterator[str]:
    for document, statement in allowing(resource, Kind.IDENTITY, Kind.BOUNDARY):
        if statement.every_action and statement.every_resource:
            yield f"{statement.shown} of {document.where} allows all actions on all resources"
    yield from unreadable(resource, Kind.IDENTITY, Kind.BOUNDARY)


def _star_action(resource: Resource, settings: Settings) -> Iterator[str]:
    for document, statement in allowing(resource, Kind.IDENTITY, Kind.BOUNDARY):
        if statement.every_action and not statement.every_resource:
            what = "all actions but some" if statement.but_actions else "all actions"
            yield f"{statement.shown} of {document.where} allows {what}"


def _star_resource(resource: Resource, settings: Settings) -> Iterator[str]:
    for document, statement in _narrower(resource):
        named = [one for one in statement.actions if not _needs_no_name(one)] if not statement.but_actions else []
        if named and statement.every_resource:
            yield f"{statement.shown} of {document.where} allows {_listed(named)} on all resources"
    for name in _attached(resource):
        if matches(BOUNDARY, name.rpartition("/")[2]):
            yield f"it gives what is only the most that anybody may have: {name} is a permissions boundary"


def _needs_no_name(action: str) -> bool:
    return takes_no_resource(action) or only_describes(action)


def _escalation(resource: Resource, settings: Settings) -> Iterator[str]:
    """A way is open where its first action is, and the others are given for anything at all."""
    by_document: dict[Document, list[Statement]] = {}
    unknown = None
    try:
        for document, statement in _narrower(resource):
            by_document.setdefault(document, []).append(statement)
    except CannotTell as error:
        unknown = error
    for document, statements in by_document.items():
        ways = [
            " with ".join((first, *others))
            for first, *others in ESCALATIONS
            if any(_open(document, one, first) for one in statements)
            and all(any(document.grants(one, other) for one in statements) for other in others)
        ]
        if ways:
            yield f"whoever has {document.where} can give themselves more, by {_listed(ways)}"
    if unknown:
        raise unknown


def _of_actions(dangerous: Sequence[str], what: str) -> Any:
    """A check for actions given on resources that nothing names."""

    def check(resource: Resource, settings: Settings) -> Iterator[str]:
        for document, statement in _narrower(resource):
            if given := [action for action in dangerous if _open(document, statement, action)]:
                yield f"{statement.shown} of {document.where} {what}: {_listed(given)}"

    return check


def _users(resource: Resource, settings: Settings) -> Iterator[str]:
    yield "it is, or belongs to, an IAM user, whose keys do not run out"


def _attached(resource: Resource) -> Iterator[str]:
    """Names of the managed policies that a resource attaches. Raises CannotTell, after those that are known."""
    unknown = None
    for path in ATTACHED.get(resource.type, ()):
        value = resource.peek(path)
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str):
                yield name
            elif name is UNKNOWN:
                unknown = path
    if unknown:
        raise CannotTell(unknown)


def _attaches(*refused: str) -> Any:
    """A check for managed policies of AWS, also where they are to be a boundary, which they would not be."""

    def check(resource: Resource, settings: Settings) -> Iterator[str]:
        boundary = resource.peek("permissionsBoundary")
        if isinstance(boundary, str) and any(matches(name, boundary.rpartition("/")[2]) for name in refused):
            yield f"its boundary is {boundary}, which holds nobody back"
        for arn in _attached(resource):
            if ":aws:policy/" in arn and any(matches(name, arn.rpartition("/")[2]) for name in refused):
                yield f"it attaches {arn}"

    return check


# -- examples --------------------------------------------------------------------------------------------------------------


def _policy(actions: object, resources: object, **more: object) -> Given:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
    return Given(type=ROLE_POLICY, props={"role": "worker", "policy": json.dumps({"Statement": [statement]})}, name="worker")


def _example(wrong: Given, mended: Given) -> Example:
    return Example(wrong=(wrong,), mended=(mended,))


def _attachment(name: str) -> Given:
    return Given(type=ATTACHMENT, props={"role": "worker", "policyArn": f"arn:aws:iam::aws:policy/{name}"}, name="worker")


_ASSETS = "arn:aws:s3:::shop-assets/*"
_ROLE = "arn:aws:iam::111111111111:role/shop-worker"

RULES: tuple[Rule, ...] = (
    Rule(
        number=1,
        name="iam-no-full-access",
        area=Area.IDENTITY,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_62", "CIS 2.14"),
        title="No policy allows everything on everything",
        why="Whoever gets hold of such a role owns the account, and no log tells what it was meant to do.",
        mend="Name the actions that it takes, and the resources that they are for.",
        types=WITH_POLICIES,
        check=_full_access,
        example=_example(_policy("*", "*"), _policy("s3:GetObject", _ASSETS)),
    ),
    Rule(
        number=2,
        name="iam-no-administrator",
        area=Area.IDENTITY,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_274",),
        title="Nobody has AdministratorAccess or PowerUserAccess",
        why="AWS widens these policies with every new service; nobody reviews what they have come to allow.",
        mend="Attach a policy of your own with the actions that it takes.",
        types=ATTACHING | {"aws:iam/user:User"},
        check=_attaches("AdministratorAccess*", "PowerUserAccess"),
        example=_example(_attachment("AdministratorAccess"), _attachment("service-role/AmazonRDSEnhancedMonitoringRole")),
    ),
    Rule(
        number=3,
        name="iam-no-star-action",
        area=Area.IDENTITY,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=("CKV_AWS_63",),
        title="No policy allows all actions, or all but some",
        why="It includes deleting, giving access to others, and every action that AWS will add.",
        mend="Name the actions that it takes; write no NotAction in an Allow.",
        types=WITH_POLICIES,
        check=_star_action,
        example=_example(_policy("*", _ASSETS), _policy(["s3:GetObject", "s3:PutObject"], _ASSETS)),
    ),
    Rule(
        number=4,
        name="iam-no-star-resource",
        area=Area.IDENTITY,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_355",),
        title="What changes something or gives data names its resources",
        why="With all resources, a role of one service can break or read those of every other.",
        mend="Name the resources; * is for actions that only describe, or that take no resource.",
        types=WITH_POLICIES | ATTACHING,
        check=_star_resource,
        example=_example(
            _policy("sqs:SendMessage", "*"), _policy("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111111111111:shop-jobs")
        ),
    ),
    Rule(
        number=5,
        name="iam-no-privilege-escalation",
        area=Area.IDENTITY,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_286",),
        title="Nobody can give themselves more than they have",
        why="A small permission of IAM on all roles is as good as administrator's rights, and looks harmless.",
        mend="Name the roles, or demand a permissions boundary by the condition iam:PermissionsBoundary.",
        types=WITH_POLICIES,
        check=_escalation,
        example=_example(
            _policy("iam:PutRolePolicy", "arn:aws:iam::111111111111:role/*"),
            _policy(
                "iam:PutRolePolicy",
                "arn:aws:iam::111111111111:role/*",
                Condition={"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::111111111111:policy/shop-boundary"}},
            ),
        ),
    ),
    Rule(
        number=6,
        name="iam-no-credentials-exposure",
        area=Area.IDENTITY,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_287",),
        title="Credentials are given for named resources only",
        why="Credentials outlive the role that made them, and can be used from anywhere.",
        mend="Name the role, user or database that credentials are for.",
        types=WITH_POLICIES,
        check=_of_actions(CREDENTIALS, "gives credentials of whatever there is"),
        example=_example(_policy("sts:AssumeRole", "arn:aws:iam::*:role/*"), _policy("sts:AssumeRole", _ROLE)),
    ),
    Rule(
        number=7,
        name="iam-no-data-exfiltration",
        area=Area.IDENTITY,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_288",),
        title="Data are given from named resources only",
        why="One role that reads every bucket, secret and queue is enough to carry all data away.",
        mend="Name the buckets, secrets, tables, queues or keys, or hold them by a tag.",
        types=WITH_POLICIES,
        check=_of_actions(DATA, "gives the data of whatever there is"),
        example=_example(_policy("s3:GetObject", "arn:aws:s3:::*"), _policy("s3:GetObject", _ASSETS)),
    ),
    Rule(
        number=8,
        name="iam-permissions-constrained",
        area=Area.IDENTITY,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_289",),
        title="Permissions are managed for named resources only",
        why="Who may write the policy of any key or bucket can open each of them to anybody.",
        mend="Name the resources whose permissions it manages, or hold them by a tag.",
        types=WITH_POLICIES,
        check=_of_actions(
            [one for one in PERMISSIONS if not takes_no_resource(one)], "manages the permissions of whatever there is"
        ),
        example=_example(
            _policy("kms:PutKeyPolicy", "arn:aws:kms:eu-west-1:111111111111:key/*"),
            _policy(
                "kms:PutKeyPolicy",
                "arn:aws:kms:eu-west-1:111111111111:key/*",
                Condition={"StringEquals": {"aws:ResourceTag/environment": "production"}},
            ),
        ),
    ),
    Rule(
        number=9,
        name="iam-no-users",
        area=Area.IDENTITY,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=("CKV_AWS_273", "CIS 2.19"),
        title="People come by single sign-on; there are no IAM users",
        why="A user's password and keys stay valid after the person has left.",
        mend="Give people a role through single sign-on, and programs a role of their service.",
        types=USERS,
        check=_users,
        example=_example(
            Given(type="aws:iam/user:User", props={"name": "ada"}, name="ada"),
            Given(type="aws:iam/role:Role", props={"name": "developers"}, name="developers"),
        ),
    ),
    Rule(
        number=10,
        name="iam-no-iam-full-access",
        area=Area.IDENTITY,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV2_AWS_56",),
        title="Nobody has IAMFullAccess",
        why="Who may change every role and policy has every permission.",
        mend="Attach a policy of your own that manages the roles it names, within a boundary.",
        types=ATTACHING | {"aws:iam/user:User"},
        check=_attaches("IAMFullAccess"),
        example=_example(_attachment("IAMFullAccess"), _attachment("IAMReadOnlyAccess")),
    ),
)
