"""Reading a document: what scalars mean, where they stand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.documents import ParameterError, read


def document(folder: Path, text: str) -> Path:
    file = folder / "document.yaml"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("true", True),
        ("null", None),
        ("", None),
        ("12:30", "12:30"),
        ("0123", "0123"),
        ("012345678901", "012345678901"),
        ("17", 17),
        ("-3", -3),
        ("17.5", 17.5),
        ('"17.5"', "17.5"),
        ("2025-11-21", "2025-11-21"),
        ("1_000", "1_000"),
        ("[a, 1, {b: c}]", ["a", 1, {"b": "c"}]),
    ],
)
def test_a_scalar_means_what_it_looks_like(tmp_path: Path, written: str, value: object) -> None:
    assert read(document(tmp_path, f"field: {written}\n")).value == {"field": value}


def test_every_value_has_its_line(tmp_path: Path) -> None:
    read_one = read(document(tmp_path, "a: 1\nb:\n  c: 2\n  d:\n    - x\n    - y\n"))
    assert [read_one.line(steps) for steps in (("a",), ("b", "c"), ("b", "d"), ("b", "d", 1))] == [1, 3, 4, 6]


def test_what_is_not_there_is_looked_for_on_the_line_around_it(tmp_path: Path) -> None:
    read_one = read(document(tmp_path, "a: 1\nb:\n  c: 2\n"))
    assert read_one.line(("b", "nothing", 3)) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "document.yaml:3: a: is given twice, first on line 1; remove one of the two"),
        ("a:\n  b: 1\n  b: 2\n", "document.yaml:3: a.b: is given twice, first on line 2; remove one of the two"),
        ("a:\n\tb: 1\n", "document.yaml:2: a tab; YAML is indented with spaces"),
        ("a: &x [1]\nb: *x\n", "document.yaml:2: b: is an alias of line 1; write the value out"),
        ("a: &x\n  b: *x\n", "document.yaml:2: a.b: is an alias of line 1; write the value out"),
        ("a: !secret 1\n", "document.yaml:1: a: has the tag !secret; remove the tag"),
        ("a: {<<: {b: 1}}\n", "document.yaml:1: a: a key that is no plain name; write a name and a colon"),
        ("a: 1\nb: [1, 2\n", "document.yaml:3: "),
        ("- a\n- b\n", "document.yaml:1: the document is no mapping; begin lines with a name and a colon"),
        ("", "document.yaml:1: the document is no mapping"),
    ],
)
def test_a_document_that_is_not_clear_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read(document(tmp_path, text))
    assert str(caught.value).startswith(said)
    assert len(str(caught.value).splitlines()) == 1


def test_windows_line_endings_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    plain = read(document(tmp_path, "a: 1\nb: [x]\n"))
    other = read(document(tmp_path, "\ufeffa: 1\r\nb: [x]\r\n"))
    assert (other.value, other.lines) == (plain.value, plain.lines)
