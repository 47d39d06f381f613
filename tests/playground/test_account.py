"""Snapshots of a stack in an account, by boto3 alone: the local cloud stands for AWS here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from isostack.errors import OperationFailed, Refused
from isostack.localcloud.client import Cloud
from isostack.playground.account import AccountHost, AccountSnapshots, AccountStores, stack_in
from isostack.playground.snapshot_bucket import Bucket
from tests.command_line import CommandLine
from tests.playground.conftest import Yard
from tests.playground.content import content, fill, quiet

NAME = "real"


class RealAccount:
    """A stack that is up, its exported state, and the person's credentials."""

    def __init__(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        self.yard = yard
        key, secret, token = Cloud(yard.local_cloud.ensure().url, "eu-west-1", yard.account).credentials()
        self.variables = {
            "AWS_ENDPOINT_URL": yard.local_cloud.ensure().url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": str(token),
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)
        self.exported = json.dumps(yard.playgrounds.store.export("small", f"play-{NAME}"))

    def snapshots(self, bucket: str) -> AccountSnapshots:
        host = AccountHost(boto3.Session(), "eu-west-1")
        loaded = stack_in(self.exported, "state.json", self.yard.playgrounds.store.keyring)
        return AccountSnapshots(loaded, host, Bucket(host.home, bucket), poll_seconds=0.05)

    def take(self, bucket: str, label: str) -> Any:
        return self.snapshots(bucket).take(label, self.exported, lambda what: None)

    def restore(self, bucket: str, label: str | None = None) -> Any:
        return self.snapshots(bucket).restore(label, self.yard.playgrounds.store.keyring, lambda what: None)

    def content(self) -> dict[str, Any]:
        """What is in it."""
        with self._present_address():
            return content(self.yard, NAME)

    def fill(self, mark: str) -> None:
        """Put something into all of it."""
        with self._present_address():
            fill(self.yard, NAME, mark)

    @contextmanager
    def _present_address(self) -> Iterator[None]:
        """Find the database where it is now: its port stays on AWS alone."""
        yard = self.yard
        url = yard.playgrounds.environment(NAME)["DATABASE_URL"]
        at = url.replace(f":{urlsplit(url).port}/", f":{self.database()['Endpoint']['Port']}/")
        sql, yard.sql = yard.sql, lambda name, statement: yard.query(at, statement)  # type: ignore[method-assign]
        try:
            yield
        finally:
            yard.sql = sql  # type: ignore[method-assign]

    def database(self) -> dict[str, Any]:
        """The one that there is of this stack, beside those of other playgrounds in the account."""
        instances = self.client("rds").describe_db_instances()["DBInstances"]
        own = [one for one in instances if {"Key": "playground", "Value": NAME} in one["TagList"]]
        assert len(own) == 1, [(one["DBInstanceIdentifier"], one["TagList"]) for one in instances]
        return dict(own[0])

    def databases_kept(self) -> list[Any]:
        found: list[Any] = self.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        return found

    def client(self, service: str) -> Any:
        return boto3.client(service)


@pytest.fixture(scope="module")
def stack(yard: Yard) -> Iterator[RealAccount]:
    yard.playgrounds.up(NAME, quiet)
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield RealAccount(yard, monkeypatch)
    yard.playgrounds.down(NAME, quiet, snapshot=False)


@pytest.fixture
def account(stack: RealAccount) -> Iterator[RealAccount]:
    yield stack
    for snapshot in stack.databases_kept():
        stack.client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])


