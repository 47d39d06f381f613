"""What is known of a playground beside its state: how long it lives, when that is said, and what a removed one leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from isostack.errors import BadInput
from isostack.playground import records
from isostack.playground.lifecycle import warnings
from isostack.playground.records import Record, Records


def record(name: str, remaining: timedelta) -> Record:
    """One that was made just now and has so long to live."""
    now = records.now()
    return Record(name, "small", "ana", now.isoformat(), (now + remaining).isoformat())


@pytest.mark.parametrize(
    ("text", "span"),
    [("90m", timedelta(minutes=90)), ("8h", timedelta(hours=8)), ("2d", timedelta(days=2)), ("72h", timedelta(hours=72))],
)
def test_a_lifetime_is_a_number_of_minutes_hours_or_days(text: str, span: timedelta) -> None:
    assert records.lifetime(text, records.LONGEST_LIFETIME) == span


@pytest.mark.parametrize("text", ["", "8", "h", "0h", "-1h", "+1h", "1.5h", "8 h", "8H", "1w", "1e3m", "٣h", "123456m", "8h\n"])
def test_anything_else_is_no_lifetime(text: str) -> None:
    with pytest.raises(BadInput, match="is no lifetime"):
        records.lifetime(text, records.LONGEST_LIFETIME)


@pytest.mark.parametrize("text", ["73h", "4d", "99999m"])
def test_nobody_gets_longer_than_the_longest(text: str) -> None:
    with pytest.raises(BadInput, match="at most 3 d, for everyone"):
        records.lifetime(text, records.LONGEST_LIFETIME)


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(31, None), (30, "expires in"), (1, "expires in"), (0, "has expired"), (-600, "has expired")],
)
def test_a_warning_is_given_from_half_an_hour_before(minutes: int, told: str | None) -> None:
    lines: list[str] = []
    slack = timedelta(seconds=20) if told is None else timedelta()
    warnings([record("ana", timedelta(minutes=minutes) + slack)], lines.append)
    assert [told in line and "isostack play extend 4h ana" in line for line in lines if told] == [True] * len(lines)
    assert len(lines) == (told is not None)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=-5), "less than a minute"),
        (timedelta(minutes=25), "25 min"),
        (timedelta(hours=8), "8 h"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=2, hours=3, minutes=9), "2 d 3 h"),
    ],
)
def test_a_span_is_shown_in_its_two_largest_units(span: timedelta, text: str) -> None:
    assert records.shown(span) == text


def test_a_record_is_kept_and_found_again(tmp_path: Path) -> None:
    kept = record("ana", timedelta(hours=1))
    Records(tmp_path).keep(kept)
    assert Records(tmp_path).get("ana") == kept
    assert Records(tmp_path).all() == [kept]
    assert Records(tmp_path).of("ana").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"name": "ana"', '{"name": "ana", "unknown": 1}', "\x00"])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    Records(tmp_path).keep(record("ana", timedelta(hours=1)))
    (Records(tmp_path).of("ana") / "playground.json").write_text(text)
    assert Records(tmp_path).get("ana") is None
    assert Records(tmp_path).all() == []


def test_a_removed_one_leaves_a_line_and_nothing_else(tmp_path: Path) -> None:
    kept, found = record("ana", timedelta(hours=1)), Records(tmp_path)
    found.keep(kept)
    found.remove(kept, resources=7, bring_back="isostack play up ana")
    assert found.all() == []
    assert not found.of("ana").exists()
    [line] = found.tombstones()
    assert (line["name"], line["owner"], line["resources"], line["bring_back"]) == ("ana", "ana", 7, "isostack play up ana")
    assert line["removed"] >= kept.created


def test_a_removed_one_with_snapshots_keeps_them(tmp_path: Path) -> None:
    kept, found = record("ana", timedelta(hours=1)), Records(tmp_path)
    found.keep(kept)
    (found.of("ana") / "snapshots" / "last").mkdir(parents=True)
    found.remove(kept)
    assert (found.of("ana") / "snapshots" / "last").is_dir()


def test_a_line_that_was_cut_off_hides_no_other(tmp_path: Path) -> None:
    found = Records(tmp_path)
    for name in ("one", "two"):
        found.remove(record(name, timedelta()))
    file = found.folder / "tombstones.jsonl"
    file.write_text(file.read_text().replace('{"name": "one"', '{"name": "on'))
    assert [line["name"] for line in found.tombstones()] == ["two"]


def test_places_are_remembered_once_each(tmp_path: Path) -> None:
    found = Records(tmp_path)
    found.keep(record("ana", timedelta(hours=1)))
    assert found.places() == set()
    found.add_places([("111111111111", "eu-west-1")])
    found.add_places([("111111111111", "eu-west-1"), ("222222222222", "eu-central-1")])
    assert Records(tmp_path).places() == {("111111111111", "eu-west-1"), ("222222222222", "eu-central-1")}
    assert len((found.folder / "places").read_text().splitlines()) == 2
