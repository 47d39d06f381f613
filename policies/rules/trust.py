"""Rules on trust: who may become whom, and whom a resource lets in by its own policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import Severity

from policies.documents import Condition, Kind, Statement, allowing, types_with, unreadable
from policies.resources import Resource
from policies.rule import DEV_MAY, EVERYWHERE, Area, Example, Given, Rule, Settings

ROLE = "aws:iam/role:Role"
GITHUB = "token.actions.githubusercontent.com"
ACCOUNT = re.compile(r"\d{12}|arn:aws[a-z-]*:iam::\d{12}:root")

# Conditions that say who calls, on whose behalf or from which network of ours; an address on the Internet says none of it.
CALLER = (
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "kms:CallerAccount",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
)
# What narrows the trust in a whole account to some of its people.
PERSON = ("aws:PrincipalArn", "aws:PrincipalTag/", "aws:userid")

# Resources that let one principal in each, and the properties that narrow whom.
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "aws:lambda/permission:Permission": ("sourceArn", "sourceAccount", "principalOrgId"),
    "aws:cloudwatch/eventPermission:EventPermission": ("condition",),
}


def _named_principals(resource: Resource, settings: Settings) -> Iterator[str]:
    for document, statement in allowing(resource, Kind.TRUST):
        if statement.but_principals:
            yield f"{statement.shown} of {document.where} trusts everybody but some"
            continue
        for principal in statement.principals:
            if any(char in principal.value for char in "*?"):
                yield f"{statement.shown} of {document.where} trusts {principal.kind} {principal.value}"
    yield from unreadable(resource, Kind.TRUST)


def _whole_account(resource: Resource, settings: Settings) -> Iterator[str]:
    for document, statement in allowing(resource, Kind.TRUST):
        for principal in statement.principals if not statement.but_principals else ():
            if principal.kind == "AWS" and ACCOUNT.fullmatch(principal.value) and not statement.held_by(*PERSON):
                yield f"{statement.shown} of {document.where} trusts whoever in the account {principal.value} may assume roles"


def _github(resource: Resource, settings: Settings) -> Iterator[str]:
    for document, statement in allowing(resource, Kind.TRUST):
        if _of_github(statement):
            for mistake in _unsafe_claims(statement):
                yield f"{statement.shown} of {document.where} trusts GitHub's workflows, and {mistake}"


def _of_github(statement: Statement) -> bool:
    """Whether it is about GitHub's tokens: its identity provider has GitHub's name, and so have the claims that it asks for."""
    federated = [principal.value for principal in statement.principals if principal.kind == "Federated"]
    asked = any(condition.key.startswith(f"{GITHUB}:") for condition in statement.conditions)
    return any(GITHUB in value for value in federated) or (bool(federated) and asked)


def _unsafe_claims(statement: Statement) -> Iterator[str]:
    audiences = _claims(statement, "aud")
    if not audiences or any("*" in value for claim in audiences for value in claim.values):
        yield "does not demand the audience sts.amazonaws.com"
    subjects = _claims(statement, "sub")
    if not subjects:
        yield f"demands no subject ({GITHUB}:sub)"
    for claim in subjects:
        wildcards = "like" in claim.operator
        for value in claim.values:
            if mistake := _unsafe_subject(value, wildcards):
                yield f"takes the subject {value}, {mistake}"


def _claims(statement: Statement, claim: str) -> list[Condition]:
    """Conditions that a token without this claim fails. ForAnyValue is one; IfExists and ForAllValues are none."""
    wanted = f"{GITHUB}:{claim}"
    return [one for one in statement.conditions if one.key == wanted and "string" in one.operator and one.demands]


def _unsafe_subject(value: str, wildcards: bool) -> str | None:
    kind, _, rest = value.partition(":")
    if kind not in ("repo", "repository_id"):
        return "which does not begin with a repository"
    repository, _, context = rest.partition(":")
    if wildcards and any(char in repository for char in "*?"):
        return "which does not name the repository"
    if context == "pull_request":
        return "which is every pull request's"
    if wildcards and (not context.strip("*?:") or re.match(r"(ref:)?(refs/)?(heads/)?[*?]", context)):
        return "which is every branch's"
    return None


def _resource_policies(kind: Kind) -> Any:
    """A check for policies of resources that let in anybody, without a condition on who calls."""

    def check(resource: Resource, settings: Settings) -> Iterator[str]:
        for document, statement in allowing(resource, kind):
            if statement.held_by(*CALLER):
                continue
            if statement.but_principals:
                yield f"{statement.shown} of {document.where} lets in everybody but some"
            for principal in statement.principals if not statement.but_principals else ():
                if "*" in principal.value:
                    yield f"{statement.shown} of {document.where} lets in {principal.kind} {principal.value}"
        yield from _permission(resource)
        yield from unreadable(resource, kind)

    return check


def _permission(resource: Resource) -> Iterator[str]:
    if resource.type in PERMISSIONS and resource.get("principal") == "*":
        narrowing = PERMISSIONS[resource.type]
        if all(resource.get(path) is None for path in narrowing):
            yield "it lets in everybody"


# -- examples --------------------------------------------------------------------------------------------------------------


def _role(principal: object, **more: object) -> Given:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return Given(type=ROLE, props={"assumeRolePolicy": json.dumps({"Statement": [statement]})}, name="worker")


def _workflows(subject: str) -> Given:
    claims = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": subject}
    principal = {"Federated": f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}"}
    return _role(principal, Action="sts:AssumeRoleWithWebIdentity", Condition={"StringLike": claims})


def _policy_of(type_: str, principal: object, action: str, **more: object) -> Given:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}
    return Given(type=type_, props={"policy": json.dumps({"Statement": [statement]})}, name="data")


_ONE = {"AWS": "arn:aws:iam::111111111111:role/operations"}
_BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
_KEY = "aws:kms/key:Key"

RULES: tuple[Rule, ...] = (
    Rule(
        number=11,
        name="trust-named-principals",
        area=Area.TRUST,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_60",),
        title="Roles trust principals by name",
        why="A role that trusts anybody can be taken on from any account of AWS.",
        mend="Name the roles, services or identity providers that it trusts.",
        types=types_with(Kind.TRUST),
        check=_named_principals,
        example=Example(wrong=(_role({"AWS": "*"}),), mended=(_role(_ONE),)),
    ),
    Rule(
        number=12,
        name="trust-no-whole-account",
        area=Area.TRUST,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_61",),
        title="Roles do not trust whole accounts",
        why="Then the other account's administrators decide who gets in, and nobody here sees whom they chose.",
        mend="Name the role of the account, or demand it by the condition aws:PrincipalArn.",
        types=types_with(Kind.TRUST),
        check=_whole_account,
        example=Example(wrong=(_role({"AWS": "arn:aws:iam::111111111111:root"}),), mended=(_role(_ONE),)),
    ),
    Rule(
        number=13,
        name="trust-github-safe-claims",
        area=Area.TRUST,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_358",),
        title="GitHub's workflows are trusted by repository and by what they run for",
        why="Anybody can have a repository on GitHub, and anybody who may open a branch can change its workflows.",
        mend="Demand the audience and a subject that names the repository with its environment, tag or branch.",
        types=types_with(Kind.TRUST),
        check=_github,
        example=Example(wrong=(_workflows("repo:shop/*"),), mended=(_workflows("repo:shop/backend:environment:production"),)),
    ),
    Rule(
        number=14,
        name="resource-policy-no-star-principal",
        area=Area.TRUST,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CIS 2.21", "CKV_AWS_70"),
        title="No policy of a resource lets anybody in",
        why="It opens a bucket, queue, topic or secret to every account of AWS, whatever its roles say.",
        mend="Name who is let in, or demand by a condition whose they are, as aws:SourceArn or aws:PrincipalOrgID.",
        types=types_with(Kind.RESOURCE) | frozenset(PERMISSIONS),
        check=_resource_policies(Kind.RESOURCE),
        example=Example(
            wrong=(_policy_of(_BUCKET_POLICY, "*", "s3:GetObject"),), mended=(_policy_of(_BUCKET_POLICY, _ONE, "s3:GetObject"),)
        ),
    ),
    Rule(
        number=15,
        name="kms-no-star-principal",
        area=Area.TRUST,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_33",),
        title="No key's policy lets anybody in",
        why="Whoever may use the key reads all that it encrypts, and may lock us out of it.",
        mend="Name the account, its roles or the service; or demand kms:CallerAccount by a condition.",
        types=types_with(Kind.KEY),
        check=_resource_policies(Kind.KEY),
        example=Example(wrong=(_policy_of(_KEY, {"AWS": "*"}, "kms:*"),), mended=(_policy_of(_KEY, _ONE, "kms:Decrypt"),)),
    ),
)
