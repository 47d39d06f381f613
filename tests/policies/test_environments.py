"""The pack and this project: its environments pass. What is noticed when they are broken is in ``test_mutations``."""

from __future__ import annotations

import pytest

from policies.exceptions import FILE
from policies.rule import ENVIRONMENTS
from tests.policies.stacks import judge_stack


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_of_this_project_passes(environment: str) -> None:
    report = judge_stack(environment)
    assert report.mandatory == []
    assert report.unsure == {}


def test_no_environment_of_this_project_needs_an_exception() -> None:
    assert [line for line in FILE.read_text().splitlines() if not line.startswith("#")] == ["[]"]
