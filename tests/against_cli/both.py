"""What one operation came to on each engine, and in what the two differ, as lines that the table of known differences holds.

Pure: takes states, steps and calls. A line reads ``WHAT: SUBJECT: OURS ≠ THEIRS``, with what differs from run to run
(ids of providers, times, positions in sources) left out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from isostack.engine.plan import provider_urn, requirements
from isostack.engine.state import PROVIDER_TYPE, ResourceState
from isostack.engine.values import UNKNOWN, Secret

# Fields of a resource that are compared as they are; others are compared below, or differ from run to run.
FIELDS = (
    "custom", "id", "type", "parent", "protect", "external", "delete", "retain_on_delete", "deleted_with",
    "pending_replacement", "import_id", "custom_timeouts", "ignore_changes", "replace_on_changes",
    "additional_secret_outputs", "aliases", "init_errors",
)  # fmt: skip
FROM_RUN_TO_RUN = {"sourcePosition", "stackTrace"}


class Done(NamedTuple):
    """Something that was done to the cloud, and the resource, as :func:`differences` is told to label it."""

    what: str
    label: str


@dataclass(frozen=True)
class Seen:
    """What an engine did: whether it succeeded, each step, the calls of the cloud in their order, and the state after it."""

    succeeded: bool
    steps: frozenset[tuple[str, str, str]] = frozenset()
    diffs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    calls: Sequence[Done] = ()
    state: Sequence[ResourceState] = ()
    said: str = ""


def same(value: Any) -> Any:
    """A value as it is."""
    return value


def by_name(resource: ResourceState) -> str:
    """The name that the fake cloud knows it by."""
    return str(resource.inputs.get("name") or resource.urn.rpartition("::")[2])


def by_urn(resource: ResourceState) -> str:
    return resource.urn


def differences(
    ours: Seen,
    theirs: Seen,
    before: Sequence[ResourceState] = (),
    *,
    normal: tuple[Callable[[Any], Any], Callable[[Any], Any]] = (same, same),
    label: Callable[[ResourceState], str] = by_name,
) -> list[str]:
    """One line for each difference. ``normal`` takes out of each engine's values what is given by chance; ``before`` is the
    state that both began with; ``label`` says what calls call a resource."""
    found: list[str] = []
    if ours.succeeded != theirs.succeeded:
        found.append(f"result: {_ended(ours)} ≠ {_ended(theirs)}")
    found += _of_sets("step", map(_step, ours.steps), map(_step, theirs.steps))
    for urn in sorted(ours.diffs.keys() & theirs.diffs.keys()):
        if theirs.diffs[urn]:  # the CLI tells none where something else than the provider wants the step
            found += _of_values(f"diff: {_short(urn)}", sorted(ours.diffs[urn]), sorted(theirs.diffs[urn]))
    found += _of_sets("call", _numbered(ours.calls), _numbered(theirs.calls))
    related = _relations([*before, *ours.state, *theirs.state], label)
    found += _of_sets("order", _orders(ours.calls, theirs.calls, related), _orders(theirs.calls, ours.calls, related))
    found += _of_states(_by_key(ours.state, normal[0]), _by_key(theirs.state, normal[1]))
    return found


def _ended(seen: Seen) -> str:
    return "succeeded" if seen.succeeded else "failed"


def _step(step: tuple[str, str, str]) -> str:
    urn, op, status = step
    return f"{_short(urn)} {op} {status}"


def _short(urn: str) -> str:
    """A URN without stack and project; a default provider without its version."""
    short = urn.partition("::")[2].partition("::")[2]
    type_, _, name = short.rpartition("::")
    return f"{type_}::default" if type_.startswith(PROVIDER_TYPE) and name.startswith("default") else short


def _of_sets(what: str, ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    mine, other = set(ours), set(theirs)
    return [*(f"{what}: {one} ≠ -" for one in sorted(mine - other)), *(f"{what}: - ≠ {one}" for one in sorted(other - mine))]


def _of_values(what: str, ours: Any, theirs: Any) -> list[str]:
    return [] if ours == theirs else [f"{what}: {_text(ours)} ≠ {_text(theirs)}"]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _numbered(calls: Iterable[Done]) -> list[str]:
    seen: dict[str, int] = {}
    numbered = []
    for call, _ in calls:
        seen[call] = seen.get(call, 0) + 1
        numbered.append(call if seen[call] == 1 else f"{call} (time {seen[call]})")
    return numbered


# -- order -------------------------------------------------------------------------------------------------------------


def _relations(resources: Sequence[ResourceState], label: Callable[[ResourceState], str]) -> set[frozenset[str]]:
    """Pairs of names of which one needs the other, directly or not."""
    named = {resource.urn: label(resource) for resource in resources}
    needs: dict[str, set[str]] = {}
    for resource in resources:
        needs.setdefault(resource.urn, set()).update(requirements(resource))
    pairs = {frozenset([name]) for name in named.values()}
    for urn in needs:
        seen, waiting = {urn}, [urn]
        while waiting:
            for needed in needs.get(waiting.pop(), ()):
                if needed not in seen and needed in named:
                    seen.add(needed)
                    waiting.append(needed)
                    pairs.add(frozenset([named[urn], named[needed]]))
    return pairs


def _orders(calls: Sequence[Done], other: Sequence[Done], related: set[frozenset[str]]) -> set[str]:
    """``A before B`` for each two calls that both engines made of resources of which one needs the other."""
    common = set(other)
    kept = [call for call in calls if call in common]
    return {
        f"{first.what} before {second.what}"
        for first, second in itertools.combinations(kept, 2)
        if frozenset([first.label, second.label]) in related and not _are_copies(first, second)
    }


def _are_copies(first: Done, second: Done) -> bool:
    """Whether both are deletes of copies of one resource, which need nothing of each other."""
    return first.label == second.label and first.what.startswith("delete") and second.what.startswith("delete")


# -- states ------------------------------------------------------------------------------------------------------------


_Shown = Mapping[str, Mapping[str, Any]]


def _of_states(mine: _Shown, other: _Shown) -> list[str]:
    found = _of_sets("in state", mine, other)
    for key in sorted(mine.keys() & other.keys()):
        a, b = mine[key], other[key]
        for name in sorted(a.keys() | b.keys()):
            found += _of_values(f"state: {key} {name}", a.get(name), b.get(name))
    return found


def _by_key(resources: Sequence[ResourceState], normal: Callable[[Any], Any]) -> _Shown:
    return {f"{_short(r.urn)}{' (old copy)' if r.delete else ''}": _shown(r, normal) for r in resources}


def _shown(resource: ResourceState, normal: Callable[[Any], Any]) -> dict[str, Any]:
    """A resource's fields without what is empty or differs from run to run; inputs and outputs by property."""
    shown: dict[str, Any] = {name: getattr(resource, name) for name in FIELDS}
    if resource.type.startswith(PROVIDER_TYPE) or resource.type == "pulumi:pulumi:Stack":
        shown.pop("id")
    shown["init_errors"] = bool(resource.init_errors)
    shown["provider"] = _short(provider_urn(resource.provider)) if resource.provider else ""
    shown["dependencies"] = sorted(resource.dependencies)
    shown["property_dependencies"] = {k: sorted(v) for k, v in resource.property_dependencies.items() if v}
    is_default = _short(resource.urn).startswith(PROVIDER_TYPE) and _short(resource.urn).endswith("::default")
    for name in ("inputs", "outputs"):
        for key, value in getattr(resource, name).items():
            if not (is_default and key == "version"):
                shown[f"{name}.{key}"] = _told(value)
    shown |= {f"others.{key}": value for key, value in resource.others.items() if key not in FROM_RUN_TO_RUN}
    return {key: value for key, value in ((k, normal(v)) for k, v in shown.items()) if value not in ("", None, False, [], {})}


def _told(value: Any) -> Any:
    """The value as JSON, with marks for what is secret or unknown."""
    if value is UNKNOWN:
        return "<unknown>"
    if isinstance(value, Secret):
        return {"<secret>": _told(value.value)}
    if isinstance(value, dict):
        return {key: _told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_told(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
