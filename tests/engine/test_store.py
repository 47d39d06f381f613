"""The store keeps stacks apart, loses nothing to crashes or full disks, and exchanges states with Pulumi."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from isostack.engine import secrets as secrets_module
from isostack.engine import store as module
from isostack.engine.folders import Folder
from isostack.engine.journal import Journal
from isostack.engine.lock import StackLock
from isostack.engine.state import PendingOperation
from isostack.engine.store import Loaded, Store
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, Secret
from isostack.errors import BadInput, Locked, OperationFailed
from tests.engine.states import STACK, queue, stack, urn


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase, and a key derivation that is fast, since its strength is not the question."""
    monkeypatch.setattr(secrets_module, "ROUNDS", 3)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def start(store: Store, name: str = "dev") -> tuple[Loaded, Journal]:
    """A run as far as it has a snapshot and a journal. Its lock is given back, as a dead run's is taken."""
    with StackLock(store.folder("shop", name), "a test") as lock:
        loaded = store.load("shop", name)
        return loaded, store.open_journal(loaded, lock.fence)


def have(store: Store, *resources: Any, name: str = "dev") -> None:
    """Let a stack have these resources."""
    loaded, journal = start(store, name)
    for resource in resources:
        loaded.snapshot.put(resource)
        journal.put([resource])
    store.save(loaded, journal)


def files(store: Store, name: str = "dev") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder("shop", name).iterdir()}


def test_a_new_stack_is_empty_and_loading_it_makes_nothing(store: Store) -> None:
    loaded = store.load("shop", "dev")
    assert (loaded.snapshot.resources, loaded.recording) == ([], None)
    assert not store.home.exists()


def test_what_was_saved_is_loaded(store: Store) -> None:
    have(store, stack(), queue("a", outputs={"token": Secret("t")}))
    loaded = store.load("shop", "dev")
    assert loaded.snapshot.resources == [stack(), queue("a", outputs={"token": Secret("t")})]
    assert loaded.snapshot.metadata.serial == 1
    assert files(store).keys() == {"state.json", "fence"}


def test_a_run_that_crashed_is_replayed_and_its_step_is_pending(store: Store) -> None:
    have(store, stack())
    _, journal = start(store)
    journal.put([queue("a")])
    journal.begin(PendingOperation("creating", queue("b", id="")))
    loaded = store.load("shop", "dev")
    assert loaded.snapshot.resources == [stack(), queue("a")]
    assert loaded.snapshot.pending_operations == [PendingOperation("creating", queue("b", id=""))]


def test_the_next_run_goes_on_from_what_a_crashed_one_recorded(store: Store) -> None:
    _, crashed = start(store)
    crashed.put([queue("a", outputs={"token": Secret("t")})])
    crashed.begin(PendingOperation("creating", queue("b", id="")))
    _, journal = start(store)
    journal.put([queue("c")])
    loaded = store.load("shop", "dev")
    assert [r.urn for r in loaded.snapshot.resources] == [urn("a"), urn("c")]
    assert loaded.snapshot.resources[0].outputs["token"].value == "t"
    assert len(loaded.snapshot.pending_operations) == 1


def test_steps_that_did_not_end_are_pending_after_a_save(store: Store) -> None:
    loaded, journal = start(store)
    journal.begin(PendingOperation("creating", queue("a", id="")))
    store.save(loaded, journal)
    assert store.load("shop", "dev").snapshot.pending_operations == [PendingOperation("creating", queue("a", id=""))]


def test_a_crash_between_the_save_and_the_journals_removal_replays_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(store, queue("a"))
    loaded, journal = start(store)
    loaded.snapshot.remove(queue("a"))
    journal.put(removed=[queue("a")])
    journal.begin(PendingOperation("creating", queue("b", id="")))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "drop_journal", lambda *_: None)
        store.save(loaded, journal)
    assert "journal.jsonl" in files(store)
    for again in (store.load("shop", "dev"), start(store)[0]):
        assert again.snapshot.resources == []
        assert len(again.snapshot.pending_operations) == 1


def test_the_state_before_the_last_one_is_kept(store: Store) -> None:
    have(store, queue("a"))
    first = files(store)["state.json"]
    have(store, queue("b"))
    assert files(store)["state.previous.json"] == first


def test_unchanged_resources_and_their_secrets_are_written_as_they_were(store: Store) -> None:
    have(store, queue("a", outputs={"token": Secret("t"), "other": Secret("u")}))
    before = json.loads(files(store)["state.json"])
    have(store)
    after = json.loads(files(store)["state.json"])
    assert after["deployment"]["resources"] == before["deployment"]["resources"]
    assert after["deployment"]["secrets_providers"] == before["deployment"]["secrets_providers"]


