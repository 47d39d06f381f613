"""The record, in a folder and in a bucket: only ever added to; whatever else happens to it shows."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from isostack.errors import Refused
from isostack.gates.approvals import approve, note_run, open_approvals
from isostack.gates.identity import Session
from isostack.gates.record import Entry, FolderLines, Record
from isostack.gates.shared_record import SharedLines
from isostack.shared_state.objects import Objects
from tests.shared_state.memory import MemoryBucket

ALICE = Session("staging", "operations", "alice", "1" * 12, "arn:alice", "", "", "", "")
BOB = Session("staging", "operations", "bob", "1" * 12, "arn:bob", "", "", "", "")


class InFolder:
    """A record in a folder, and hands that may do anything to it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"

    def record(self) -> Record:
        return Record(FolderLines(self.home))

    def lines(self) -> list[bytes]:
        return (self.home / "record.jsonl").read_bytes().splitlines()

    def put(self, lines: Sequence[bytes]) -> None:
        (self.home / "record.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))

    def head(self) -> bytes:
        return (self.home / "record.head").read_bytes()

    def put_head(self, head: bytes) -> None:
        (self.home / "record.head").write_bytes(head)


class InBucket:
    """The same, in a bucket."""

    def __init__(self, folder: Path) -> None:
        self.s3 = MemoryBucket()

    def record(self) -> Record:
        return Record(SharedLines(Objects(lambda: self.s3, "s3://state/team")))

    def _read(self, key: str) -> bytes:
        return bytes(self.s3.get_object("state", key)["Body"].read())

    def _keys(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2("state", "team/record/entries/")["Contents"]]

    def lines(self) -> list[bytes]:
        return [self._read(key) for key in self._keys()]

    def put(self, lines: Sequence[bytes]) -> None:
        self.s3.delete_objects("state", {"Objects": [{"Key": key} for key in self._keys()]})
        for number, line in enumerate(lines, 1):
            self.s3.put_object("state", f"team/record/entries/{number:012d}.json", line)

    def head(self) -> bytes:
        return self._read("team/record/head.json")

    def put_head(self, head: bytes) -> None:
        self.s3.put_object("state", "team/record/head.json", head)


Place = InFolder | InBucket


@pytest.fixture(params=[InFolder, InBucket])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A record of four lines."""
    place: Place = request.param(tmp_path)
    for number in range(4):
        place.record().append("run", {"person": "alice", "number_of_run": number})
    return place


def test_entries_come_back_in_order(place: Place) -> None:
    assert [entry.facts["number_of_run"] for entry in place.record().entries()] == [0, 1, 2, 3]


def test_only_its_owner_reads_a_record_in_a_folder(tmp_path: Path) -> None:
    place = InFolder(tmp_path)
    place.record().append("run", {})
    for name in ("record.jsonl", "record.head", "record.lock"):
        assert stat.S_IMODE((place.home / name).stat().st_mode) == 0o600


def _edit(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"alice", b"bob"), *lines[2:]]


def _edit_and_rehash(lines: list[bytes]) -> list[bytes]:
    from isostack.gates.record import _hash

    body = json.loads(lines[1])
    body.pop("hash")
    body["facts"]["person"] = "bob"
    return [lines[0], json.dumps({**body, "hash": _hash(body)}).encode(), *lines[2:]]


TAMPERINGS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line is edited": _edit,
    "a line is edited and its hash made anew": _edit_and_rehash,
    "a line is taken out": lambda lines: [lines[0], *lines[2:]],
    "the last line is cut off": lambda lines: lines[:-1],
    "all is cut off": lambda lines: [],
    "two lines change places": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a line is said twice": lambda lines: [*lines, lines[-1]],
    "there are brackets without end": lambda lines: [*lines, b"[" * 100_000],
    "there is something else": lambda lines: [*lines, b"{}"],
    "there are bytes that are no text": lambda lines: [lines[0].replace(b"alice", b"al\xffce"), *lines[1:]],
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_shows_and_then_nothing_in_it_counts(place: Place, how: str) -> None:
    place.put(TAMPERINGS[how](place.lines()))
    with pytest.raises(Refused, match="was tampered with"):
        place.record().entries()
    with pytest.raises(Refused, match="was tampered with"):
        place.record().append("run", {})


def test_a_damaged_head_is_tampering_and_stays_as_it_is(place: Place) -> None:
    place.put_head(b"{")
    with pytest.raises(Refused, match="its head is damaged"):
        place.record().append("run", {})
    assert place.head() == b"{"


def test_a_crash_between_line_and_head_is_no_tampering(place: Place) -> None:
    before = place.head()
    place.record().append("run", {"person": "alice"})
    place.put_head(before)
    assert len(place.record().entries()) == 5
    place.record().append("run", {"person": "alice"})
    assert (len(place.record().entries()), json.loads(place.head())["count"]) == (6, 6)


def test_several_may_write_at_once_and_each_has_a_line_of_its_own(place: Place) -> None:
    with ThreadPoolExecutor(4) as pool:
        entries = list(pool.map(lambda number: place.record().append("run", {"n": number}), range(12)))
    assert sorted(entry.number for entry in entries) == list(range(5, 17))
    written = {entry.number: entry.facts for entry in place.record().entries()}
    assert all(written[entry.number] == entry.facts for entry in entries)
    assert json.loads(place.head())["count"] == 16


def test_of_two_runs_at_once_by_one_approval_one_is_refused(place: Place) -> None:
    """Both have seen that it is open, and only then does either note that it uses it."""
    approve(place.record(), "shop", "staging", "up", "sha256:1", BOB)
    both_have_looked = threading.Barrier(2)

    def run(_: int) -> str:
        used = open_approvals(place.record(), "shop", "staging", "up", "alice")
        both_have_looked.wait()
        try:
            note_run(place.record(), "shop", "staging", "up", "sha256:1", ALICE, used)
        except Refused as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(run, range(2)))
    assert told[0] == ""
    assert "another run has just used the approval" in told[1]
    assert len(place.record().entries()) == 6


def test_who_finds_his_number_taken_looks_again_before_he_adds(tmp_path: Path) -> None:
    """The two checks of one entry: before the line that somebody else puts first, and after it."""
    place = InBucket(tmp_path)
    seen: list[int] = []

    def check(entries: Sequence[Entry]) -> None:
        seen.append(len(entries))
        if len(seen) == 1:
            place.record().append("run", {"person": "bob"})

    assert place.record().append("run", {"person": "alice"}, check).number == 2
    assert seen == [0, 1]


def test_a_line_whose_answer_was_lost_is_not_written_twice(tmp_path: Path) -> None:
    place = InBucket(tmp_path)
    put = place.s3.put_object

    def twice(*arguments: Any, **named: Any) -> Any:
        if "/entries/" in named["Key"]:
            put(*arguments, **named)
        return put(*arguments, **named)

    place.s3.put_object = twice  # type: ignore[method-assign]
    assert place.record().append("run", {"person": "alice"}).number == 1
    assert len(place.record().entries()) == 1
