"""A throwaway stack of the official CLI: the same program, told by its configuration. Skipped, loudly, where there is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import boto3
import pytest

from isostack.engine.secrets import Keyring
from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from isostack.playground.account import AccountHost, AccountSnapshots, stack_in
from isostack.playground.listings import survey
from isostack.playground.snapshot_bucket import Bucket
from tests.against_cli.shell import ROOT, Shell

pytestmark = pytest.mark.skipif(
    not shutil.which("pulumi"), reason="PULUMI IS NOT ON THE PATH: whether a throwaway stack comes and goes there is not tried"
)
ACCOUNT, REGION, OWNER, EXPIRES = "111111111111", "eu-west-1", "ana", "2030-01-01T18:00:00+00:00"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """This repository's program, where the CLI may write a stack's file."""
    for name in ("stacks", "components"):
        shutil.copytree(ROOT / name, tmp_path / "shop" / name, ignore=shutil.ignore_patterns("__pycache__", "Pulumi.*.yaml"))
    text = "name: shop\nruntime: python\nmain: stacks\nstackConfigDir: stacks\n"
    (tmp_path / "shop" / "Pulumi.yaml").write_text(text)
    return tmp_path / "shop"


def test_a_throwaway_stack_comes_is_kept_and_put_back_and_goes(
    project: Path, shell: Shell, local_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pulumi(*arguments: str) -> str:
        return shell.pulumi(*arguments, cwd=project)

    as_the_person(monkeypatch, local_cloud)
    # As docs/playgrounds.md has it.
    pulumi("stack", "init", "play-ana")
    pulumi("config", "set", "isostack:environment", "dev")
    pulumi("config", "set", "isostack:parameters", "1.0.0")
    for name, value in (("name", "ana"), ("owner", OWNER), ("expires", EXPIRES)):
        pulumi("config", "set", "--path", f"isostack:playground.{name}", value)
    pulumi("up", "--yes", "--skip-preview")
    try:
        outputs: dict[str, Any] = json.loads(pulumi("stack", "output", "--json"))
        rds, s3 = boto3.client("rds"), boto3.client("s3")
        (database,) = [one for one in rds.describe_db_instances()["DBInstances"] if "shop-ana" in one["DBInstanceIdentifier"]]
        tags = {tag["Key"]: tag["Value"] for tag in database["TagList"]}
        assert (tags["playground"], tags["owner"], tags["expires"]) == ("ana", OWNER, EXPIRES)
        assert not database["DeletionProtection"]

        s3.put_object(Bucket=outputs["asset_bucket"], Key="a.png", Body=b"before")
        kept = snapshots(pulumi("stack", "export"), local_cloud)
        kept.take("good", pulumi("stack", "export"), lambda what: None)
        s3.put_object(Bucket=outputs["asset_bucket"], Key="a.png", Body=b"after")
        assert kept.restore(None, Keyring(local_cloud.home), lambda what: None).label == "good"
        assert s3.get_object(Bucket=outputs["asset_bucket"], Key="a.png")["Body"].read() == b"before"
    finally:
        pulumi("refresh", "--yes", "--skip-preview")  # the database is another one
        pulumi("destroy", "--yes", "--skip-preview")
        pulumi("stack", "rm", "--yes")
    left = survey(Cloud(local_cloud.ensure().url, REGION, ACCOUNT), frozenset(), {"ana"}).found
    assert [one.type for one in left] == ["aws:rds/snapshot:Snapshot"], "nothing but what was kept"
    rds.delete_db_snapshot(DBSnapshotIdentifier=left[0].id)


def as_the_person(monkeypatch: pytest.MonkeyPatch, local_cloud: LocalCloud) -> None:
    """Let boto3 find the local cloud, and credentials of the stack's account."""
    endpoint = local_cloud.ensure().url
    key, secret, token = Cloud(endpoint, REGION, ACCOUNT).credentials()
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    variables |= {"AWS_SESSION_TOKEN": str(token), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def snapshots(exported: str, local_cloud: LocalCloud) -> AccountSnapshots:
    """What ``isostack play account`` works with, but that it asks RDS more often."""
    host = AccountHost(boto3.Session(), REGION)
    loaded = stack_in(exported, "state.json", Keyring(local_cloud.home))
    return AccountSnapshots(loaded, host, Bucket(host.home, "s3://kept-of-the-cli"), poll_seconds=0.05)
