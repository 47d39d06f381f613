"""What a program registers, as a graph, without any cloud; and how the graphs of one program in two environments differ.

Runs the program as a preview does. Nothing is created, so what only a cloud could tell is made up from the resource's name:
the same for the same program, and text where it is text in every cloud, so that documents which programs make of it show.
Look-ups answer "unknown", and are part of the graph with what they ask for. Which difference is allowed is
:mod:`isostack.parity`'s.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from isostack.engine.deployment import STACK_TYPE, Deployment, Registered
from isostack.engine.events import Diagnostic, Event
from isostack.engine.monitor import Monitor
from isostack.engine.plan import Goal
from isostack.engine.program import run_program
from isostack.engine.project import Project, StackConfig
from isostack.engine.provider import Provider, ProviderHost
from isostack.engine.state import Snapshot
from isostack.engine.urn import make, qualified_type
from isostack.engine.values import UNKNOWN, PropertyMap, Secret, plain
from isostack.errors import OperationFailed, Refused

LOOK_UP = "look-up"
"""The type of the nodes that are look-ups."""
ABSENT = None
"""Stands for a value where one of two graphs has none. The SDK sends no null that it could be mistaken for."""
PROTECT = "option protect"
"""Under this name, which no input has, the option is among a node's inputs."""
_STACK = "graph"  # the stack's name in URNs, so that they are the same in every environment; the program sees the real one
# Outputs that are text wherever they occur, by the ends of their names.
_TEXT = re.compile(r"(?i)(.*[a-z])?(id|name|url|endpoint|address|suffix|bucket|result|zone|domain|owner|hex)")
_ARN = re.compile(r"(?i)(.*[a-z])?arn")


Steps = tuple[str | int, ...]
"""The way to a value within inputs: ``("ingress", 0, "cidrBlocks")``."""
Place = tuple[str, Steps]
"""A URN, and the path of one of its inputs."""


@dataclass(frozen=True)
class Node:
    """A resource as a program registers it. ``inputs`` are the program's own; ``options`` has those that are set.

    The stack has what the program exports as its input ``outputs``; a resource that is only read has its ``id`` as one.
    The option ``protect`` is among the inputs, under :data:`PROTECT`.
    ``property_dependencies`` are URNs by the input that they come with, ``dependencies`` these and all others.
    ``source`` is where: ``components/queue.py:41``, or empty where the SDK does not tell. ``outputs`` is what it was answered.
    """

    urn: str
    type: str
    name: str
    parent: str
    provider: str
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    inputs: PropertyMap = field(repr=False)
    source: str = ""
    outputs: PropertyMap = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Graph:
    """Nodes by URN, in no order, of a program that ran as a stack of this name."""

    stack: str
    nodes: Mapping[str, Node]

    def at(self, place: Place, others: str) -> Any:
        """The value at a place that names a stack of the name ``others``; ABSENT where there is none."""
        names = _Names(others, self.stack)
        urn, path = place
        node = self.nodes.get(urn) or self.nodes.get(names.renamed(urn))
        value: Any = node.inputs if node else ABSENT
        for step in path:
            if isinstance(value, dict):
                value = value[step] if step in value else value.get(names.renamed(str(step)), ABSENT)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return ABSENT
        return value


def record(project: Project, config: StackConfig, host: ProviderHost, *, positions: bool = True) -> Graph:
    """The graph of a program under a configuration, as the stack that this is for.

    ``positions`` says where each resource is registered, which takes a tenth longer. Raises Refused for what the engine does
    not do, OperationFailed where the program fails, and BadInput where it says so of its input.
    """
    diagnostics: list[Diagnostic] = []

    def sink(event: Event) -> None:
        if isinstance(event, Diagnostic) and event.severity == "error":
            diagnostics.append(event)

    deployment = Deployment(
        snapshot=Snapshot(),
        host=host,
        sink=sink,
        journal=None,
        provider_config=lambda package: {},
        make_urn=lambda type_, child, parent: make(_STACK, project.name, qualified_type(parent) if parent else "", type_, child),
    )
    recorder = _Recorder(deployment, project, positions)
    with _positions(project.root) if positions else nullcontext():
        parallel = deployment.parallel
        run_program(project, config.stack, config, recorder, sink, preview=True, parallel=parallel, positions=positions)
    if deployment.refusals:
        raise Refused(f"the program asks for what the embedded engine does not do: {'; '.join(sorted(deployment.refusals))}")
    if diagnostics:
        raise OperationFailed("; ".join(diagnostic.message for diagnostic in diagnostics))
    recorder.record_stack_outputs(complete=True)
    return recorder.paper.graph(config.stack)


