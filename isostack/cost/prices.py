"""The price table, ``prices.yaml``: rates with their dates and sources, and what each type of resource is charged.

Owns the table's form and its checks. What a resource is charged in numbers is :mod:`isostack.cost.estimate`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

FILE = Path(__file__).parent / "prices.yaml"
ANYWHERE = "every region"
Line = Annotated[str, StringConstraints(min_length=3)]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)


class Rate(_Row):
    """A price of AWS's list, on demand."""

    usd: Annotated[float, Field(gt=0)]
    per: Literal["hour", "month"]
    region: Annotated[str, StringConstraints(pattern=rf"[a-z]{{2}}(-[a-z]+)+-[0-9]|{ANYWHERE}")]
    """Where it holds."""
    date: date
    """A day on which it was in force."""
    source: Annotated[str, StringConstraints(pattern=r"https://\S+")]


class Type(_Row):
    """What a type of resource is charged: charges, or none for a reason; and what only use can tell."""

    charges: Annotated[list[Line], Field(min_length=1)] | None = None
    """Rates that are charged once, or measures of the estimate."""
    free: Line | None = None
    """Why there is no charge for having one."""
    leaves_out: list[Line] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of_two(self) -> Type:
        if (self.charges is None) == (self.free is None):
            raise ValueError("say either what is charged, or why it is free")
        return self


class Prices(_Row):
    """The whole table. A type's name may end with ``*``, for all that begin with what is before it."""

    currency: Literal["USD"]
    hours: Annotated[int, Field(gt=0)]
    """How many hours a month is taken to have."""
    rates: Mapping[str, Rate]
    types: Mapping[str, Type]

    def of(self, type_: str) -> Type | None:
        """What the table says of a type; None where it says nothing."""
        found = self.types.get(type_)
        prefixes = () if found else (name for name in self.types if name.endswith("*") and type_.startswith(name[:-1]))
        return found or next((self.types[name] for name in prefixes), None)

    def monthly(self, rate: str, region: str) -> float | None:
        """A rate's dollars a month in a region; None where the table has none."""
        found = self.rates.get(rate)
        if found is None or found.region not in (ANYWHERE, region):
            return None
        return found.usd * (self.hours if found.per == "hour" else 1)


@cache
def prices() -> Prices:
    """The table that ships with isostack."""
    return Prices.model_validate(yaml.load(FILE.read_text(encoding="utf-8"), Loader=_Loader))  # noqa: S506 - a safe loader


_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
