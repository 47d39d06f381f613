"""What a program registers, as a graph, without any cloud: for comparing programs, or one program under several parameters.

Runs the program as a preview does. Nothing is created, so what only a cloud could tell is made up from the resource's name:
the same for the same program, and text where it is text in every cloud, so that documents which programs make of it show.
Look-ups answer "unknown". How two graphs differ is :mod:`isostack.parity`'s.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from isostack.engine.values import UNKNOWN, PropertyMap, plain
from isostack.errors import OperationFailed, Refused

STACK = "graph"
"""The stack's name in every graph: it is no part of what is compared."""
# Outputs that are text wherever they occur, by the ends of their names.
_TEXT = re.compile(r"(?i)(.*[a-z])?(id|name|url|endpoint|address|suffix|bucket|result|zone|domain)")
_ARN = re.compile(r"(?i)(.*[a-z])?arn")


@dataclass(frozen=True)
class Node:
    """A resource as a program registers it. ``inputs`` are the program's own; ``options`` has those that are set.

    ``source`` is where: ``components/queue.py:41``, or empty where the program has not registered it itself.
    """

    urn: str
    type: str
    name: str
    parent: str
    provider: str
    dependencies: tuple[str, ...]
    options: Mapping[str, Any]
    inputs: PropertyMap = field(repr=False)
    source: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes by URN, in no order; ``outputs`` are what the program exports."""

    nodes: Mapping[str, Node]
    outputs: PropertyMap = field(repr=False)


def record(project: Project, config: StackConfig, host: ProviderHost, *, positions: bool = True) -> Graph:
    """The graph of a program under a configuration.

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
        make_urn=lambda type_, child, parent: make(STACK, project.name, qualified_type(parent) if parent else "", type_, child),
    )
    recorder = _Recorder(deployment, project, positions)
    with _positions(project.root) if positions else _nothing():
        run_program(project, STACK, config, recorder, sink, preview=True, parallel=deployment.parallel, positions=positions)
    if deployment.refusals:
        raise Refused(f"the program asks for what the embedded engine does not do: {'; '.join(sorted(deployment.refusals))}")
    if diagnostics:
        raise OperationFailed("; ".join(diagnostic.message for diagnostic in diagnostics))
    return Graph(recorder.paper.nodes, recorder.paper.outputs)


class _Recorder(Monitor):
    """The monitor, with paper in the place of a cloud."""

    def __init__(self, deployment: Deployment, project: Project, positions: bool) -> None:
        super().__init__(deployment, project.name, STACK, lambda reference: {})
        self.paper = _Paper(deployment)
        self.applier = self.paper  # type: ignore[assignment]  # it answers the same calls
        self._positions = positions

    def _goal(self, request: Any) -> Goal:
        goal = super()._goal(request)
        if self._positions and request.stackTrace.frames:
            position = request.stackTrace.frames[0].pc
            goal.source_position = f"{position.uri}:{position.line}"
        return goal


class _Paper:
    """Takes registrations, and answers with what a cloud would, as far as that can be made up."""

    def __init__(self, deployment: Deployment) -> None:
        self.nodes: dict[str, Node] = {}
        self.outputs: PropertyMap = {}
        self._deployment = deployment
        self._providers: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def register(self, goal: Goal) -> Registered:
        with self._lock:
            if goal.urn in self.nodes:
                raise OperationFailed(f"duplicate resource URN {goal.urn!r}: two resources have this type, name and parent")
            self.nodes[goal.urn] = _node(goal)
        if not goal.custom or goal.type.startswith("pulumi:"):
            return Registered(goal.urn, "paper" if goal.custom else "", goal.inputs)
        if not self._deployment.host.serves_type(goal.type):
            self._deployment.refuse(f"resource type {goal.type}")
            return Registered(goal.urn, "", goal.inputs)
        return Registered(goal.urn, f"{goal.name}.id", self._made_up(goal))

    def read(self, goal: Goal, id_: str) -> Registered:
        with self._lock:
            self.nodes[goal.urn] = _node(goal)
        return Registered(goal.urn, id_, {**goal.inputs})

    def read_stack_reference(self, goal: Goal, name: str, outputs: Any) -> Registered:
        return Registered(goal.urn, name, {"name": name, "outputs": UNKNOWN})

    def register_outputs(self, urn: str, outputs: PropertyMap, complete: bool = True) -> None:
        node = self.nodes.get(urn)
        if node is not None and node.type == STACK_TYPE:
            self.outputs = outputs

    def invoke(self, token: str, arguments: PropertyMap, provider: str) -> None:
        """Only a cloud could tell."""

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


def _node(goal: Goal) -> Node:
    options = {
        "protect": goal.protect,
        "ignore_changes": tuple(goal.ignore_changes),
        "replace_on_changes": tuple(goal.replace_on_changes),
        "delete_before_replace": goal.delete_before_replace,
        "additional_secret_outputs": tuple(goal.additional_secret_outputs),
        "aliases": tuple(goal.alias_urns),
        "import": goal.import_id,
        "custom_timeouts": tuple(sorted(goal.custom_timeouts.items())),
        "retain_on_delete": goal.retain_on_delete,
        "deleted_with": goal.deleted_with,
        "replace_with": tuple(goal.replace_with),
    }
    dependencies = {*goal.dependencies, *(urn for urns in goal.property_dependencies.values() for urn in urns)}
    return Node(
        urn=goal.urn,
        type=goal.type,
        name=goal.name,
        parent=goal.parent,
        provider=goal.provider,
        dependencies=tuple(sorted(dependencies)),
        options={name: value for name, value in options.items() if value},
        inputs=goal.inputs,
        source=goal.source_position,
    )


@contextmanager
def _nothing() -> Iterator[None]:
    yield


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
