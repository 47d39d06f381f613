"""Roles in somebody else's program: whom they trust, what their level lets them do, and what none of them can do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
import pulumi_aws as aws

from components.access import Access, AccessArgs

bucket, queue, key = aws.s3.Bucket("shop-assets"), aws.sqs.Queue("shop-jobs"), aws.kms.Key("theirs")
secret = aws.secretsmanager.Secret("shop-secret")
access = Access(
    "shop",
    AccessArgs(
        tags={"team": "theirs"},
        account_id=aws.get_caller_identity().account_id,
        region="eu-west-1",
        bucket_arn=bucket.arn,
        queue_arn=queue.arn,
        database_resource_id="db-THEIRS",
        key_arn=key.arn,
        secret_arns={"DATABASE_URL": secret.arn},
        **pulumi.Config().require_object("values"),
    ),
)
for name in ("role_arns", "boundary_arn"):
    pulumi.export(name, getattr(access, name))
pulumi.export("theirs", {"bucket": bucket.arn, "queue": queue.arn, "key": key.arn, "secret": secret.arn})
"""
COMPANY = "arn:aws:iam::999999999999:role"
STAGING: dict[str, Any] = {
    "principals": {
        "developer": [],
        "qa": [f"{COMPANY}/qa"],
        "partner": [f"{COMPANY}/partner"],
        "operations": [f"{COMPANY}/operations", f"{COMPANY}/night-shift"],
        "deployer": [],
        "break-glass": [f"{COMPANY}/on-call"],
    },
    "matrix": {
        "developer": "none",
        "qa": "read",
        "partner": "use",
        "operations": "operate",
        "deployer": "deploy",
        "break-glass": "emergency",
    },
    "session_hours": {"developer": 1, "qa": 2, "partner": 1, "operations": 1, "deployer": 1, "break-glass": 1},
    "mfa": True,
    "repository": "example-shop/platform",
    "oidc_subjects": ["repo:example-shop/platform:environment:staging"],
}
OTHER_LEVELS = {**STAGING["matrix"], "developer": "operate", "qa": "use", "partner": "none", "deployer": "none"}
ROLES = tuple(STAGING["matrix"])
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
MANAGED = "aws:iam/policy:Policy"
CLAIM = "token.actions.githubusercontent.com"
HERE = {"aws:RequestedRegion": "eu-west-1"}
READING = re.compile(r"(Describe|Get|List)[A-Za-z]*\*?")


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, STAGING)


# -- a naive reading of IAM ------------------------------------------------------------------------------------------------


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def met(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether a request with this context meets them all; only these operators are used here."""
    operators: dict[str, Callable[[str, Any], bool]] = {
        "StringEquals": lambda key, value: context.get(key) in listed(value),
        "Bool": lambda key, value: context.get(key) in listed(value),
        "StringLike": lambda key, value: key in context and any(fnmatchcase(context[key], one) for one in listed(value)),
        "Null": lambda key, value: (key not in context) is (value == "true"),
    }
    return all(operators[operator](key, value) for operator, block in conditions.items() for key, value in block.items())


def may(statements: list[dict[str, Any]], action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether the statements allow an action: some statement does, and none denies it."""
    effects = {
        statement["Effect"]
        for statement in statements
        if any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        and met(statement.get("Condition", {}), context)
    }
    return effects == {"Allow"}


class Permissions:
    """What a role may do, within its boundary. Resources are written ``sqs:…`` for ``arn:aws:sqs:eu-west-1:<account>:…``."""

    def __init__(self, program: Program, role: str) -> None:
        self.account = program.account
        iam, name = program.cloud.client("iam"), program.one(ROLE, f"shop-{role}")["name"]
        self.statements = policy(
            json.dumps(iam.get_role_policy(RoleName=name, PolicyName=_only_policy(iam, name))["PolicyDocument"])
        )
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            self.statements += _managed(iam, attached["PolicyArn"])
        boundary = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        self.boundary = _managed(iam, boundary)

    def __call__(self, action: str, resource: str = "*", **context: str) -> bool:
        service, _, rest = resource.partition(":")
        if resource != "*" and service != "arn":
            resource = f"arn:aws:{service}:{'' if service == 'iam' else 'eu-west-1'}:{self.account}:{rest}"
        seen = {**HERE, "aws:ResourceAccount": self.account, **{key.replace("__", ":"): value for key, value in context.items()}}
        return all(may(statements, action, resource, seen) for statements in (self.statements, self.boundary))


def _only_policy(iam: Any, role: str) -> str:
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return str(name)


def _managed(iam: Any, arn: str) -> list[dict[str, Any]]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return policy(json.dumps(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]))


