"""The price table: each figure has a date and a source, and no type in use is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from isostack.cost.estimate import MEASURES
from isostack.cost.prices import ANYWHERE, FILE, Prices, prices
from isostack.engine.graph import LOOK_UP, record
from isostack.engine.project import PINNED_KEY, load_project, load_stack
from isostack.localcloud.provider import OfflineHost
from isostack.localcloud.server import LocalCloud
from isostack.parameters import parameters_of

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENTS = ("dev", "integration", "staging", "production")
PLAYGROUND = '{"name": "ana", "owner": "ana", "expires": "2030-01-01T00:00:00+00:00"}'


def types_in_use(folder: Path) -> dict[str, str]:
    """The types that the program registers, in every environment and as a playground, each with where it was seen."""
    project, host, found = load_project(ROOT), OfflineHost(LocalCloud(folder)), dict[str, str]()
    newest = parameters_of(project).versions()[-1]
    for name, more in (*((name, {}) for name in ENVIRONMENTS), ("dev", {"isostack:playground": PLAYGROUND})):
        config = load_stack(project, name, lambda salt: None)
        config = replace(config, values={**config.values, PINNED_KEY: newest, **more})
        for node in record(project, config, host, positions=False).nodes.values():
            if node.type != LOOK_UP and node.provider and not node.type.startswith("pulumi:"):  # components have no provider
                found[node.type] = f"{name}: {node.name}"
    return found


def test_every_type_in_use_has_a_price_or_is_free_for_a_reason(tmp_path: Path) -> None:
    found = types_in_use(tmp_path)
    assert len(found) > 50
    assert [f"{type_} ({where})" for type_, where in found.items() if prices().of(type_) is None] == []


def test_every_charge_is_a_rate_or_a_measure_and_every_measure_is_used() -> None:
    named = {charge for row in prices().types.values() for charge in row.charges or ()}
    assert named <= prices().rates.keys() | MEASURES.keys()
    assert named >= MEASURES.keys()
    assert not prices().rates.keys() & MEASURES.keys()


@pytest.mark.parametrize("name", prices().rates)
def test_a_rate_says_where_and_when_it_held_and_who_says_so(name: str) -> None:
    rate = prices().rates[name]
    assert rate.region in ("eu-west-1", ANYWHERE)
    assert date(2026, 1, 1) <= rate.date <= date.today()  # noqa: DTZ011 - a calendar's day
    assert rate.source.startswith(("https://pricing.us-east-1.amazonaws.com/offers/", "https://aws.amazon.com/"))
    assert rate.region == ANYWHERE or f"/{rate.region}/" in rate.source, "a regional price list"


def test_a_month_has_730_hours() -> None:
    assert prices().monthly("nat-gateway", "eu-west-1") == pytest.approx(35.04)
    assert prices().monthly("secret", "eu-west-1") == 0.4


def test_a_price_of_one_region_is_none_of_another_and_one_of_every_region_is() -> None:
    assert prices().monthly("nat-gateway", "us-east-1") is None
    assert prices().monthly("key", "us-east-1") == 1


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("rates", "secret", "usd"), "0.4"),
        (("rates", "secret", "usd"), 0),
        (("rates", "secret", "per"), "year"),
        (("rates", "secret", "date"), "2026-09-11"),
        (("rates", "secret", "source"), "somebody said so"),
        (("rates", "secret", "region"), "Ireland"),
        (("rates", "secret", "note"), "cheap"),
        (("types", "aws:kms/key:Key", "free"), "and charged"),
        (("types", "aws:kms/key:Key", "charges"), []),
    ],
)
def test_a_broken_table_is_not_taken(place: tuple[str, ...], value: Any) -> None:
    table = yaml.safe_load(FILE.read_text())
    row = table
    for step in place[:-1]:
        row = row[step]
    row[place[-1]] = value
    with pytest.raises(ValidationError):
        Prices.model_validate(table)


def test_a_type_that_is_neither_charged_nor_free_is_not_taken() -> None:
    table = yaml.safe_load(FILE.read_text())
    table["types"]["aws:kms/key:Key"] = {"leaves_out": ["requests"]}
    with pytest.raises(ValidationError, match="say either what is charged, or why it is free"):
        Prices.model_validate(table)
