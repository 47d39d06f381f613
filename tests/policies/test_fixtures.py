"""Each condition that a rule makes: what it refuses, what it lets pass, and what it cannot tell before the update."""

from __future__ import annotations

import pytest

from policies.rule import Area
from policies.rules import RULES
from tests.policies.fixtures import Fixture, data, environment, network, trace
from tests.policies.judging import judge

FIXTURES: tuple[Fixture, ...] = (*network.FIXTURES, *data.FIXTURES, *trace.FIXTURES, *environment.FIXTURES)
AREAS = (Area.NETWORK, Area.DATA, Area.TRACE, Area.ENVIRONMENT)


@pytest.mark.parametrize("fixture", [pytest.param(one, id=one.name) for one in FIXTURES])
def test_a_rule_makes_of_it_what_it_should(fixture: Fixture) -> None:
    found = judge(fixture.rule, *fixture.given, environment=fixture.environment, options=fixture.options)
    if fixture.verdict == "refused":
        assert found.messages
        assert all(fixture.says in message for message in found.messages)
    elif fixture.verdict == "unsure":
        assert found.messages == []
        assert found.unsure
        assert fixture.says in found.unsure
    else:
        assert (found.messages, found.unsure) == ([], None)


@pytest.mark.parametrize("rule", [rule.name for rule in RULES if rule.area in AREAS and rule.number != 36])
def test_a_rule_has_a_fixture_of_each_kind(rule: str) -> None:
    verdicts = {fixture.verdict for fixture in FIXTURES if fixture.rule == rule}
    assert {"refused", "allowed"} <= verdicts


def test_fixtures_are_told_apart_and_name_rules_that_exist() -> None:
    assert len({fixture.name for fixture in FIXTURES}) == len(FIXTURES)
    assert {fixture.rule for fixture in FIXTURES} <= {rule.name for rule in RULES}