def documents(program: Program) -> Iterator[tuple[str, str]]:
    """Every policy with its name, but for the boundary, which gives nothing."""
    for type_ in (POLICY, MANAGED):
        for name, one in program.all(type_).items():
            if name != "shop-boundary":
                yield name, one["policy"]


# -- trust -----------------------------------------------------------------------------------------------------------------


def trust(program: Program, role: str) -> list[dict[str, Any]]:
    return policy(program.one(ROLE, f"shop-{role}")["assumeRolePolicy"])


def test_every_role_is_there_within_the_boundary_and_for_as_long_as_was_said(shop: Program) -> None:
    assert set(shop.outputs["role_arns"]) == set(ROLES)
    for role in ROLES:
        made = shop.one(ROLE, f"shop-{role}")
        assert made["permissionsBoundary"] == shop.outputs["boundary_arn"]
        assert made["maxSessionDuration"] == 3600 * STAGING["session_hours"][role]
        assert made["arn"] == shop.outputs["role_arns"][role]


def test_people_are_trusted_by_name_and_with_a_second_factor_shown_in_the_last_hour(shop: Program) -> None:
    (statement,) = trust(shop, "operations")
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"AWS": STAGING["principals"]["operations"]}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"},
    }


def test_the_role_for_emergencies_takes_a_ticket_and_a_reason_which_the_trail_keeps(shop: Program) -> None:
    (statement,) = trust(shop, "break-glass")
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert statement["Condition"]["Null"] == {"aws:RequestTag/reason": "false", "aws:RequestTag/ticket": "false"}


def test_programs_of_partners_have_no_second_factor(shop: Program) -> None:
    (statement,) = trust(shop, "partner")
    assert "Condition" not in statement
    assert listed(statement["Principal"]["AWS"]) == STAGING["principals"]["partner"]


def test_a_role_without_principals_is_shut_to_everybody(shop: Program) -> None:
    (statement,) = trust(shop, "developer")
    assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})


def test_workflows_deploy_whose_claims_are_exactly_those_named(shop: Program) -> None:
    (statement,) = trust(shop, "deployer")
    assert statement["Principal"] == {"Federated": shop.one("aws:iam/openIdConnectProvider:OpenIdConnectProvider")["arn"]}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    (operator, claims), *more = statement["Condition"].items()
    assert (operator, more) == ("StringEquals", [])
    assert {key: listed(value) for key, value in claims.items()} == {
        f"{CLAIM}:aud": ["sts.amazonaws.com"],
        f"{CLAIM}:sub": ["repo:example-shop/platform:environment:staging"],
    }


# -- levels ----------------------------------------------------------------------------------------------------------------


