"""Two real runs fight for a stack's state in the local cloud's bucket: one is frozen past its lease, one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from isostack.engine.store import Store
from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from isostack.shared_state.bucket import Bucket
from isostack.shared_state.objects import Objects
from tests.command_line import CommandLine, project

QUEUES = 6
STOPS = """
import os, signal, sys
from isostack import cli
from isostack.shared_state import lease
from isostack.shared_state.objects import Objects

lease.LEASE = 1.0
put = Objects.put

def put_later(self, key, data, *arguments, **named):
    if {moment}:
        Objects.put = put
        print("at the moment", flush=True)
        os.kill(os.getpid(), signal.{signal})
    return put(self, key, data, *arguments, **named)

Objects.put = put_later
sys.argv[1:] = ["up", "dev", "--skip-preview"]
cli.main()
"""
MADE_AND_NOT_RECORDED = """'/journal/' in key and b'"end"' in data and b'-2"' in data"""
SAVED_AND_NOT_NAMED = """key.endswith('head.json') and b'/states/' in data"""


@dataclass
class Team:
    """A project whose state is in the bucket, and the command line on it."""

    folder: Path
    isostack: CommandLine
    store: Store
    cloud: Cloud
    name: str

    def starts_and_stops(self, moment: str, by: str) -> subprocess.Popen[str]:
        """A run that stops itself just before a write to the bucket."""
        code = STOPS.format(moment=moment, signal=by)
        process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", code],
            cwd=self.folder, env=self.isostack.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        while "at the moment" not in (line := process.stdout.readline()):
            assert line, process.communicate()
        return process

    def queues(self) -> list[str]:
        return self.cloud.client("sqs").list_queues(QueueNamePrefix=self.name).get("QueueUrls", [])

    def assert_whole(self) -> None:
        """Every queue is there once, in the cloud and in the state, and nothing is pending."""
        snapshot = self.store.load("small", "dev").snapshot
        snapshot.verify()
        known = sorted(r.id for r in snapshot.resources if r.type == "aws:sqs/queue:Queue")
        assert sorted(self.queues()) == known
        assert len(known) == QUEUES
        assert snapshot.pending_operations == []


@pytest.fixture
def team(local_cloud: LocalCloud, state_bucket: Cloud, tmp_path: Path) -> Team:
    name = f"q{uuid.uuid4().hex[:8]}"
    address = f"s3://state/{name}"
    source = f"from pulumi_aws import sqs\nfor number in range({QUEUES}):\n    sqs.Queue(f'{name}-{{number}}')\n"
    folder = project(tmp_path / "team", source, extra=f"isostack:\n  state: {address}\n")
    isostack = CommandLine(local_cloud.home, {"PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    store = Store(tmp_path, backend=Bucket(Objects(lambda: state_bucket.client("s3"), address)))
    return Team(folder, isostack, store, state_bucket, name)


@pytest.mark.parametrize("moment", [MADE_AND_NOT_RECORDED, SAVED_AND_NOT_NAMED], ids=["made", "saved"])
def test_a_run_that_is_frozen_past_its_lease_is_refused_when_it_wakes_and_nothing_is_lost(team: Team, moment: str) -> None:
    frozen = team.starts_and_stops(moment, "SIGSTOP")
    try:
        while team.store.holder("small", "dev"):
            time.sleep(0.1)
        ran = team.isostack("up", "dev", "--json", cwd=team.folder)
        assert ran.code == 0, ran
        told = ran.json["diagnostics"][0]["message"]
        assert f"(process {frozen.pid}," in told
        assert "gave no sign of life" in told
        team.assert_whole()
        after = team.store.place("small", "dev").state()
    finally:
        frozen.send_signal(signal.SIGCONT)
    _, errors = frozen.communicate(timeout=60)
    assert (frozen.returncode, "took over" in errors) == (4, True), errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1, "one line"
    assert team.store.place("small", "dev").state() == after
    team.assert_whole()


def test_a_run_that_is_killed_is_carried_on_by_another_process_at_once(team: Team) -> None:
    killed = team.starts_and_stops(MADE_AND_NOT_RECORDED, "SIGKILL")
    killed.communicate()
    ran = team.isostack("up", "dev", "--json", cwd=team.folder)
    assert ran.code == 0, ran
    assert "that process is gone" in ran.json["diagnostics"][0]["message"]
    team.assert_whole()


def test_of_runs_that_begin_at_the_same_time_each_is_whole_or_told_to_wait(team: Team) -> None:
    processes = [team.isostack.starts("up", "dev", cwd=team.folder) for _ in range(3)]
    told = [process.communicate(timeout=120) for process in processes]
    codes = [process.returncode for process in processes]
    assert set(codes) <= {0, 4}, told
    assert 0 in codes
    team.assert_whole()
    with team.store.lock("small", "dev", "isostack refresh dev"):
        ran = team.isostack("up", "dev", cwd=team.folder)
    assert (ran.code, ran.err.count("\n")) == (4, 1), ran
    assert f"(process {os.getpid()}," in ran.err
