"""Whatever is broken in the real production stack is noticed by its rule, and by no unrelated one."""

from __future__ import annotations

import pytest

from policies.rules import RULES
from tests.policies.mutation_table import FILE, with_table
from tests.policies.mutations import Mutation
from tests.policies.production import HELD, MUTATIONS, noticed


@pytest.mark.parametrize("mutation", [pytest.param(one, id=f"{one.rule}: {one.what}") for one in MUTATIONS])
def test_what_is_broken_is_noticed_by_its_rule_and_by_no_unrelated_one(mutation: Mutation) -> None:
    assert noticed(mutation) == {mutation.rule} | mutation.also


def test_every_rule_has_a_mutation() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == {rule.name for rule in RULES}
    assert {rule.name for rule in HELD} == {rule.name for rule in RULES}, "a rule that is off in production needs another stack"


def test_mutations_are_told_apart() -> None:
    assert len({(one.rule, one.what) for one in MUTATIONS}) == len(MUTATIONS)


def test_the_table_in_the_docs_is_of_this_run() -> None:
    text = FILE.read_text()
    assert text == with_table(text), "the table is stale: python -m tests.policies.mutation_table"
