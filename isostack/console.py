"""Standard output: lines with styles, through Rich on a terminal and as plain text elsewhere, which needs no Rich; tables; and
JSON documents.

Owns how a line looks, not what it says. Styles are Rich's (``bold red``).
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.text import Text

LIVE_REFRESHES_PER_SECOND = 5


class Line:
    """Text in parts, each with its style. One that is ``cut`` ends at the terminal's edge instead of going on below."""

    def __init__(self, *parts: str | tuple[str, str], cut: bool = False) -> None:
        self.parts = [(part, "") if isinstance(part, str) else part for part in parts]
        self.cut = cut

    def append(self, text: str, style: str = "") -> None:
        self.parts.append((text, style))

    def __str__(self) -> str:
        return "".join(text for text, _ in self.parts)


Picture = Callable[[int], Sequence[Line]]
"""Draws what happens now, in about as many lines as there is room for."""


class Console:
    """Plain text, a line at a time."""

    lively = False
    """Whether a picture can be drawn over and over again."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self._lock = threading.Lock()

    def print(self, line: Line | str = "") -> None:
        """Print a line, at once; may be called from several threads."""
        with self._lock:
            self.file.write(f"{line}\n")
            self.file.flush()

    def live(self, picture: Picture) -> AbstractContextManager[object]:
        """Show the picture below what is printed, while the block runs, where that can be done."""
        return nullcontext()


class Terminal(Console):
    """A terminal, or what asks to be treated as one: colours, and a live picture."""

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        from rich.console import Console as RichConsole

        self._rich = RichConsole(file=file, highlight=False, soft_wrap=not file.isatty())
        self.lively = self._rich.is_terminal and not self._rich.is_dumb_terminal and file.isatty()

    def print(self, line: Line | str = "") -> None:
        self._rich.print(_text(line))

    def live(self, picture: Picture) -> AbstractContextManager[object]:
        if not self.lively:
            return nullcontext()
        from rich.console import Group, RenderableType
        from rich.live import Live

        def drawn() -> RenderableType:
            return Group(*map(_text, picture(max(5, self._rich.height - 4))))

        return Live(
            get_renderable=drawn,
            console=self._rich,
            refresh_per_second=LIVE_REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )


def console() -> Console:
    """For today's standard output: while a program runs, ``sys.stdout`` is what takes the program's lines."""
    colours = sys.stdout.isatty() or any(map(os.environ.get, ("FORCE_COLOR", "TTY_COMPATIBLE")))
    return Terminal(sys.stdout) if colours else Console(sys.stdout)


def print_lines(lines: Iterable[str]) -> None:
    """Print what a command answers, as it is."""
    for line in lines:
        print(line)  # noqa: T201 - the answer


def print_json(document: Any, default: Callable[[Any], Any] | None = None) -> None:
    """Print a document; ``default`` gives what JSON has no form for."""
    print(json.dumps(document, indent=2, default=default))  # noqa: T201 - the document is the output


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """A line for each row, with columns of equal width; those whose numbers are in ``right`` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{'>' if n in right else '<'}{width}}" for n, (cell, width) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(cells).rstrip()


def _text(line: Line | str) -> Text:
    from rich.text import Text

    if isinstance(line, str):
        return Text(line)
    return Text.assemble(*line.parts, no_wrap=line.cut, overflow="ellipsis" if line.cut else None)


@contextmanager
def stdout_kept(kept: bool = True) -> Iterator[None]:
    """Keep standard output for the document: what programs that the program starts print goes to standard error meanwhile."""
    if not kept:
        yield
        return
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
