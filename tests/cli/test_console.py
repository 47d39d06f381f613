"""Lines on a terminal and elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from isostack.console import Console, Line, Terminal, console

LINE = Line("queue ", ("created", "green"), " [secret]", cut=True)


def printed(monkeypatch: pytest.MonkeyPatch, *lines: Line | str, colours: bool) -> str:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1" if colours else "")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    shown = console()
    assert type(shown) is (Terminal if colours else Console)
    for line in lines:
        shown.print(line)
    text: str = shown.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    return text


def test_elsewhere_a_line_is_plain_text_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Line("x" * 500, cut=True)
    assert printed(monkeypatch, LINE, "", "[bold]", long, colours=False) == f"queue created [secret]\n\n[bold]\n{'x' * 500}\n"


def test_colours_can_be_forced_and_brackets_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, LINE, "[bold]", colours=True) == "queue \x1b[32mcreated\x1b[0m [secret]\n[bold]\n"
