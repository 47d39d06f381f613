"""The pack and this project: its environments pass. What is noticed when they are broken is in ``test_mutations``."""

from __future__ import annotations

import json

import pytest

from isostack.engine.graph import LOOK_UP
from policies.exceptions import FILE
from policies.rule import ENVIRONMENTS
from policies.rules.environment import ACCOUNTS
from stacks.parameters import load, versions
from tests.policies.stacks import changed, graph, judge_nodes, judge_stack


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_of_this_project_passes(environment: str) -> None:
    report = judge_stack(environment)
    assert report.mandatory == []
    assert report.unsure == {}


def test_a_playground_passes_too_and_has_owner_and_end_everywhere() -> None:
    playground = {"name": "ada-search", "owner": "ada", "expires": "2030-01-31T18:00:00+00:00"}
    nodes = [node for node in graph("dev", json.dumps(playground)).nodes.values() if node.type != LOOK_UP]
    assert any(node.type.endswith(":DisposableDevStack") for node in nodes)
    report = judge_nodes(nodes, "dev")
    assert report.mandatory == []
    assert report.unsure == {}

    (untagged,) = (node for node in nodes if node.type == "aws:sns/topic:Topic")
    without = [changed(node, tags={"owner": "ada"}) if node is untagged else node for node in nodes]
    assert [(one.policy, one.urn) for one in judge_nodes(without, "dev").mandatory] == [
        ("disposable-has-owner-and-end", untagged.urn)
    ]


def test_no_environment_of_this_project_needs_an_exception() -> None:
    assert [line for line in FILE.read_text().splitlines() if not line.startswith("#")] == ["[]"]


@pytest.mark.parametrize("version", versions())
def test_the_pack_knows_the_accounts_of_the_parameter_sets(version: str) -> None:
    parameters = load(version)
    assert ACCOUNTS["default"] == {environment: parameters.of(environment).account for environment in ENVIRONMENTS}
