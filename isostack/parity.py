"""The proof that environments differ only where a table of the parameter set says so.

All of it without any cloud. *Weak*: the environments' own graphs have the same resources, dependencies and options, and inputs
that differ only where a table feeds them. *Strong*: with every table forced to production's column all graphs are equal, but
for the environments' own names; and production with every table forced to another environment's column is that environment.
So nothing in the program but the tables knows where it is. Graphs, and how two differ, are :mod:`isostack.engine.graph`'s.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from isostack.engine.deployment import STACK_TYPE
from isostack.engine.graph import ABSENT, LOOK_UP, Comparison, Graph, Node, Place, compare, record, shown_path
from isostack.engine.project import ENVIRONMENT_KEY, PINNED_KEY, Project, StackConfig, load_stack
from isostack.engine.values import UNKNOWN, Secret, has_unknown
from isostack.parameters import COLUMNS_KEY, parameters_of, pins, told

if TYPE_CHECKING:
    from isostack.engine.provider import ProviderHost

TOGETHER = "several tables together"
MASKED = "[secret]"
MANY = 2500  # resources, after which garbage is collected: the SDK leaves 0.1 MB for each, and the command collects none


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
    """What came out. It holds where there is no breach.

    ``unseen`` are inputs that hold what only a cloud knows: what they depend on is compared, what is made of it is not.
    ``pins`` are the versions that environments pin, for those that pin another one.
    """

    version: str
    environments: tuple[str, ...]
    resources: int
    differences: tuple[Difference, ...]
    breaches: tuple[Breach, ...]
    unseen: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
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
    return _Prover(project, version, names, tables, host, progress).proof()


class _Sealed:
    """Opens no secret of a stack's file: none is needed to see what a program does with it."""

    def decrypt(self, text: str) -> str:
        return MASKED


