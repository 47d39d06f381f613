"""A playground comes up, keeps what is in it, goes without a trace, and comes back."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta

import pytest

from isostack.errors import BadInput, OperationFailed
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


def test_down_leaves_nothing_and_up_from_its_snapshot_brings_everything_back(own_yard: Yard) -> None:
    yard = own_yard
    yard.playgrounds.up("ana", quiet)
    fill(yard, "ana", "kept")
    before = content(yard, "ana")
    result, kept = yard.playgrounds.down("ana", quiet)
    assert result is not None
    assert result.result == "succeeded"
    assert kept is not None
    assert yard.local_cloud.resources() == {}
    assert yard.playgrounds.records.all() == []
    assert yard.playgrounds.store.stacks() == []
    tombstone = list(yard.playgrounds.records.tombstones())[-1]
    assert tombstone["bring_back"] == "isostack play up ana --from last"
    yard.playgrounds.up("ana", quiet, label="last")
    assert content(yard, "ana") == before


def test_a_snapshot_outlives_the_local_cloud(own_yard: Yard) -> None:
    yard = own_yard
    yard.playgrounds.up("ana", quiet)
    fill(yard, "ana", "kept")
    before = content(yard, "ana")
    yard.playgrounds.take("ana", "good", quiet)
    yard.local_cloud.stop()
    manifest, result = yard.playgrounds.reset("ana", quiet)
    assert (manifest and manifest.label, result.result) == ("good", "succeeded")
    assert content(yard, "ana") == before


def test_a_local_cloud_that_was_killed_is_no_reason_not_to_come_back(own_yard: Yard) -> None:
    yard = own_yard
    yard.playgrounds.up("ana", quiet)
    fill(yard, "ana", "kept")
    before = content(yard, "ana")
    yard.playgrounds.take("ana", "good", quiet)
    os.kill(yard.local_cloud.status().pid, signal.SIGKILL)
    yard.playgrounds.reset("ana", quiet)
    assert content(yard, "ana") == before


@pytest.mark.parametrize("damage", ["truncated", "deleted", "newer"])
def test_a_state_that_cannot_be_used_is_put_aside_and_the_playground_comes_back(own_yard: Yard, damage: str) -> None:
    yard = own_yard
    yard.playgrounds.up("ana", quiet)
    fill(yard, "ana", "kept")
    before = content(yard, "ana")
    yard.playgrounds.take("ana", "good", quiet)
    file = yard.playgrounds.store.folder("small", "play-ana") / "state.json"
    text = file.read_text()
    if damage == "deleted":
        file.unlink()
    else:
        file.write_text(text[: len(text) // 2] if damage == "truncated" else json.dumps({**json.loads(text), "version": 99}))
    _, result = yard.playgrounds.reset("ana", quiet)
    assert result.result == "succeeded"
    assert content(yard, "ana") == before


def test_a_resource_that_was_deleted_behind_our_back_comes_back_with_its_content(own_yard: Yard) -> None:
    yard = own_yard
    yard.playgrounds.up("ana", quiet)
    fill(yard, "ana", "kept")
    before = content(yard, "ana")
    yard.playgrounds.take("ana", "good", quiet)
    yard.client("sqs").delete_queue(QueueUrl=yard.playgrounds.environment("ana")["QUEUE_URL"])
    yard.client("dynamodb").delete_table(TableName=yard.outputs("ana")["table"])
    yard.playgrounds.reset("ana", quiet)
    assert content(yard, "ana") == before


def test_a_snapshot_with_a_flipped_byte_is_refused_and_the_older_one_offered(yard: Yard) -> None:
    yard.playgrounds.up("flipped", quiet)
    fill(yard, "flipped", "one")
    yard.playgrounds.take("flipped", "older", quiet)
    yard.playgrounds.take("flipped", "newer", quiet)
    folder = yard.playgrounds.records.of("flipped") / "snapshots" / "newer"
    file = next(path for path in folder.rglob("*") if path.is_file() and path.parent.name.startswith("bucket-"))
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    with pytest.raises(OperationFailed, match=r"newer is damaged.*play restore older"):
        yard.playgrounds.restore("flipped", "newer", quiet)
    yard.playgrounds.down("flipped", quiet, snapshot=False)


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


def test_extending_shows_in_the_tags_of_the_resources(yard: Yard) -> None:
    yard.playgrounds.up("longer", quiet, "1h")
    record, _ = yard.playgrounds.extend("longer", "10h", quiet)
    assert timedelta(hours=9) < record.remaining <= timedelta(hours=10)
    tags = yard.client("sqs").list_queue_tags(QueueUrl=yard.playgrounds.environment("longer")["QUEUE_URL"])["Tags"]
    assert tags["expires"] == record.expires
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
