"""One state folder, and so one local cloud, for all programs that a test process runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.command_line import CommandLine


@pytest.fixture(scope="session")
def isostack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line; its local cloud is stopped at the end."""
    home = tmp_path_factory.mktemp("programs-home")
    run = CommandLine(home, {"PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    yield run
    run("cloud", "stop", cwd=home)
