"""What a local cloud keeps for one that takes its place, as tests look at it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from isostack.localcloud.server import LocalCloud

needs_memory = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="the system's memory has no folder here")  # noqa: S108


def kept(local: LocalCloud) -> Path:
    """The file for what it holds, which need not exist."""
    return Path(json.loads((local.home / "cloud.json").read_text())["content"])


def wait_until_kept(local: LocalCloud) -> Path:
    """Wait until what the cloud holds is kept; gives the file."""
    deadline = time.monotonic() + 60
    while not kept(local).is_file():
        assert time.monotonic() < deadline, local.log.read_text()
        time.sleep(0.05)
    return kept(local)
