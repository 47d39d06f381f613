"""What the comparisons share."""

from __future__ import annotations

from pathlib import Path

import pytest

from isostack.engine.secrets import PassphraseSecrets
from isostack.localcloud.server import LocalCloud
from tests.against_cli.official import new_secrets
from tests.against_cli.shell import Shell, cloned, opened


@pytest.fixture(scope="session")
def sealed() -> PassphraseSecrets:
    """One salt for all states of the CLI: deriving its key takes a while."""
    return new_secrets()


@pytest.fixture
def shell(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A person's shell, for the local cloud of this process, with no stacks yet."""
    return opened(local_cloud.home, tmp_path_factory.mktemp("shell"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this project."""
    return cloned(tmp_path)
