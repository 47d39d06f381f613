"""The README's table of resource types."""

from __future__ import annotations

from pathlib import Path

from isostack.localcloud.resource_types import all_rows
from isostack.localcloud.table import with_table

README = Path(__file__).parent.parent / "README.md"


def test_the_table_in_the_readme_is_what_the_rows_say() -> None:
    text = README.read_text()
    assert with_table(text) == text, "run: make types"


def test_every_type_stands_in_the_table() -> None:
    text = README.read_text()
    assert all(row.token.rpartition(":")[2] in text for row in all_rows()[0])
