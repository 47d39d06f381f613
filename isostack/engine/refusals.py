"""What the embedded engine does not do, for docs/engines.md, from the code: ``python -m isostack.engine.refusals``.

Reads the source: what a run refuses is collected by calls of ``refuse``, what a file or a provider asks for in vain is raised as
``Refused`` with a text that names the embedded engine, and fields of a state that it would treat otherwise than Pulumi stand in
:mod:`isostack.engine.state_file`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from isostack.engine import state_file

BEGIN: Final = "<!-- what the embedded engine refuses: make refusals -->"
END: Final = "<!-- the end of the refusals -->"

_PACKAGE = Path(__file__).parent.parent
_ENGINE = "the embedded engine"


def listing() -> str:
    """The refusals in Markdown; ``…`` stands for what a program or file names."""
    called: set[str] = set()
    raised: set[str] = set()
    for path in sorted([*_PACKAGE.glob("engine/*.py"), *_PACKAGE.glob("localcloud/**/*.py")]):
        for name, text in _refusals(ast.parse(path.read_text())):
            if name == "refuse":
                called.add(text.replace("… …", "…"))
            elif _ENGINE in text and "does not do" not in text:  # which is followed by what `refuse` has collected
                raised.add(text.partition(";")[0].removeprefix("…: "))
    fields = ", ".join(f"`{name}`" for name in sorted(state_file._REFUSED))  # the table is that module's own
    return "\n".join(
        [
            "In a program, all in one error before anything is changed:",
            "",
            *(f"- {text}" for text in sorted(called)),
            "",
            "In a project's files, in a provider's configuration, on the wire:",
            "",
            *(f"- {text}" for text in sorted(raised)),
            "",
            f"In an imported state: a version other than {state_file.VERSION}, snippets, extensions, and {fields} of a resource.",
        ]
    )


def with_listing(text: str) -> str:
    """A document's text with a fresh list between its two marks."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{listing()}\n{END}{rest.split(END)[1]}"


def _refusals(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """``refuse`` or ``Refused``, and the text that it is called with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            text = _text(node.args[0])
            if name in ("refuse", "Refused") and text:
                yield name, text


def _text(node: ast.expr) -> str:
    """A literal or formatted string, with … for each value; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


if __name__ == "__main__":
    document = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/engines.md")
    document.write_text(with_listing(document.read_text()))
