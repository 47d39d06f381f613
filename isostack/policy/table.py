"""The table of policies in a page, from the pack itself: ``python -m isostack.policy.table docs/policies.md policies``."""

from __future__ import annotations

import sys
from pathlib import Path

from isostack.policy.catalogue import Entry, entries, environments

BEGIN = "<!-- the table of policies: make policies -->"
END = "<!-- the end of the table -->"
_SHORT = {"mandatory": "must", "advisory": "advice", "disabled": "-", "remediate": "mends"}


def table(rows: list[Entry]) -> str:
    """The table in Markdown: a line for each policy, with its level in each environment."""
    names = environments(rows)
    lines = [
        f"| policy | what holds | severity | {' | '.join(names)} | answers to |",
        f"| --- | --- | --- |{' --- |' * len(names)} --- |",
    ]
    for row in rows:
        levels = " | ".join(_SHORT[row.level(name)] for name in names)
        lines.append(f"| `{row.name}` | {row.title} | {row.severity or '-'} | {levels} | {', '.join(row.ids) or '-'} |")
    return "\n".join(lines)


def with_table(text: str, pack: Path) -> str:
    """The page's text with a fresh table of the pack between its two marks."""
    from isostack.policy.analyzer import Attached
    from isostack.policy.configuration import reconcile
    from isostack.policy.pack import Surroundings, load

    loaded = load(pack.resolve(), Surroundings("docs", "production"))
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{table(entries([Attached(loaded, reconcile(loaded, {}))]))}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    page, folder = (Path(argument) for argument in sys.argv[1:3])
    page.write_text(with_table(page.read_text(), folder))