def test_what_needs_no_secret_needs_no_passphrase(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    have(store, queue("a", outputs={"token": Secret("t")}))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    other = Store(store.home)
    loaded = other.load("shop", "dev")
    assert loaded.snapshot.resources[0].id == "a-id"
    assert other.export("shop", "dev")["deployment"]["resources"][0]["outputs"]["token"].keys() == {SIGNATURE_KEY, "ciphertext"}
    with pytest.raises(BadInput, match="does not open this stack's secrets"):
        loaded.secrets.check()
    with pytest.raises(BadInput, match="does not open this stack's secrets"):
        loaded.snapshot.resources[0].outputs["token"].value  # noqa: B018  # asking is the act


def test_a_stack_without_secrets_has_none_to_check(store: Store) -> None:
    have(store, queue("a"))
    loaded = store.load("shop", "dev")
    loaded.secrets.prefetch()
    loaded.secrets.check()
    assert "secrets_providers" not in json.loads(files(store)["state.json"])["deployment"]


def test_folders_and_files_are_their_owners_alone(store: Store) -> None:
    have(store, queue("a"))
    have(store, queue("a"))
    start(store)
    for path in store.home.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


# -- damage -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1, 100, -3])
def test_a_truncated_state_is_told_kept_and_not_touched(store: Store, cut: int) -> None:
    have(store, queue("a"))
    path = store.folder("shop", "dev") / "state.json"
    path.write_bytes(path.read_bytes()[:cut])
    damaged = path.read_bytes()
    for _ in range(2):
        with pytest.raises(BadInput, match=r"state.json is damaged .*it is kept as .*state.corrupt-.*\.json") as caught:
            store.load("shop", "dev")
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == damaged
    assert [copy.read_bytes() for copy in path.parent.glob("state.corrupt-*.json")] == [damaged]


def test_a_state_of_a_newer_version_is_told_and_not_touched(store: Store) -> None:
    have(store, queue("a"))
    path = store.folder("shop", "dev") / "state.json"
    path.write_text('{"version": 9, "deployment": {}}')
    with pytest.raises(BadInput, match=r"state.json: the deployment has version 9"):
        start(store)
    assert path.read_text() == '{"version": 9, "deployment": {}}'


def test_a_state_that_was_swapped_under_a_journal_is_told_and_not_touched(store: Store) -> None:
    have(store, queue("a"))
    _, journal = start(store)
    journal.put([queue("b")])
    path = store.folder("shop", "dev") / "state.json"
    path.write_bytes(path.read_bytes() + b"\n")
    before = files(store)
    with pytest.raises(BadInput, match="was written over another state file"):
        start(store)
    assert files(store).keys() - before.keys() <= {"fence"}
    assert files(store)["state.json"] == before["state.json"]
    assert files(store)["journal.jsonl"] == before["journal.jsonl"]


def test_a_reader_is_not_confused_by_a_run_that_ends_while_it_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    have(store, queue("a"))
    read_state = module._read_state
    calls = 0

    def read_and_be_overtaken(place: Any) -> Any:
        nonlocal calls
        calls += 1
        result = read_state(place)
        if calls == 1:
            monkeypatch.setattr(module, "_read_state", read_state)
            have(store, queue("b"))
            start(store)[1].put([queue("c")])
        return result

    monkeypatch.setattr(module, "_read_state", read_and_be_overtaken)
    assert [r.urn for r in Store(store.home).load("shop", "dev").snapshot.resources] == [urn("a"), urn("b"), urn("c")]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_at_the_end_of_a_run_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    have(store, queue("a"))
    loaded, journal = start(store)
    loaded.snapshot.put(queue("b"))
    journal.put([queue("b")])
    before = files(store)
    with monkeypatch.context() as patch:
        patch.setattr(os, failing, refuse)
        with pytest.raises(OperationFailed, match=r"cannot write .*state.json: No space left on device; .* are kept") as caught:
            store.save(loaded, journal)
    assert "\n" not in str(caught.value)
    assert {**files(store), "state.previous.json": b""} == {**before, "state.previous.json": b""}
    assert store.load("shop", "dev").snapshot.resources == [queue("a"), queue("b")]


def test_a_run_that_was_taken_over_does_not_save(store: Store) -> None:
    late, journal = start(store)
    late.snapshot.put(queue("late"))
    have(store, queue("a"))
    with pytest.raises(Locked, match="took over"):
        store.save(late, journal)
    assert store.load("shop", "dev").snapshot.resources == [queue("a")]


def test_what_cannot_be_read_is_one_line(store: Store) -> None:
    (store.folder("shop", "dev") / "state.json").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"cannot read .*state.json: Is a directory; a folder stands where a file should"):
        store.load("shop", "dev")


def test_a_home_that_is_no_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    assert store.stacks() == []
    with pytest.raises(BadInput, match=r"cannot read .*: Not a directory; a file stands where a folder should"):
        store.load("shop", "dev")


