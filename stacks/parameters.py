"""Parameter sets: what people edit. One document a version; a published version never changes.

Owns a version as a whole: its environments and what they are to each other, a column forced on all, what changed since another
version, and where a value comes from. The fields are :mod:`stacks.model`'s; what is built from them is :mod:`stacks.program`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from stacks.documents import Document, ParameterError, Steps, dotted, nearest, read, refuse
from stacks.gates import RESTRICTED, Gates, gates_of
from stacks.model import PEOPLE, EnvironmentParameters
from stacks.tables import ENVIRONMENTS, Table, Wrong, column, field_of, find_tables, validate, written
from stacks.units import Duration
from stacks.versions import EditedVersion, Versions

__all__ = [
    "ENVIRONMENTS",
    "FOLDER",
    "RESTRICTED",
    "Change",
    "EditedVersion",
    "EnvironmentParameters",
    "Explanation",
    "Gates",
    "ParameterError",
    "ParameterSet",
    "Table",
    "Versions",
    "budget",
    "diff",
    "digest",
    "explain",
    "gates",
    "load",
    "new",
    "publish",
    "published",
    "schema",
    "versions",
]
FOLDER = Path(__file__).parent / "parameter_sets"
LONGEST_SESSION_IN_PRODUCTION = Duration.parse("1h")


@dataclass(frozen=True)
class ParameterSet:
    """A version of all parameters, valid as a whole. ``tables`` has each field that differs by environment, by its path."""

    version: str
    document: Document
    tables: Mapping[str, Table]
    environments: Mapping[str, EnvironmentParameters]

    @property
    def name(self) -> str:
        """What the system is called."""
        return self.environments["production"].name

    @property
    def owner(self) -> str:
        """Who answers for it."""
        return self.environments["production"].owner

    @property
    def region(self) -> str:
        """Where everything runs."""
        return self.environments["production"].region

    @property
    def zones(self) -> tuple[str, ...]:
        """The region's zones, by letter."""
        return self.environments["production"].zones

    def of(self, environment: str) -> EnvironmentParameters:
        """Everything that an environment is made from. Raises ParameterError for an environment that there is not."""
        return self.environments[_known(environment)]

    def plain(self, environment: str) -> dict[str, Any]:
        """An environment's values as the document has them. Raises ParameterError for an environment that there is not."""
        return column(self.document, self.tables, dict.fromkeys(self.tables, _known(environment)))

    def forced(self, columns: str | Mapping[str, str]) -> ParameterSet:
        """A set whose tables give the column of an environment, whichever is asked.

        ``columns`` is that environment, or environments by the paths of tables; ``*`` stands for all others, and a table that
        is not named keeps its columns. Values that are right in one environment need not be so together, so the outcome is not
        checked again. Raises ParameterError for a table or an environment that there is not.
        """
        chosen = {"*": columns} if isinstance(columns, str) else dict(columns)
        for path, environment in chosen.items():
            _known(environment)
            if path != "*" and path not in self.tables:
                raise ParameterError(f"no table {path!r} in parameter set {self.version}; {nearest(path, self.tables)}")
        environments = {}
        for own in ENVIRONMENTS:
            taken = {path: chosen.get(path, chosen.get("*", own)) for path in self.tables}
            environments[own] = EnvironmentParameters.model_validate(column(self.document, self.tables, taken))
        return ParameterSet(self.version, self.document, self.tables, environments)

    def digest(self) -> str:
        """The digest of the document's content."""
        return Versions.digest_of(self.document.text)


def versions(folder: Path = FOLDER) -> list[str]:
    """All versions, oldest first."""
    return Versions(folder).all()


def digest(version: str, folder: Path = FOLDER) -> str:
    """The digest of a version's content. Raises ParameterError where there is no such version."""
    return Versions(folder).digest(version)


def published(folder: Path = FOLDER) -> Mapping[str, str]:
    """The digests of the published versions. Raises ParameterError where the lock is broken."""
    return Versions(folder).published()


def new(version: str, source: str | None = None, folder: Path = FOLDER) -> Path:
    """Copy a version, the newest where none is named, to a new one. Raises ParameterError where that cannot be."""
    return Versions(folder).new(version, source)


def publish(version: str, folder: Path = FOLDER) -> str:
    """Lock a version as it is, and give its digest. Raises ParameterError for one that is not valid."""
    load(version, folder)
    return Versions(folder).publish(version)


def load(version: str, folder: Path = FOLDER) -> ParameterSet:
    """The parameter set of a version.

    Raises ParameterError with a line for everything that is wrong with it, and EditedVersion where it was published and is
    another one now.
    """
    known = Versions(folder)
    known.verify(version)
    document = read(known.path(version))
    tables, problems = find_tables(document, EnvironmentParameters)
    environments, wrong = validate(document, tables, EnvironmentParameters)
    between = [
        document.problem(written(tables, environment, steps), what, mend)
        for environment, (steps, what, mend) in _between(environments)
    ]
    refuse([*problems, *wrong, *between])
    return ParameterSet(version, document, tables, environments)


def budget(parameters: ParameterSet, environment: str) -> Mapping[Literal["warn", "refuse"], int]:
    """What an environment may cost a month, in dollars: ``warn`` and ``refuse``, each where it has one."""
    return parameters.of(environment).budget


