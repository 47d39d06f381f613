"""The proof that environments differ only where a table of the parameter set says so.

Two forms, both without any cloud. *Weak*: the environments' own graphs have the same resources, dependencies and options, and
inputs that differ only where a table feeds them. *Strong*: with every table forced to one column the graphs are equal, but for
the environments' own names; so nothing else in the program knows where it is. Graphs are :mod:`isostack.engine.graph`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from isostack.engine.graph import Graph, Node, record
from isostack.engine.project import PINNED_KEY, Project, StackConfig
from isostack.engine.values import UNKNOWN, Secret, has_unknown
from isostack.parameters import parameters_of, told

if TYPE_CHECKING:
    from isostack.engine.provider import ProviderHost

ENVIRONMENT_KEY = "isostack:environment"
COLUMNS_KEY = "isostack:columns"
TOGETHER = "several tables together"

Place = tuple[str, str]
"""A URN, and the path of a property of it such as ``tags.owner`` or ``ingress[0].cidrBlocks``."""


@dataclass(frozen=True)
class Difference:
    """An input whose values differ, by environment, and the tables that feed it."""

    resource: str
    component: str
    property: str
    values: Mapping[str, Any]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Breach:
    """Something that differs and that no table explains: what, between which environments, and who registered it."""

    resource: str
    what: str
    environments: tuple[str, str]
    component: str
    source: str

    def __str__(self) -> str:
        where = f" ({self.component}, {self.source})" if self.source else f" ({self.component})"
        return f"{self.resource}: {self.what} in {self.environments[0]}, unlike in {self.environments[1]}{where}"


@dataclass(frozen=True)
class Proof:
    """What came out. It holds where there is no breach."""

    version: str
    environments: tuple[str, ...]
    resources: int
    differences: tuple[Difference, ...]
    breaches: tuple[Breach, ...]
    builds: int = 0

    @property
    def holds(self) -> bool:
        return not self.breaches

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"result": "succeeded" if self.holds else "refused", "exit_code": 0 if self.holds else 3, **asdict(self)}


def prove(project: Project, version: str, host: ProviderHost, progress: Callable[[str], None]) -> Proof:
    """Compare all environments of a version. Raises BadInput, Refused or OperationFailed where one cannot be built."""
    with told():
        module = parameters_of(project)
        tables = module.load(version).tables
        names = tuple(module.ENVIRONMENTS)
    return _Comparison(project, version, names, tables, host, progress).proof()


@dataclass
class _Comparison:
    project: Project
    version: str
    names: tuple[str, ...]
    tables: Mapping[str, Any]
    host: ProviderHost
    progress: Callable[[str], None]
    builds: int = 0
    breaches: list[Breach] = field(default_factory=list)
    _alone: dict[tuple[str, str], set[Place]] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The environment that the others are compared with: the last one, production."""
        return self.names[-1]

    def proof(self) -> Proof:
        own = {name: self._build(name, {}, "as it is") for name in self.names}
        reference = own[self.reference]
        places: dict[str, set[Place]] = {}
        for name in self.names[:-1]:
            forced = self._build(name, {"*": self.reference}, f"with {self.reference}'s parameters")
            self._same_shape(name, own[name], reference)
            self._same_shape(name, forced, reference)
            self._same_inputs(name, forced, reference)
            places[name] = changed_places(own[name], reference)
        fed = self._fed(reference, places)
        differences = self._differences(own, sorted({place for some in places.values() for place in some}), fed)
        breaches = tuple(dict.fromkeys(self.breaches))
        return Proof(self.version, self.names, len(reference.nodes), tuple(differences), breaches, self.builds)

    # -- building -----------------------------------------------------------------------------------------------------

    def _build(self, environment: str, columns: Mapping[str, str], what: str, *, positions: bool = True) -> Graph:
        self.progress(f"building {environment} {what}")
        self.builds += 1
        values = {ENVIRONMENT_KEY: environment, PINNED_KEY: self.version}
        if columns:
            values[COLUMNS_KEY] = json.dumps(dict(columns))
        file = self.project.stack_file(environment)
        graph = record(self.project, StackConfig(environment, file, values), self.host, positions=positions)
        return _without_names(graph, self.names)

    # -- what must be the same ----------------------------------------------------------------------------------------

    def _same_shape(self, name: str, graph: Graph, reference: Graph) -> None:
        for urn in graph.nodes.keys() - reference.nodes.keys():
            self._breach(graph, urn, "exists", (name, self.reference))
        for urn in reference.nodes.keys() - graph.nodes.keys():
            self._breach(reference, urn, "exists", (self.reference, name))
        for urn in graph.nodes.keys() & reference.nodes.keys():
            node, other = graph.nodes[urn], reference.nodes[urn]
            for what in ("provider", "dependencies", "options"):
                mine, theirs = getattr(node, what), getattr(other, what)
                if mine != theirs:
                    self._breach(graph, urn, f"{what} {_apart(mine, theirs)}", (name, self.reference))

    def _same_inputs(self, name: str, graph: Graph, reference: Graph) -> None:
        for urn, path in changed_places(graph, reference):
            mine, theirs = _at(graph, urn, path), _at(reference, urn, path)
            self._breach(graph, urn, f"{path} is {_shown(mine)}, and not {_shown(theirs)},", (name, self.reference))

    def _breach(self, graph: Graph, urn: str, what: str, environments: tuple[str, str]) -> None:
        node = graph.nodes[urn]
        self.breaches.append(Breach(_called(node), what, environments, _component(graph, node), node.source))

    # -- which table feeds what ---------------------------------------------------------------------------------------

    def _fed(self, base: Graph, places: Mapping[str, set[Place]]) -> dict[Place, tuple[str, ...]]:
        """The tables that feed each place, found by building the reference with some tables taken from other environments.

        Tables get numbers; the builds for a bit of the number take the tables that have it, and those that have not. A place
        that one table feeds changes in exactly the builds that its number says. What several may feed is built again for each.
        """
        # What is an environment's own, such as its account, is all over the place, and would hide what else feeds a place.
        columns, own = self._columns(), [pair for pair in self._columns() if getattr(self.tables[pair[0]].marker, "own", False)]
        columns = [pair for pair in columns if pair not in own]
        seen: list[tuple[set[Place], set[Place]]] = []
        bits = len(columns).bit_length()
        for bit in range(bits):
            sides = [{p: c for number, (p, c) in enumerate(columns, 1) if number >> bit & 1 == side} for side in (1, 0)]
            first, second = (self._changed(base, side, f"with other parameters, part {bit + 1} of {bits}") for side in sides)
            seen.append((first, second))
        found: dict[Place, tuple[str, ...]] = {}
        for place in sorted({place for some in places.values() for place in some}):
            candidates = [
                (path, column)
                for number, (path, column) in enumerate(columns, 1)
                if all(_within(place, seen[bit][0 if number >> bit & 1 else 1]) for bit in range(bits))
            ]
            if len(candidates) > 1:
                candidates = [pair for pair in candidates if _within(place, self._changed_by(base, *pair))]
            candidates += [pair for pair in own if _within(place, self._changed_by(base, *pair))]
            found[place] = tuple(path for path, _ in candidates) or (TOGETHER,)
        return found

    def _columns(self) -> list[tuple[str, str]]:
        """The tables that say something else than the reference, each with the first environment of which they do."""
        return [
            (path, name)
            for path, table in sorted(self.tables.items())
            if (name := next((n for n in self.names[:-1] if table.values[n] != table.values[self.reference]), ""))
        ]

    def _changed_by(self, base: Graph, path: str, column: str) -> set[Place]:
        if (path, column) not in self._alone:
            self._alone[path, column] = self._changed(base, {path: column}, f"with {column}'s {path}")
        return self._alone[path, column]

    def _changed(self, base: Graph, columns: Mapping[str, str], what: str) -> set[Place]:
        if not columns:
            return set()
        return changed_places(self._build(self.reference, columns, what, positions=False), base)

    # -- what differs, and may ----------------------------------------------------------------------------------------

    def _differences(
        self, own: Mapping[str, Graph], places: Iterable[Place], fed: Mapping[Place, tuple[str, ...]]
    ) -> Iterator[Difference]:
        strong = {(breach.resource, breach.source) for breach in self.breaches}
        reference = own[self.reference]
        for urn, path in places:
            node = reference.nodes[urn]
            if fed[urn, path] == (TOGETHER,) and (_called(node), node.source) in strong:
                continue  # the strong form has said what is wrong with it
            values = {name: _plain(_at(own[name], urn, path)) for name in self.names if urn in own[name].nodes}
            yield Difference(_called(node), _component(reference, node), path, values, fed[urn, path])


