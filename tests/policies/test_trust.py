"""The rules on trust: for every condition they make, what fails by it and what passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.documents import Kind, types_with
from policies.rule import Given
from tests.policies.judging import UNKNOWN, judge

NAMED, ACCOUNT, GITHUB = "trust-named-principals", "trust-no-whole-account", "trust-github-safe-claims"
ANYBODY, KEY = "resource-policy-no-star-principal", "kms-no-star-principal"

ROLE = "aws:iam/role:Role"
HOST = "token.actions.githubusercontent.com"
PROVIDER = {"Federated": f"arn:aws:iam::111111111111:oidc-provider/{HOST}"}
ROOT = {"AWS": "arn:aws:iam::111111111111:root"}
ONE = {"AWS": "arn:aws:iam::111111111111:role/operations"}
AUDIENCE = {f"{HOST}:aud": "sts.amazonaws.com"}


def statement(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


def role(*statements: Any) -> Given:
    return Given(type=ROLE, props={"assumeRolePolicy": json.dumps({"Statement": list(statements)})}, name="worker")


def but(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "NotPrincipal": principal, "Action": "sts:AssumeRole"}


def workflows(condition: Any) -> Given:
    return role(statement(PROVIDER, Action="sts:AssumeRoleWithWebIdentity", Condition=condition))


def subject(value: Any, operator: str = "StringLike") -> Given:
    claim = {f"{HOST}:sub": value}
    return workflows(
        {"StringEquals": {**AUDIENCE, **claim}} if operator == "StringEquals" else {"StringEquals": AUDIENCE, operator: claim}
    )


def resource(principal: Any, type_: str = "aws:s3/bucketPolicy:BucketPolicy", key: str = "policy", **more: Any) -> Given:
    document = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "x:Read", "Resource": "*", **more}]}
    return Given(type=type_, props={key: json.dumps(document)}, name="data")


def permission(**props: Any) -> Given:
    return Given(type="aws:lambda/permission:Permission", props={"action": "lambda:InvokeFunction", **props}, name="call")


PROPERTY = {
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:opensearch/domain:Domain": "accessPolicies",
    "aws:opensearch/domainPolicy:DomainPolicy": "accessPolicies",
    "aws:elasticsearch/domain:Domain": "accessPolicies",
}

FAILS = [
    pytest.param(NAMED, role(statement("*")), "trusts AWS *", id="anybody"),
    pytest.param(NAMED, role(statement({"AWS": ["arn:aws:iam::1:role/x", "*"]})), "trusts AWS *", id="anybody among others"),
    pytest.param(NAMED, role(statement({"AWS": "arn:aws:iam::*:role/x"})), "trusts AWS arn", id="a role of any account"),
    pytest.param(NAMED, role(statement({"Service": "*"})), "trusts Service *", id="any service"),
    pytest.param(NAMED, role(statement({"Federated": "*"})), "trusts Federated *", id="any identity provider"),
    pytest.param(NAMED, role(but(ONE)), "everybody but some", id="NotPrincipal"),
    pytest.param(
        NAMED,
        role(statement("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})),
        "trusts AWS *",
        id="anybody of an organization",
    ),
    pytest.param(NAMED, Given(type=ROLE, props={"assumeRolePolicy": "{}"}), "no policy document", id="no document"),
    pytest.param(ACCOUNT, role(statement(ROOT)), "whoever in the account", id="an account's root"),
    pytest.param(ACCOUNT, role(statement({"AWS": "111111111111"})), "whoever in the account 1", id="an account's number"),
    pytest.param(
        ACCOUNT,
        role(statement(ROOT, Condition={"StringEquals": {"sts:ExternalId": "x"}})),
        "whoever in the account",
        id="an external id, which all of the account may know",
    ),
    pytest.param(
        ACCOUNT,
        role(statement(ROOT, Condition={"ArnLike": {"aws:PrincipalArn": "*"}})),
        "whoever in the account",
        id="a condition that takes everybody",
    ),
    pytest.param(GITHUB, workflows({"StringEquals": AUDIENCE}), "demands no subject", id="no subject"),
    pytest.param(
        GITHUB,
        workflows({"StringEquals": {f"{HOST}:sub": "repo:shop/backend:environment:production"}}),
        "does not demand the audience",
        id="no audience",
    ),
    pytest.param(GITHUB, subject("repo:shop/*"), "does not name the repository", id="any repository of an owner"),
    pytest.param(GITHUB, subject("repo:*/backend:ref:refs/heads/main"), "does not name the repository", id="any owner"),
    pytest.param(GITHUB, subject("repo:shop/backend:*"), "is every branch's", id="anything of a repository"),
    pytest.param(GITHUB, subject("repo:shop/backend:ref:refs/heads/*"), "is every branch's", id="any branch"),
    pytest.param(GITHUB, subject("repo:shop/backend:pull_request", "StringEquals"), "pull request", id="pull requests"),
    pytest.param(
        GITHUB, subject("workflow:deploy", "StringEquals"), "does not begin with a repository", id="another claim first"
    ),
    pytest.param(
        GITHUB,
        subject(["repo:shop/backend:environment:production", "repo:shop/backend:*"]),
        "is every branch's",
        id="one of several",
    ),
    pytest.param(
        GITHUB,
        subject("repo:shop/backend:environment:production", "StringEqualsIfExists"),
        "demands no subject",
        id="a subject that may be missing",
    ),
    pytest.param(
        GITHUB,
        subject("repo:shop/backend:environment:production", "ForAllValues:StringEquals"),
        "demands no subject",
        id="a subject that holds of none",
    ),
    pytest.param(ANYBODY, resource("*"), "lets in AWS *", id="anybody, in short"),
    pytest.param(ANYBODY, resource({"AWS": "*"}), "lets in AWS *", id="anybody of AWS"),
    pytest.param(ANYBODY, resource({"AWS": "arn:aws:iam::*:root"}), "lets in AWS arn", id="any account"),
    pytest.param(
        ANYBODY,
        Given(
            type="aws:s3/bucketPolicy:BucketPolicy",
            props={"policy": {"Statement": {"Effect": "Allow", "NotPrincipal": ONE, "Action": "s3:*", "Resource": "*"}}},
        ),
        "everybody but some",
        id="everybody but one",
    ),
    pytest.param(
        ANYBODY,
        resource("*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        "lets in AWS *",
        id="a condition that says nothing of who",
    ),
    pytest.param(
        ANYBODY, resource("*", Condition={"StringLike": {"aws:SourceArn": "*"}}), "lets in", id="a condition that takes all"
    ),
    pytest.param(ANYBODY, resource("*", Condition={"IpAddress": {"aws:SourceIp": "1.2.3.4"}}), "lets in", id="an address"),
    pytest.param(ANYBODY, permission(principal="*"), "it lets in everybody", id="a function's permission"),
    pytest.param(
        ANYBODY,
        Given(type="aws:cloudwatch/eventPermission:EventPermission", props={"principal": "*"}),
        "it lets in everybody",
        id="an event bus",
    ),
    pytest.param(ANYBODY, Given(type="aws:sqs/queue:Queue", props={"policy": "["}), "no policy document", id="no document here"),
    *(
        pytest.param(ANYBODY, resource("*", type_, PROPERTY.get(type_, "policy")), "lets in AWS *", id=type_)
        for type_ in sorted(types_with(Kind.RESOURCE))
    ),
    *(pytest.param(KEY, resource({"AWS": "*"}, type_), "lets in AWS *", id=type_) for type_ in sorted(types_with(Kind.KEY))),
]


@pytest.mark.parametrize(("rule", "given", "says"), FAILS)
def test_what_fails(rule: str, given: Given, says: str) -> None:
    (message,) = judge(rule, given).messages
    assert says in message
    assert message.startswith(f"{given.name} ({given.type}): ")


PASSES = [
    pytest.param((NAMED, ACCOUNT, GITHUB), role(statement(ONE)), id="a role"),
    pytest.param((NAMED, ACCOUNT, GITHUB), role(statement({"Service": "ecs-tasks.amazonaws.com"})), id="a service"),
    pytest.param((NAMED, ACCOUNT, GITHUB), role({**statement("*"), "Effect": "Deny"}), id="a Deny of everybody"),
    pytest.param((NAMED, ACCOUNT, GITHUB), role(but(ROOT, "Deny")), id="a Deny of everybody but some"),
    pytest.param(
        (NAMED, ACCOUNT),
        role(statement(ROOT, Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/sso/*_Operations_*"}})),
        id="some people of an account",
    ),
    pytest.param(
        (NAMED, ACCOUNT),
        role(statement(ROOT, Condition={"StringEquals": {"aws:PrincipalTag/team": "operations"}})),
        id="a team of an account",
    ),
    pytest.param((NAMED, GITHUB), subject("repo:shop/backend:environment:production", "StringEquals"), id="an environment"),
    pytest.param((NAMED, GITHUB), subject("repo:shop/backend:ref:refs/heads/main"), id="a branch"),
    pytest.param((NAMED, GITHUB), subject("repo:shop/backend:ref:refs/tags/v*"), id="tags of a kind"),
    pytest.param(
        (NAMED, GITHUB), subject(["repo:shop/backend:environment:a"], "ForAnyValue:StringEquals"), id="one of a token's values"
    ),
    pytest.param((ANYBODY,), resource(ONE), id="a role in a resource's policy"),
    pytest.param((ANYBODY,), resource({"Service": "cloudtrail.amazonaws.com"}), id="a service in a resource's policy"),
    pytest.param((ANYBODY,), resource("*", Effect="Deny"), id="a Deny in a resource's policy"),
    *(
        pytest.param((ANYBODY,), resource("*", Condition={"StringEquals": {key: "x"}}), id=key)
        for key in ("aws:SourceArn", "aws:sourceaccount", "aws:PrincipalOrgID", "aws:SourceVpce")
    ),
    pytest.param((ANYBODY,), permission(principal="*", sourceAccount="111111111111"), id="a permission for an account"),
    pytest.param((ANYBODY,), permission(principal="s3.amazonaws.com"), id="a permission for a service"),
    pytest.param((KEY,), resource(ROOT, "aws:kms/key:Key"), id="a key that leaves it to IAM"),
    pytest.param((KEY,), Given(type="aws:kms/key:Key", props={}), id="a key with AWS's own policy"),
    pytest.param(
        (KEY,),
        resource("*", "aws:kms/key:Key", Condition={"StringEquals": {"kms:CallerAccount": "111111111111"}}),
        id="whoever of the account",
    ),
]


@pytest.mark.parametrize(("rules", "given"), PASSES)
def test_what_passes(rules: tuple[str, ...], given: Given) -> None:
    for rule in rules:
        verdict = judge(rule, given)
        assert (rule, verdict.messages, verdict.unsure) == (rule, [], None)


@pytest.mark.parametrize("rule", [NAMED, ACCOUNT, GITHUB])
def test_an_unknown_trust_is_not_judged_before_the_update(rule: str) -> None:
    verdict = judge(rule, Given(type=ROLE, props={"assumeRolePolicy": UNKNOWN}))
    assert verdict.messages == []
    assert "assumeRolePolicy is not known" in (verdict.unsure or "")


def test_an_unknown_principal_of_a_permission_is_not_judged_before_the_update() -> None:
    assert "principal is not known" in (judge(ANYBODY, permission(principal=UNKNOWN)).unsure or "")
