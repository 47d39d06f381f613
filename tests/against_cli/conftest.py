"""The official CLI, run against the local cloud."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.engines import PACKAGES, environment, plugin
from isostack.localcloud.server import LocalCloud

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def cli(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which ``pulumi`` runs against the local cloud."""
    folder = tmp_path_factory.mktemp("pulumi")
    (folder / "backend").mkdir()
    with ExitStack() as stack:
        ports = [stack.enter_context(plugin(package, local_cloud.home)) for package in PACKAGES]
        yield {
            **environment(local_cloud.home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_DEBUG_COMMANDS": "true",  # or there is no --event-log
            "PULUMI_DEBUG_PROVIDERS": ",".join(ports),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": str(ROOT),
        }
