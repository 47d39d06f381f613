"""A sweep ends what has expired and finds what no state knows; what is somebody's stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isostack.engine.lock import StackLock
from isostack.engine.project import load_project
from isostack.engine.store import Store
from isostack.localcloud.resource_types import all_rows
from isostack.localcloud.server import LocalCloud
from isostack.playground import listings, sweep
from isostack.playground.lifecycle import Playgrounds
from tests.command_line import CommandLine
from tests.playground.conftest import Yard
from tests.playground.content import quiet

LONG_AGO = "2020-01-01T08:00:00+00:00"
HERE = Path(__file__).parent.parent.parent


def expire(yard: Yard, name: str) -> None:
    record = yard.playgrounds.get(name)
    yard.playgrounds.records.keep(replace(record, expires=LONG_AGO))


def lose(yard: Yard, name: str) -> None:
    """Forget a playground, as if its state folder had been removed; what it has in the cloud stays."""
    shutil.rmtree(yard.playgrounds.store.folder("small", f"play-{name}"))
    shutil.rmtree(yard.playgrounds.records.of(name))


def types(yard: Yard, name: str) -> set[str]:
    """The types of what no state knows of a playground."""
    return {one.type.rpartition(":")[2] for one in sweep.orphans(yard.playgrounds).found if one.playground == name}


@pytest.fixture
def lost(light: Yard) -> Iterator[str]:
    """A playground that no state knows any more."""
    light.playgrounds.up("lost", quiet)
    lose(light, "lost")
    yield "lost"
    assert sweep.remove(light.playgrounds, sweep.orphans(light.playgrounds).found, quiet) == []


def test_what_has_expired_goes_and_leaves_a_way_back_and_what_has_not_stays(light: Yard) -> None:
    for name in ("old", "young"):
        light.playgrounds.up(name, quiet)
    light.client("dynamodb").put_item(TableName=light.outputs("old")["table"], Item={"id": {"S": "kept"}})
    expire(light, "old")
    swept = sweep.end_expired(light.playgrounds, quiet)
    assert [(ended["name"], ended["snapshot"]) for ended in swept.ended] == [("old", "last")]
    assert swept.blocked == []
    assert [record.name for record in light.playgrounds.records.all()] == ["young"]
    light.playgrounds.up("old", quiet, label="last")
    assert light.client("dynamodb").scan(TableName=light.outputs("old")["table"])["Count"] == 1
    for name in ("old", "young"):
        light.playgrounds.down(name, quiet, snapshot=False)


def test_one_whose_record_is_gone_expires_by_its_tags(light: Yard) -> None:
    light.playgrounds.up("unrecorded", quiet)
    expire(light, "unrecorded")
    record = light.playgrounds.get("unrecorded")
    from isostack.engine import run

    assert run.up(light.playgrounds._stack(record, light.playgrounds._base(), quiet)).result == "succeeded"
    shutil.rmtree(light.playgrounds.records.of("unrecorded"))
    swept = sweep.end_expired(light.playgrounds, quiet)
    assert [ended["name"] for ended in swept.ended] == ["unrecorded"]
    assert ("small", "play-unrecorded") not in light.playgrounds.store.stacks()


def test_what_no_state_knows_is_found_whether_it_takes_tags_or_not(light: Yard, lost: str) -> None:
    assert types(light, lost) == {"Bucket", "Queue", "Role", "Table", "Dashboard"}


def test_orphans_go_with_what_is_in_them_and_other_playgrounds_and_environments_stay(light: Yard, lost: str) -> None:
    command_line = CommandLine(light.home)
    assert command_line("up", "dev", "--json", cwd=light.root).code == 0
    light.playgrounds.up("mine", quiet)
    before = light.local_cloud.resources()
    light.playgrounds.up("doomed", quiet)
    light.client("s3").put_object(Bucket=light.outputs("doomed")["bucket"], Key="a", Body=b"a")
    lose(light, "doomed")
    found = sweep.orphans(light.playgrounds).found
    assert {one.playground for one in found} == {lost, "doomed"}
    assert sweep.remove(light.playgrounds, [one for one in found if one.playground == "doomed"], quiet) == []
    assert light.local_cloud.resources() == before
    light.playgrounds.down("mine", quiet, snapshot=False)
    assert command_line("destroy", "dev", "--yes", "--json", cwd=light.root).code == 0


def test_nothing_is_removed_unless_somebody_says_so(light: Yard, lost: str) -> None:
    command_line, before = CommandLine(light.home), light.local_cloud.resources()
    ran = command_line("play", "sweep", "--json", cwd=light.root)
    assert (ran.code, ran.json["removed"], len(ran.json["orphans"])) == (0, False, 5)
    assert "sweep --yes removes them" in command_line("play", "sweep", cwd=light.root).out
    assert light.local_cloud.resources() == before
    ran = command_line("play", "sweep", "--yes", "--json", cwd=light.root)
    assert (ran.code, ran.json["removed"], ran.json["blocked"]) == (0, True, [])
    assert light.local_cloud.resources() == {}
    assert "nothing to sweep" in command_line("play", "sweep", "--yes", cwd=light.root).out


def test_what_blocks_is_named_and_the_next_sweep_goes_on(light: Yard, lost: str) -> None:
    dynamodb = light.client("dynamodb")
    table = next(name for name in dynamodb.list_tables()["TableNames"] if name.startswith("carts"))
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    ran = CommandLine(light.home)("play", "sweep", "--yes", cwd=light.root)
    assert ran.code == 1
    assert f"not done: aws:dynamodb/table:Table {table} of playground lost" in ran.out
    assert types(light, lost) == {"Table"}
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    assert CommandLine(light.home)("play", "sweep", "--yes", cwd=light.root).code == 0
    assert types(light, lost) == set()


def test_a_second_sweep_says_that_there_is_one(light: Yard) -> None:
    with sweep.only_one(light.playgrounds.records.folder):
        ran = CommandLine(light.home)("play", "sweep", "--yes", cwd=light.root)
    assert ran.code == 4
    assert "another sweep is under way" in ran.err
    assert CommandLine(light.home)("play", "sweep", "--yes", cwd=light.root).code == 0


def test_a_playground_with_a_run_under_way_is_left_to_it(light: Yard, lost: str) -> None:
    found = sweep.orphans(light.playgrounds).found
    with StackLock(light.playgrounds.store.folder("small", "play-lost"), "isostack up play-lost"):
        blocked = sweep.remove(light.playgrounds, found, quiet)
    assert len(blocked) == 1
    assert "running 'isostack up play-lost'" in blocked[0]
    assert len(types(light, lost)) == 5


def test_what_a_state_that_cannot_be_read_may_know_is_left_and_the_reset_named(light: Yard) -> None:
    light.playgrounds.up("torn", quiet)
    file = light.playgrounds.store.folder("small", "play-torn") / "state.json"
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    orphans = sweep.orphans(light.playgrounds)
    assert orphans.found == []
    assert any("isostack play reset torn" in line for line in orphans.unseen)
    light.playgrounds.reset("torn", quiet)
    assert sweep.orphans(light.playgrounds).unseen == []
    light.playgrounds.down("torn", quiet, snapshot=False)
    assert light.local_cloud.resources() == {}


def test_a_whole_environment_that_no_state_knows_goes_without_a_trace(tmp_path: Path) -> None:
    home = tmp_path / "home"
    playgrounds = Playgrounds(load_project(HERE), Store(home), LocalCloud(home))
    try:
        _, result = playgrounds.up("ana", quiet)
        assert result.result == "succeeded", result.diagnostics
        shutil.rmtree(home / "stacks")
        shutil.rmtree(home / "playgrounds")
        orphans = sweep.orphans(playgrounds)
        assert orphans.unseen == []
        assert sweep.remove(playgrounds, orphans.found, quiet) == []
        assert playgrounds.local_cloud.resources() == {}
    finally:
        playgrounds.local_cloud.stop()


# Types that take tags and are in no listing, each with what makes that right.
NOT_LISTED = {
    "aws:alb/": "other names of aws:lb/…",
    "aws:ec2/default": "goes with its VPC",
    "aws:ec2/vpcPeeringConnectionAccepter": "the connection itself is listed",
    "aws:iam/serviceLinkedRole": "the account's, not a playground's",
    "aws:lb/listener": "goes with its load balancer, as do the rules",
    "aws:s3/bucketObject": "goes with its bucket",
    "aws:s3/bucketV2": "another name of aws:s3/bucket",
    "aws:vpc/securityGroup": "a rule goes with its security group",
}


def test_every_type_that_takes_tags_is_listed_or_goes_with_one_that_is() -> None:
    tagged = {row.token for row in all_rows()[0] if row.tagged}
    left = {token for token in tagged - listings.listed_types() if not token.startswith(tuple(NOT_LISTED))}
    assert left == set()
    assert listings.listed_types() <= {row.token for row in all_rows()[0]}
