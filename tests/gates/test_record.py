"""The record: only ever added to; whatever else happens to it shows."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isostack.errors import Refused
from isostack.gates.record import Record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path / "home")
    for number in range(4):
        record.append("run", {"person": "alice", "number_of_run": number})
    return record


def test_entries_come_back_in_order_and_only_their_owner_reads_them(record: Record) -> None:
    entries = record.entries()
    assert [entry.facts["number_of_run"] for entry in entries] == [0, 1, 2, 3]
    for name in ("record.jsonl", "record.head", "record.lock"):
        assert stat.S_IMODE((record.file.parent / name).stat().st_mode) == 0o600


def _edit(lines: list[str]) -> list[str]:
    return [lines[0], lines[1].replace("alice", "bob"), *lines[2:]]


def _edit_and_rehash(lines: list[str]) -> list[str]:
    from isostack.gates.record import _hash

    body = json.loads(lines[1])
    body.pop("hash")
    body["facts"]["person"] = "bob"
    return [lines[0], json.dumps({**body, "hash": _hash(body)}), *lines[2:]]


TAMPERINGS: dict[str, Callable[[list[str]], list[str]]] = {
    "a line is edited": _edit,
    "a line is edited and its hash made anew": _edit_and_rehash,
    "a line is taken out": lambda lines: [lines[0], *lines[2:]],
    "the last line is cut off": lambda lines: lines[:-1],
    "all is cut off": lambda lines: [],
    "two lines change places": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a line is said twice": lambda lines: [*lines, lines[-1]],
    "there are brackets without end": lambda lines: [*lines, "[" * 100_000],
    "there is something else": lambda lines: [*lines, "{}"],
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_shows_and_then_nothing_in_it_counts(record: Record, how: str) -> None:
    lines = TAMPERINGS[how](record.file.read_text().splitlines())
    record.file.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(Refused, match="was tampered with"):
        record.entries()
    with pytest.raises(Refused, match="was tampered with"):
        record.append("run", {})


def test_a_crash_between_line_and_head_is_no_tampering(record: Record) -> None:
    head = record.file.with_name("record.head")
    before = head.read_bytes()
    record.append("run", {"person": "alice"})
    head.write_bytes(before)
    assert len(record.entries()) == 5
    record.append("run", {"person": "alice"})
    assert len(record.entries()) == 6


def test_several_may_write_at_once(record: Record) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: Record(record.file.parent).append("run", {"n": number}), range(12)))
    assert len(record.entries()) == 16


def test_bytes_that_are_no_text_are_tampering_too(record: Record) -> None:
    record.file.write_bytes(record.file.read_bytes().replace(b"alice", b"al\xffce", 1))
    with pytest.raises(Refused, match="line 1 is not the one that was written"):
        record.entries()