class _Recorder(Monitor):
    """The monitor, with paper in the place of a cloud."""

    def __init__(self, deployment: Deployment, project: Project, positions: bool) -> None:
        super().__init__(deployment, project.name, _STACK, lambda reference: {})
        self.paper = _Paper(deployment)
        self.applier = self.paper  # type: ignore[assignment]  # it answers the same calls
        self._positions = positions

    def RegisterResource(self, request: Any) -> Any:
        self._note(request)
        return super().RegisterResource(request)

    def ReadResource(self, request: Any) -> Any:
        self._note(request)
        return super().ReadResource(request)

    def _note(self, request: Any) -> None:
        """Keep what a goal has no place for."""
        source = ""
        if self._positions and request.stackTrace.frames:
            position = request.stackTrace.frames[0].pc
            source = f"{position.uri}:{position.line}"
        urn = self._urn(request.type, request.name, request.parent)
        self.paper.notes[urn] = source, {"version": request.version, "plugin_download_url": request.pluginDownloadURL}


class _Paper:
    """Takes registrations, and answers with what a cloud would, as far as that can be made up."""

    def __init__(self, deployment: Deployment) -> None:
        self.notes: dict[str, tuple[str, dict[str, Any]]] = {}
        self._nodes: dict[str, Node] = {}
        self._look_ups: list[tuple[str, str, PropertyMap, str]] = []
        self._deployment = deployment
        self._providers: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def graph(self, stack: str) -> Graph:
        """All that was registered. Look-ups come in any order, and are numbered by what they ask for."""
        nodes, numbers = dict(self._nodes), dict[str, int]()
        for token, _, arguments, provider in sorted(self._look_ups, key=lambda one: one[:2]):
            numbers[token] = number = numbers.get(token, 0) + 1
            urn = f"{LOOK_UP}::{token}::{number}"
            nodes[urn] = Node(urn, LOOK_UP, token, "", provider, (), {}, {}, arguments)
        return Graph(stack, nodes)

    def register(self, goal: Goal) -> Registered:
        self._keep(goal)
        if not goal.custom or goal.type.startswith("pulumi:"):
            return Registered(goal.urn, "paper" if goal.custom else "", goal.inputs)
        if not self._deployment.host.serves_type(goal.type):
            self._deployment.refuse(f"resource type {goal.type} is not in the table of the local cloud")
            return Registered(goal.urn, "", goal.inputs)
        outputs = self._made_up(goal)
        self._nodes[goal.urn] = replace(self._nodes[goal.urn], outputs=outputs)
        return Registered(goal.urn, f"{goal.name}.id", outputs)

    def read(self, goal: Goal, id_: str) -> Registered:
        self._keep(goal, id=id_)
        return Registered(goal.urn, id_, {**goal.inputs})

    def read_stack_reference(self, goal: Goal, name: str, outputs: Any) -> Registered:
        self._keep(goal, name=name)
        return Registered(goal.urn, name, {"name": name, "outputs": UNKNOWN})

    def register_outputs(self, urn: str, outputs: PropertyMap, complete: bool = True) -> None:
        node = self._nodes.get(urn)
        if node is not None and node.type == STACK_TYPE:
            self._nodes[urn] = replace(node, inputs={"outputs": outputs})

    def invoke(self, token: str, arguments: PropertyMap, provider: str) -> None:
        """Only a cloud could tell; but what is asked for is kept."""
        with self._lock:
            self._look_ups.append((token, json.dumps(plain(arguments), sort_keys=True, default=repr), arguments, provider))

    def _keep(self, goal: Goal, **inputs: str) -> None:
        source, options = self.notes.get(goal.urn, ("", {}))
        node = _node(goal, {**goal.inputs, **inputs}, source, options)
        with self._lock:
            if goal.urn in self._nodes:
                raise OperationFailed(f"duplicate resource URN {goal.urn!r}: two resources have this type, name and parent")
            self._nodes[goal.urn] = node

    def _made_up(self, goal: Goal) -> PropertyMap:
        provider, inputs = self._provider(goal.type), plain(goal.inputs)
        checked = provider.check(goal.type, goal.urn, None, inputs).inputs
        # Automatic names end at random.
        named = {
            key: goal.name
            for key, value in checked.items()
            if key not in inputs and isinstance(value, str) and value.lower().startswith(f"{goal.name.lower()}-")
        }
        planned = provider.planned(goal.type, {**checked, **named}, None, ())
        return {key: _text(goal, key) if value is UNKNOWN else value for key, value in planned.items()} | goal.inputs

    def _provider(self, type_: str) -> Provider:
        package = type_.partition(":")[0]
        with self._lock:
            if package not in self._providers:
                self._providers[package] = self._deployment.host.configure(package, {})
            return self._providers[package]