def test_each_level_may_what_the_matrix_says_and_no_more(shop: Program) -> None:
    theirs, through = shop.outputs["theirs"], "kms__ViaService"
    asked: dict[str, tuple[Any, ...]] = {
        "see what there is": ("ec2:DescribeVpcs",),
        "read logs": ("logs:GetLogEvents", "logs:log-group:shop-backend-blue-logs-1234567:log-stream:app"),
        "take a job": ("sqs:ReceiveMessage", theirs["queue"]),
        "read an asset": ("s3:GetObject", f"{theirs['bucket']}/cat.png"),
        "log in to the database as a reader": ("rds-db:connect", "rds-db:dbuser:db-THEIRS/reader"),
        "log in to the database as its owner": ("rds-db:connect", "rds-db:dbuser:db-THEIRS/shop"),
        "restart a service": ("ecs:UpdateService", "ecs:service/shop-cluster-1234567/shop-backend-blue-service-1234567"),
        "restart the database": ("rds:RebootDBInstance", "rds:db:shop-database-1234567"),
        "read a secret": ("secretsmanager:GetSecretValue", theirs["secret"]),
        "make a subnet": ("ec2:CreateSubnet", "ec2:vpc/vpc-1"),
        "delete the database": ("rds:DeleteDBInstance", "rds:db:shop-database-1234567"),
        "stop the trail": ("cloudtrail:StopLogging", "cloudtrail:trail/shop-trail"),
        "make a user": ("iam:CreateUser", "iam:user/shop-mallory"),
        "make an access key": ("iam:CreateAccessKey", "iam:user/shop-mallory"),
        "become another role": ("sts:AssumeRole", "iam:role/shop-operations-1234567"),
    }
    assert may([], "ec2:DescribeVpcs", "*", {}) is False
    allowed = {role: {what for what, request in asked.items() if Permissions(shop, role)(*request)} for role in ROLES}
    reading = {"see what there is", "read logs"}
    using = reading | {"take a job", "read an asset", "log in to the database as a reader"}
    operating = using | {"restart a service", "restart the database"}
    assert allowed == {
        "developer": set(),
        "qa": reading,
        "partner": using,
        "operations": operating,
        "deployer": {"see what there is", "restart the database", "restart a service", "make a subnet", "read a secret"},
        "break-glass": operating | {"read a secret"},
    }
    decrypt = {through: "sqs.eu-west-1.amazonaws.com"}
    assert Permissions(shop, "partner")("kms:Decrypt", theirs["key"], **decrypt)
    assert not Permissions(shop, "partner")("kms:Decrypt", theirs["key"])


def test_data_of_other_names_is_outside_the_boundary(shop: Program) -> None:
    operations = Permissions(shop, "operations")
    operations.statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    assert operations("s3:GetObject", "arn:aws:s3:::shop-assets-1234567/cat.png")
    assert not operations("s3:GetObject", "arn:aws:s3:::theirs/cat.png")
    assert not operations("secretsmanager:GetSecretValue", "secretsmanager:secret:theirs")
    assert not operations("ec2:RunInstances", "ec2:instance/i-1", aws__RequestedRegion="us-east-1")
    assert not operations("iam:CreateUser", "iam:user/mallory")
    assert not operations("sts:AssumeRole", "iam:role/shop-break-glass-1234567")


def test_the_pipeline_makes_roles_within_the_boundary_alone_and_never_widens_itself(shop: Program) -> None:
    deployer, boundary = Permissions(shop, "deployer"), shop.outputs["boundary_arn"]
    service, own, others = "iam:role/shop-worker-task-1234567", "iam:role/shop-deployer-1234567", "iam:role/theirs"
    within = {"iam__PermissionsBoundary": boundary}
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"):
        assert deployer(action, service, **within)
        assert not deployer(action, service)
        assert not deployer(action, others, **within)
    for action in ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:PutRolePermissionsBoundary"):
        for reserved in (own, "iam:role/shop-break-glass-1234567"):
            assert not deployer(action, reserved, **within)
    assert deployer("iam:CreatePolicy", boundary)
    for action in ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy"):
        assert not deployer(action, boundary)
    assert not deployer("iam:DeleteRolePermissionsBoundary", service, **within)
    assert not deployer("iam:AttachRolePolicy", service, iam__PolicyARN="arn:aws:iam::aws:policy/AdministratorAccess", **within)


def test_the_pipeline_writes_the_policies_of_the_environments_keys_alone(shop: Program) -> None:
    deployer, tag = Permissions(shop, "deployer"), "aws:ResourceTag/Name"
    for action in ("kms:PutKeyPolicy", "kms:EnableKeyRotation", "kms:TagResource", "kms:UntagResource"):
        assert deployer(action, "kms:key/ours", **{tag: "shop-data"})
        assert not deployer(action, "kms:key/theirs", **{tag: "theirs-data"})
    assert deployer("kms:CreateKey")
    assert deployer("kms:TagResource", "kms:key/new", **{"aws:RequestTag/Name": "shop-data"})
    assert not deployer("kms:TagResource", "kms:key/theirs", **{"aws:RequestTag/Name": "shop-data", tag: "theirs-data"})