@dataclass
class _Prover:
    project: Project
    version: str
    names: tuple[str, ...]
    tables: Mapping[str, Any]
    host: ProviderHost
    progress: Callable[[str], None]
    builds: int = 0
    breaches: dict[Breach, None] = field(default_factory=dict)  # in the order in which they were found
    _told: set[tuple[str, Any]] = field(default_factory=set)
    _configs: dict[str, StackConfig] = field(default_factory=dict)
    _alone: dict[tuple[str, str], set[Place]] = field(default_factory=dict)
    _uncollected: int = 0

    @property
    def reference(self) -> str:
        """The environment that the others are compared with: the last one, production."""
        return self.names[-1]

    def proof(self) -> Proof:
        self._configs = {name: load_stack(self.project, name, lambda salt: _Sealed()) for name in self.names}
        self._same_configuration()
        own = {name: self._build(name, {}, "as it is") for name in self.names}
        reference, others = own[self.reference], self.names[:-1]
        weak = {name: compare(own[name], reference) for name in others}
        self._same(own, weak)
        fed = self._fed(reference, {name: set(weak[name].inputs) for name in others})
        return Proof(
            version=self.version,
            environments=self.names,
            resources=sum(node.type != LOOK_UP for node in reference.nodes.values()),
            differences=tuple(self._differences(own, fed)),
            breaches=tuple(self.breaches),
            unseen=tuple(_unseen(reference)),
            pins={name: pin for name, pin in pins(self.project).items() if name in self.names and pin != self.version},
            builds=self.builds,
        )

    def _build(self, environment: str, columns: Mapping[str, str], what: str, *, positions: bool = True) -> Graph:
        self.progress(f"building {environment} {what}")
        self.builds += 1
        config = self._configs[environment]
        values = {**config.values, ENVIRONMENT_KEY: environment, PINNED_KEY: self.version}
        values.pop(COLUMNS_KEY, None)
        if columns:
            values[COLUMNS_KEY] = json.dumps(dict(columns))
        graph = record(self.project, replace(config, values=values), self.host, positions=positions)
        self._uncollected += len(graph.nodes)
        if self._uncollected > MANY:
            gc.collect()
            self._uncollected = 0
        return graph

    # -- what must be the same ----------------------------------------------------------------------------------------

    def _same_configuration(self) -> None:
        """A stack's file may say nothing that another's does not, but which environment it is."""
        expected = {key: value for key, value in self._configs[self.reference].values.items() if key != PINNED_KEY}
        expected.pop(COLUMNS_KEY, None)
        for name, config in self._configs.items():
            values = {key: value for key, value in config.values.items() if key != PINNED_KEY}
            wanted = {**expected, ENVIRONMENT_KEY: name} if ENVIRONMENT_KEY in values else expected
            for key in sorted(values.keys() | wanted.keys()):
                mine, theirs = values.get(key), wanted.get(key)
                if mine == theirs or (key == ENVIRONMENT_KEY and mine is None):
                    continue
                one, another = (f"{value}" if value is not None else "absent" for value in (mine, theirs))
                what = f"{key} is {one}, and not {another},"
                file = os.path.relpath(config.file, self.project.root)
                self.breaches[Breach("configuration", what, (name, self.reference), "the stack's file", file)] = None

    def _same(self, own: Mapping[str, Graph], weak: Mapping[str, Comparison]) -> None:
        """Hold all graphs that must be equal against one another. What has been told of a place is not told again."""
        others, reference = self.names[:-1], own[self.reference]
        forced = {name: self._build(name, {"*": self.reference}, f"with {self.reference}'s parameters") for name in others}
        strong = [compare(forced[name], reference) for name in others]
        self._judge_shapes([*weak.values(), *strong])
        self._judge_inputs(strong)
        # Where one says its own name and another one production's, only these two show that they differ.
        among = [compare(forced[name], forced[others[0]]) for name in others[1:]]
        # What shows in an environment's own column alone.
        turned = [compare(own[name], self._build(self.reference, {"*": name}, f"with {name}'s parameters")) for name in others]
        for comparisons in (among, turned):
            self._judge_shapes(comparisons)
            self._judge_inputs(comparisons)

    def _judge_shapes(self, comparisons: Sequence[Comparison]) -> None:
        new: set[tuple[str, Any]] = set()
        for one in comparisons:
            for graph, node in one.alone:
                if (node.urn, "exists") not in self._told:
                    other = one.there if graph is one.here else one.here
                    self._breach(graph, node, "exists", (graph.stack, other.stack))
                    new.add((node.urn, "exists"))
            for node, what, mine, theirs in one.shapes:
                if (node.urn, what) not in self._told:
                    said = _wired(mine, theirs) if what.startswith("dependencies") else _apart(mine, theirs)
                    self._breach(one.here, node, f"{what} {said}", (one.here.stack, one.there.stack))
                    new.add((node.urn, what))
        self._told |= new

    def _judge_inputs(self, comparisons: Sequence[Comparison]) -> None:
        new: set[tuple[str, Any]] = set()
        for one in comparisons:
            for place, (node, mine, theirs) in sorted(one.inputs.items(), key=lambda item: (item[0][0], str(item[0][1]))):
                if place not in self._told:
                    what = f"{shown_path(place[1])} {_apart(mine, theirs)} with the same parameters"
                    self._breach(one.here, node, what, (one.here.stack, one.there.stack))
                    new.add(place)
        self._told |= new

    def _breach(self, graph: Graph, node: Node, what: str, environments: tuple[str, str]) -> None:
        self.breaches[Breach(_called(node), what, environments, _component(graph, node), node.source)] = None

    # -- which table feeds what ---------------------------------------------------------------------------------------

    def _fed(self, base: Graph, places: Mapping[str, set[Place]]) -> dict[Place, tuple[str, ...]]:
        """The tables that feed each place, found by building the reference with some tables taken from other environments.

        Each table is taken from one environment, and from others where that explains nothing: so every place has a table that
        feeds it, but a further one that shows in a later environment alone may be missing beside it.
        """
        columns = {path: column for path in sorted(self.tables) if (column := self._column(path, self.names[:-1]))}
        found = self._searched(base, {place for some in places.values() for place in some}, columns)
        # What shows in one environment's column alone.
        for name, some in places.items():
            rest = {place for place in some if not found[place] and place not in self._told}
            if rest:
                found |= self._searched(base, rest, {path: name for path in sorted(self.tables) if self._column(path, [name])})
        return {place: tables or (TOGETHER,) for place, tables in found.items()}

    def _column(self, path: str, names: Sequence[str]) -> str:
        """The first of the environments for which the table says something else than for the reference."""
        values = self.tables[path].values
        return next((name for name in names if values[name] != values[self.reference]), "")

    def _searched(self, base: Graph, places: set[Place], columns: Mapping[str, str]) -> dict[Place, tuple[str, ...]]:
        """The tables that feed each place, with the columns that they are taken from.

        Tables get numbers; the builds for a bit of the number take the tables that have it, and those that have not. A place
        that one table feeds changes in exactly the builds that its number says. What several may feed is built again for each.
        """
        if not places:
            return {}
        # What is an environment's own, such as its account, is all over the place, and would hide what else feeds a place.
        own = [pair for pair in columns.items() if getattr(self.tables[pair[0]].marker, "own", False)]
        shared = [pair for pair in columns.items() if pair not in own]
        bits = len(shared).bit_length()
        seen: list[tuple[set[Place], set[Place]]] = []
        for bit in range(bits):
            sides = [{p: c for number, (p, c) in enumerate(shared, 1) if number >> bit & 1 == side} for side in (1, 0)]
            first, second = (self._changed(base, side, f"with other parameters, part {bit + 1} of {bits}") for side in sides)
            seen.append((first, second))
        found: dict[Place, tuple[str, ...]] = {}
        for place in places:
            candidates = [
                pair
                for number, pair in enumerate(shared, 1)
                if all(_within(place, seen[bit][0 if number >> bit & 1 else 1]) for bit in range(bits))
            ]
            if len(candidates) > 1:
                candidates = [pair for pair in candidates if _within(place, self._changed_by(base, *pair))]
            candidates += [pair for pair in own if _within(place, self._changed_by(base, *pair))]
            found[place] = tuple(path for path, _ in candidates)
        return found

    def _changed_by(self, base: Graph, path: str, column: str) -> set[Place]:
        if (path, column) not in self._alone:
            self._alone[path, column] = self._changed(base, {path: column}, f"with {column}'s {path}")
        return self._alone[path, column]

    def _changed(self, base: Graph, columns: Mapping[str, str], what: str) -> set[Place]:
        if not columns:
            return set()
        return set(compare(self._build(self.reference, columns, what, positions=False), base).inputs)

    # -- what differs, and may ----------------------------------------------------------------------------------------

    def _differences(self, own: Mapping[str, Graph], fed: Mapping[Place, tuple[str, ...]]) -> Iterator[Difference]:
        reference = own[self.reference]
        for place in sorted(fed, key=lambda place: (place[0], str(place[1]))):
            if fed[place] == (TOGETHER,) and place in self._told:
                continue  # a breach has said what is wrong with it
            if any((place[0], place[1][:length]) in fed for length in range(1, len(place[1]))):
                continue  # told with the list or the table that it is in
            node = reference.nodes[place[0]]
            values = {name: _plain(graph.at(place, self.reference)) for name, graph in own.items()}
            yield Difference(_called(node), _component(reference, node), shown_path(place[1]), values, fed[place])


