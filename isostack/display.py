"""Shows a run to a person: a live tree by component on a terminal, plain lines elsewhere; diffs, summary, outputs.

Draws from :mod:`isostack.engine.events` alone. Everything goes to one console; of this, ``--json`` uses only how values and
results are written (``document``, ``presentable``).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from isostack.console import Console, Line
from isostack.engine import urn as urns
from isostack.engine.events import Change, Diagnostic, Event, Op, Phase, Result, StepDone, StepStarted, Violation
from isostack.engine.values import SIGNATURE_KEY, UNKNOWN, Secret
from isostack.errors import EXIT_CODES

_SIGNS = {
    Op.CREATE: ("+", "green"),
    Op.IMPORT: ("=", "green"),
    Op.UPDATE: ("~", "yellow"),
    Op.REPLACE: ("+-", "magenta"),
    Op.DELETE: ("-", "red"),
    Op.FORGET: ("-", "bright_black"),
    Op.READ: (">", "cyan"),
    Op.REFRESH: ("~", "bright_black"),
    Op.SAME: (" ", "bright_black"),
}
_DOING = {
    Op.CREATE: ("create", "creating", "created"),
    Op.IMPORT: ("import", "importing", "imported"),
    Op.UPDATE: ("update", "updating", "updated"),
    Op.REPLACE: ("replace", "replacing", "replaced"),
    Op.DELETE: ("delete", "deleting", "deleted"),
    Op.FORGET: ("forget", "forgetting", "forgotten"),
    Op.READ: ("read", "reading", "read"),
    Op.REFRESH: ("refresh", "refreshing", "refreshed"),
    Op.SAME: ("", "checking", "checked"),
}
_SEVERITIES = ("", "low", "medium", "high", "critical")
_CHANGE_SIGNS = {"add": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}
VALUE_WIDTH = 100


@dataclass
class _Node:
    urn: str
    type: str = ""
    name: str = ""
    parent: str = ""
    op: Op = Op.SAME
    component: bool = False
    note: str = ""
    changes: tuple[Change, ...] = ()
    status: str = ""
    """Empty while it is under way."""
    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    message: str = ""
    superseded: bool = False
    """Whether this is the old copy of a resource that is being replaced; the tree shows the new one."""

    @property
    def quiet(self) -> bool:
        """Whether it went well and there is nothing to tell about it."""
        return self.status == "done" and (self.op in (Op.SAME, Op.REFRESH) or self.superseded)


class Display:
    """The sink of one run. ``with display.running(...)`` around the run; ``conclude`` after it."""

    def __init__(self, console: Console, *, planning: bool = False) -> None:
        self.console = console
        self.planning = planning
        self.lively = console.lively
        self._nodes: dict[str, _Node] = {}
        self._diagnostics: list[Diagnostic] = []
        self._phase = ""
        self._lock = threading.Lock()
        self._started = time.perf_counter()

    @contextmanager
    def running(self, title: str) -> Iterator[None]:
        """Show progress while the block runs."""
        self.console.print(Line((title, "bold")))
        with self.console.live(self._picture):
            yield

    def __call__(self, event: Event) -> None:
        """Take an event; may be called from several threads."""
        with self._lock:
            line = self._take(event)
        if line is not None:  # outside of our lock, because the live picture takes it under the console's
            self.console.print(line)

    def _take(self, event: Event) -> Line | None:
        """Note the event; gives the line to print at once, if any."""
        if isinstance(event, StepStarted):
            key = self._key(event)
            self._nodes[key] = _Node(
                key, event.type, event.name, event.parent, event.op, event.component, event.note, event.changes,
                superseded=key != event.urn,
            )  # fmt: skip
        elif isinstance(event, StepDone):
            node = self._nodes.setdefault(self._key(event), _node_of(event.urn))
            node.op, node.status, node.seconds, node.message = event.op, event.status, event.seconds, event.message
            if not self.lively and not self.planning and (event.op is not Op.SAME or event.status != "done"):
                return self._line(node)
        elif isinstance(event, Diagnostic):
            if event.severity == "info":
                return Line(_about(event.urn) + event.message)
            self._diagnostics.append(event)
        elif isinstance(event, Phase):
            self._phase = event.text
            if not self.lively:
                return Line((f"{event.text}…", "bright_black"))
        return None

    def _key(self, event: StepStarted | StepDone) -> str:
        """The URN; but a delete of what is being replaced is of its old copy, which has the same URN."""
        node = self._nodes.get(event.urn)
        is_old = event.op in (Op.DELETE, Op.FORGET) and node is not None and node.op is Op.REPLACE
        return f"{event.urn} (old)" if is_old else event.urn

    # -- while it runs ---------------------------------------------------------------------------------------------

    def _picture(self, room: int) -> list[Line]:
        with self._lock:
            nodes = list(self._nodes.values())
            phase = self._phase
        active = [n for n in nodes if not n.status and not n.component]
        finished = sum(1 for n in nodes if n.status and not n.component)
        shown = self._tree_lines(nodes, lambda n: not n.quiet)
        if len(shown) > room:
            shown = [self._line(n) for n in active[:room]]
        seconds = time.perf_counter() - self._started
        foot = f"{finished} done, {len(active)} under way, {seconds:.0f} s"
        if not nodes and phase:
            foot = f"{phase}… {seconds:.0f} s"
        return [*shown, Line((foot, "bright_black"))]

    # -- afterwards ------------------------------------------------------------------------------------------------

    def conclude(self, result: Result) -> None:
        """The tree of what changed (with its diffs at preview), outputs, messages, and the summary; errors last."""
        nodes = list(self._nodes.values())
        if self.planning or self.lively:
            for line in self._tree_lines(nodes, lambda n: not n.quiet, diffs=self.planning):
                self.console.print(line)
        if result.outputs and result.operation in ("up", "refresh"):
            self.console.print(Line(("\nOutputs:", "bold")))
            print_outputs(self.console, result.outputs)
        print_violations(self.console, result.policy)
        self._print_warnings_and_errors(nodes)
        self.console.print(self._summary(result))

    def _print_warnings_and_errors(self, nodes: list[_Node]) -> None:
        warnings = [_about(d.urn) + d.message for d in self._diagnostics if d.severity == "warning"]
        warnings += [f"{n.name} ({n.type}) was skipped: {n.message}" for n in nodes if n.status == "skipped"]
        errors = [_about(d.urn) + d.message for d in self._diagnostics if d.severity == "error"]
        for node in nodes:
            if node.status == "failed":
                errors.append(f"{node.name} ({node.type}) could not be {_DOING[node.op][2]}: {node.message}")
        if warnings or errors:
            self.console.print()
        for word, style, messages in (("warning", "yellow", warnings), ("error", "red", errors)):
            for message in dict.fromkeys(messages):
                self.console.print(Line((f"{word}: ", f"bold {style}"), message))

    def _summary(self, result: Result) -> Line:
        counts = result.changes.as_dict()
        words = _COUNTED[result.operation == "preview"]
        changed = [f"{counts[key]} {word}" for key, word in words.items() if counts[key]]
        same = counts["same"]
        if result.result != "succeeded":
            head: tuple[str, str] = (result.result, "bold red")
        elif not changed:
            head = ("no changes", "bold green")
        else:
            head = ("would change" if result.operation == "preview" else "done", "bold green")
        if changed:
            parts = ", " + ", ".join(changed) + (f" ({same} unchanged)" if same else "")
        elif same:
            parts = f", {same} {'resource' if same == 1 else 'resources'} as before"
        else:
            parts = ", nothing was changed" if result.result != "succeeded" else ", nothing there"
        return Line("\n", (f"{result.stack}: ", "bold"), head, f"{parts}, {result.duration_seconds:.1f} s")

    # -- lines -----------------------------------------------------------------------------------------------------

    def _tree_lines(self, nodes: list[_Node], wanted: Any, diffs: bool = False) -> list[Line]:
        """The wanted nodes with their ancestors, indented by parentage; siblings by name: they register in any order."""
        by_urn = {n.urn: n for n in nodes}
        kept: set[str] = set()
        for node in nodes:
            if wanted(node):
                urn = node.urn
                while urn and urn not in kept:
                    kept.add(urn)
                    urn = by_urn[urn].parent if urn in by_urn else ""
        children: dict[str, list[_Node]] = {}
        for node in nodes:
            if node.urn in kept:
                children.setdefault(node.parent if node.parent in by_urn else "", []).append(node)
        lines: list[Line] = []

        def walk(node: _Node, lead: str, stem: str) -> None:
            lines.append(self._line(node, lead))
            if diffs and not node.component:
                lines.extend(_change_line(change, stem + "     ") for change in node.changes)
            below = sorted(children.get(node.urn, []), key=_in_order)
            for index, child in enumerate(below):
                last = index == len(below) - 1
                walk(child, stem + ("└─ " if last else "├─ "), stem + ("   " if last else "│  "))

        for root in children.get("", []):
            walk(root, "", "")
        return lines

    def _line(self, node: _Node, lead: str = "") -> Line:
        sign, style = _SIGNS[node.op]
        planned, doing, did = _DOING[node.op]
        text = Line((lead, "bright_black"), cut=True)
        text.append(f"{sign:<2} ", style)
        text.append(urns.short_type(node.type), "bright_black")
        text.append(f" {node.name}", "bold" if node.op is not Op.SAME else "")
        if node.status in ("failed", "skipped"):
            text.append(f" {node.status}", "bold red" if node.status == "failed" else "yellow")
        elif self.planning and planned:
            text.append(f" {planned}", style)
        elif node.status and node.op is not Op.SAME:
            text.append(f" {did}", style)
            if not node.component:
                text.append(f" {node.seconds:.2f} s", "bright_black")
        elif not node.status:
            text.append(f" {doing}", style)
            if not node.component:
                text.append(f" {time.perf_counter() - node.started:.0f} s", "bright_black")
        if node.note:
            text.append(f" ({node.note})", "bright_black")
        return text


_COUNTED = {
    False: {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"},
    True: {"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete"},
}


def print_outputs(console: Console, outputs: dict[str, Any], show_secrets: bool = False) -> None:
    """Stack outputs, one a line, by name."""
    width = max((len(name) for name in outputs), default=0)
    for name in sorted(outputs):
        console.print(Line("  ", (f"{name:<{width}}", "cyan"), "  ", shown(outputs[name], show_secrets)))


def print_violations(console: Console, violations: Sequence[Violation], *, undecided: bool = False) -> None:
    """What policies found, by pack, as Pulumi prints it, but mandatory ones last, where they are seen.

    What a preview cannot tell yet is one line, unless each of them is asked for (``undecided``).
    """
    if violations:
        console.print(Line(("\nPolicies:", "bold")))
    for pack in sorted({(violation.pack, violation.version) for violation in violations}):
        found = [violation for violation in violations if (violation.pack, violation.version) == pack]
        sign = "❌" if any(violation.level == "mandatory" for violation in found) else "⚠️ "
        console.print(f"    {sign} {pack[0]}@v{pack[1]}")
        open_ = [] if undecided else [violation for violation in found if violation.undecided]
        if open_:
            policies, resources = (len({getattr(v, name) for v in open_}) for name in ("policy", "urn"))
            text = (
                f"        - {policies} {'policies' if policies > 1 else 'policy'} cannot tell yet about {resources} "
                f"{'resources' if resources > 1 else 'resource'}: values are not known before up, which asks again"
            )
            console.print(Line((text, "bright_black")))
        for violation in sorted(
            (v for v in found if v not in open_),
            key=lambda v: (v.level == "mandatory", _SEVERITIES.index(v.severity), v.policy, v.urn),
        ):
            style = "red" if violation.level == "mandatory" else "yellow"
            severity = f" [severity: {violation.severity}]" if violation.severity else ""
            urn = violation.urn
            about = f"  ({urns.short_type(urns.type_of(urn))}: {urns.name_of(urn)})" if urn else ""
            console.print(Line("        - ", (f"[{violation.level}]{severity}  {violation.policy}", style), about))
            for line in violation.message.rstrip("\n").split("\n"):
                console.print(f"          {line}")


def shown(value: Any, show_secrets: bool = False, width: int = 0) -> str:
    """A property value as people read it: unknowns and secrets by name, JSON for the rest."""
    if not isinstance(value, (dict, list)) and not isinstance(value, Secret) and value is not UNKNOWN:
        text = value if isinstance(value, str) and not width else json.dumps(value, ensure_ascii=False)
    else:
        text = json.dumps(presentable(value, show_secrets), ensure_ascii=False).strip('"')
    return text if not width or len(text) <= width else text[: width - 1] + "…"


def presentable(value: Any, show_secrets: bool = False) -> Any:
    """A property value as JSON with sorted keys: secrets as ``[secret]`` unless they are to be shown."""
    if isinstance(value, Secret):
        return presentable(value.value, True) if show_secrets else "[secret]"
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        if SIGNATURE_KEY in value:
            return value.get("urn") or value.get("path") or value.get("uri") or _contents(value)
        return {key: presentable(value[key], show_secrets) for key in sorted(value)}
    if isinstance(value, list):
        return [presentable(item, show_secrets) for item in value]
    return value


def document(result: Result) -> dict[str, Any]:
    """What ``--json`` says of every result: how it ended, what was changed, and what was found."""
    return {
        "stack": result.stack,
        "result": result.result,
        "exit_code": EXIT_CODES[result.result],
        "changes": result.changes.as_dict(),
        "duration_seconds": result.duration_seconds,
        "outputs": presentable(result.outputs),
        "diagnostics": [{"urn": d.urn, "severity": d.severity, "message": d.message} for d in result.diagnostics],
        "policy": [asdict(violation) for violation in result.policy],
    }


def _contents(asset: dict[str, Any]) -> str:
    return f"[archive of {', '.join(sorted(asset['assets']))}]" if asset.get("assets") else "[text]"


def _in_order(node: _Node) -> tuple[list[int | str], str]:
    """By name, and ``queue-10`` after ``queue-9``."""
    parts = re.split(r"(\d+)", node.name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], node.type


def _node_of(urn: str) -> _Node:
    """A node for a step of which nothing but its end is known."""
    known = urns.parse(urn)
    return _Node(urn, known.type, known.name)


def _about(urn: str) -> str:
    return f"{urns.parse(urn).name}: " if urn else ""


def _change_line(change: Change, indent: str) -> Line:
    sign, style = _CHANGE_SIGNS[change.kind]
    text = Line(indent)
    text.append(f"{sign} {change.path}: ", style)
    if change.kind == "update":
        old, new = shown(change.old, width=VALUE_WIDTH), shown(change.new, width=VALUE_WIDTH)
        text.append(f"{old} => {new}" if old != new else f"{new} (changed)")
    else:
        text.append(shown(change.new if change.kind == "add" else change.old, width=VALUE_WIDTH))
    if change.replaces:
        text.append("  forces replacement", "bold magenta")
    return text


__all__ = ["Display", "document", "presentable", "print_outputs", "print_violations", "shown"]
