"""kill -9 in the middle of a run: the next run replays the journal, adopts what was left behind, and nothing is doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isostack.localcloud.server import LocalCloud

QUEUES = 40
PROGRAM = f"""
from pulumi_aws import sqs

for number in range({QUEUES}):
    sqs.Queue(f"queue-{{number}}", tags={{"number": str(number)}})
"""


class Project:
    """A project of forty queues, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        (folder / "Pulumi.yaml").write_text("name: queues\nruntime: python\n")
        (folder / "__main__.py").write_text(PROGRAM)
        self.cloud = LocalCloud(self.home)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "isostack.cli", *arguments, "--cwd", str(self.folder)]
        environment = {**os.environ, "ISOSTACK_HOME": str(self.home)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command

    def run(self, *arguments: str) -> dict:
        process = self.start(*arguments, "--json")
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, (output, errors)
        return json.loads(output)

    def kill_once(self, lines: int, *arguments: str) -> None:
        """Start a run and kill it as soon as its journal has so many lines."""
        journal = self.home / "stacks" / "queues" / "dev" / "journal.jsonl"
        process = self.start(*arguments)
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= lines):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    project.cloud.stop()


@pytest.mark.parametrize("lines", [2, 20, 60])
def test_a_run_that_was_killed_is_carried_on_without_loss_or_doubles(project: Project, lines: int) -> None:
    project.kill_once(lines, "up", "dev", "--skip-preview")

    after = project.run("up", "dev")

    assert after["result"] == "succeeded"
    assert project.cloud.resources() == {"sqs": QUEUES}
    again = project.run("up", "dev")
    assert again["changes"]["same"] == QUEUES + 1


def test_a_destroy_that_was_killed_is_carried_on(project: Project) -> None:
    project.run("up", "dev")
    project.kill_once(20, "destroy", "dev", "--yes")

    project.run("destroy", "dev", "--yes")

    assert project.cloud.resources() == {}
