"""Ways to break the real production stack, one property at a time: for each rule what it has to notice, and what else may.

Data. A mutation changes one resource of the program, or adds one that the program does not have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isostack.engine.graph import Node
from isostack.engine.values import plain
from tests.policies.stacks import changed

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ANY_ROLE = "arn:aws:iam::*:role/*"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One way to break the stack. ``rule`` has to report it; ``also`` are the rules for which it is wrong as well.

    ``node`` is the type and name of the resource that ``change`` breaks (or takes away, by None); without ``change``, ``node`` is
    added with ``props``. ``more`` are types, names and properties of what is added beside it.
    """

    rule: str
    what: str
    node: tuple[str, str]
    change: Callable[[Node], Node | None] | None = None
    props: dict[str, Any] | None = None
    more: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    also: frozenset[str] = frozenset()


def setting(**inputs: Any) -> Callable[[Node], Node]:
    """Give inputs other values; None takes one away."""
    return lambda node: changed(node, **inputs)


def statements(key: str, edit: Callable[[list[dict[str, Any]]], None]) -> Callable[[Node], Node]:
    """Edit the statements of the policy document that an input holds."""

    def change(node: Node) -> Node:
        document = json.loads(plain(node.inputs)[key])
        edit(document["Statement"])
        return changed(node, **{key: json.dumps(document)})

    return change


def also(*actions: str, on: str = "*") -> Callable[[Node], Node]:
    """Allow more."""
    return statements("policy", lambda given: given.append({"Effect": "Allow", "Action": list(actions), "Resource": on}))


def anybody(node: Node) -> Node:
    """Let anybody do what the first statement that allows something allows."""

    def edit(given: list[dict[str, Any]]) -> None:
        first = next(one for one in given if one["Effect"] == "Allow")
        first["Principal"] = "*"
        first.pop("Condition", None)

    return statements("policy", edit)(node)


def _trusting(principal: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda given: given[0].update(Principal=principal)


def _any_branch(given: list[dict[str, Any]]) -> None:
    for statement in given:
        for keys in statement.get("Condition", {}).values():
            if (claim := "token.actions.githubusercontent.com:sub") in keys:
                repository = ":".join(keys.pop(claim)[0].split(":")[:2])
                statement["Condition"]["StringLike"] = {claim: f"{repository}:*"}
                return


def _without(operator: str) -> Callable[[list[dict[str, Any]]], None]:
    return lambda given: [statement["Condition"].pop(operator) for statement in given]  # type: ignore[return-value]


WORKER = (ROLE_POLICY, "shop-backend-blue-task")
OPERATIONS, DEPLOYER = (ROLE, "shop-operations"), (ROLE, "shop-deployer")
BREAK_GLASS = (ROLE, "shop-break-glass")

IDENTITY = (
    Mutation(rule="iam-no-full-access", what="a service may do everything", node=WORKER, change=also("*")),
    Mutation(
        rule="iam-no-administrator",
        what="a service has AdministratorAccess",
        node=(ATTACHMENT, "everything"),
        props={"role": "shop-backend-blue-task", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    Mutation(
        rule="iam-no-star-action",
        what="a service may do everything with a queue",
        node=WORKER,
        change=also("*", on="arn:aws:sqs:eu-west-1:1:jobs"),
    ),
    Mutation(rule="iam-no-star-resource", what="a service writes to any queue", node=WORKER, change=also("sqs:SendMessage")),
    Mutation(
        rule="iam-no-privilege-escalation",
        what="a service writes the policies of roles",
        node=WORKER,
        change=also("iam:PutRolePolicy", on=ANY_ROLE),
        also=frozenset({"iam-permissions-constrained"}),
    ),
    Mutation(
        rule="iam-no-credentials-exposure",
        what="a service takes on any role",
        node=WORKER,
        change=also("sts:AssumeRole", on=ANY_ROLE),
    ),
    Mutation(
        rule="iam-no-data-exfiltration",
        what="a service reads every bucket",
        node=WORKER,
        change=also("s3:GetObject", on="arn:aws:s3:::*"),
    ),
    Mutation(
        rule="iam-permissions-constrained",
        what="the pipeline writes the policy of any key",
        node=(ROLE_POLICY, "shop-deployer"),
        change=also("kms:PutKeyPolicy", on="arn:aws:kms:eu-west-1:1:key/*"),
    ),
    Mutation(rule="iam-no-users", what="there is a user", node=("aws:iam/user:User", "ada"), props={"name": "ada"}),
    Mutation(
        rule="iam-no-iam-full-access",
        what="the pipeline has IAMFullAccess",
        node=(ATTACHMENT, "roles"),
        props={"role": "shop-deployer", "policyArn": "arn:aws:iam::aws:policy/IAMFullAccess"},
    ),
)

TRUST = (
    Mutation(
        rule="trust-named-principals",
        what="anybody with a second factor is let into operations",
        node=OPERATIONS,
        change=statements("assumeRolePolicy", _trusting({"AWS": "*"})),
    ),
    Mutation(
        rule="trust-no-whole-account",
        what="a whole account is let into operations",
        node=OPERATIONS,
        change=statements("assumeRolePolicy", _trusting({"AWS": "arn:aws:iam::999999999999:root"})),
    ),
    Mutation(
        rule="trust-github-safe-claims",
        what="workflows of any branch deploy",
        node=DEPLOYER,
        change=statements("assumeRolePolicy", _any_branch),
    ),
    Mutation(
        rule="resource-policy-no-star-principal",
        what="anybody publishes alarms",
        node=("aws:sns/topicPolicy:TopicPolicy", "shop-alarms"),
        change=anybody,
    ),
    Mutation(
        rule="kms-no-star-principal",
        what="anybody administers the data's key",
        node=("aws:kms/key:Key", "shop-data"),
        change=anybody,
    ),
)

EMERGENCY = (
    Mutation(
        rule="break-glass-guarded",
        what="the role for emergencies takes no second factor",
        node=BREAK_GLASS,
        change=statements("assumeRolePolicy", _without("Bool")),
    ),
    Mutation(
        rule="break-glass-guarded",
        what="the role for emergencies takes no ticket",
        node=BREAK_GLASS,
        change=statements("assumeRolePolicy", _without("Null")),
    ),
    Mutation(
        rule="break-glass-guarded",
        what="the role for emergencies lasts a day's work",
        node=BREAK_GLASS,
        change=setting(maxSessionDuration=8 * 3600),
    ),
    Mutation(
        rule="break-glass-guarded",
        what="nobody hears of an emergency",
        node=("aws:cloudwatch/metricAlarm:MetricAlarm", "shop-break-glass"),
        change=setting(alarmActions=[]),
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*IDENTITY, *TRUST, *EMERGENCY)
