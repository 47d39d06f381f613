"""The rules on identity: for every condition they make, what fails by it and what passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.rule import ADVISORY, Given
from tests.policies.judging import UNKNOWN, judge, rule_named

FULL, ADMIN, ACTION, RESOURCE = "iam-no-full-access", "iam-no-administrator", "iam-no-star-action", "iam-no-star-resource"
ESCALATION, CREDENTIALS = "iam-no-privilege-escalation", "iam-no-credentials-exposure"
DATA, PERMISSIONS, USERS, IAM = (
    "iam-no-data-exfiltration",
    "iam-permissions-constrained",
    "iam-no-users",
    "iam-no-iam-full-access",
)
ON_STATEMENTS = (FULL, ACTION, RESOURCE, ESCALATION, CREDENTIALS, DATA, PERMISSIONS)

ACCOUNT = "111111111111"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/*"
OURS = f"arn:aws:iam::{ACCOUNT}:role/shop-*"
KEYS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/shop-boundary"
WITHIN = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}


def allow(actions: Any, resources: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions: Any, resources: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(actions, resources, **more), "Effect": "Deny"}


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def policy(*statements: Any, type_: str = "aws:iam/rolePolicy:RolePolicy", **props: Any) -> Given:
    return Given(type=type_, props={"policy": document(*statements), **props}, name="worker")


def attachment(arn: Any, type_: str = "aws:iam/rolePolicyAttachment:RolePolicyAttachment", key: str = "policyArn") -> Given:
    return Given(type=type_, props={key: arn}, name="worker")


def managed(name: str) -> str:
    return f"arn:aws:iam::aws:policy/{name}"


# rule, what is given, what the message says
FAILS = [
    pytest.param(FULL, policy(allow("*")), "statement 1 of policy allows all actions on all resources", id="*:*"),
    pytest.param(FULL, policy(allow(["s3:GetObject", "*:*"], ["arn:aws:*:*:*:*"])), "all actions", id="*:* in other spellings"),
    pytest.param(
        FULL,
        policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
        "all actions on all resources",
        id="NotAction on all",
    ),
    pytest.param(FULL, policy({"Effect": "Allow", "Action": "*", "NotResource": "a"}), "all resources", id="NotResource"),
    pytest.param(FULL, policy(allow("*", Condition=WITHIN)), "all actions", id="*:* under a condition"),
    pytest.param(FULL, policy(allow("*", Sid="Everything")), "statement Everything of", id="the statement's Sid"),
    pytest.param(
        FULL, policy(allow("*"), type_="aws:iam/policy:Policy", name="shop-boundary"), "all actions", id="a boundary of *:*"
    ),
    pytest.param(FULL, Given(type="aws:iam/policy:Policy", props={"policy": "{"}), "is no policy document", id="no document"),
    pytest.param(
        FULL,
        Given(type="aws:iam/role:Role", props={"inlinePolicies": [{"name": "a", "policy": document(allow("*"))}]}),
        "of inlinePolicies[0].policy",
        id="a role's inline policy",
    ),
    *(
        pytest.param(FULL, policy(allow("*"), type_=type_), "all actions", id=type_)
        for type_ in ("aws:iam/groupPolicy:GroupPolicy", "aws:iam/userPolicy:UserPolicy", "aws:iam/policy:Policy")
    ),
    pytest.param(
        FULL,
        Given(
            type="aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy",
            props={"inlinePolicy": document(allow("*"))},
        ),
        "of inlinePolicy",
        id="a permission set",
    ),
    pytest.param(ADMIN, attachment(managed("AdministratorAccess")), "AdministratorAccess", id="administrator"),
    pytest.param(ADMIN, attachment(managed("PowerUserAccess")), "PowerUserAccess", id="power user"),
    pytest.param(
        ADMIN, attachment("arn:aws-cn:iam::aws:policy/AdministratorAccess"), "AdministratorAccess", id="another partition"
    ),
    pytest.param(
        ADMIN,
        attachment([managed("AdministratorAccess")], "aws:iam/role:Role", "managedPolicyArns"),
        "attaches",
        id="by the role itself",
    ),
    pytest.param(
        ADMIN,
        attachment(managed("AdministratorAccess"), "aws:iam/role:Role", "permissionsBoundary"),
        "holds nobody back",
        id="as a boundary",
    ),
    pytest.param(
        ADMIN,
        attachment(
            managed("AdministratorAccess"), "aws:ssoadmin/managedPolicyAttachment:ManagedPolicyAttachment", "managedPolicyArn"
        ),
        "attaches",
        id="to a permission set",
    ),
    *(
        pytest.param(ADMIN, attachment(managed("AdministratorAccess"), type_), "attaches", id=type_)
        for type_ in (
            "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
            "aws:iam/userPolicyAttachment:UserPolicyAttachment",
            "aws:iam/policyAttachment:PolicyAttachment",
        )
    ),
    pytest.param(IAM, attachment(managed("IAMFullAccess")), "IAMFullAccess", id="IAMFullAccess"),
    pytest.param(ACTION, policy(allow("*", OURS)), "allows all actions", id="* on one resource"),
    pytest.param(
        ACTION,
        policy({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": OURS}),
        "all actions but some",
        id="NotAction on one resource",
    ),
    pytest.param(RESOURCE, policy(allow("sqs:SendMessage")), "sqs:SendMessage on all resources", id="a change on *"),
    pytest.param(RESOURCE, policy(allow("s3:GetObject")), "s3:GetObject on all", id="reading data on *"),
    pytest.param(RESOURCE, policy(allow("s3:Get*")), "s3:Get* on all", id="a wildcard that reads data"),
    pytest.param(RESOURCE, policy(allow("sqs:*", "arn:aws:*")), "sqs:* on all", id="a whole service"),
    pytest.param(RESOURCE, policy(allow("xray:*")), "xray:* on all", id="a wildcard over what takes no resource"),
    pytest.param(
        RESOURCE, policy({"Effect": "Allow", "Action": "sqs:SendMessage", "NotResource": "arn:x"}), "on all", id="all but one"
    ),
    pytest.param(RESOURCE, attachment(BOUNDARY), "is a permissions boundary", id="a boundary that is attached"),
    pytest.param(
        RESOURCE,
        Given(
            type="aws:ssoadmin/customerManagedPolicyAttachment:CustomerManagedPolicyAttachment",
            props={"customerManagedPolicyReference": {"name": "shop-boundary"}},
        ),
        "is a permissions boundary",
        id="a boundary that is attached to a permission set",
    ),
    pytest.param(ESCALATION, policy(allow("iam:PutRolePolicy", ROLES)), "by iam:PutRolePolicy", id="one action"),
    pytest.param(ESCALATION, policy(allow("iam:PutR*", ROLES)), "by iam:PutRolePolicy", id="a wildcard inside its name"),
    pytest.param(ESCALATION, policy(allow("iam:putrolepolicy", ROLES)), "by iam:PutRolePolicy", id="another case"),
    pytest.param(
        ESCALATION,
        policy(allow("iam:PassRole", ROLES), allow(["lambda:CreateFunction", "lambda:InvokeFunction"], "arn:aws:lambda:x")),
        "by iam:PassRole with lambda:CreateFunction with lambda:InvokeFunction",
        id="several statements together",
    ),
    pytest.param(
        ESCALATION,
        policy(allow("iam:PutRolePolicy", ROLES, Condition={"StringEqualsIfExists": WITHIN["StringEquals"]})),
        "iam:PutRolePolicy",
        id="a condition that asks for nothing",
    ),
    pytest.param(
        ESCALATION,
        policy(allow("iam:PutRolePolicy", ROLES), deny("iam:PutRolePolicy", OURS)),
        "iam:PutRolePolicy",
        id="denied for some roles",
    ),
    pytest.param(
        ESCALATION,
        policy(allow("iam:PutRolePolicy", ROLES), deny("iam:*", Condition=WITHIN)),
        "iam:PutRolePolicy",
        id="denied under a condition",
    ),
    pytest.param(CREDENTIALS, policy(allow("sts:AssumeRole", ROLES)), "sts:AssumeRole", id="any role"),
    pytest.param(
        CREDENTIALS, policy(allow("rds-db:connect", "arn:aws:rds-db:eu-west-1:1:dbuser:*")), "rds-db", id="any database"
    ),
    pytest.param(DATA, policy(allow("s3:GetObject", "arn:aws:s3:::*/*")), "s3:GetObject", id="any bucket"),
    pytest.param(DATA, policy(allow("kms:Decrypt", KEYS)), "kms:Decrypt", id="any key"),
    pytest.param(
        DATA,
        policy(allow("kms:Decrypt", KEYS, Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        "kms:Decrypt",
        id="a condition that says nothing of the resource",
    ),
    pytest.param(PERMISSIONS, policy(allow("kms:PutKeyPolicy", KEYS)), "kms:PutKeyPolicy", id="the policy of any key"),
    pytest.param(PERMISSIONS, policy(allow("s3:PutBucket*", "arn:aws:s3:::*")), "s3:PutBucketAcl", id="any bucket's"),
    *(
        pytest.param(USERS, Given(type=type_, props={}), "IAM user", id=type_)
        for type_ in ("aws:iam/user:User", "aws:iam/accessKey:AccessKey", "aws:iam/userLoginProfile:UserLoginProfile")
    ),
]


@pytest.mark.parametrize(("rule", "given", "says"), FAILS)
def test_what_fails(rule: str, given: Given, says: str) -> None:
    verdict = judge(rule, given)
    assert len(verdict.messages) == 1
    assert says in verdict.messages[0]
    assert verdict.messages[0].startswith(f"{given.name} ({given.type}): ")


PASSES = [
    pytest.param(ON_STATEMENTS, policy(deny("*")), id="a Deny of everything"),
    pytest.param(ON_STATEMENTS, policy({"Effect": "Deny", "NotAction": "s3:*", "NotResource": "a"}), id="a Deny of all but some"),
    pytest.param(ON_STATEMENTS, policy(allow(["ec2:Describe*", "rds:DescribeDBInstances", "kms:GetKeyPolicy"])), id="describing"),
    pytest.param(ON_STATEMENTS, policy(allow(["kms:CreateKey", "ECR:GetAuthorizationToken"])), id="what takes no resource"),
    pytest.param(ON_STATEMENTS, policy(allow("s3:*", "arn:aws:s3:::shop-assets/*")), id="a service on one bucket"),
    pytest.param(
        ON_STATEMENTS, policy({"Effect": "Allow", "NotAction": "*", "Resource": "*"}), id="a NotAction that leaves nothing"
    ),
    pytest.param(ON_STATEMENTS, policy(allow("iam:PutRolePolicy", OURS)), id="roles of a name"),
    pytest.param(ON_STATEMENTS, policy(allow("iam:PutRolePolicy", ROLES, Condition=WITHIN)), id="roles within a boundary"),
    pytest.param(
        ON_STATEMENTS, policy(allow("iam:PutRolePolicy", OURS), deny("iam:PutRolePolicy", ROLES)), id="what is denied again"
    ),
    pytest.param(ON_STATEMENTS, policy(allow("iam:*", ROLES), deny("*")), id="everything denied again"),
    pytest.param(
        ON_STATEMENTS, policy(allow("iam:PassRole", OURS), allow("ecs:RunTask", "arn:aws:ecs:x")), id="passing our roles"
    ),
    pytest.param(
        ON_STATEMENTS,
        policy(allow("kms:Decrypt", KEYS, Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
        id="a key through a service",
    ),
    pytest.param(
        ON_STATEMENTS,
        policy(allow("kms:PutKeyPolicy", KEYS, Condition={"StringLike": {"aws:ResourceTag/Name": "shop-*"}})),
        id="keys with a tag",
    ),
    pytest.param(
        (ADMIN, IAM, RESOURCE), attachment(managed("service-role/AmazonRDSEnhancedMonitoringRole")), id="a narrow policy of AWS"
    ),
    pytest.param((ADMIN, IAM), attachment(f"arn:aws:iam::{ACCOUNT}:policy/AdministratorAccess"), id="our own of that name"),
    pytest.param(
        (ADMIN, RESOURCE), attachment(BOUNDARY, "aws:iam/role:Role", "permissionsBoundary"), id="a boundary as a boundary"
    ),
    pytest.param(
        (RESOURCE, ESCALATION, CREDENTIALS, DATA, PERMISSIONS),
        policy(allow(["ec2:*", "iam:*"]), type_="aws:iam/policy:Policy", name="shop-boundary"),
        id="a boundary, which gives nothing",
    ),
    pytest.param((USERS,), Given(type="aws:iam/role:Role", props={}), id="a role"),
]


@pytest.mark.parametrize(("rules", "given"), PASSES)
def test_what_passes(rules: tuple[str, ...], given: Given) -> None:
    for rule in rules:
        verdict = judge(rule, given)
        assert (rule, verdict.messages, verdict.unsure) == (rule, [], None)


@pytest.mark.parametrize("rule", ON_STATEMENTS)
def test_an_unknown_document_is_not_judged_before_the_update(rule: str) -> None:
    given = Given(type="aws:iam/rolePolicy:RolePolicy", props={"policy": UNKNOWN}, name="worker")
    verdict = judge(rule, given)
    assert verdict.messages == []
    assert verdict.unsure == "cannot tell yet, decides at the update: worker (aws:iam/rolePolicy:RolePolicy): policy is not known"


@pytest.mark.parametrize("rule", [ADMIN, IAM, RESOURCE])
def test_an_unknown_attachment_is_not_judged_before_the_update(rule: str) -> None:
    assert judge(rule, attachment(UNKNOWN)).unsure is not None
    known_too = attachment([UNKNOWN, managed("AdministratorAccess")], "aws:iam/role:Role", "managedPolicyArns")
    assert len(judge(ADMIN, known_too).messages) == 1


def test_a_statement_that_allows_all_actions_is_reported_once() -> None:
    reports = {rule: judge(rule, policy(allow("*"))).messages for rule in ON_STATEMENTS}
    assert [rule for rule, messages in reports.items() if messages] == [FULL]


def test_dev_is_advised_where_the_others_are_bound() -> None:
    assert rule_named(RESOURCE).levels.of("dev") is ADVISORY