def _text(goal: Goal, key: str) -> Any:
    """A text in the place of an output that is one; else unknown."""
    if _ARN.fullmatch(key):
        service = goal.type.split(":")[1].partition("/")[0]
        return f"arn:aws:{service}:region:000000000000:{goal.name}/{key}"
    return f"{goal.name}.{key}" if _TEXT.fullmatch(key) else UNKNOWN


def _node(goal: Goal, inputs: PropertyMap, source: str, more_options: Mapping[str, Any]) -> Node:
    options = {
        "ignore_changes": goal.ignore_changes,
        "replace_on_changes": goal.replace_on_changes,
        # Unlike false, none leaves it to the provider.
        "delete_before_replace": None if goal.delete_before_replace is None else str(goal.delete_before_replace),
        "additional_secret_outputs": goal.additional_secret_outputs,
        "aliases": goal.alias_urns,
        "import": goal.import_id,
        "custom_timeouts": goal.custom_timeouts,
        "retain_on_delete": goal.retain_on_delete,
        "deleted_with": goal.deleted_with,
        "replace_with": goal.replace_with,
        **more_options,
    }
    by_property = {name: tuple(urns) for name, urns in goal.property_dependencies.items() if urns}
    return Node(
        urn=goal.urn,
        type=goal.type,
        name=goal.name,
        parent=goal.parent,
        provider=goal.provider,
        dependencies=tuple(sorted({*goal.dependencies, *(urn for urns in by_property.values() for urn in urns)})),
        property_dependencies=by_property,
        options={name: value for name, value in options.items() if value},
        # A table may say whether there is something to protect, as it may say anything that is an input.
        inputs={**inputs, PROTECT: True} if goal.protect else inputs,
        source=source,
    )


@contextmanager
def _positions(root: Path) -> Iterator[None]:
    """Have the SDK say where a resource is made: by one frame, the first outside of its own constructors."""
    from pulumi.runtime import resource as sdk
    from pulumi.runtime.proto import source_pb2

    def position() -> Any:
        frame = sys._getframe(1)
        made = frame.f_locals.get("res")
        while frame is not None:
            file = frame.f_code.co_filename
            if f"{root}/" in f"{file}/" and "site-packages" not in file and frame.f_locals.get("self") is not made:
                where = source_pb2.SourcePosition(uri=str(Path(file).relative_to(root)), line=frame.f_lineno)
                return source_pb2.StackTrace(frames=[source_pb2.StackFrame(pc=where)])
            frame = frame.f_back  # type: ignore[assignment]  # None at the end
        return source_pb2.StackTrace()

    walk = sdk._get_stack_trace
    sdk._get_stack_trace = position
    try:
        yield
    finally:
        sdk._get_stack_trace = walk


# -- comparing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """How graph ``here`` differs from graph ``there``.

    ``alone`` are nodes without a counterpart, with the graph that has them. ``shapes`` are nodes of ``here`` and what of
    their provider, dependencies or options differs, with both values; ``inputs`` the places in ``there``, with their nodes
    in ``here`` and both values.
    """

    here: Graph
    there: Graph
    alone: tuple[tuple[Graph, Node], ...]
    shapes: tuple[tuple[Node, str, Any, Any], ...]
    inputs: Mapping[Place, tuple[Node, Any, Any]] = field(repr=False)


def compare(here: Graph, there: Graph) -> Comparison:
    """Compare two graphs. Where one has its stack's name as a word and the other its own, they are the same."""
    names = _Names(here.stack, there.stack)
    pairs = list(names.pairs(here.nodes, there.nodes))
    counterpart = {mine: theirs for mine, theirs in pairs if mine and theirs}
    alone = [(here, here.nodes[mine]) for mine, theirs in pairs if mine and theirs is None]
    alone += [(there, there.nodes[theirs]) for mine, theirs in pairs if theirs and mine is None]
    shapes: list[tuple[Node, str, Any, Any]] = []
    inputs: dict[Place, tuple[Node, Any, Any]] = {}
    for mine, theirs in sorted(counterpart.items()):
        node, other = here.nodes[mine], there.nodes[theirs]
        shapes += _shapes(node, other, names, counterpart)
        for path, one, another in names.differences(node.inputs, other.inputs):
            inputs[theirs, path] = node, one, another
    return Comparison(here, there, tuple(sorted(alone, key=lambda one: one[1].urn)), tuple(shapes), inputs)


