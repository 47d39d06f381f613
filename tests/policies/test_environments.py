"""The pack and this project: its environments pass, and whatever is broken in production is noticed by its rule."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from isostack.engine.graph import Node
from policies.exceptions import FILE
from policies.rule import ENVIRONMENTS, Area
from policies.rules import RULES
from tests.policies.mutations import MUTATIONS, Mutation
from tests.policies.stacks import Violation, graph, judge_stack

CHECKED = (Area.IDENTITY, Area.TRUST)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_of_this_project_passes(environment: str) -> None:
    report = judge_stack(environment)
    assert report.mandatory == []
    assert report.unsure == {}


def test_no_environment_of_this_project_needs_an_exception() -> None:
    assert [line for line in FILE.read_text().splitlines() if not line.startswith("#")] == ["[]"]


def _keys(violations: list[Violation]) -> set[tuple[str, str]]:
    return {(one.policy, one.urn) for one in violations}


@cache
def _unbroken() -> set[tuple[str, str]]:
    return _keys(judge_stack("production").violations)


def _broken(mutation: Mutation) -> set[tuple[str, str]]:
    """What the pack reports of production broken that way, that it does not report of production."""
    type_, name = mutation.node
    if mutation.change is None:
        like = next(node for node in graph("production").nodes.values() if node.type.startswith("aws:iam/"))
        props = mutation.props or {}
        urn = like.urn.replace(like.type, type_).replace(f"::{like.name}", f"::{name}")
        node = replace(
            like, urn=urn, type=type_, name=name, inputs=props, outputs=props, dependencies=(), property_dependencies={}
        )
        return _keys(judge_stack("production", extra=[node]).violations) - _unbroken()
    change, found = mutation.change, []

    def at_the_node(node: Node) -> Node:
        if (node.type, node.name) != mutation.node:
            return node
        found.append(node.urn)
        return change(node)

    after = _keys(judge_stack("production", at_the_node).violations)
    assert len(found) == 1, f"production has {len(found)} of {mutation.node}"
    return after - _unbroken()


@pytest.mark.parametrize("mutation", [pytest.param(one, id=f"{one.rule}: {one.what}") for one in MUTATIONS])
def test_what_is_broken_in_production_is_reported_by_its_rule_and_by_no_unrelated_one(mutation: Mutation) -> None:
    reported = {policy for policy, _ in _broken(mutation)}
    assert reported == {mutation.rule} | mutation.also


def test_every_rule_has_a_mutation() -> None:
    missing = {rule.name for rule in RULES if rule.area in CHECKED} - {mutation.rule for mutation in MUTATIONS}
    assert missing == set()
