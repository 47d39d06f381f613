"""The comment of a pull request: the same bytes for the same report, small enough, and text wherever it says a name."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from isostack.preview.markdown import LIMIT, markdown
from isostack.preview.report import Finding, ParameterChange, Report, Widening
from tests.preview.reports import HOSTILE, database, environment, hostile, queue, report

GOLDEN = Path(__file__).parent / "golden"
ARTEFACT = "https://example.com/runs/1/preview.html"


def golden(name: str, text: str) -> None:
    """Hold a comment against the one that is kept. ISOSTACK_GOLDEN=write keeps this one instead."""
    file = GOLDEN / f"{name}.md"
    if os.environ.get("ISOSTACK_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def many(count: int) -> Report:
    """A report in which so many resources change in one environment, each in another way."""
    changes = [queue(f"shop-jobs-{number}", str(number), str(number + 1)) for number in range(count)]
    findings = tuple(Finding("queue-encrypted", "advisory", change.name, "it is not encrypted") for change in changes)
    return report(environment("dev", *changes, policies=findings), environment("production", database()))


def test_nothing_changes() -> None:
    golden("nothing_changes", markdown(report(), ARTEFACT))


def test_one_parameter_changes() -> None:
    changed = ParameterChange("queue.visibility_timeout", "1min", "90s", "1.1.0.yaml:131, table queue.visibility_timeout")
    one = environment("dev", queue(), pinned="1.1.0", parameters=(changed,))
    golden("one_parameter", markdown(report(one), ARTEFACT))


def test_a_database_is_replaced() -> None:
    golden("database_replaced", markdown(report(environment("staging", queue(), database())), ARTEFACT))


def test_a_policy_refuses() -> None:
    finding = Finding("database-encrypted", "mandatory", "shop-database (aws:rds:Instance)", "its storage is not encrypted")
    wider = Widening("shop-task (aws:iam:Role)", "shop-task may s3:GetObject on arn:aws:s3:::shop-assets/*")
    golden("policy_violation", markdown(report(environment("production", queue(), policies=(finding,), widened=(wider,))), ""))


def test_five_thousand_changes() -> None:
    golden("five_thousand_changes", markdown(many(5000), ARTEFACT))


def test_an_environment_fails_and_the_others_show() -> None:
    broken = replace(environment("staging"), error="__main__.py:12: KeyError: 'region'", changes=(), nodes=())
    golden("one_fails", markdown(report(environment("dev", queue()), broken), ARTEFACT))


def test_costs_have_a_column_where_they_are_known() -> None:
    assert "a month" not in markdown(report())
    text = markdown(report(environment("dev", queue(), cost_before=10.0, cost_after=12.5)))
    assert "| environment | changes | data at stake | policies | wider | parameters | a month (estimate) |" in text
    assert "<code>&#36;10.00 to &#36;12.50 &#40;+&#36;2.50&#41;</code>" in text


@pytest.mark.parametrize("count", [1, 300, 1000, 3000])
def test_it_fits_whatever_the_size(count: int) -> None:
    text = markdown(many(count), ARTEFACT)
    assert len(text.encode()) < LIMIT
    told = len(re.findall(r"^! shop-jobs-\d+ ", text, re.MULTILINE))
    left_out = re.search(r"^# … and ([\d,]+) more change", text, re.MULTILINE)
    assert told + (int(left_out[1].replace(",", "")) if left_out else 0) == count
    assert "shop-database" in text and ARTEFACT in text
    _well_formed(text)


def test_a_thousand_environments_fit() -> None:
    every = tuple(environment(f"env-{number}", queue(), database()) for number in range(1000))
    text = markdown(replace(report(), environments=every), ARTEFACT)
    assert len(text.encode()) < LIMIT
    assert re.search(r"… and [\d,]+ more \|", text)
    _well_formed(text)


def test_hostile_names_come_out_as_text() -> None:
    text = markdown(hostile(), "https://example.com/a)b](c <d> 'e' | f`g`")
    assert len(text.encode()) < LIMIT
    _well_formed(text)
    outside = _outside_of_fences(text)
    tags = set(re.findall(r"<[^>]*>", outside))
    assert tags == {"<!-- isostack preview -->", "<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"}
    prose = re.sub(r"<code>.*?</code>", "", outside)
    assert not re.search(r"@|:tada:|example\.com/i|www\.|GH-1|#1", prose)
    for code in re.findall(r"<code>(.*?)</code>", outside):
        assert not re.search(r"[`*_\[\]<>|@~$\\]|://|#(?!\d+;)", re.sub(r"&#\d+;", "", code)), code
    assert "\u202e" not in text and "\x1b" not in text and "\\u202e" in text


def test_a_fence_is_longer_than_any_run_of_backticks() -> None:
    text = markdown(report(environment("dev", queue("a`````b", "```", HOSTILE[3]))))
    assert "``````diff" in text
    _well_formed(text)


def test_two_runs_give_the_same_bytes() -> None:
    assert markdown(hostile()) == markdown(hostile())


def _lines_and_fences(text: str) -> list[tuple[str, bool]]:
    """Each line, and whether it is in a fence or one of its ends."""
    found, fence = [], ""
    for line in text.splitlines():
        ends = re.fullmatch(r"(`{3,})(\w*)", line)
        if fence:
            found.append((line, True))
            fence = "" if line == fence else fence
        else:
            found.append((line, bool(ends)))
            fence = ends[1] if ends else ""
    assert not fence, "a fence is not closed"
    return found


def _outside_of_fences(text: str) -> str:
    return "\n".join(line for line, fenced in _lines_and_fences(text) if not fenced)


def _well_formed(text: str) -> None:
    """Fences and details are closed, the table's rows have as many cells as its head, and nothing else is a table."""
    outside = _outside_of_fences(text)
    assert outside.count("<details>") == outside.count("</details>") == outside.count("<summary>")
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert len(rows) >= 2
