"""A local cloud that was reset or stopped: nothing that is gone is reported as if it were there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isostack.localcloud.server import LocalCloud

PROGRAM = """
import pulumi
from pulumi_aws import sqs

pulumi.export("url", sqs.Queue("jobs").url)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "Pulumi.yaml").write_text("name: lost\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    home = tmp_path / ".isostack"
    yield home
    LocalCloud(home).stop()


def isostack(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isostack.cli", *arguments, "--cwd", str(home.parent)]
    environment = {key: value for key, value in os.environ.items() if key != "ISOSTACK_HOME"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own command


def test_status_and_outputs_say_what_a_reset_took_and_up_makes_it_anew(home: Path) -> None:
    assert isostack(home, "up", "dev").returncode == 0
    assert "gone" not in isostack(home, "status").stdout

    isostack(home, "cloud", "reset", "--yes")
    status = json.loads(isostack(home, "status", "--json").stdout)["environments"][0]
    assert "was reset" in status["problem"] and "isostack up dev" in status["problem"]
    assert "was reset" in isostack(home, "outputs", "dev").stderr

    isostack(home, "cloud", "stop")
    assert "does not run" in isostack(home, "status").stdout

    again = isostack(home, "up", "dev")
    assert again.returncode == 0
    assert "gone" in again.stdout
    assert LocalCloud(home).resources() == {"sqs": 1}
    assert "gone" not in isostack(home, "status").stdout