def _within(place: Place, places: set[Place]) -> bool:
    """Whether the place, one above it or one below it is among the places."""
    urn, path = place
    if place in places:
        return True
    return any(other == urn and path[: len(steps)] == steps[: len(path)] for other, steps in places)


def _unseen(graph: Graph) -> Iterator[str]:
    for node in sorted(graph.nodes.values(), key=lambda node: node.urn):
        yield from (f"{node.name}.{name}" for name, value in sorted(node.inputs.items()) if has_unknown(value))


# -- showing ------------------------------------------------------------------------------------------------------------


def _called(node: Node) -> str:
    return f"{node.name} ({node.type})"


def _component(graph: Graph, node: Node) -> str:
    parent = graph.nodes.get(node.parent)
    return parent.type.rpartition(":")[2] if parent and parent.type != STACK_TYPE else "the program"


def _plain(value: Any) -> Any:
    """A value for people and JSON: secrets and what only a cloud knows are not shown."""
    if isinstance(value, Secret):
        return MASKED
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _shown(values: Sequence[Any], width: int) -> list[str]:
    """Values as short texts, cut so that what differs between them is to be seen."""
    plain = [_plain(value) for value in values]
    texts = [
        "absent" if value is ABSENT else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in plain
    ]
    if max(map(len, texts)) <= width:
        return texts
    alike = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))
    start = max(0, alike - width // 3)
    texts = [f"…{text[start:]}" if start else text for text in texts]
    return [text if len(text) <= width else f"{text[: width - 1]}…" for text in texts]


def _apart(mine: Any, theirs: Any) -> str:
    one, another = _shown((mine, theirs), 60)
    return f"is {one}, and not {another},"


def _wired(mine: Sequence[str], theirs: Sequence[str]) -> str:
    more = ", ".join(urn.rpartition("::")[2] for urn in mine if urn not in theirs)
    fewer = ", ".join(urn.rpartition("::")[2] for urn in theirs if urn not in mine)
    return "; ".join([*([f"also on {more}"] if more else []), *([f"not on {fewer}"] if fewer else [])])


def lines(proof: Proof) -> Iterator[str]:
    """The proof for people: what differs by component, with the table that explains it; then the breaches, and a verdict."""
    by_component: dict[str, list[Difference]] = {}
    for difference in proof.differences:
        by_component.setdefault(difference.component, []).append(difference)
    for component in sorted(by_component):
        yield component
        for one in sorted(by_component[component], key=lambda d: (d.resource, d.property)):
            texts = _shown(list(one.values.values()), 24)
            values = " · ".join(f"{name} {text}" for name, text in zip(one.values, texts, strict=True))
            yield f"  {one.resource.partition(' ')[0]}.{one.property}: {values}"
            yield f"      {', '.join(one.tables)}"
    for breach in proof.breaches:
        yield f"error: {breach}"
    if proof.unseen:
        yield f"not seen, for only a cloud knows it: {', '.join(proof.unseen)}; what they depend on is compared"
    for name, pin in proof.pins.items():
        yield f"note: {name} pins {pin}; this is about {proof.version}"
    count, tables = len(proof.differences), len({table for d in proof.differences for table in d.tables})
    every = ", ".join(proof.environments)
    if proof.holds:
        same = f"{proof.version}: {every} are the same {proof.resources} resources"
        yield f"{same}, but for {count} values that {tables} tables declare"
    else:
        yield f"{proof.version}: {every} differ in {len(proof.breaches)} ways that no table declares"