# -- names --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../etc", "a b", "ümlaut", "%2E", "C:", "-", ".hidden", "a\nb", "a\0b"])
def test_any_name_stays_within_the_home_folder_and_is_found_again(store: Store, name: str) -> None:
    with StackLock(store.folder(name, name), "a test") as lock:
        loaded = store.load(name, name)
        store.save(loaded, store.open_journal(loaded, lock.fence))
    assert store.stacks() == [(name, name)]
    assert store.folder(name, name).parent.parent == store.home / "stacks"


def test_an_empty_name_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="need a name"):
        store.folder("", "dev")


def test_a_name_that_is_too_long_is_one_line(store: Store) -> None:
    with pytest.raises(BadInput, match="choose a shorter name"):
        have(store, queue("a"), name="x" * 300)


def test_the_stacks_are_those_with_a_state_or_a_journal(store: Store) -> None:
    have(store, queue("a"), name="b")
    start(store, name="a")
    with StackLock(store.folder("shop", "c"), "a test"):
        pass
    assert store.stacks() == [("shop", "a"), ("shop", "b")]


def test_a_removed_stack_is_gone_and_its_fence_is_not(store: Store) -> None:
    have(store, queue("a"))
    have(store, queue("a"))
    store.remove("shop", "dev")
    assert store.stacks() == []
    assert files(store).keys() == {"fence"}
    with StackLock(store.folder("shop", "dev"), "a test") as lock:
        assert lock.fence == 3


# -- exchange -----------------------------------------------------------------------------------------------------------------


def test_an_export_can_be_imported(store: Store, tmp_path: Path) -> None:
    have(store, stack(), queue("a", outputs={"token": Secret("t")}))
    start(store)[1].put([queue("b")])
    exported = json.dumps(store.export("shop", "dev"))
    assert "isostack" not in json.loads(exported)
    other = Store(tmp_path / "other")
    assert other.import_("shop", "dev", exported, "a file") == 3
    assert other.load("shop", "dev").snapshot.resources == store.load("shop", "dev").snapshot.resources
    assert other.load("shop", "dev").snapshot.metadata.operation == "import"


def test_an_import_keeps_what_it_replaces(store: Store) -> None:
    have(store, queue("a"))
    exported = json.dumps(store.export("shop", "dev"))
    start(store)[1].put([queue("b")])
    store.import_("shop", "dev", exported, "a file")
    previous = json.loads(files(store)["state.previous.json"])
    assert [r["urn"] for r in previous["deployment"]["resources"]] == [urn("a"), urn("b")]
    assert store.load("shop", "dev").snapshot.resources == [queue("a")]
    assert store.load("shop", "dev").snapshot.metadata.serial == previous["isostack"]["serial"] + 1


def test_an_import_mends_a_damaged_state(store: Store) -> None:
    have(store, queue("a"))
    exported = json.dumps(store.export("shop", "dev"))
    (store.folder("shop", "dev") / "state.json").write_text("{")
    store.import_("shop", "dev", exported, "a file")
    assert store.load("shop", "dev").snapshot.resources == [queue("a")]
    assert [path.read_text() for path in store.folder("shop", "dev").glob("state.corrupt-*")] == ["{"]


def test_an_import_in_the_clear_is_sealed(store: Store) -> None:
    secret = {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": '"hunter2"'}
    resource = {"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"password": secret}}
    provider = {"type": "awskms", "state": {"key": "k"}}
    document = {"version": 3, "deployment": {"manifest": {}, "resources": [resource], "secrets_providers": provider}}
    store.import_("shop", "dev", json.dumps(document), "a file")
    state = files(store)["state.json"]
    assert b"hunter2" not in state
    assert json.loads(state)["deployment"]["secrets_providers"]["type"] == "passphrase"
    assert store.load("shop", "dev").snapshot.resources[0].outputs == {"password": Secret("hunter2")}


def test_an_import_that_is_refused_changes_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(store, queue("a", outputs={"token": Secret("t")}))
    before = files(store)
    exported = json.dumps(store.export("shop", "dev"))
    for text, complaint in (
        ("{", "a file: this is no JSON"),
        ("[" * 100_000, "a file: this is no JSON"),
        ('{"version": 4}', "a file: the deployment has version 4"),
        (exported.replace("::shop::", "::other::"), "of stack dev of project other, not of stack dev of project shop"),
        (exported.replace("urn:pulumi:dev", "urn:pulumi:test"), "of stack test of project shop, not of stack dev"),
        (exported.replace(urn("a"), "nonsense"), "'nonsense' is not a URN"),
    ):
        with pytest.raises(BadInput, match=complaint):
            store.import_("shop", "dev", text, "a file")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(BadInput, match="does not open this stack's secrets"):
        Store(tmp_path / "home").import_("shop", "dev", exported, "a file")
    assert files(store) == before
