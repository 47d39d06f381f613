"""A world of its own for each test that looks at what a run is about to do, and a small project that runs in its own cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.conftest import world
from tests.gates.small import Small

__all__ = ["world"]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """The small project, whose staging is up: alice made it."""
    small = Small(tmp_path_factory.mktemp("small"))
    small.login("alice")
    small.done("up", "staging")
    yield small
    small("cloud", "stop")


@pytest.fixture
def small(running: Small) -> Iterator[Small]:
    """The same, with nobody logged in, and brought back to what it was."""
    running("cloud", "logout")
    running.says()
    yield running
