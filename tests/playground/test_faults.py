"""Whatever breaks, ``reset`` alone brings the playground back, with its data, and nothing is left over or doubled."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isostack.engine.events import Event, Phase, StepDone, StepStarted
from isostack.errors import OperationFailed
from isostack.localcloud.database_server import DatabaseServers
from isostack.playground import snapshots, sweep
from tests.command_line import CommandLine
from tests.localcloud.kept import needs_memory, wait_until_kept
from tests.playground.conftest import Yard
from tests.playground.content import content, fill, quiet

DIES = """
import os, signal, sys
from pathlib import Path
from isostack.engine.project import load_project
from isostack.engine.store import Store
from isostack.localcloud.server import LocalCloud
from isostack.playground import snapshots
from isostack.playground.lifecycle import Playgrounds

home = Path(sys.argv[2])
playgrounds = Playgrounds(load_project(Path(sys.argv[1])), Store(home), LocalCloud(home))

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def nothing(event):
    pass

"""


def dies(yard: Yard, program: str) -> None:
    """Run a few lines on the yard's playgrounds in a process of their own, which must be killed at its call of ``die``."""
    command = [sys.executable, "-c", DIES + program, str(yard.root), str(yard.home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - this interpreter
    assert done.returncode == -signal.SIGKILL, done.stderr


class Filled:
    """A playground with something of everything and a snapshot of it, and what ``reset`` must bring back."""

    def __init__(self, yard: Yard, name: str) -> None:
        self.yard, self.name = yard, name
        yard.playgrounds.up(name, quiet)
        fill(yard, name, "kept")
        yard.playgrounds.take(name, "good", quiet)
        self.content = content(yard, name)
        self.resources = self._resources()

    def comes_back(self) -> str:
        """Reset, and see that all is as it was; gives the snapshot that it came from."""
        manifest, result = self.yard.playgrounds.reset(self.name, quiet)
        assert result.result == "succeeded", result.diagnostics
        assert manifest
        assert content(self.yard, self.name) == self.content
        assert self._resources() == self.resources
        assert sweep.orphans(self.yard.playgrounds, self.name) == sweep.Orphans()
        return manifest.label

    def _resources(self) -> dict[str, int]:
        """Of this playground; a yard may have others."""
        tagging = self.yard.client("resourcegroupstaggingapi")
        wanted: Any = [{"Key": "playground", "Values": [self.name]}]
        found: dict[str, int] = {}
        for tagged in tagging.get_resources(TagFilters=wanted)["ResourceTagMappingList"]:
            service = tagged["ResourceARN"].split(":")[2]
            if ":snapshot:rds:" not in tagged["ResourceARN"]:  # RDS's own
                found[service] = found.get(service, 0) + 1
        return found


def kill_cloud_at(yard: Yard, moment: Callable[[Event], bool]) -> Callable[[Event], None]:
    """A sink that kills the local cloud when the moment has come."""
    killed: list[Event] = []

    def sink(event: Event) -> None:
        if not killed and moment(event):
            killed.append(event)
            os.kill(yard.local_cloud.status().pid, signal.SIGKILL)

    return sink


def started(name: str) -> Callable[[Event], bool]:
    """The moment before a resource's step calls the cloud."""
    return lambda event: isinstance(event, StepStarted) and name in event.urn


def done(name: str) -> Callable[[Event], bool]:
    """The moment when a resource's step has ended."""
    return lambda event: isinstance(event, StepDone) and name in event.urn


@pytest.fixture(scope="session")
def another(yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Filled]]:
    """Makes filled playgrounds: the first on the yard of all, each further one on a local cloud of its own."""
    yards: list[Yard] = []

    def make() -> Filled:
        yards.append(Yard(tmp_path_factory.mktemp("yard")) if yards else yard)
        return Filled(yards[-1], "ana")

    yield make
    for own in yards[1:]:
        own.local_cloud.stop()


@pytest.fixture(scope="session")
def in_use() -> list[Filled]:
    """The playground that the next test gets, or nothing."""
    return []


@pytest.fixture
def filled(request: pytest.FixtureRequest, another: Callable[[], Filled], in_use: list[Filled]) -> Iterator[Filled]:
    """One for all, since every test leaves it as it found it; one that fails leaves the next test another."""
    failed = request.session.testsfailed
    if not in_use:
        in_use.append(another())
    yield in_use[0]
    if request.session.testsfailed > failed:
        in_use.clear()


def works(yard: Yard, name: str) -> bool:
    """Whether something can be put into a light playground and is there."""
    dynamodb, table = yard.client("dynamodb"), yard.outputs(name)["table"]
    dynamodb.put_item(TableName=table, Item={"id": {"S": "works"}})
    return bool(dynamodb.scan(TableName=table)["Count"] == 1)


def test_the_cloud_dies_during_up(own_yard: Yard) -> None:
    _, result = own_yard.playgrounds.up("ana", kill_cloud_at(own_yard, done("Queue::jobs")))
    assert result.result == "failed"
    manifest, result = own_yard.playgrounds.reset("ana", quiet)
    assert (manifest, result.result) == (None, "succeeded")
    assert works(own_yard, "ana")
    own_yard.playgrounds.down("ana", quiet, snapshot=False)
    assert own_yard.local_cloud.resources() == {}


def test_a_command_is_killed_during_up(own_yard: Yard) -> None:
    yard = own_yard
    journal = yard.playgrounds.store.folder("small", "play-ana") / "journal.jsonl"
    process = CommandLine(yard.home).starts("play", "up", "ana", cwd=yard.root)
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= 8):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    _, result = yard.playgrounds.reset("ana", quiet)
    assert result.result == "succeeded"
    assert works(yard, "ana")
    yard.playgrounds.down("ana", quiet, snapshot=False)
    assert yard.local_cloud.resources() == {}


