"""The table of what was broken and which rules noticed, from a run: ``python -m tests.policies.mutation_table``."""

from __future__ import annotations

from pathlib import Path

from policies.rules import RULES
from tests.policies.production import MUTATIONS, PRODUCTION, production

FILE = Path(__file__).parent.parent.parent / "docs/policy-mutations.md"
BEGIN = "<!-- the table of mutations: python -m tests.policies.mutation_table -->"
END = "<!-- the end of the table -->"


def table() -> str:
    """The table in Markdown: a line for each mutation, in the order of the rules."""
    order = {rule.name: (rule.number, rule.levels.of(PRODUCTION).value) for rule in RULES}
    lines = ["| rule | level in production | what was broken | noticed by | when |", "| --- | --- | --- | --- | --- |"]
    for mutation in sorted(MUTATIONS, key=lambda one: list(order).index(one.rule)):
        number, level = order[mutation.rule]
        found = production().noticed(mutation)
        when = "first preview" if mutation.rule in production(first_preview=True).noticed(mutation) else "update"
        rules = ", ".join(f"`{name}`" for name in order if name in found)
        lines.append(f"| {number} `{mutation.rule}` | {level} | {mutation.what} | {rules or 'no rule'} | {when} |")
    return "\n".join([*lines, "", f"{len(MUTATIONS)} mutations for {len(order)} rules."])


def with_table(text: str) -> str:
    """The page's text with a fresh table between its two marks."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    FILE.write_text(with_table(FILE.read_text()))
