"""What every backend promises to the store: folders of this machine and a bucket of S3 pass the same tests.

The bucket in memory, on which tests/shared_state tries every moment, has to pass them too.
"""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from isostack.engine import secrets as secrets_module
from isostack.engine.backend import Backend
from isostack.engine.folders import Folders
from isostack.engine.journal import Journal
from isostack.engine.state import PendingOperation
from isostack.engine.store import Loaded, Store
from isostack.engine.values import Secret
from isostack.errors import BadInput, Locked, OperationFailed
from isostack.localcloud.client import Cloud
from isostack.shared_state.bucket import Bucket
from isostack.shared_state.objects import Objects
from tests.engine.states import queue, stack, urn
from tests.shared_state.memory import MemoryBucket


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase, and a key derivation that is fast, since its strength is not the question."""
    monkeypatch.setattr(secrets_module, "ROUNDS", 3)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")


@pytest.fixture(params=["folders", "a bucket", "a bucket in memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "folders":
        return Folders(tmp_path / "home")
    if request.param == "a bucket in memory":
        client = MemoryBucket()
        return Bucket(Objects(lambda: client, "s3://state/team"))
    cloud = request.getfixturevalue("state_bucket")  # here, for pytest makes it for one thread alone
    return Bucket(Objects(lambda: cloud.client("s3"), f"s3://state/{uuid.uuid4().hex}"))


@pytest.fixture
def store(tmp_path: Path, backend: Backend) -> Store:
    return Store(tmp_path / "home", backend=backend)


def another(store: Store) -> Store:
    """The same states, as another process sees them."""
    return Store(store.home, backend=store.backend)


def have(store: Store, *resources: Any, name: str = "dev") -> None:
    """A run that adds these resources."""
    with store.lock("shop", name, "a test") as lock:
        loaded = store.load("shop", name)
        journal = store.open_journal(loaded, lock.fence)
        for resource in resources:
            loaded.snapshot.put(resource)
            journal.put([resource])
        store.save(loaded, journal)


def crash(store: Store, *resources: Any, name: str = "dev") -> None:
    """A run that records these resources and a step that it begins, and then is no more."""
    with store.lock("shop", name, "a test") as lock:
        journal = store.open_journal(store.load("shop", name), lock.fence)
        for resource in resources:
            journal.put([resource])
        journal.begin(PendingOperation("creating", queue("begun", id="")))


def test_a_new_stack_is_empty_and_is_none_of_the_stacks(store: Store) -> None:
    assert store.load("shop", "dev").snapshot.resources == []
    assert store.stacks() == []
    assert store.holder("shop", "dev") is None


def test_what_was_saved_is_loaded_by_another(store: Store) -> None:
    have(store, stack(), queue("a", outputs={"token": Secret("t")}))
    loaded = another(store).load("shop", "dev")
    assert loaded.snapshot.resources == [stack(), queue("a", outputs={"token": Secret("t")})]
    assert loaded.snapshot.metadata.serial == 1
    assert loaded.recording is None
    assert store.stacks() == [("shop", "dev")]


def test_secrets_are_sealed_in_state_and_journal(store: Store) -> None:
    have(store, queue("a", outputs={"token": Secret("hunter2")}))
    crash(store, queue("b", outputs={"token": Secret("hunter2")}))
    place = another(store).place("shop", "dev")
    assert b"hunter2" not in (place.state() or b"") + (place.journal() or b"")
    assert another(store).load("shop", "dev").snapshot.resources[-1].outputs["token"].value == "hunter2"


def test_a_crashed_run_is_replayed_by_readers_and_carried_on_by_the_next_run(store: Store) -> None:
    have(store, stack())
    crash(store, queue("a"))
    seen = another(store).load("shop", "dev").snapshot
    assert seen.resources == [stack(), queue("a")]
    assert seen.pending_operations == [PendingOperation("creating", queue("begun", id=""))]
    have(another(store), queue("b"))
    after = store.load("shop", "dev").snapshot
    assert [r.urn for r in after.resources[1:]] == [urn("a"), urn("b")]
    assert len(after.pending_operations) == 1


def test_a_stack_that_only_a_crashed_run_knows_is_one_of_the_stacks(store: Store) -> None:
    crash(store, queue("a"))
    assert another(store).stacks() == [("shop", "dev")]


def test_a_second_run_is_refused_and_told_who_holds_the_lock(store: Store) -> None:
    with store.lock("shop", "dev", "isostack up dev"):
        assert "'isostack up dev'" in str(another(store).holder("shop", "dev"))
        for other in (store, another(store)):
            with pytest.raises(Locked, match=r"'isostack up dev'.*wait") as caught, other.lock("shop", "dev", "second"):
                pass
            assert "\n" not in str(caught.value)
        have(another(store), queue("a"), name="other")
        loaded = store.load("shop", "dev")  # the first is not disturbed
        store.save(loaded)
    assert another(store).holder("shop", "dev") is None


def test_of_several_at_once_exactly_one_gets_the_lock(store: Store) -> None:
    start, won, lost = threading.Barrier(6), [], []

    def compete() -> None:
        lock = another(store).lock("shop", "dev", "race")
        start.wait()
        try:
            won.append(lock.__enter__())
        except Locked:
            lost.append(1)

    threads = [threading.Thread(target=compete) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 5)
    won[0].__exit__(None, None, None)


def test_fences_rise_and_go_on_rising_after_a_removal(store: Store) -> None:
    numbers = []
    for _ in range(2):
        with store.lock("shop", "dev", "a run") as lock:
            numbers.append(lock.fence)
            store.save(store.load("shop", "dev"))
    with store.lock("shop", "dev", "a run") as lock:
        numbers.append(lock.fence)
        store.remove("shop", "dev")
    assert store.stacks() == []
    with another(store).lock("shop", "dev", "a run") as lock:
        numbers.append(lock.fence)
    assert numbers == sorted(set(numbers))


def test_a_closed_journal_takes_nothing_more(store: Store) -> None:
    with store.lock("shop", "dev", "a run") as lock:
        journal = store.open_journal(store.load("shop", "dev"), lock.fence)
        journal.close()
        with pytest.raises(OperationFailed, match="it is closed"):
            journal.put([queue("late")])
    assert another(store).load("shop", "dev").snapshot.resources == []


def test_a_second_journal_is_refused(store: Store) -> None:
    with store.lock("shop", "dev", "a run") as lock:
        store.place("shop", "dev").start_log(lock.fence).append(b"{}\n")
        with pytest.raises(BadInput, match="cannot start the journal"):
            store.place("shop", "dev").start_log(lock.fence)


def test_many_threads_record_at_once_and_every_line_is_kept_whole(store: Store) -> None:
    with store.lock("shop", "dev", "a run") as lock:
        journal = store.open_journal(store.load("shop", "dev"), lock.fence)

        def work(thread: int) -> None:
            for i in range(15):
                resource = queue(f"q{thread}-{i}", outputs={"token": Secret("t"), "text": "x" * 300})
                journal.end(journal.begin(PendingOperation("creating", resource)), put=[resource])

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    snapshot = another(store).load("shop", "dev").snapshot
    assert {r.urn for r in snapshot.resources} == {urn(f"q{n}-{i}") for n in range(8) for i in range(15)}
    assert snapshot.pending_operations == []


def test_the_state_before_the_last_one_is_kept_and_can_be_put_back(store: Store) -> None:
    have(store, queue("a"))
    with pytest.raises(BadInput, match="there is no state before this one"):
        store.previous("shop", "dev")
    have(store, queue("b"))
    before = another(store).previous("shop", "dev")
    assert [r["urn"] for r in json.loads(before)["deployment"]["resources"]] == [urn("a")]
    with store.lock("shop", "dev", "isostack import dev"):
        store.import_("shop", "dev", before, "the previous state")
    assert another(store).load("shop", "dev").snapshot.resources == [queue("a")]


def test_an_import_takes_the_place_of_what_a_crashed_run_left(store: Store) -> None:
    have(store, queue("a"))
    exported = json.dumps(store.export("shop", "dev"))
    crash(store, queue("b"))
    with store.lock("shop", "dev", "isostack import dev"):
        store.import_("shop", "dev", exported, "a file")
    loaded = another(store).load("shop", "dev")
    assert (loaded.snapshot.resources, loaded.recording) == ([queue("a")], None)


@pytest.mark.parametrize("name", ["..", "a/b", "a b", "ümlaut", "%2E", ".hidden", "a\nb"])
def test_any_name_is_kept_apart_and_found_again(store: Store, name: str) -> None:
    with store.lock(name, name, "a test"):
        store.save(Loaded(name, name, (loaded := store.load(name, name)).snapshot, loaded.secrets, loaded.codec, None))
    assert another(store).stacks() == [(name, name)]


def test_a_crash_between_the_save_and_the_journals_removal_replays_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(store, queue("a"))
    with store.lock("shop", "dev", "a run") as lock:
        loaded = store.load("shop", "dev")
        journal = store.open_journal(loaded, lock.fence)
        loaded.snapshot.remove(queue("a"))
        journal.put(removed=[queue("a")])
        with monkeypatch.context() as patch:
            patch.setattr(type(store.place("shop", "dev")), "drop_journal", lambda *_: None)
            store.save(loaded, journal)
    assert another(store).load("shop", "dev").snapshot.resources == []
    have(another(store))
    assert another(store).load("shop", "dev").recording is None


def test_a_journal_says_where_it_is(store: Store) -> None:
    with store.lock("shop", "dev", "a run") as lock:
        journal: Journal = store.open_journal(store.load("shop", "dev"), lock.fence)
        assert store.backend.origin in journal.log.origin
        journal.close()


def test_no_lock_no_writing_to_a_bucket(tmp_path: Path, state_bucket: Cloud) -> None:
    """A folder's caller is trusted to hold the lock; others' runs are not in reach of a bucket's."""
    store = Store(tmp_path, backend=Bucket(Objects(lambda: state_bucket.client("s3"), f"s3://state/{uuid.uuid4().hex}")))
    with pytest.raises(Locked, match="is not held"):
        store.save(store.load("shop", "dev"))