def test_the_cloud_dies_during_down(filled: Filled) -> None:
    yard = filled.yard
    result, _ = yard.playgrounds.down("ana", kill_cloud_at(yard, started("Table::carts")))
    assert result is not None
    assert result.result == "failed"
    assert filled.comes_back() == "last"
    yard.playgrounds.snapshots("ana").remove("last")


def test_a_command_is_killed_during_down(filled: Filled) -> None:
    kill = "lambda event: 'Table::carts' in str(event) and die()"
    dies(filled.yard, f"playgrounds.down('ana', {kill})")
    assert filled.comes_back() == "last"
    filled.yard.playgrounds.snapshots("ana").remove("last")


def test_the_cloud_was_killed(filled: Filled) -> None:
    os.kill(filled.yard.local_cloud.status().pid, signal.SIGKILL)
    filled.comes_back()


@needs_memory
def test_the_cloud_was_killed_right_after_a_change(filled: Filled) -> None:
    yard = filled.yard
    wait_until_kept(yard.local_cloud)
    yard.client("sqs").send_message(QueueUrl=yard.playgrounds.environment("ana")["QUEUE_URL"], MessageBody="not kept")
    before = yard.playgrounds._state("play-ana").snapshot
    os.kill(yard.local_cloud.status().pid, signal.SIGKILL)
    filled.comes_back()
    after = yard.playgrounds._state("play-ana").snapshot
    assert [resource.id for resource in after.resources] == [resource.id for resource in before.resources], "it is the old one"


def test_the_cloud_was_stopped(filled: Filled) -> None:
    filled.yard.local_cloud.stop()
    filled.comes_back()


def test_the_cloud_dies_during_a_restore(filled: Filled) -> None:
    yard = filled.yard
    sink = kill_cloud_at(yard, lambda event: isinstance(event, Phase) and event.text.startswith("putting back queue"))
    with pytest.raises(OperationFailed, match="snapshot good: "):
        yard.playgrounds.restore("ana", "good", sink)
    filled.comes_back()


def test_a_restore_is_killed_half_way(filled: Filled) -> None:
    kill = "lambda event: 'putting back bucket' in str(event) and die()"
    dies(filled.yard, f"playgrounds.restore('ana', 'good', {kill})")
    filled.comes_back()