def gates(parameters: ParameterSet, environment: str) -> Gates:
    """Who may run an environment. Raises ParameterError for one that there is not."""
    return gates_of(parameters.of(environment))


def _known(environment: str) -> str:
    if environment not in ENVIRONMENTS:
        raise ParameterError(f"no environment {environment!r}; {nearest(environment, ENVIRONMENTS)}")
    return environment


def _between(environments: Mapping[str, EnvironmentParameters]) -> Iterator[tuple[str, Wrong]]:
    """What is wrong between environments, and in production for being production."""
    for first, second in combinations(ENVIRONMENTS, 2):
        for wrong in _in_common(first, environments[first], environments[second]):
            yield second, wrong
    access = environments["production"].access if environments["production"].has("access") else None
    if access and access.has("session"):
        for role in PEOPLE:
            session = access.session.get(role)
            if session and session > LONGEST_SESSION_IN_PRODUCTION:
                what = f"{session} is longer than people may stay in production"
                yield "production", (("access", "session", role), what, f"write {LONGEST_SESSION_IN_PRODUCTION}")
    if access and access.has("mfa") and not access.mfa:
        yield "production", (("access", "mfa"), "people would reach production without a second factor", "write true")


def _in_common(name: str, one: EnvironmentParameters, other: EnvironmentParameters) -> Iterator[Wrong]:
    """What two environments share, and must not; ``name`` is the first one's."""
    if one.has("account") and other.has("account") and one.account == other.account:
        yield ("account",), f"{other.account} is the account of {name} too", "give each environment its own"
    if one.has("network") and other.has("network") and one.network.has("cidr") and other.network.has("cidr"):
        cidr = other.network.cidr
        if IPv4Network(cidr).overlaps(IPv4Network(one.network.cidr)):
            what = f"{cidr} overlaps {one.network.cidr}, the addresses of {name}"
            yield ("network", "cidr"), what, "give each environment a block of its own"
    if one.has("ingress") and other.has("ingress") and one.ingress.has("domain") and other.ingress.has("domain"):
        domain = other.ingress.domain
        if domain == one.ingress.domain:
            yield ("ingress", "domain"), f"{domain!r} is the domain of {name} too", "give each environment its own"


# -- questions about values --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Explanation:
    """A value of an environment, what it means, where it is written, and the table that it is a column of."""

    path: str
    environment: str
    value: Any
    meaning: str
    file: str
    line: int
    table: Table | None


def explain(parameters: ParameterSet, environment: str, path: str) -> Explanation:
    """Where an environment's value comes from. Raises ParameterError for a path that leads nowhere, or to a whole area."""
    document, tables = parameters.document, parameters.tables
    leaves = dict(_leaves(parameters.plain(environment)))
    by_path = {dotted(steps): steps for steps in leaves}
    steps = by_path.get(path)
    if steps is None:
        within = [name for name in by_path if name.startswith(f"{path}.")]
        if within:
            raise ParameterError(f"{path} is an area; name one of {', '.join(within)}")
        raise ParameterError(f"no parameter {path!r} in {parameters.version}; {_near_path(path, by_path)}")
    here = written(tables, environment, steps)
    table = next((table for table in tables.values() if steps[: len(table.steps)] == table.steps), None)
    meaning = field_of(EnvironmentParameters, steps).description or ""
    return Explanation(path, environment, leaves[steps], meaning, document.file, document.line(here), table)


def _near_path(path: str, known: Mapping[str, Steps]) -> str:
    """The paths that were meant: those that end alike, or look alike."""
    last = path.rpartition(".")[2]
    ending = [name for name in known if name.rpartition(".")[2] == last]
    if ending:
        return f"did you mean {' or '.join(ending)}?"
    mend = nearest(path, known)
    return mend if mend.startswith("did") else "isostack parameters show VERSION lists them all"


@dataclass(frozen=True)
class Change:
    """What changes at a path in an environment. ``kind`` is ``added``, ``removed`` or ``changed``; what is not there is None."""

    path: str
    environment: str
    kind: str
    before: Any
    after: Any


def diff(before: ParameterSet, after: ParameterSet) -> list[Change]:
    """What changes in each environment from one set to another, by path, in the order of the documents."""
    old, new = ({name: dict(_by_path(each, name)) for name in ENVIRONMENTS} for each in (before, after))
    paths = dict.fromkeys(path for leaves in (*new.values(), *old.values()) for path in leaves)
    changes = []
    for path in paths:
        for environment in ENVIRONMENTS:
            was, now = old[environment], new[environment]
            kind = "added" if path not in was else "removed" if path not in now else "changed"
            if kind != "changed" or was[path] != now[path]:
                changes.append(Change(path, environment, kind, was.get(path), now.get(path)))
    return changes


def _by_path(parameters: ParameterSet, environment: str) -> Iterator[tuple[str, Any]]:
    return ((dotted(steps), value) for steps, value in _leaves(parameters.plain(environment)))


def _leaves(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every value that is no mapping with entries; a list is one value."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*steps, key))
    else:
        yield steps, list(value) if isinstance(value, tuple) else value


def schema() -> str:
    """The JSON schema of the documents, for editors."""
    text = {"$schema": "https://json-schema.org/draft/2020-12/schema", **EnvironmentParameters.model_json_schema()}
    return json.dumps({**text, "title": "A parameter set", "description": "One version of all parameters."}, indent=2) + "\n"
