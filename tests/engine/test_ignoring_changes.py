"""``ignore_changes``: which values of the program do not count, by path."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from isostack.engine.plan import ignore_changes, parse_path
from isostack.engine.values import Secret
from tests.engine.harness import Thing, World, options

OLD = {"size": 1, "tags": {"a": 1, "b": {"c": 2}}, "list": [{"x": 1, "y": 1}, {"x": 2, "y": 2}], "gone": "old"}
NEW = {"size": 9, "tags": {"a": 9, "b": {"c": 9}, "new": 9}, "list": [{"x": 9, "y": 9}, {"x": 9, "y": 9}], "added": 9}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("size", {"size": 1}),
        ("tags", {"tags": OLD["tags"]}),
        ("tags.a", {"tags": {"a": 1, "b": {"c": 9}, "new": 9}}),
        ('tags["b"].c', {"tags": {"a": 9, "b": {"c": 2}, "new": 9}}),
        ("tags.*", {"tags": {"a": 1, "b": {"c": 2}}}),
        ("list[0]", {"list": [{"x": 1, "y": 1}, {"x": 9, "y": 9}]}),
        ("list[*].x", {"list": [{"x": 1, "y": 9}, {"x": 2, "y": 9}]}),
        ("list[7].x", {}),
        ("size.deeper", {}),
        ("nowhere", {}),
        ("nowhere.deeper", {}),
    ],
)
def test_a_path_gives_back_the_old_values_and_no_others(path: str, changed: dict[str, Any]) -> None:
    assert ignore_changes(NEW, OLD, [path]) == {**NEW, **changed}


def test_a_value_that_was_added_is_left_out_and_one_that_was_removed_comes_back() -> None:
    assert ignore_changes({"added": 1}, {"gone": 2}, ["added", "gone"]) == {"gone": 2}


def test_a_star_stands_for_everything() -> None:
    assert ignore_changes(NEW, OLD, ["*"]) == OLD


def test_an_ignored_secret_stays_secret() -> None:
    old = {"password": Secret("old"), "box": Secret({"key": "old", "open": 1})}
    new = {"password": "new", "box": Secret({"key": "new", "open": 2})}
    assert ignore_changes(new, old, ["password", "box.key"]) == {
        "password": Secret("old"),
        "box": Secret({"key": "old", "open": 2}),
    }


@pytest.mark.parametrize(
    ("path", "tokens"),
    [("a.b[0].c", ["a", "b", 0, "c"]), ('a["b.c"]', ["a", "b.c"]), ('["x"].*', ["x", "*"]), ("a[*]", ["a", "*"])],
)
def test_paths_are_read_as_pulumi_reads_them(path: str, tokens: list[str | int]) -> None:
    assert parse_path(path) == tokens


@pytest.mark.parametrize("path", ["a..b", "a[", "a[x]", 'a["b'])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="not a property path"):
        parse_path(path)


def test_an_ignored_change_is_not_made(world: World) -> None:
    def program(value: int) -> None:
        Thing("a", options(ignore_changes=["size", "tags.a"]), size=value, tags={"a": value, "b": value})

    world.up_well(lambda: program(1))
    outcome = world.up_well(lambda: program(2))
    assert outcome.calls == ["update a-1"]
    assert world.cloud.named("a").inputs == {"name": "a", "size": 1, "tags": {"a": 1, "b": 2}}
    assert world.up_well().calls == []


def test_a_replacement_takes_the_programs_values(world: World) -> None:
    def program(value: int) -> None:
        Thing("a", options(ignore_changes=["size"]), size=value, fixed=value)

    world.up_well(lambda: program(1))
    world.up_well(lambda: program(2))
    assert world.cloud.named("a").inputs == {"name": "a", "size": 2, "fixed": 2}


def test_what_is_no_path_is_told_and_ignored(world: World) -> None:
    world.up_well(lambda: Thing("a", size=1))
    outcome = world.up_well(lambda: Thing("a", options(ignore_changes=["a..b"]), size=2))
    assert outcome.calls == ["update a-1"]
    assert "ignore_changes: 'a..b' is no property path" in outcome.messages("warning")


def test_an_ignored_output_of_another_resource_is_no_change(world: World) -> None:
    def program(fixed: int) -> None:
        a = Thing("a", fixed=fixed)
        Thing("b", options(ignore_changes=["source"]), source=pulumi.Output.secret(a.arn))

    world.up_well(lambda: program(1))
    assert world.up_well(lambda: program(2)).calls == ["create a", "delete a-1"]
    assert world.cloud.named("b").inputs["source"] == "arn:a-1"