# -- comparing ----------------------------------------------------------------------------------------------------------


def changed_places(graph: Graph, other: Graph) -> set[Place]:
    """Where inputs differ, of the resources that both graphs have."""
    found: set[Place] = set()
    for urn in graph.nodes.keys() & other.nodes.keys():
        found |= {(urn, path) for path in _paths(graph.nodes[urn].inputs, other.nodes[urn].inputs, "")}
    return found


def _paths(mine: Any, theirs: Any, path: str) -> Iterator[str]:
    if isinstance(mine, Secret) and isinstance(theirs, Secret):
        yield from _paths(mine.value, theirs.value, path)
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        for key in sorted(mine.keys() | theirs.keys()):
            below = f"{path}.{key}" if path else str(key)
            if key not in mine or key not in theirs:
                yield below
            else:
                yield from _paths(mine[key], theirs[key], below)
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for number, (one, another) in enumerate(zip(mine, theirs, strict=True)):
            yield from _paths(one, another, f"{path}[{number}]")
    elif mine is not theirs and (has_unknown(mine) or has_unknown(theirs) or mine != theirs):
        yield path


def _within(place: Place, places: set[Place]) -> bool:
    """Whether the place, one above it or one below it is among the places."""
    urn, path = place
    if place in places:
        return True
    return any(other == urn and (_is_above(below, path) or _is_above(path, below)) for other, below in places)


