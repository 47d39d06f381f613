"""The table of policies in the docs."""

from __future__ import annotations

from pathlib import Path

from isostack.policy.table import with_table
from policies.rules import RULES

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/policies.md"


def test_the_table_in_the_docs_is_what_the_rules_say() -> None:
    text = PAGE.read_text()
    assert with_table(text, ROOT / "policies") == text, "run: make policies"


def test_every_rule_stands_in_the_table() -> None:
    text = PAGE.read_text()
    assert [rule.name for rule in RULES if f"| `{rule.name}` |" not in text] == []


def test_a_table_that_was_changed_by_hand_does_not_stay() -> None:
    text = PAGE.read_text()
    stale = text.replace("| must |", "| advice |", 1)
    assert stale != text
    assert with_table(stale, ROOT / "policies") == text
