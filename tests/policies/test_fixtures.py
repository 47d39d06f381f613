"""Each condition that a rule makes: what it refuses, what it lets pass, and what it cannot tell before the update."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from policies import rules
from policies.references import IDENTITIES
from policies.rule import Given
from policies.rules import RULES
from tests.policies.fixtures import Fixture, data, environment, network, trace
from tests.policies.judging import UNKNOWN, judge

FIXTURES: tuple[Fixture, ...] = (*network.FIXTURES, *data.FIXTURES, *trace.FIXTURES, *environment.FIXTURES)
AREAS = (rules.network, rules.data, rules.trace, rules.environment)


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


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand within a value, at any depth."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _with_unknown(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return UNKNOWN
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _with_unknown(copied[path[0]], path[1:])
    return copied


def _masked(fixture: Fixture) -> Iterator[tuple[str, tuple[Given, ...]]]:
    """The resources of a fixture, with one value after the other not known."""
    for number, given in enumerate(fixture.given):
        for path in _paths(dict(given.props)):
            if path[0] in IDENTITIES:
                continue  # who is named by a known value is known
            masked = replace(given, props=_with_unknown(dict(given.props), path))
            shown = ".".join(map(str, (given.name, *path)))
            yield shown, (*fixture.given[:number], masked, *fixture.given[number + 1 :])


# It looks at all texts there are: what a preview does not know of them comes from the stack itself, and is no other's secret.
UNCONCERNED = "no-secret-of-another-environment"


@pytest.mark.parametrize("fixture", [pytest.param(one, id=one.name) for one in FIXTURES if one.verdict != "unsure"])
def test_what_is_not_known_neither_hides_what_is_wrong_nor_is_called_wrong(fixture: Fixture) -> None:
    for shown, given in _masked(fixture):
        found = judge(fixture.rule, *given, environment=fixture.environment, options=fixture.options)
        if fixture.verdict == "allowed":
            assert found.messages == [], f"{shown} is not known"
        elif fixture.rule != UNCONCERNED:
            assert found.messages or found.unsure, f"{shown} is not known"


@pytest.mark.parametrize("rule", [rule.name for area in AREAS for rule in area.RULES])
def test_a_rule_has_a_fixture_of_each_kind(rule: str) -> None:
    verdicts = {fixture.verdict for fixture in FIXTURES if fixture.rule == rule}
    assert {"refused", "allowed"} <= verdicts


def test_fixtures_are_told_apart_and_name_rules_that_exist() -> None:
    assert len({fixture.name for fixture in FIXTURES}) == len(FIXTURES)
    assert {fixture.rule for fixture in FIXTURES} <= {rule.name for rule in RULES}
