"""What the CLI's engine tells while it runs, in the words of :mod:`isostack.engine.events`: steps, messages, violations, counts.

Facts about the events: ``sdk/go/common/apitype/events.go`` in Pulumi's source. Secrets come masked already.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from isostack.engine import plan
from isostack.engine import urn as urns
from isostack.engine.deployment import PROVIDER_PREFIX, STACK_TYPE
from isostack.engine.events import Change, Diagnostic, Op, Sink, StepDone, StepStarted, Tally, Violation
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, UNKNOWN_STRING, PropertyMap, Secret, has_secret

_OPS: Final = {
    "same": Op.SAME,
    "create": Op.CREATE,
    "update": Op.UPDATE,
    "delete": Op.DELETE,
    "create-replacement": Op.REPLACE,
    "import-replacement": Op.REPLACE,
    "delete-replaced": Op.DELETE,
    "read": Op.READ,
    "read-replacement": Op.READ,
    "import": Op.IMPORT,
    "refresh": Op.REFRESH,
    "discard": Op.FORGET,
    "discard-replaced": Op.FORGET,
    "remove-pending-replace": Op.FORGET,
}
_COUNTED: Final = {
    Op.CREATE: "create",
    Op.IMPORT: "create",
    Op.UPDATE: "update",
    Op.REPLACE: "replace",
    Op.DELETE: "delete",
    Op.SAME: "same",
    Op.READ: "same",
    Op.REFRESH: "same",
}
_OLD_COPIES: Final = ("delete-replaced", "discard-replaced", "remove-pending-replace")
# The CLI warns of every plugin that it finds on the path, and that is where the local cloud's are.
_LAUNCHER: Final = re.compile(r"using pulumi-resource-\w+ from \$PATH at ")
_TRACEBACK: Final = "Traceback (most recent call last):"
_ANOTHER: Final = "During handling of the above exception, another exception occurred:"
_UNDECIDED: Final = re.compile(r"can't run policy .* during preview: ")
_SUMMARY: Final = re.compile(r"(update|preview|destroy|refresh|delete) failed")
# "properties changed: ++name[{planned}!={actual}], =-other[{planned}]": what the plan and the program each do to a property.
_PLAN_KEYS: Final = re.compile(r"(?:^properties changed: |\], )[+~=-]{2}([A-Za-z_]\w*)(?=\[\{|,|$)")


class Events:
    """Takes the events of one operation, from one thread at a time, and tells a sink what they mean.

    ``tally`` and ``outputs`` (the stack's, None until they are known) are what they come to.
    """

    def __init__(self, sink: Sink) -> None:
        self.tally = Tally()
        self.outputs: PropertyMap | None = None
        self._sink = sink
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, str], float] = {}
        self._done: set[tuple[str, str]] = set()
        self._deleted_first: set[str] = set()
        self._problems: dict[str, list[str]] = {}
        self._held: list[str] = []
        self._has_failed = False
        self._has_refreshed = False

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take an event."""
        with self._lock:
            if found := event.get("resourcePreEvent"):
                self._begin(found["metadata"])
            elif found := event.get("resOutputsEvent"):
                self._end(found["metadata"])
            elif found := event.get("resOpFailedEvent"):
                self._fail(found["metadata"])
            elif found := event.get("diagnosticEvent"):
                self._diagnostic(found)
            elif found := event.get("policyEvent"):
                violation = _violation(found)
                self._has_failed |= violation.level == "mandatory"
                self._sink(violation)

    def close(self) -> None:
        """Tell what is left when the operation has ended: problems that ended no step."""
        for line in self._held:
            self._sink(Diagnostic("info", line))
        if len(self._problems) > 1 or self._has_failed:
            for messages in self._problems.values():
                messages[:] = [message for message in messages if not _SUMMARY.fullmatch(message)]
        for urn, messages in self._problems.items():
            if not messages:
                continue
            begun = next((op for (known, op) in self._begun if known == urn and (known, op) not in self._done), "")
            text = "; ".join(dict.fromkeys(messages))
            if begun:
                self._sink(StepDone(urn, _OPS[begun], "failed", self._seconds(urn, begun), text))
            else:
                self._sink(Diagnostic("error", text, _visible(urn)))
        self._problems.clear()

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _begin(self, step: Mapping[str, Any]) -> None:
        op = _OPS.get(step["op"])
        state = step.get("new") or step.get("old") or {}
        if op is None or _is_silent(step) or (op is Op.REFRESH and _is_at_home(step["type"], state)):
            return
        urn = step["urn"]
        if step["op"] == "delete-replaced" and (urn, "create-replacement") not in self._begun:
            self._deleted_first.add(urn)
        self._begun[urn, step["op"]] = time.perf_counter()
        if op is Op.REFRESH:
            self._has_refreshed = True
        elif self._has_refreshed:
            self.tally, self._has_refreshed = Tally(), False  # what was found before an up is not what the up does
        self._sink(
            StepStarted(
                urn,
                op,
                step["type"],
                urns.name_of(urn),
                state.get("parent", ""),
                _changes(op, step),
                not state.get("custom", False),
                self._note(op, step),
            )
        )
        if not state.get("custom", False) and op is not Op.DELETE:
            self._end(step)  # nothing else is done about a component, and the CLI does not always say that it has ended

    def _note(self, op: Op, step: Mapping[str, Any]) -> str:
        if op is Op.REPLACE and step["urn"] in self._deleted_first:
            return "delete before replace"
        return "replaced" if step["op"] in _OLD_COPIES else ""

    def _end(self, step: Mapping[str, Any]) -> None:
        if step["type"] == STACK_TYPE and step.get("new"):
            self.outputs = decoded(step["new"].get("outputs") or {})
        op = _OPS.get(step["op"])
        if (step["urn"], "refresh") in self._begun and (step["urn"], "refresh") not in self._done:
            self._refreshed(step)
            return
        if op is None or (step["urn"], step["op"]) not in self._begun or (step["urn"], step["op"]) in self._done:
            return
        self._done.add((step["urn"], step["op"]))
        if step["op"] not in _OLD_COPIES:
            self._count(op)
        self._sink(StepDone(step["urn"], op, "done", self._seconds(step["urn"], step["op"])))

    def _refreshed(self, step: Mapping[str, Any]) -> None:
        """A refresh has ended, with what it found: the same, something else, or nothing."""
        urn, state = step["urn"], step.get("new") or step.get("old") or {}
        self._done.add((urn, "refresh"))
        old, new = (decoded((step.get(side) or {}).get("inputs") or {}) for side in ("old", "new"))
        changes = plan.changes(old, new, sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))
        # Outputs move with other resources; only inputs are something to mend.
        op = Op.DELETE if step["op"] == "delete" else Op.UPDATE if step["op"] == "update" and changes else Op.SAME
        changes = changes if op is Op.UPDATE else ()
        note = "gone from the cloud" if op is Op.DELETE else ""
        self._count(op)
        self._sink(StepStarted(urn, op, step["type"], urns.name_of(urn), state.get("parent", ""), changes, note=note))
        self._sink(StepDone(urn, op, "done", self._seconds(urn, "refresh")))

    def _count(self, op: Op) -> None:
        if op in _COUNTED:
            setattr(self.tally, _COUNTED[op], getattr(self.tally, _COUNTED[op]) + 1)

    def _fail(self, step: Mapping[str, Any]) -> None:
        op = _OPS.get(step["op"])
        if op is None or _is_silent(step):
            return
        urn = step["urn"]
        self._done.add((urn, step["op"]))
        self._has_failed = True
        text = "; ".join(dict.fromkeys(self._problems.pop(urn, ()))) or "the CLI does not say why"
        self._sink(StepDone(urn, op, "failed", self._seconds(urn, step["op"]), text))

    def _seconds(self, urn: str, op: str) -> float:
        return time.perf_counter() - self._begun.get((urn, op), time.perf_counter())

    # -- messages ------------------------------------------------------------------------------------------------------

    def _diagnostic(self, found: Mapping[str, Any]) -> None:
        severity, text, urn = found.get("severity", ""), str(found.get("message", "")), found.get("urn") or ""
        if found.get("ephemeral") or not text.strip() or _LAUNCHER.match(text):
            return
        if severity == "error":
            self._problems.setdefault(urn, []).append(_without_values(text.strip()))
        elif severity == "warning":
            self._sink(Diagnostic("warning", text.strip(), _visible(urn)))
        elif severity.startswith("info"):
            for line in text.rstrip("\n").split("\n"):
                self._print(line, _visible(urn))

    def _print(self, line: str, urn: str) -> None:
        """A line that the program printed. Of a program that the CLI has stopped, the traceback is not told."""
        if line == _TRACEBACK:
            self._held = [line]
        elif self._held and line == "KeyboardInterrupt":
            self._held = []
        elif self._held and (line.startswith(" ") or line == _ANOTHER):
            self._held.append(line)
        elif line != _ANOTHER:
            for text in (*self._held, line):
                self._sink(Diagnostic("info", text, urn))
            self._held = []


