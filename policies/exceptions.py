"""Exceptions are data: which rule, which resource, why, by what ticket, who approved it, and until when.

Owns the file and what is refused in it. An exception that ran out excuses nothing; one that has nothing to excuse is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from policies.resources import Resource
from policies.rule import ENVIRONMENTS, Rule

FILE = Path(__file__).parent / "exceptions.yaml"
LONGEST = timedelta(days=366)
WILDCARDS = frozenset("*?[")
WITHOUT_WILDCARDS = frozenset({"staging", "production"})


class WrongExceptions(ValueError):
    """The file of exceptions is wrong. Its text has a line for each mistake."""


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """One exception. ``resource`` is a URN, or type and name as ``aws:kms/key:Key::shop-data``; wildcards as a shell's."""

    rule: str
    resource: str
    environments: tuple[str, ...]
    reason: str
    ticket: str
    approved_by: str
    until: date

    def excuses(self, rule: Rule, resource: Resource) -> bool:
        """Whether it is about this rule at this resource; whether it is still in force is another question."""
        return self.rule == rule.name and any(fnmatchcase(name, self.resource) for name in (resource.address, resource.urn))

    def expired(self, today: date) -> bool:
        """It holds until the end of its last day."""
        return today > self.until

    @property
    def shown(self) -> str:
        return f"The exception to {self.rule} for {self.resource} ({self.ticket}, approved by {self.approved_by})"


def load(rules: Sequence[Rule], today: date, file: Path = FILE) -> tuple[Exemption, ...]:
    """The exceptions of a file, none where there is no file. Raises WrongExceptions with all mistakes at once."""
    if not file.exists():
        return ()
    try:
        entries = yaml.safe_load(file.read_text()) or []
    except yaml.YAMLError as error:
        raise WrongExceptions(f"{file.name}: this is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise WrongExceptions(f"{file.name}: write a list of exceptions, each with {', '.join(_FIELDS)}.")
    names = {rule.name for rule in rules}
    mistakes = [
        f"{file.name}: exception {number}: {mistake}"
        for number, entry in enumerate(entries, 1)
        for mistake in _mistakes(entry, names, today)
    ]
    if mistakes:
        raise WrongExceptions("\n".join(mistakes))
    return tuple(Exemption(**{**entry, "environments": tuple(entry["environments"])}) for entry in entries)


_FIELDS = tuple(field.name for field in fields(Exemption))
_TEXTS = ("rule", "resource", "reason", "ticket", "approved_by")


def _mistakes(entry: Any, rules: set[str], today: date) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"write its {', '.join(_FIELDS)}."
        return
    for key in entry.keys() - set(_FIELDS):
        yield f"{key} is no property of an exception; there are {', '.join(_FIELDS)}."
    for key in _TEXTS:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            yield f"write its {key}, as text."
    if isinstance(entry.get("rule"), str) and entry["rule"] not in rules:
        yield f"there is no rule {entry['rule']}; `isostack policy list` has them all."
    until = entry.get("until")
    if type(until) is not date:
        yield "write until when it holds, as 2030-12-31."
    elif until > today + LONGEST:
        yield f"it holds until {until}, more than a year from now; approve it for less, and again when that is over."
    yield from _mistaken_places(entry)


def _mistaken_places(entry: Mapping[str, Any]) -> Iterator[str]:
    environments, resource = entry.get("environments"), entry.get("resource")
    if not isinstance(environments, list) or not environments or not set(map(str, environments)) <= set(ENVIRONMENTS):
        yield f"write in which environments it holds, as a list of some of {', '.join(ENVIRONMENTS)}."
        return
    if isinstance(resource, str):
        if WILDCARDS & set(resource) and (strict := sorted(WITHOUT_WILDCARDS & set(environments))):
            yield f"{resource} has a wildcard, which {' and '.join(strict)} refuse; name each resource, or leave those out."
        if "::" not in resource:
            yield f"{resource} is no resource; write its URN, or its type and name as aws:kms/key:Key::shop-data."
