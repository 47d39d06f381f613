"""What holds for every rule: its own example, its names, its ids, its levels."""

from __future__ import annotations

import re

import pytest

from policies.rule import ADVISORY, DISABLED, ENVIRONMENTS, MANDATORY, Rule
from policies.rules import RULES
from tests.policies.judging import judge

STRICTNESS = (DISABLED, ADVISORY, MANDATORY)
ID = re.compile(r"CKV2?_AWS_\d+|CIS \d+\.\d+(\.\d+)?|AG [a-z0-9-]+|Config [a-z0-9-]+")


def each_rule() -> list[object]:
    return [pytest.param(rule, id=rule.name) for rule in RULES]


@pytest.mark.parametrize("rule", each_rule())
def test_the_example_of_a_rule_fails_and_its_mend_passes(rule: Rule) -> None:
    environment = "production"
    wrong = judge(rule, *rule.example.wrong, environment=environment)
    assert wrong.messages
    assert all(rule.mend in message for message in wrong.messages)
    mended = judge(rule, *rule.example.mended, environment=environment)
    assert (mended.messages, mended.unsure) == ([], None)


@pytest.mark.parametrize("rule", each_rule())
def test_a_rule_is_never_stricter_in_an_earlier_environment(rule: Rule) -> None:
    strictness = [STRICTNESS.index(rule.levels.of(environment)) for environment in ENVIRONMENTS]
    assert strictness == sorted(strictness)


@pytest.mark.parametrize("rule", each_rule())
def test_a_rule_says_what_it_answers_to_and_how_to_mend(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert all(ID.fullmatch(one) for one in rule.ids), rule.ids
    assert rule.mend.endswith(".")
    assert rule.why.endswith(".")
    assert not rule.title.endswith(".")


@pytest.mark.parametrize("rule", each_rule())
def test_a_name_begins_with_production_where_a_rule_is_held_there_alone(rule: Rule) -> None:
    alone = all(rule.levels.of(environment) is DISABLED for environment in ENVIRONMENTS[:-1])
    assert rule.name.startswith("production-") is alone


def test_names_are_unique_and_numbers_in_order() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    numbers = [rule.number for rule in RULES]
    assert numbers == sorted(numbers)