def test_what_was_changed_comes_back_from_rds_and_the_bucket_also_when_it_was_cut_off(
    account: RealAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.fill("before")
    before = account.content()
    account.take("s3://kept-here/team", "good")
    (snapshot,) = account.databases_kept()
    assert snapshot["Status"] == "available"
    assert {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]}["playground"] == NAME
    assert account.content() == before, "the messages wait again"
    account.fill("after")

    rename = AccountStores._rename
    with monkeypatch.context() as cut_off:

        def rename_away(self: AccountStores, rds: Any, old: str, new: str) -> None:
            if old.endswith("-restored"):
                raise OperationFailed("cut off")
            rename(self, rds, old, new)

        cut_off.setattr(AccountStores, "_rename", rename_away)
        with pytest.raises(OperationFailed, match="cut off"):
            account.restore("s3://kept-here/team")
    assert account.restore("s3://kept-here/team").label == "good"
    assert account.content() == before
    assert account.database()["DBInstanceIdentifier"] == snapshot["DBInstanceIdentifier"], (
        "under its old name, and no other is left"
    )

    s3 = account.client("s3")
    assert s3.get_bucket_versioning(Bucket="kept-here")["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket="kept-here")["PublicAccessBlockConfiguration"].values())
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="kept-here")["Contents"]]
    bodies = b"".join(s3.get_object(Bucket="kept-here", Key=key)["Body"].read() for key in keys)
    assert b"secret before" not in bodies

    # A second one under the label takes the first one's place, and its database snapshot.
    account.take("s3://kept-here/team", "good")
    assert [kept.label for kept in account.snapshots("s3://kept-here/team").all()] == ["good"]
    (newer,) = account.databases_kept()
    assert newer["DBSnapshotArn"] != snapshot["DBSnapshotArn"]


def test_half_of_a_snapshot_is_none_and_a_damaged_one_changes_nothing(
    account: RealAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.fill("before")
    with monkeypatch.context() as failing:

        def full(*arguments: Any, **named: Any) -> None:
            raise OperationFailed("no more room")

        failing.setattr(Bucket, "put", full)
        with pytest.raises(OperationFailed, match="no more room"):
            account.take("s3://kept-there", "half")
    assert account.snapshots("s3://kept-there").all() == []
    assert account.databases_kept() == [], "what RDS kept of it is gone as well"

    account.take("s3://kept-there", "good")
    before = account.content()
    s3 = account.client("s3")
    (queue,) = [item["Key"] for item in s3.list_objects_v2(Bucket="kept-there")["Contents"] if "/queue-" in item["Key"]]
    s3.put_object(Bucket="kept-there", Key=queue, Body=b"[]")
    with pytest.raises(OperationFailed, match="snapshot good is damaged"):
        account.restore("s3://kept-there", "good")
    assert account.content() == before


def test_a_bucket_that_is_open_and_credentials_of_another_account_are_refused(account: RealAccount) -> None:
    account.client("s3").create_bucket(Bucket="open-one", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(Refused, match=r"bucket open-one is no place for snapshots: it is not versioned, .*closed to the public"):
        account.take("s3://open-one", "good")
    with pytest.raises(Refused, match="these credentials lead to account 111111111111, and the stack is in 222222222222"):
        AccountHost(boto3.Session(), "eu-west-1").configure("aws", {"allowedAccountIds": '["222222222222"]'})


def test_the_commands_keep_and_list_and_say_what_is_missing(account: RealAccount, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(account.exported)
    isostack = CommandLine(account.yard.home)
    given = ("--state", state, "--bucket", "s3://by-command", "--json")

    def run(*arguments: str | Path) -> Any:
        return isostack("play", "account", *arguments, cwd=account.yard.root, env=account.variables)

    assert run("list", *given).code == 1, "there is no such bucket yet"
    kept = run("snapshot", "first", *given)
    assert kept.code == 0, kept.out + kept.err
    assert run("list", *given).json["snapshots"] == [kept.json["snapshot"]]
    unknown = run("restore", "second", *given)
    assert unknown.code == 2
    assert "has no snapshot second in by-command; there are: first" in unknown.out + unknown.err
    none = run("list", "--state", tmp_path / "none.json", "--bucket", "s3://by-command")
    assert (none.code, "pulumi stack export writes it" in none.out + none.err) == (2, True)
