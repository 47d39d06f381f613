"""A world of its own for each test of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from isostack.engine import secrets
from tests.engine.harness import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty project, an empty state and an empty cloud."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    monkeypatch.setattr(secrets, "ROUNDS", 10)  # a million rounds take longer than all the rest of a test
    return World(tmp_path)
