"""Whatever a run was doing when it was cut off: its journal gives a sound snapshot to go on from."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isostack.engine import store
from isostack.engine.folders import FileLog, Folder
from isostack.engine.journal import Damaged, Journal
from isostack.engine.lock import Fence, StackLock
from isostack.engine.state import PendingOperation, ResourceState, Snapshot
from isostack.engine.state_file import Codec
from isostack.engine.values import Secret
from isostack.errors import BadInput, Locked, OperationFailed
from tests.engine.states import PROVIDER, codec, provider, queue, stack, urn


def creating(resource: ResourceState) -> PendingOperation:
    return PendingOperation("creating", dataclasses.replace(resource, id="", outputs={}))


def opened(path: Path, codec: Codec, base: Snapshot, fence: Fence | None = None, number: int = 0) -> Journal:
    """A journal in a file."""
    return Journal(FileLog(path, fence), codec, base, number)


def replay(base: Snapshot, path: Path, codec: Codec) -> Snapshot:
    """What the store makes of a journal in a file."""
    assert path.name == "journal.jsonl"
    recording = store._recording(Folder(path.parent))
    try:
        return recording.replay(base, codec) if recording else base.copy()
    except Damaged as damage:
        raise BadInput(Folder(path.parent).damaged_journal(str(damage))) from None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_an_ended_step_leaves_its_outcome(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())
    number = journal.begin(creating(queue("a")))
    journal.end(number, put=[queue("a", outputs={"x": 1})])
    snapshot = replay(Snapshot(), path, codec())
    assert snapshot.resources == [queue("a", outputs={"x": 1})]
    assert snapshot.pending_operations == []


def test_a_step_that_was_cut_off_is_pending(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())
    journal.begin(creating(queue("a")))
    snapshot = replay(Snapshot(), path, codec())
    assert snapshot.resources == []
    assert snapshot.pending_operations == [creating(queue("a"))]


def test_a_failed_step_leaves_nothing(path: Path) -> None:
    base = Snapshot([queue("a")])
    journal = opened(path, codec(), base)
    journal.fail(journal.begin(PendingOperation("deleting", queue("a"))))
    snapshot = replay(base, path, codec())
    assert (snapshot.resources, snapshot.pending_operations) == ([queue("a")], [])


def test_a_replacement_leaves_the_new_resource_and_the_old_copy(path: Path) -> None:
    old, new = queue("a", id="old"), queue("a", id="new")
    base = Snapshot([old, queue("b", "a")])
    journal = opened(path, codec(), base)
    journal.end(journal.begin(creating(new)), put=[dataclasses.replace(old, delete=True), new], removed=[old])
    snapshot = replay(base, path, codec())
    assert [(r.id, r.delete) for r in snapshot.resources] == [("new", False), ("b-id", False), ("old", True)]
    assert [r.id for r in base.resources] == ["old", "b-id"]


def test_settling_takes_away_what_an_earlier_run_left_pending(path: Path) -> None:
    first, second = creating(queue("a")), creating(queue("b"))
    base = Snapshot([], [first, second])
    opened(path, codec(), base).settle(first)
    assert replay(base, path, codec()).pending_operations == [second]


def test_renames_and_metadata_are_replayed(path: Path) -> None:
    base = Snapshot([queue("a"), queue("b", "a")])
    journal = opened(path, codec(), base)
    journal.rename(urn("a"), urn("z"))
    journal.metadata(cloud="cloud-2")
    snapshot = replay(base, path, codec())
    assert snapshot.resources == [queue("z", id="a-id"), queue("b", "z")]
    assert snapshot.metadata.cloud == "cloud-2"


def test_an_outcome_without_a_change_writes_nothing(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())
    size = path.stat().st_size
    journal.put()
    assert path.stat().st_size == size


def test_references_to_what_is_gone_are_dropped(path: Path) -> None:
    base = Snapshot([queue("a"), queue("b", "a")])
    opened(path, codec(), base).put(removed=[queue("a")])
    snapshot = replay(base, path, codec())
    snapshot.verify()
    assert snapshot.resources == [queue("b")]


def test_no_secret_stands_in_the_journal_and_its_salt_comes_before_it(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())
    journal.put([queue("a")])
    journal.put([queue("b", outputs={"password": Secret("hunter2")})])
    journal.put([queue("c", outputs={"password": Secret("hunter2")})])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert "hunter2" not in path.read_text()
    assert [next(iter(line)) for line in lines[1:]] == ["put", "secrets", "put", "put"]
    snapshot = replay(Snapshot(), path, codec())
    assert snapshot.secrets_state == {"salt": "salt of the test"}
    assert snapshot.resources[1].outputs == {"password": Secret("hunter2")}


def test_the_file_is_its_owners_alone(path: Path) -> None:
    opened(path, codec(), Snapshot())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_journal_is_never_written_over(path: Path) -> None:
    opened(path, codec(), Snapshot()).put([queue("a")])
    before = path.read_bytes()
    with pytest.raises(BadInput, match="cannot start the journal"):
        opened(path, codec(), Snapshot())
    assert path.read_bytes() == before


def test_a_closed_journal_takes_nothing(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())
    journal.close()
    with pytest.raises(OperationFailed, match="it is closed"):
        journal.put([queue("a")])


# -- which state it goes with ---------------------------------------------------------------------------------------------


def test_what_is_merged_into_the_state_is_not_replayed_again(path: Path) -> None:
    journal = opened(path, codec(), Snapshot([queue("a")]))
    journal.put(removed=[queue("a")])
    merged = Snapshot([queue("a", outputs={"made": "again"})])
    merged.metadata.journal = journal.id
    assert replay(merged, path, codec()).resources == merged.resources


def test_a_journal_over_another_state_is_refused(path: Path) -> None:
    base = Snapshot([queue("a")])
    base.digest = "one"
    opened(path, codec(), base).put([queue("b")])
    base.digest = "two"
    with pytest.raises(BadInput, match="was written over another state file"):
        replay(base, path, codec())


def test_without_a_journal_the_base_stands(path: Path) -> None:
    assert replay(Snapshot([queue("a")]), path, codec()).resources == [queue("a")]


# -- damage -------------------------------------------------------------------------------------------------------------------


def test_a_truncated_last_line_is_ignored(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())
    journal.put([queue("a")])
    journal.put([queue("b")])
    path.write_bytes(path.read_bytes()[:-5])
    assert replay(Snapshot(), path, codec()).resources == [queue("a")]


@pytest.mark.parametrize("content", [b"", b'{"isostack-jour'])
def test_a_journal_cut_off_in_its_first_line_says_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert replay(Snapshot([queue("a")]), path, codec()).resources == [queue("a")]


@pytest.mark.parametrize(
    "line",
    [
        b'{"put":[{"ur',
        b"\0\0\0",
        b"[]",
        b'{"dance":1}',
        b'{"end":99,"put":[]}',
        b'{"put":[{"urn":"x"}]}',
        b'{"begin":1}',
        b'{"put":3}',
    ],
)
def test_a_damaged_line_is_told_and_the_file_is_kept(path: Path, line: bytes) -> None:
    journal = opened(path, codec(), Snapshot())
    journal.put([queue("a")])
    journal.close()
    damaged = path.read_bytes() + line + b"\n" + b'{"fail":1}\n'
    path.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(BadInput, match=r"is damaged: line 3\b.*journal.corrupt-.*jsonl") as caught:
            replay(Snapshot(), path, codec())
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == damaged
    assert [copy.read_bytes() for copy in path.parent.glob("journal.corrupt-*.jsonl")] == [damaged]


def test_a_foreign_first_line_is_told(path: Path) -> None:
    path.write_text('{"isostack-journal": 99}\n')
    with pytest.raises(BadInput, match="its first line"):
        replay(Snapshot(), path, codec())


# -- trouble while writing ----------------------------------------------------------------------------------------------------


class FullDisk:
    """Stands in for ``os.write``: takes ``room`` bytes and then refuses."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.write = os.write

    def __call__(self, descriptor: int, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self.write(descriptor, data[: self.room])
        self.room -= written
        return written


def test_a_full_disk_is_one_line_and_leaves_a_sound_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(path, codec(), Snapshot())
    journal.put([queue("a")])
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", FullDisk(room=20))
        with pytest.raises(OperationFailed, match=r"cannot write .*journal.jsonl: No space left on device; free some space"):
            journal.put([queue("b")])
    journal.put([queue("c")])
    assert replay(Snapshot(), path, codec()).resources == [queue("a"), queue("c")]


def test_a_line_that_cannot_be_taken_back_ends_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = opened(path, codec(), Snapshot())
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", FullDisk(room=20))
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(OperationFailed, match="No space left"):
            journal.put([queue("b")])
    with pytest.raises(OperationFailed, match="could not be written whole"):
        journal.put([queue("c")])
    assert replay(Snapshot(), path, codec()).resources == []


def test_a_step_that_could_not_be_recorded_is_not_pending(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(path, codec(), Snapshot())
    monkeypatch.setattr(os, "write", FullDisk(room=0))
    with pytest.raises(OperationFailed):
        journal.begin(creating(queue("a")))
    assert journal.pending == {}


def test_a_run_that_was_taken_over_writes_nothing_any_more(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with StackLock(tmp_path, "first") as lock:
        journal = opened(path, codec(), Snapshot(), Fence(tmp_path, lock.fence), lock.fence)
        journal.put([queue("a")])
        before = path.read_bytes()
        (tmp_path / "lock.json").unlink()
        with StackLock(tmp_path, "isostack up dev"), pytest.raises(Locked, match=r"'isostack up dev'.* took over"):
            journal.put([queue("b")])
    assert path.read_bytes() == before


def test_threads_do_not_write_into_each_others_lines(path: Path) -> None:
    journal = opened(path, codec(), Snapshot())

    def work(thread: int) -> None:
        for i in range(50):
            resource = queue(f"q{thread}-{i}", outputs={"text": "x" * 500})
            journal.end(journal.begin(creating(resource)), put=[resource])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot = replay(Snapshot(), path, codec())
    assert {r.urn for r in snapshot.resources} == {urn(f"q{n}-{i}") for n in range(8) for i in range(50)}
    assert snapshot.pending_operations == []


# -- any run, cut off anywhere -----------------------------------------------------------------------------------------------


class Run:
    """Does what an engine does, to a live snapshot and to a journal. Resources depend on older ones only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.live = Snapshot([stack(), provider()], [creating(queue("before"))])
        self.journal = opened(path, codec(), self.live)
        self.names: list[str] = []
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"q{self.count}"

    def made(self, name: str, age: int, pick: int, **changes: Any) -> ResourceState:
        older = [n for n in self.names[:age] if self.live.get(urn(n))]
        needed = [n for position, n in enumerate(older) if pick >> position & 1]
        options: dict[str, Any] = {"parent": stack().urn, "provider": PROVIDER, "outputs": {"token": Secret(pick)}}
        if older:
            options["property_dependencies"] = {"x": [urn(older[pick % len(older)])]}
            options["deleted_with"] = urn(older[0]) if pick % 3 == 0 else ""
        return queue(name, *needed, **{**options, "id": f"{name}-{self.fresh()}", **changes})

    def record(self, put: list[ResourceState], removed: list[ResourceState], number: int | None = None) -> None:
        for resource in removed:
            self.live.remove(resource)
        for resource in put:
            self.live.put(resource)
        if number is None:
            self.journal.put(put, removed)
        else:
            self.journal.end(number, put, removed)

    def do(self, action: str, pick: int) -> None:
        alive = [n for n in self.names if self.live.get(urn(n))]
        if action == "create" or not alive:
            name = self.fresh()
            new = self.made(name, len(self.names), pick)
            self.names.append(name)
            self.record([new], [], self.journal.begin(creating(new)))
            return
        name = alive[pick % len(alive)]
        old = self.live.get(urn(name))
        assert old is not None
        new = self.made(name, self.names.index(name), pick)
        if action == "update":
            same_id = dataclasses.replace(new, id=old.id)
            self.record([same_id], [], self.journal.begin(PendingOperation("updating", same_id)))
        elif action == "replace":
            self.record([dataclasses.replace(old, delete=True), new], [old], self.journal.begin(creating(new)))
        elif action == "delete":
            copies = [r for r in self.live.resources if r.urn == old.urn]
            doomed = copies[pick % len(copies)]
            self.record([], [doomed], self.journal.begin(PendingOperation("deleting", doomed)))
        elif action == "change options":
            self.record([dataclasses.replace(old, protect=not old.protect)], [])
        elif action == "fail":
            self.journal.fail(self.journal.begin(PendingOperation("updating", new)))
        elif action == "leave open":
            self.journal.begin(PendingOperation("updating", new))
        elif action == "rename":
            other = self.fresh()
            self.names[self.names.index(name)] = other
            self.live.rename(urn(name), urn(other))
            self.journal.rename(urn(name), urn(other))
        elif action == "settle" and self.live.pending_operations:
            self.journal.settle(self.live.pending_operations.pop())
        elif action == "note":
            self.live.metadata.cloud = f"cloud-{pick}"
            self.journal.metadata(cloud=f"cloud-{pick}")


ACTIONS = ("create", "update", "replace", "delete", "change options", "fail", "leave open", "rename", "settle", "note")
steps = st.lists(st.tuples(st.sampled_from(("create", "create", *ACTIONS)), st.integers(0, 255)), max_size=25)


def content(snapshot: Snapshot) -> dict[str, Any]:
    """What must be the same: everything but the order of resources that do not need each other."""
    return {
        "resources": {(r.urn, r.id, r.delete): r for r in snapshot.resources},
        "pending": snapshot.pending_operations,
        "cloud": snapshot.metadata.cloud,
    }


@given(steps)
@settings(max_examples=100, deadline=None)
def test_the_replayed_snapshot_is_the_live_one(actions: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "journal.jsonl")
        base = run.live.copy()
        for action, pick in actions:
            run.do(action, pick)
        run.live.prune()
        run.live.pending_operations += run.journal.pending.values()
        run.live.verify()
        run.journal.close()
        assert content(replay(base, run.path, codec())) == content(run.live)


@given(steps, st.data())
@settings(max_examples=60, deadline=None)
def test_every_prefix_of_a_journal_is_a_sound_snapshot(actions: list[tuple[str, int]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "journal.jsonl")
        base = run.live.copy()
        for action, pick in actions:
            run.do(action, pick)
        run.journal.close()
        whole = run.path.read_bytes()
        ends = [0, *(i + 1 for i, byte in enumerate(whole) if byte == ord("\n"))]
        cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=5))
        for cut in [*ends, *cuts]:
            run.path.write_bytes(whole[:cut])
            replay(base, run.path, codec()).verify()
