"""The table of resource types in the README, from the rows themselves: ``python -m isostack.localcloud.table``."""

from __future__ import annotations

import sys
from pathlib import Path

from isostack.localcloud.resource_types import all_rows
from isostack.localcloud.resource_types.row import Function, ResourceType

BEGIN = "<!-- the table of resource types: make types -->"
END = "<!-- the end of the table -->"


def table() -> str:
    """The table in Markdown: a line per module of Pulumi's package, with its types and look-ups."""
    types, functions = all_rows()
    modules: dict[str, tuple[list[str], list[str]]] = {}
    for row in types:
        modules.setdefault(_module(row), ([], []))[0].append(_name(row))
    for function in functions:
        modules.setdefault(_module(function), ([], []))[1].append(_name(function))
    lines = ["| module | resource types | look-ups |", "| --- | --- | --- |"]
    for module, (names, lookups) in sorted(modules.items()):
        lines.append(f"| `{module}` | {', '.join(names)} | {', '.join(lookups)} |")
    count = f"{len(types)} resource types and {len(functions)} look-ups."
    lines += ["", f"{count} What a type cannot do is refused by name:", ""]
    lines += [f"- `{_module(row)}.{_name(row)}`: {row.limits}" for row in types if row.limits]
    return "\n".join(lines)


def with_table(text: str) -> str:
    """The README's text with a fresh table between its two marks."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def _module(row: ResourceType | Function) -> str:
    package, _, rest = row.token.partition(":")
    module = rest.partition("/")[0]
    return package if module == "index" else f"{package}.{module}"


def _name(row: ResourceType | Function) -> str:
    return row.token.rpartition(":")[2]


if __name__ == "__main__":
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md")
    readme.write_text(with_table(readme.read_text()))
