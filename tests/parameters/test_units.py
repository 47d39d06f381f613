"""Durations and sizes, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from stacks.units import Duration, Size


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("30m", 1800), ("8h", 28800), ("14d", 1209600), ("800ms", 0.8), ("0s", 0)]
)
def test_a_duration_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert Duration.parse(text).seconds == seconds


@pytest.mark.parametrize(("text", "unit", "amount"), [("20GiB", "GiB", 20), ("2TiB", "GiB", 2048), ("512MiB", "GiB", 0.5)])
def test_a_size_is_an_amount_of_any_of_its_units(text: str, unit: str, amount: float) -> None:
    assert Size.parse(text).within(unit) == amount


@pytest.mark.parametrize("text", ["60", 60, "60 s", "1.5h", "-1d", "h", "", None, "1w", "20GB", "20GiB", "1d2h", "1D"])
def test_what_is_no_duration_is_refused_with_examples(text: object) -> None:
    with pytest.raises(PydanticCustomError, match="is no duration; write a number and its unit: 60s"):
        Duration.parse(text)


@given(st.integers(0, 10**9 - 1), st.sampled_from(sorted(Duration.UNITS)))
def test_what_is_written_back_means_the_same(number: int, unit: str) -> None:
    duration = Duration(number * Duration.UNITS[unit])
    assert Duration.parse(str(duration)) == duration


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_durations_are_ordered_by_their_length(one: int, other: int) -> None:
    assert (Duration.parse(f"{one}m") < Duration.parse(f"{other}s")) == (one * 60 < other)