def test_roles_are_given_to_the_services_that_need_them_and_to_no_other(shop: Program) -> None:
    task, person = "iam:role/shop-worker-task-1234567", "iam:role/shop-operations-1234567"
    given = {"iam__PassedToService": "ecs-tasks.amazonaws.com"}
    for role in ("deployer", "operations"):
        assert Permissions(shop, role)("iam:PassRole", task, **given)
        assert not Permissions(shop, role)("iam:PassRole", task, iam__PassedToService="ec2.amazonaws.com")
        assert not Permissions(shop, role)("iam:PassRole", "iam:role/theirs", **given)
    assert not Permissions(shop, "operations")("iam:PassRole", person, **given)


def test_what_changes_something_is_named_in_full_and_star_resources_are_held_to_the_region(shop: Program) -> None:
    statements = [(name, statement) for name, text in documents(shop) for statement in policy(text)]
    allowing = [(name, statement) for name, statement in statements if statement["Effect"] == "Allow"]
    assert len(allowing) > 40
    for name, statement in allowing:
        for action in statement["Action"]:
            assert "*" not in action or READING.fullmatch(action.partition(":")[2]), (name, action)
        if "*" in listed(statement["Resource"]):
            assert statement["Condition"] == {"StringEquals": HERE}, (name, statement["Sid"])


def test_no_policy_is_longer_than_aws_takes(shop: Program) -> None:
    lengths = {name: len(re.sub(r"\s", "", one["policy"])) for name, one in shop.all(POLICY).items()}
    managed = {name: len(re.sub(r"\s", "", one["policy"])) for name, one in shop.all(MANAGED).items()}
    assert max(lengths.values()) <= 10_240  # all inline policies of a role together; each has one
    assert max(managed.values()) <= 6_144


# -- over time -------------------------------------------------------------------------------------------------------------


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_another_level_or_principal_changes_what_says_so_and_leaves_the_graph_as_it_is(alone: Alone) -> None:
    def graph() -> list[tuple[Any, ...]]:
        return sorted((r.urn, r.parent, sorted(r.dependencies)) for r in shop.resources)

    shop = alone(SOURCE, STAGING)
    before = graph()
    shop.up(matrix=OTHER_LEVELS)
    assert shop.steps == {
        **{f"{POLICY} shop-{role}": {"update"} for role in ("developer", "qa", "partner", "deployer")},
        f"{MANAGED} shop-foundation": {"update"},
    }
    assert not Permissions(shop, "deployer")("ec2:DescribeVpcs")
    shop.up(mfa=False)
    assert shop.steps == {f"{ROLE} shop-{role}": {"update"} for role in ("qa", "operations")}
    assert trust(shop, "break-glass")[0]["Condition"]["Bool"] == {"aws:MultiFactorAuthPresent": "true"}
    shop.up(principals={**STAGING["principals"], "developer": [f"{COMPANY}/developers"]}, oidc_subjects=[])
    assert shop.steps == {f"{ROLE} shop-developer": {"update"}, f"{ROLE} shop-deployer": {"update"}}
    assert trust(shop, "deployer")[0]["Effect"] == "Deny"
    assert graph() == before
    shop.destroy()
    assert shop.left == {}


def test_a_boundary_that_is_given_is_used_and_no_other_made(alone: Alone) -> None:
    source = (
        SOURCE.replace("import Access, AccessArgs", "import Access, AccessArgs, Boundary, BoundaryArgs")
        .replace(
            "access = Access(",
            "account = aws.get_caller_identity().account_id\n"
            'boundary = Boundary("shop", BoundaryArgs(tags={}, account_id=account, region="eu-west-1"))\n'
            "access = Access(",
        )
        .replace('region="eu-west-1",\n        bucket', 'region="eu-west-1", boundary_arn=boundary.arn,\n        bucket')
    )
    shop = alone(source, STAGING)
    assert shop.outputs["boundary_arn"] == f"arn:aws:iam::{shop.account}:policy/shop-boundary"
    assert {role["permissionsBoundary"] for role in shop.all(ROLE).values()} == {shop.outputs["boundary_arn"]}
    assert set(shop.all(MANAGED)) == {"shop-boundary", "shop-foundation"}
    shop.destroy()
    assert shop.left == {}