def decoded(value: Any) -> Any:
    """A property value of an event: a secret's content is not in it."""
    if isinstance(value, str):
        return UNKNOWN if value == UNKNOWN_STRING else value
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return Secret(plan.MASKED)
        return {key: decoded(item) for key, item in value.items()}
    return value


def _is_silent(step: Mapping[str, Any]) -> bool:
    """Whether it is about a default provider, of which nobody is told."""
    return step["type"].startswith(PROVIDER_PREFIX) and urns.name_of(step["urn"]).startswith("default")


def _is_at_home(type_: str, state: Mapping[str, Any]) -> bool:
    """Whether it stands for nothing in a cloud, so that there is nothing to look at."""
    return not state.get("custom") or type_.startswith("pulumi:")


def _visible(urn: str) -> str:
    """The URN that a message is about; nothing for what is about the whole stack."""
    return "" if not urn or urns.type_of(urn) == STACK_TYPE else urn


def _changes(op: Op, step: Mapping[str, Any]) -> tuple[Change, ...]:
    new = decoded((step.get("new") or {}).get("inputs") or {})
    if op is Op.CREATE:
        return plan.changes({}, new, plan.chosen(new))
    if op not in (Op.UPDATE, Op.REPLACE):
        return ()
    old = decoded((step.get("old") or {}).get("inputs") or {})
    detailed = step.get("detailedDiff") or {}
    changed = step.get("diffs") or sorted({path.partition(".")[0].partition("[")[0] for path in detailed})
    replaces = step.get("keys") or ()
    found = plan.changes(old, new, sorted(changed), replaces)
    shown = {change.path.partition(".")[0].partition("[")[0] for change in found}
    hidden = [key for key in changed if key not in shown and has_secret([old.get(key), new.get(key)])]
    return (*found, *(Change(key, "update", plan.MASKED, plan.MASKED, key in replaces) for key in hidden))


def _violation(found: Mapping[str, Any]) -> Violation:
    text = str(found.get("message", "")).replace("<{%reset%}>", "").strip("\n")
    version = found.get("policyPackVersionTag") or found.get("policyPackVersion") or ""
    return Violation(
        found.get("policyPackName", ""),
        str(version).removeprefix("v"),
        found.get("policyName", ""),
        "mandatory" if found.get("enforcementLevel") == "mandatory" else "advisory",
        found.get("severity", "") or "",
        found.get("resourceUrn") or "",
        text,
        undecided=bool(_UNDECIDED.match(text)),
    )


def _without_values(text: str) -> str:
    """The message; but of what is not as it was planned the names alone, since the CLI shows values, and secret ones too."""
    if " violates plan: " not in text:
        return text
    what = text.partition(" violates plan: ")[2]
    names = ", ".join(dict.fromkeys(_PLAN_KEYS.findall(what)))
    if what.startswith("properties changed"):
        what = names or "its properties"
    return f"not done, because it is not what was looked at before this run: {what}; preview it again"