def test_what_was_changed_by_hand_is_as_the_program_says(filled: Filled) -> None:
    yard = filled.yard
    url = yard.playgrounds.environment("ana")["QUEUE_URL"]
    yard.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    filled.comes_back()
    attributes = yard.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "30"


@pytest.mark.parametrize("damage", ["truncated", "deleted", "newer", "all of it gone"])
def test_a_state_that_cannot_be_used(filled: Filled, damage: str) -> None:
    folder = filled.yard.playgrounds.store.folder("small", "play-ana")
    file = folder / "state.json"
    text = file.read_text()
    if damage == "deleted":
        file.unlink()
    elif damage == "all of it gone":
        for path in folder.glob("state*"):
            path.unlink()
    else:
        file.write_text(text[: len(text) // 2] if damage == "truncated" else json.dumps({**json.loads(text), "version": 99}))
    filled.comes_back()


def test_what_was_deleted_by_hand_is_there_again(filled: Filled) -> None:
    yard = filled.yard
    yard.client("sqs").delete_queue(QueueUrl=yard.playgrounds.environment("ana")["QUEUE_URL"])
    yard.client("dynamodb").delete_table(TableName=yard.outputs("ana")["table"])
    filled.comes_back()


# -- the database -------------------------------------------------------------------------------------------------------


def postmaster(yard: Yard) -> Path:
    """The file with the process number of Ana's server, in its data directory."""
    instance = yard.outputs("ana")["database"]
    return next(DatabaseServers(yard.home).folder.glob(f"servers/{instance}-????????/data/postmaster.pid"))


@pytest.mark.parametrize("asked", [True, False])
def test_a_database_server_that_was_killed_runs_again_when_its_instance_is_asked_for(filled: Filled, asked: bool) -> None:
    os.kill(int(postmaster(filled.yard).read_text().split()[0]), signal.SIGKILL)
    if asked:
        filled.yard.client("rds").describe_db_instances()
        assert filled.yard.sql("ana", "select mark from goods") == "kept"
    filled.comes_back()


def test_the_data_directory_of_a_database_is_removed(filled: Filled) -> None:
    shutil.rmtree(postmaster(filled.yard).parent)
    filled.comes_back()


def test_a_migration_fails_in_the_middle(filled: Filled) -> None:
    with pytest.raises(AssertionError, match="does not exist"):  # psql's words
        filled.yard.sql("ana", "alter table goods rename to wares; commit; alter table nothing add column x int")
    assert filled.yard.sql("ana", "select to_regclass('goods') is null") == "t"
    filled.comes_back()


# -- snapshots ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["a file of a bucket", "the manifest"])
def test_a_disk_that_is_full_leaves_no_half_a_snapshot(filled: Filled, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    yard = filled.yard

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if place == "the manifest":
        monkeypatch.setattr(snapshots, "write_whole", full)
    else:
        monkeypatch.setattr(shutil, "copyfileobj", full)
    folder = yard.playgrounds.records.of("ana") / "snapshots"
    copies = DatabaseServers(yard.home).folder.with_name("databases-kept")
    before = sorted(folder.iterdir()), sorted(copies.iterdir())
    with pytest.raises(OperationFailed, match=r"no snapshot was taken.*free some space"):
        yard.playgrounds.take("ana", "another", quiet)
    monkeypatch.undo()
    assert (sorted(folder.iterdir()), sorted(copies.iterdir())) == before
    assert [manifest.label for manifest in yard.playgrounds.snapshots("ana").all()] == ["good"]
    filled.comes_back()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="a running process's limits can be set on Linux only")
def test_a_database_that_finds_no_room_for_its_copy_leaves_no_half_a_snapshot(filled: Filled) -> None:
    yard = filled.yard
    folder = DatabaseServers(yard.home).folder
    places = yard.playgrounds.records.of("ana") / "snapshots", folder.with_name("databases-kept"), folder / "snapshots"
    before = [sorted(place.glob("*")) for place in places]
    pid = yard.local_cloud.status().pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, limits[1]))  # of what its children write
    try:
        with pytest.raises(OperationFailed, match="pg_basebackup"):
            yard.playgrounds.take("ana", "another", quiet)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert [sorted(place.glob("*")) for place in places] == before
    filled.comes_back()


