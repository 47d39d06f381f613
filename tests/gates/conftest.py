"""A world of its own for each test that looks at what a run is about to do."""

from __future__ import annotations

from tests.engine.conftest import world

__all__ = ["world"]
