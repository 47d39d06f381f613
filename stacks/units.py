"""Durations and sizes, as people write them: ``60s``, ``14d``, ``512MiB``, ``20GiB``. One number and one unit, never none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, order=True)
class Quantity:
    """A whole number of the smallest of its ``UNITS``, which are written smallest first, each with how many of that it is."""

    amount: int

    UNITS: ClassVar[dict[str, int]] = {}
    EXAMPLES: ClassVar[str] = ""

    @classmethod
    def parse(cls, text: Any) -> Self:
        """The quantity of a text. Raises PydanticCustomError of the type ``parameter`` for anything else."""
        match = re.fullmatch(r"([0-9]{1,9})([A-Za-z]+)", text) if isinstance(text, str) else None
        if match is None or match[2] not in cls.UNITS:
            wrong = {"what": f"{text!r} is no {cls.__name__.lower()}", "mend": f"write a number and its unit: {cls.EXAMPLES}"}
            raise PydanticCustomError("parameter", "{what}; {mend}", wrong)
        return cls(int(match[1]) * cls.UNITS[match[2]])

    def within(self, unit: str) -> int | float:
        """How many of a unit it is: a whole number where it is one."""
        whole, rest = divmod(self.amount, self.UNITS[unit])
        return self.amount / self.UNITS[unit] if rest else whole

    def __str__(self) -> str:
        unit = max((u for u in self.UNITS if self.amount % self.UNITS[u] == 0), key=lambda u: self.UNITS[u])
        return f"{self.amount // self.UNITS[unit]}{unit if self.amount else next(iter(self.UNITS))}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^[0-9]+({'|'.join(cls.UNITS)})$", "examples": cls.EXAMPLES.split(", ")}


class Duration(Quantity):
    """A span of time, whole milliseconds."""

    UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}  # noqa: RUF012 - a ClassVar of the base
    EXAMPLES = "60s, 30m, 8h, 14d"

    @property
    def seconds(self) -> int | float:
        """How many seconds it is; a whole number where it is one."""
        return self.within("s")

    @property
    def days(self) -> int | float:
        """How many days it is; a whole number where it is one."""
        return self.within("d")


class Size(Quantity):
    """An amount of memory or storage, whole mebibytes."""

    UNITS = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}  # noqa: RUF012 - a ClassVar of the base
    EXAMPLES = "512MiB, 20GiB"


@dataclass(frozen=True)
class Unit:
    """Marks a quantity's field with the unit in which a component takes it, and its limits, both included.

    The component's name of it is the field's with ``suffix``: ``backup: 30d`` is its ``backup_days=30``. ``whole`` refuses
    parts of the unit; ``choices`` are the only amounts there are, in that unit.
    """

    suffix: str
    unit: str
    least: str
    most: str
    whole: bool = True
    choices: tuple[int, ...] = ()

    def __get_pydantic_core_schema__(self, source: type[Quantity], handler: GetCoreSchemaHandler) -> CoreSchema:
        least, most = source.parse(self.least), source.parse(self.most)

        def check(value: Quantity) -> Quantity:
            amount = value.within(self.unit)
            if not least <= value <= most:
                wrong = {"what": f"{value} is out of range", "mend": f"choose from {self.least} to {self.most}"}
            elif self.whole and not isinstance(amount, int):
                wrong = {"what": f"{value} is no whole number of {self.unit}", "mend": f"write it in {self.unit}"}
            elif self.choices and amount not in self.choices:
                near = sorted(sorted(self.choices, key=lambda choice: abs(choice - amount))[:3])
                mend = f"the nearest ones are {', '.join(f'{choice}{self.unit}' for choice in near)}"
                wrong = {"what": f"{value} is not one of the values that AWS takes", "mend": mend}
            else:
                return value
            raise PydanticCustomError("parameter", "{what}; {mend}", wrong)

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **({"examples": [f"{c}{self.unit}" for c in self.choices]} if self.choices else {})}
