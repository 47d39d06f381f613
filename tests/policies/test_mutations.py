"""Whatever is broken in the real production stack is noticed by its rule, and by no unrelated one."""

from __future__ import annotations

import pytest

from policies.rule import Area
from policies.rules import RULES
from tests.policies import mutations_outside_iam
from tests.policies.mutation_table import FILE, with_table
from tests.policies.mutations import Mutation
from tests.policies.production import HELD, MUTATIONS, production

# What stands in a text that is made of others' outputs, or in a choice among subnets, is known at the update.
NOT_KNOWN_BEFORE = frozenset(
    {"the database lets in the load balancer", "a task is given dev's secret", "who has operations can become a developer"}
)


@pytest.mark.parametrize("mutation", [pytest.param(one, id=f"{one.rule}: {one.what}") for one in MUTATIONS])
def test_what_is_broken_is_noticed_by_its_rule_and_by_no_unrelated_one(mutation: Mutation) -> None:
    assert production().noticed(mutation) == {mutation.rule} | mutation.also


@pytest.mark.parametrize("mutation", [pytest.param(one, id=f"{one.rule}: {one.what}") for one in mutations_outside_iam.MUTATIONS])
def test_it_is_noticed_at_the_first_preview_already(mutation: Mutation) -> None:
    noticed = production(first_preview=True).noticed(mutation)
    assert noticed == (set() if mutation.what in NOT_KNOWN_BEFORE else {mutation.rule} | mutation.also)


def test_at_a_first_preview_nothing_is_unsure_but_what_policy_documents_say() -> None:
    stack = production(first_preview=True)
    on_documents = {rule.name for rule in HELD if rule.area in (Area.IDENTITY, Area.TRUST)} | {"no-role-chain"}
    assert stack.unsure() <= on_documents
    assert stack.found == production().found


def test_every_rule_has_a_mutation() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == {rule.name for rule in RULES}
    assert {rule.name for rule in HELD} == {rule.name for rule in RULES}, "a rule that is off in production needs another stack"


def test_mutations_are_told_apart() -> None:
    assert len({(one.rule, one.what) for one in MUTATIONS}) == len(MUTATIONS)


def test_the_table_in_the_docs_is_of_this_run() -> None:
    text = FILE.read_text()
    assert text == with_table(text), "the table is stale: python -m tests.policies.mutation_table"
