"""One state folder, and so one local cloud, for all tests of a process that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import CommandLine


@pytest.fixture(scope="session")
def isostack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line; its local cloud is stopped at the end, and none may stop or reset it before."""
    home = tmp_path_factory.mktemp("cli-home")
    run = CommandLine(home)
    yield run
    run("cloud", "stop", cwd=home)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line with a state folder for one test alone; its cloud is stopped afterwards, if it was started."""
    run = CommandLine(tmp_path / "home")
    yield run
    run("cloud", "stop", cwd=tmp_path)