@pytest.mark.parametrize("kind", ["a file", "the state", "the manifest", "the database"])
def test_a_snapshot_with_a_flipped_byte_is_refused_and_the_older_one_offered_and_taken(filled: Filled, kind: str) -> None:
    yard = filled.yard
    manifest = yard.playgrounds.take("ana", "newer", quiet)
    fill(yard, "ana", "later")
    later = content(yard, "ana")
    folder = yard.playgrounds.records.of("ana") / "snapshots" / "newer"
    copy = next(facts["copy"] for facts in manifest.stores.values() if facts["kind"] == "database")
    file = {
        "a file": next(path for path in folder.glob("bucket-*/*") if path.name != "versions.json"),
        "the state": folder / "state.json",
        "the manifest": folder / "manifest.json",
        "the database": DatabaseServers(yard.home).folder.with_name("databases-kept") / copy / "global" / "pg_control",
    }[kind]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    for label in ("newer", None):
        with pytest.raises(OperationFailed, match=r"newer.*damaged.*play restore good"):
            yard.playgrounds.restore("ana", label, quiet)
    assert content(yard, "ana") == later
    assert filled.comes_back() == "good"
    yard.playgrounds.snapshots("ana").remove("newer")


def test_a_disk_that_is_full_when_a_playground_goes_leaves_it_there_with_its_data(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = filled.yard

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(snapshots, "write_whole", full)
    with pytest.raises(OperationFailed, match="no snapshot was taken"):
        yard.playgrounds.down("ana", quiet)
    monkeypatch.undo()
    yard.client("rds").describe_db_instances()
    assert content(yard, "ana") == filled.content, "its database runs again, with what it had"
    filled.comes_back()


def test_a_snapshot_that_is_killed_is_none_and_what_it_left_is_swept(filled: Filled) -> None:
    yard = filled.yard
    folder = yard.playgrounds.records.of("ana") / "snapshots"
    copies = DatabaseServers(yard.home).folder.with_name("databases-kept")
    before = sorted(folder.iterdir()), sorted(copies.iterdir())
    dies(yard, "snapshots.write_whole = die; playgrounds.take('ana', 'cut-off', nothing)")
    assert sorted(copies.iterdir()) != before[1]
    assert [manifest.label for manifest in yard.playgrounds.snapshots("ana").all()] == ["good"]
    sweep.drop_drafts(yard.playgrounds)
    [draft] = set(folder.iterdir()) - set(before[0])  # it may be under way yet
    os.utime(draft, (0, 0))
    sweep.drop_drafts(yard.playgrounds)
    assert (sorted(folder.iterdir()), sorted(copies.iterdir())) == before
    filled.comes_back()


# -- two at once, and names ---------------------------------------------------------------------------------------------


def test_of_two_that_bring_one_playground_up_at_once_one_wins_and_the_other_says_who(yard: Yard) -> None:
    command_line = CommandLine(yard.home)
    both = [command_line.starts("play", "up", "twice", cwd=yard.root) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 4]
    loser = errors[[process.returncode for process in both].index(4)]
    assert f"process {next(process.pid for process in both if process.returncode == 0)}" in loser
    _, result = yard.playgrounds.up("twice", quiet)
    assert (result.result, result.changes.changes) == ("succeeded", 0)
    yard.playgrounds.down("twice", quiet, snapshot=False)


@pytest.mark.parametrize("name", ["Größe / my shop; rm -rf ../", "n" * 200])
def test_a_name_of_any_kind_is_one_playground(yard: Yard, name: str) -> None:
    _, result = yard.playgrounds.up(yard.playgrounds.named(name), quiet)
    assert result.result == "succeeded"
    ran = CommandLine(yard.home)("play", "down", "--no-snapshot", "--json", "--", name, cwd=yard.root)
    assert ran.code == 0, ran.err
    assert ran.json["playground"]["name"] == yard.playgrounds.named(name)
