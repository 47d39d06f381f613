"""What is compared and what the table of known differences holds, without the CLI."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from isostack.engine.state import ResourceState
from isostack.engine.values import Secret
from tests.against_cli import known
from tests.against_cli.both import Done, Seen, differences
from tests.against_cli.two_engines import MODULES

A, B = (f"urn:pulumi:dev::shop::aws:test/thing:Thing::{name}" for name in "ab")
PAGE = """
## Known differences

| What differs | Shows in | Why |
| --- | --- | --- |
| `step: - ≠ *` `call: *` | `first`, `second[x-1]` | Because. |

## What is not compared

| Tests | Why |
| --- | --- |
| `one`, `two` | They count. |
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    monkeypatch.setattr(known, "PAGE", path)
    for cached in (known.rows, known.left_out):
        monkeypatch.setattr(known, cached.__name__, cached.__wrapped__)


def thing(urn: str, **fields: object) -> ResourceState:
    return ResourceState(urn=urn, type="aws:test/thing:Thing", custom=True, id=f"{urn[-1]}-1", **fields)  # type: ignore[arg-type]


def calls(*names: str) -> list[Done]:
    return [Done(f"create {name}", name) for name in names]


@pytest.mark.parametrize(
    ("test", "found", "told"),
    [
        ("first", ["step: - ≠ a", "call: x ≠ -"], ""),
        ("second[x-1]", ["step: - ≠ a", "call: x ≠ -"], ""),
        ("first", ["step: - ≠ a", "call: x ≠ -", "state: a"], "differs: state: a"),
        ("first", ["step: - ≠ a"], "no longer differs: call: *"),
        ("first", [], "no longer differs: step: - ≠ *"),
        ("other", ["call: x ≠ -"], "differs: call: x ≠ -"),
        ("other", [], ""),
    ],
)
def test_what_is_not_listed_fails_and_so_does_what_no_longer_shows(page: None, test: str, found: list[str], told: str) -> None:
    if not told:
        known.hold(test, found)
        return
    with pytest.raises(pytest.fail.Exception) as failed:
        known.hold(test, found)
    assert told in str(failed.value)


def test_what_is_left_out_has_a_reason(page: None) -> None:
    assert known.left_out() == {"one": "They count.", "two": "They count."}


def test_every_test_that_the_page_names_is_one() -> None:
    of_engine = {f"{m}__{n.removeprefix('test_')}" for m in MODULES for n in vars(import_module(f"tests.engine.test_{m}"))}
    whole = set(re.findall(r"def test_(\w+)", (Path(__file__).parent / "test_programs.py").read_text()))
    named = {*known.left_out(), *(test.partition("[")[0] for row in known.rows() for test in row.tests)}
    assert named
    assert named - of_engine - whole == set()


def test_the_same_differs_in_nothing() -> None:
    state = [thing(A, inputs={"size": 1, "key": Secret("x")}), thing(B, dependencies=[A])]
    step = frozenset({(A, "create", "done")})
    seen = Seen(True, step, {A: frozenset({"size"})}, calls("a", "b"), state)
    assert differences(seen, seen) == []


@pytest.mark.parametrize(
    ("theirs", "line"),
    [
        (Seen(False), "result: succeeded ≠ failed"),
        (Seen(True, frozenset({(A, "create", "done")})), "step: - ≠ aws:test/thing:Thing::a create done"),
        (Seen(True, calls=calls("a")), "call: - ≠ create a"),
        (Seen(True, state=[thing(A)]), "in state: - ≠ aws:test/thing:Thing::a"),
    ],
)
def test_what_one_does_alone_is_told(theirs: Seen, line: str) -> None:
    assert line in differences(Seen(True), theirs)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"inputs": {"size": 2}}, "inputs.size: 1 ≠ 2"),
        ({"inputs": {"size": Secret(1)}}, 'inputs.size: 1 ≠ {"<secret>": 1}'),
        ({"inputs": {"size": 1}, "protect": True}, "protect: null ≠ true"),
        ({"inputs": {"size": 1}, "property_dependencies": {"size": [A]}}, f'property_dependencies: null ≠ {{"size": ["{A}"]}}'),
        ({"inputs": {"size": 1}, "others": {"taint": True}}, "others.taint: null ≠ true"),
    ],
)
def test_each_field_of_the_state_is_compared(fields: dict[str, object], told: str) -> None:
    ours, theirs = (Seen(True, state=[thing(B, **more)]) for more in ({"inputs": {"size": 1}}, fields))
    assert differences(ours, theirs) == [f"state: aws:test/thing:Thing::b {told}"]


def test_order_counts_between_those_of_which_one_needs_the_other() -> None:
    apart, needing = [thing(A), thing(B)], [thing(A), thing(B, dependencies=[A])]
    for state, told in ((apart, []), (needing, ["order: create a before create b ≠ -", "order: - ≠ create b before create a"])):
        ours, theirs = (Seen(True, calls=calls(*names), state=state) for names in ("ab", "ba"))
        assert differences(ours, theirs) == told
