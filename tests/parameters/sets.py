"""Parameter sets of a test's own: a copy of a published one, with some of its text replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.parameters import FOLDER, ParameterError, ParameterSet, load

VERSION = "1.0.0"


def edited(folder: Path, *replacements: tuple[str, str], version: str = VERSION) -> Path:
    """A folder with an unpublished copy of the version, each text below its opening comment replaced once. Gives the folder."""
    comment, begin, text = (FOLDER / f"{version}.yaml").read_text().partition("\nname: ")
    text = begin + text
    for old, new in replacements:
        assert old in text, f"the parameter set does not say {old!r}"
        text = text.replace(old, new, 1)
    (folder / f"{version}.yaml").write_text(comment + text)
    return folder


def loaded(folder: Path, *replacements: tuple[str, str]) -> ParameterSet:
    """The copy, loaded."""
    return load(VERSION, edited(folder, *replacements))


def complaints(folder: Path, *replacements: tuple[str, str]) -> list[str]:
    """The lines of what is wrong with the copy."""
    with pytest.raises(ParameterError) as caught:
        loaded(folder, *replacements)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def lines_of(folder: Path, text: str) -> list[int]:
    """The lines of the copy that say this."""
    lines = (folder / f"{VERSION}.yaml").read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if text in line]


def line_of(folder: Path, text: str) -> int:
    """The line of the copy that says this first."""
    return lines_of(folder, text)[0]
