"""A playground comes up, keeps what is in it, goes without a trace, and comes back."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from isostack.engine import run
from isostack.errors import BadInput
from isostack.localcloud.database_server import DatabaseServers
from isostack.playground.records import Record
from tests.playground.conftest import Yard
from tests.playground.content import content, fill, quiet


def test_what_was_changed_after_a_snapshot_is_as_before_when_it_is_restored(yard: Yard) -> None:
    yard.playgrounds.up("changed", quiet)
    fill(yard, "changed", "before")
    before = content(yard, "changed")
    manifest = yard.playgrounds.take("changed", "good", quiet)
    assert manifest.bytes > 1_000_000
    fill(yard, "changed", "after")
    assert content(yard, "changed") != before
    yard.playgrounds.restore("changed", "good", quiet)
    assert content(yard, "changed") == before
    yard.playgrounds.down("changed", quiet, snapshot=False)


def test_down_leaves_nothing_and_up_from_its_snapshot_brings_everything_back(yard: Yard) -> None:
    yard.local_cloud.ensure()
    servers = DatabaseServers(yard.home).folder / "servers"
    resources, running = yard.local_cloud.resources(), _names_in(servers)
    yard.playgrounds.up("gone", quiet)
    fill(yard, "gone", "kept")
    before = content(yard, "gone")
    result, kept = yard.playgrounds.down("gone", quiet)
    assert result is not None
    assert result.result == "succeeded"
    assert kept is not None
    assert (yard.local_cloud.resources(), _names_in(servers)) == (resources, running)
    assert yard.playgrounds.records.get("gone") is None
    assert _names_in(yard.playgrounds.store.folder("small", "play-gone")) == {"fence"}  # which keeps older runs out
    tombstone = list(yard.playgrounds.records.tombstones())[-1]
    assert (tombstone["name"], tombstone["resources"]) == ("gone", result.changes.delete)
    assert tombstone["bring_back"] == "isostack play up gone --from last"
    yard.playgrounds.up("gone", quiet, label="last")
    assert content(yard, "gone") == before
    yard.playgrounds.down("gone", quiet, snapshot=False)
    assert not yard.playgrounds.records.of("gone").exists()


def _names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_an_environment_that_is_as_the_snapshot_has_it_is_not_made_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.playgrounds.up("same", quiet)
    yard.playgrounds.take("same", "good", quiet)
    yard.playgrounds.extend("same", "2h", quiet)  # other tags
    with monkeypatch.context() as patched:
        patched.setattr(run, "up", lambda *_: pytest.fail("the program was run"))
        _, result = yard.playgrounds.restore("same", "good", quiet)
    assert (result.result, result.changes.changes) == ("succeeded", 0)
    assert result.changes.same == yard.playgrounds.up("same", quiet)[1].changes.same
    program = yard.root / "__main__.py"
    text = program.read_text()
    try:
        program.write_text(text.replace('"jobs"', '"jobs", visibility_timeout_seconds=77'))
        yard.playgrounds.up("same", quiet)
    finally:
        program.write_text(text)
    _, result = yard.playgrounds.restore("same", "good", quiet)
    assert (result.result, result.changes.update) == ("succeeded", 1)
    yard.playgrounds.down("same", quiet, snapshot=False)


def test_two_playgrounds_live_beside_each_other(yard: Yard) -> None:
    for name in ("first", "second"):
        yard.playgrounds.up(name, quiet)
        fill(yard, name, name)
    assert yard.sql("first", "select mark from goods") == "first"
    assert yard.sql("second", "select mark from goods") == "second"
    for name in ("first", "second"):
        yard.playgrounds.down(name, quiet, snapshot=False)


def test_a_second_up_keeps_the_expiry_and_changes_nothing(yard: Yard) -> None:
    first, _ = yard.playgrounds.up("again", quiet, "2h")
    second, result = yard.playgrounds.up("again", quiet)
    assert second == first
    assert result.changes.changes == 0
    yard.playgrounds.down("again", quiet, snapshot=False)


def test_extending_shows_in_the_tags_of_the_resources_and_of_the_stack(yard: Yard) -> None:
    yard.playgrounds.up("longer", quiet, "1h")
    record, _ = yard.playgrounds.extend("longer", "10h", quiet)
    assert timedelta(hours=9) < record.remaining <= timedelta(hours=10)
    tags = yard.client("sqs").list_queue_tags(QueueUrl=yard.playgrounds.environment("longer")["QUEUE_URL"])["Tags"]
    assert tags["expires"] == record.expires
    stack = yard.playgrounds.store.load("small", "play-longer").snapshot.metadata
    assert stack.tags == {"playground": "longer", "owner": record.owner, "expires": record.expires}
    yard.playgrounds.down("longer", quiet, snapshot=False)


def test_nobody_gets_more_than_the_longest_lifetime(yard: Yard) -> None:
    with pytest.raises(BadInput, match="at most 3 d, for everyone"):
        yard.playgrounds.up("greedy", quiet, "4d")
    assert yard.playgrounds.records.get("greedy") is None


def test_what_a_program_of_ones_own_finds_reaches_the_playground_alone(yard: Yard) -> None:
    yard.playgrounds.up("outside", quiet)
    values = yard.playgrounds.environment("outside")
    assert values["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert values["DATABASE_URL"].startswith("postgresql://keeper:")
    assert {"BUCKET", "QUEUE_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= values.keys()
    yard.playgrounds.down("outside", quiet, snapshot=False)


def test_the_overview_says_whose_it_is_and_what_it_holds(yard: Yard) -> None:
    record, _ = yard.playgrounds.up("seen", quiet)
    yard.playgrounds.take("seen", "good", quiet)
    row = next(row for row in yard.playgrounds.overview() if row["name"] == "seen")
    assert (row["owner"], row["snapshots"], row["expired"]) == (record.owner, ["good"], False)
    assert row["resources"] >= 7
    assert row["snapshot_bytes"] > 1_000_000
    yard.playgrounds.down("seen", quiet, snapshot=False)


def test_secrets_are_sealed_in_a_snapshot(yard: Yard) -> None:
    yard.playgrounds.up("sealed", quiet)
    fill(yard, "sealed", "marmalade")
    yard.playgrounds.take("sealed", "good", quiet)
    folder = yard.playgrounds.records.of("sealed") / "snapshots" / "good"
    readable = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"secret marmalade" not in readable
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *folder.rglob("*")])
    yard.playgrounds.down("sealed", quiet, snapshot=False)


def test_a_record_knows_when_its_time_is_over() -> None:
    past = Record("a", "p", "ana", "2020-01-01T00:00:00+00:00", "2020-01-01T08:00:00+00:00")
    assert past.remaining < timedelta()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="the system's memory has no folder here")  # noqa: S108
def test_what_a_local_cloud_held_that_was_killed_is_kept_when_its_playground_goes(own_yard: Yard) -> None:
    own_yard.playgrounds.up("lone", quiet)
    own_yard.client("dynamodb").put_item(TableName=own_yard.outputs("lone")["table"], Item={"id": {"S": "mine"}})
    content = Path(json.loads((own_yard.home / "cloud.json").read_text())["content"])
    deadline = time.monotonic() + 60
    while not content.is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(own_yard.local_cloud.status().pid, signal.SIGKILL)
    _, kept = own_yard.playgrounds.down("lone", quiet)
    assert kept
    assert sum(facts.get("items", 0) for facts in kept.stores.values()) == 1
    assert own_yard.local_cloud.resources() == {}