def _is_above(path: str, other: str) -> bool:
    return other.startswith((f"{path}.", f"{path}["))


def _without_names(graph: Graph, environments: Sequence[str]) -> Graph:
    """The graph with ``{environment}`` in the place of environments' names, where they stand as words.

    Not of its own name alone: the same parameters may hold another environment's.
    """
    word = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, environments))})(?![A-Za-z0-9])")

    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            return word.sub("{environment}", value)
        if isinstance(value, Secret):
            return Secret(cleaned(value.value))
        if isinstance(value, dict):
            return {cleaned(key): cleaned(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(cleaned(item) for item in value)
        return value

    nodes = {
        cleaned(urn): Node(
            urn=cleaned(urn),
            type=node.type,
            name=cleaned(node.name),
            parent=cleaned(node.parent),
            provider=cleaned(node.provider),
            dependencies=cleaned(node.dependencies),
            options=cleaned(dict(node.options)),
            inputs=cleaned(node.inputs),
            source=node.source,
        )
        for urn, node in graph.nodes.items()
    }
    return Graph(nodes, cleaned(graph.outputs))


# -- showing ------------------------------------------------------------------------------------------------------------


def _called(node: Node) -> str:
    return f"{node.name} ({node.type})"


def _component(graph: Graph, node: Node) -> str:
    parent = graph.nodes.get(node.parent)
    return parent.type.rpartition(":")[2] if parent else "the program"


def _at(graph: Graph, urn: str, path: str) -> Any:
    value: Any = graph.nodes[urn].inputs
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, Secret):
            value = value.value
        if isinstance(value, dict):
            # A key may hold dots itself: then the longest that fits is meant.
            value = value.get(step, next((value[key] for key in value if path.endswith(str(key))), None))
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _plain(value: Any) -> Any:
    """A value for people and JSON: secrets and what only a cloud knows are not shown."""
    if isinstance(value, Secret):
        return "[secret]"
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _shown(value: Any, width: int = 60) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _apart(mine: Any, theirs: Any) -> str:
    """What differs of options or dependencies, in words."""
    if isinstance(mine, Mapping):
        names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        return ", ".join(f"{name}: {_shown(mine.get(name))} and not {_shown(theirs.get(name))}" for name in names)
    if isinstance(mine, tuple):
        more = [urn.rpartition("::")[2] for urn in mine if urn not in theirs]
        fewer = [urn.rpartition("::")[2] for urn in theirs if urn not in mine]
        said = [f"also on {', '.join(more)}"] if more else []
        return "; ".join([*said, f"not on {', '.join(fewer)}"] if fewer else said)
    return f"is {_shown(mine)}, and not {_shown(theirs)},"


def lines(proof: Proof) -> Iterator[str]:
    """The proof for people: what differs by component, with the table that explains it; then the breaches, and a verdict."""
    by_component: dict[str, list[Difference]] = {}
    for difference in proof.differences:
        by_component.setdefault(difference.component, []).append(difference)
    for component in sorted(by_component):
        yield component
        for one in sorted(by_component[component], key=lambda d: (d.resource, d.property)):
            values = " · ".join(f"{name} {_shown(value, 24)}" for name, value in one.values.items())
            yield f"  {one.resource.partition(' ')[0]}.{one.property}: {values}"
            yield f"      {', '.join(one.tables)}"
    for breach in proof.breaches:
        yield f"error: {breach}"
    count, tables = len(proof.differences), len({table for d in proof.differences for table in d.tables})
    every = ", ".join(proof.environments)
    if proof.holds:
        same = f"{proof.version}: {every} are the same {proof.resources} resources"
        yield f"{same}, but for {count} values that {tables} tables declare"
    else:
        yield f"{proof.version}: {every} differ in {len(proof.breaches)} ways that no table declares"
