"""Trust policies as the local cloud's STS reads them."""

from __future__ import annotations

from typing import Any

import pytest

from isostack.localcloud.trust import trusts

ALICE = {"aws:PrincipalArn": "arn:aws:iam::999999999999:role/operations", "aws:MultiFactorAuthPresent": "false"}
WITH_FACTOR = {**ALICE, "aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
WORKFLOW = {"federated": "token.example", "token.example:sub": "repo:a/b:environment:staging"}
OPERATIONS = {"AWS": "arn:aws:iam::999999999999:role/operations"}
FACTOR = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
PROVIDER = {"Federated": "arn:aws:iam::333333333333:oidc-provider/token.example"}
SUBJECT = {"StringEquals": {"token.example:sub": ["repo:a/b:environment:staging"]}}

CASES: dict[str, tuple[dict[str, Any], dict[str, str], bool]] = {
    "the one that it names": ({"Principal": OPERATIONS}, ALICE, True),
    "one of several": ({"Principal": {"AWS": ["arn:aws:iam::1:role/x", OPERATIONS["AWS"]]}}, ALICE, True),
    "the account as a whole": ({"Principal": {"AWS": "arn:aws:iam::999999999999:root"}}, ALICE, True),
    "everybody": ({"Principal": "*"}, ALICE, True),
    "somebody else": ({"Principal": {"AWS": "arn:aws:iam::999999999999:role/developers"}}, ALICE, False),
    "the same name in another account": ({"Principal": {"AWS": "arn:aws:iam::111111111111:role/operations"}}, ALICE, False),
    "a service": ({"Principal": {"Service": "ecs-tasks.amazonaws.com"}}, ALICE, False),
    "without the second factor": ({"Principal": OPERATIONS, "Condition": FACTOR}, ALICE, False),
    "with the second factor": ({"Principal": OPERATIONS, "Condition": FACTOR}, WITH_FACTOR, True),
    "an operator that nobody knows": ({"Principal": OPERATIONS, "Condition": {"DateGreaterThan": {"x": "y"}}}, ALICE, False),
    "a workflow": ({"Principal": PROVIDER, "Condition": SUBJECT}, WORKFLOW, True),
    "another workflow": ({"Principal": PROVIDER, "Condition": SUBJECT}, {**WORKFLOW, "token.example:sub": "repo:a/b:x"}, False),
    "another issuer": ({"Principal": PROVIDER}, {"federated": "token.other"}, False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_trust_policy_lets_in_whom_it_names_under_its_conditions(case: str) -> None:
    statement, context, expected = CASES[case]
    action = "sts:AssumeRoleWithWebIdentity" if "federated" in context else "sts:AssumeRole"
    policy = {"Statement": {"Effect": "Allow", "Action": [action], **statement}}
    assert trusts(policy, action, context) is expected
    assert trusts(policy, "sts:AssumeRoleWithSAML", context) is False


@pytest.mark.parametrize("condition", [{}, {"DateGreaterThan": {"x": "y"}}])
def test_a_denial_wins_also_where_its_condition_cannot_be_told(condition: dict[str, Any]) -> None:
    allow = {"Effect": "Allow", "Principal": OPERATIONS, "Action": "sts:*"}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition}
    assert trusts({"Statement": [allow]}, "sts:AssumeRole", ALICE) is True
    assert trusts({"Statement": [allow, deny]}, "sts:AssumeRole", ALICE) is False


def test_nothing_said_lets_nobody_in() -> None:
    for policy in ({}, {"Statement": []}, {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}):
        assert trusts(policy, "sts:AssumeRole", ALICE) is False
