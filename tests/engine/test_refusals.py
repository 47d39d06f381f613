"""The list in docs/engines.md of what the embedded engine does not do."""

from __future__ import annotations

from pathlib import Path

from isostack.engine.refusals import listing, with_listing

DOCUMENT = Path(__file__).parent.parent.parent / "docs/engines.md"


def test_the_list_in_the_document_is_what_the_code_refuses() -> None:
    text = DOCUMENT.read_text()
    assert with_listing(text) == text, "run: make refusals"


def test_the_list_has_what_programs_run_into() -> None:
    lines = listing().splitlines()
    for refused in ("dynamic provider of …", "remote component …", "method call …", "parameterized package …"):
        assert f"- {refused}" in lines
    assert any("loopback address only" in line for line in lines)
    assert not any("\n" in line or line.endswith(":…") for line in lines)