def _shapes(node: Node, other: Node, names: _Names, counterpart: Mapping[str, str]) -> Iterator[tuple[Node, str, Any, Any]]:
    if not names.same(node.provider, other.provider):
        yield node, "provider", node.provider, other.provider

    def wired(urns: tuple[str, ...]) -> list[str]:
        return sorted(counterpart.get(urn, urn) for urn in urns)

    if wired(node.dependencies) != sorted(other.dependencies):
        yield node, "dependencies", wired(node.dependencies), sorted(other.dependencies)
    else:
        for name in sorted(node.inputs.keys() & other.inputs.keys()):
            mine, theirs = wired(node.property_dependencies.get(name, ())), sorted(other.property_dependencies.get(name, ()))
            if mine != theirs:
                yield node, f"dependencies of {name}", mine, theirs
    for path, one, another in names.differences(node.options, other.options):
        yield node, f"option {shown_path(path)}", one, another


@dataclass(frozen=True)
class _Names:
    """Compares values of two stacks, of which each may say its own name where the other says its own."""

    mine: str
    theirs: str

    @cached_property
    def word(self) -> re.Pattern[str]:
        longest_first = sorted({self.mine, self.theirs}, key=len, reverse=True)
        return re.compile(rf"(?<![A-Za-z0-9])({'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")

    def renamed(self, text: str) -> str:
        """A text of mine as the other stack would say it."""
        if self.mine == self.theirs or self.mine not in text:
            return text
        return self.word.sub(lambda match: self.theirs if match[1] == self.mine else match[1], text)

    def same(self, mine: str, theirs: str) -> bool:
        """Word for word: two names that are the same on both sides, as values of tables are, are the same too."""
        if mine == theirs or self.mine == self.theirs or self.mine not in mine:
            return mine == theirs
        some, others = self.word.split(mine), self.word.split(theirs)
        own = self.mine, self.theirs
        return len(some) == len(others) and all(pair == own or pair[0] == pair[1] for pair in zip(some, others, strict=True))

    def pairs(self, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str | None, str | None]]:
        """Keys that belong together, by what they are or else by their names; None where there is no other."""
        rest = {key for key in theirs if key not in mine}
        for key in mine:
            other = key if key in theirs else self.renamed(key)
            if key in theirs:
                yield key, key
            elif other in rest:
                rest.remove(other)
                yield key, other
            else:
                yield key, None
        for key in sorted(rest):
            yield None, key

    def differences(self, mine: Any, theirs: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any, Any]]:
        """Where two values differ: as deep as both have the same form. A secret is one value, whatever is in it."""
        if isinstance(mine, dict) and isinstance(theirs, dict):
            for key, other in self.pairs(mine, theirs):
                if key is None or other is None:
                    yield (*path, key or other or ""), mine.get(key, ABSENT), theirs.get(other, ABSENT)
                else:
                    yield from self.differences(mine[key], theirs[other], (*path, other))
        elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
            for number, (one, another) in enumerate(zip(mine, theirs, strict=True)):
                yield from self.differences(one, another, (*path, number))
        elif isinstance(mine, Secret) and isinstance(theirs, Secret):
            if any(self.differences(mine.value, theirs.value)):
                yield path, mine, theirs
        elif isinstance(mine, str) and isinstance(theirs, str):
            if not self.same(mine, theirs):
                yield path, mine, theirs
        elif isinstance(mine, bool) is not isinstance(theirs, bool) or mine != theirs:
            yield path, mine, theirs


def shown_path(path: Steps) -> str:
    """A path as people write it: ``ingress[0].cidrBlocks``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
