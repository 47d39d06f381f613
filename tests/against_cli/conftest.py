"""What the comparisons share."""

from __future__ import annotations

import pytest

from isostack.engine.secrets import PassphraseSecrets
from tests.against_cli.official import new_secrets


@pytest.fixture(scope="session")
def sealed() -> PassphraseSecrets:
    """One salt for all states of the CLI: deriving its key takes a while."""
    return new_secrets()
