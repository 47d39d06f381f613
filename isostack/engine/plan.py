"""Decides what a run does. Pure: takes states, goals and a provider's diff; touches no cloud, no file, no SDK."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isostack.engine.events import Change, Op
from isostack.engine.provider import Diff
from isostack.engine.state import ResourceState
from isostack.engine.values import SIGNATURE_KEY, UNKNOWN, PropertyMap, Secret, has_secret, plain
from isostack.errors import BadInput

DEFAULTS_KEY = "__defaults"
MASKED = "[secret]"


@dataclass
class Goal:
    """A resource as the program asks for it; the fields mean what Pulumi's resource options mean."""

    type: str
    name: str
    urn: str
    custom: bool
    inputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    delete_before_replace: bool | None = None
    additional_secret_outputs: list[str] = field(default_factory=list)
    alias_urns: list[str] = field(default_factory=list)
    import_id: str = ""
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    source_position: str = ""


@dataclass(frozen=True)
class Decision:
    """What to do about a registered resource: ``op``, the changes to show, and whether the old one goes first."""

    op: Op
    changed: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    delete_before_replace: bool = False


# -- durations (https://pkg.go.dev/time#ParseDuration) -----------------------------------------------------------------

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|ns)")


def seconds(duration: str) -> float:
    """``1h30m`` in seconds, as states hold it. Raises BadInput where it is no duration."""
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+|0", duration):
        raise BadInput(f"custom_timeouts: {duration!r} is no duration; write one like '90s' or '1h30m'")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))


# -- property paths (https://www.pulumi.com/docs/iac/concepts/options/ignorechanges/) ----------------------------------

_TOKEN = re.compile(r'\[(\d+|\*|"(?:[^"\\]|\\.)*")\]|([^.\[\]]+)')


def parse_path(path: str) -> list[str | int]:
    """``a.b[0]["c.d"].*`` as keys and indices; ``*`` stands for all. Raises ValueError where it is no path."""
    tokens: list[str | int] = []
    position = 0
    while position < len(path):
        if path[position] == "." and tokens:
            position += 1
        match = _TOKEN.match(path, position)
        if not match:
            raise ValueError(f"{path!r} is not a property path")
        bracket, name = match.groups()
        if name is not None:
            tokens.append(name)
        elif bracket.startswith('"'):
            tokens.append(bracket[1:-1].replace('\\"', '"'))
        else:
            tokens.append("*" if bracket == "*" else int(bracket))
        position = match.end()
    return tokens


def is_path(path: str) -> bool:
    """Whether it is a property path."""
    try:
        return bool(parse_path(path))
    except ValueError:
        return False


_ABSENT = object()
_PATH_SIGNS = frozenset('.[]"')


def _unsecret(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value


def _child(value: Any, key: str | int) -> Any:
    value = _unsecret(value)
    if isinstance(value, dict):
        return value.get(str(key), _ABSENT)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return _ABSENT


def _keys(*values: Any) -> list[str | int]:
    keys: dict[str | int, None] = {}
    for value in map(_unsecret, values):
        if isinstance(value, dict):
            keys.update(dict.fromkeys(value))
        elif isinstance(value, list):
            keys.update(dict.fromkeys(range(len(value))))
    return list(keys)


def ignore_changes(new: PropertyMap, old: PropertyMap, paths: Sequence[str]) -> PropertyMap:
    """The new inputs with what ``paths`` name taken from the old ones: changed, added and removed values alike."""
    result: Any = new
    for path in paths:
        result = _with_old(result, old, parse_path(path))
    return dict(result)


def _with_old(new: Any, old: Any, path: list[str | int]) -> Any:
    if not path:
        return old
    if isinstance(new, Secret):
        return Secret(_with_old(new.value, old, path))
    head, rest = path[0], path[1:]
    if head == "*":
        for key in _keys(new, old):
            new = _with_old(new, old, [key, *rest])
        return new
    old_child = _child(old, head)
    if isinstance(new, dict):
        new_child = new.get(str(head), _ABSENT)
        if new_child is _ABSENT and (old_child is _ABSENT or rest):
            return new
        replaced = _with_old(new_child, old_child, rest)
        copy = {key: item for key, item in new.items() if key != head}
        return copy if replaced is _ABSENT else {**copy, str(head): replaced}
    if isinstance(new, list) and isinstance(head, int) and head < len(new) and old_child is not _ABSENT:
        return [_with_old(item, old_child, rest) if i == head else item for i, item in enumerate(new)]
    return new


def differs_at(old: PropertyMap, new: PropertyMap, path: str) -> bool:
    """Whether the values at a path (with wildcards) differ; for ``replace_on_changes``."""
    return _differs(old, new, parse_path(path))


def _differs(old: Any, new: Any, path: list[str | int]) -> bool:
    if not path:
        return bool(old != new)
    if path[0] == "*":
        return any(_differs(_child(old, k), _child(new, k), path[1:]) for k in _keys(old, new) if k != DEFAULTS_KEY)
    return _differs(_child(old, path[0]), _child(new, path[0]), path[1:])


def replacing(old: ResourceState, inputs: PropertyMap, diff: Diff, paths: Sequence[str]) -> list[str]:
    """What forces a replacement: what the provider says, and those of the ``replace_on_changes`` paths that differ.

    Unlike Pulumi's engine, which looks no deeper than the provider's diff does, this one looks at the values.
    """
    before, after = ({key: plain(values[key]) for key in diff.changed if key in values} for values in (old.inputs, inputs))
    found = [*diff.replaces, *(path for path in paths if differs_at(before, after, path))]
    return list(dict.fromkeys(found))


# -- the decision about one resource -----------------------------------------------------------------------------------


def decide(goal: Goal, old: ResourceState | None, inputs: PropertyMap, diff: Diff, replaced: Container[str] = ()) -> Decision:
    """What to do about a custom resource: ``inputs`` are checked, ``diff`` is the provider's, ``replaced`` are the URNs
    that this run replaces (for ``replace_with`` and ``deleted_with``)."""
    if old is None:
        return Decision(Op.CREATE)
    replaces = replacing(old, inputs, diff, goal.replace_on_changes)
    if any(urn in replaced for urn in goal.replace_with):
        replaces.append("replaceWith")
    if goal.deleted_with in replaced:
        replaces.append("deletedWith")
    if replaces:
        first = diff.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
        return Decision(Op.REPLACE, diff.changed or tuple(replaces), tuple(replaces), first)
    return Decision(Op.UPDATE, diff.changed) if diff.changed else Decision(Op.SAME)


def changes(old: PropertyMap, new: PropertyMap, changed: Iterable[str], replaces: Iterable[str] = ()) -> tuple[Change, ...]:
    """What a preview shows of the changed top-level properties: the leaves that differ, secrets masked."""
    changed = tuple(changed)
    forced = {path.partition(".")[0].partition("[")[0] for path in replaces}
    result: list[Change] = []
    for key in changed:
        if key in (DEFAULTS_KEY, "replaceWith", "deletedWith") or (key == "tagsAll" and "tags" in changed):
            continue
        force_all = key in forced or "*" in forced
        _collect(result, key, old.get(key, _ABSENT), new.get(key, _ABSENT), False, force_all)
    return tuple(result)


def chosen(inputs: PropertyMap) -> list[str]:
    """The properties that the program gave a new resource; defaults and automatic names are left out."""
    filled = {DEFAULTS_KEY, "tagsAll", *inputs.get(DEFAULTS_KEY, ())}
    return sorted(inputs.keys() - filled)


def _collect(result: list[Change], path: str, old: Any, new: Any, secret: bool, replaces: bool) -> None:
    secret = secret or isinstance(old, Secret) or isinstance(new, Secret)
    old, new = _unsecret(old), _unsecret(new)
    if (isinstance(old, dict) and isinstance(new, dict) and SIGNATURE_KEY not in new) or (
        isinstance(old, list) and isinstance(new, list) and not secret
    ):
        for key in _keys(old, new):
            if key != DEFAULTS_KEY:
                _collect(result, path + _step(key), _child(old, key), _child(new, key), secret, replaces)
        return
    if new is not UNKNOWN and (old == new or (old in (_ABSENT, None) and new in (_ABSENT, None))):
        return
    if new in (_ABSENT, None):
        result.append(Change(path, "delete", masked(Secret(old) if secret else old), None, replaces))
    elif old in (_ABSENT, None):
        result.append(Change(path, "add", None, masked(Secret(new) if secret else new), replaces))
    else:
        before, after = (masked(Secret(value) if secret else value) for value in (old, new))
        result.append(Change(path, "update", before, after, replaces))


def _step(key: str | int) -> str:
    """One more step of a property path, as Pulumi writes it."""
    if isinstance(key, int):
        return f"[{key}]"
    quoted = key.replace('"', '\\"')
    return f'["{quoted}"]' if _PATH_SIGNS.intersection(key) else f".{key}"


def masked(value: Any) -> Any:
    """The value with every secret in it replaced by ``[secret]``."""
    if isinstance(value, Secret):
        return MASKED if value.value is not UNKNOWN else UNKNOWN
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items() if key != DEFAULTS_KEY}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def remarked(values: Any, marked: Any) -> Any:
    """Plain values with the secret marks that ``marked`` carries at the same places; where there is no same place, all
    of the value is secret."""
    if isinstance(marked, Secret):
        return Secret(values)
    if isinstance(values, dict) and isinstance(marked, dict):
        return {key: remarked(item, marked[key]) if key in marked else item for key, item in values.items()}
    if isinstance(values, list) and isinstance(marked, list) and len(values) == len(marked):
        return [remarked(item, mark) for item, mark in zip(values, marked, strict=True)]
    return Secret(values) if has_secret(marked) else values


def remarked_with_derived(checked: PropertyMap, inputs: PropertyMap) -> PropertyMap:
    """Checked inputs with the marks of the program's; what was derived from a secret (``tagsAll``) is secret as well."""
    secrets: list[Any] = []
    _collect_secrets(inputs, False, secrets)
    result: PropertyMap = remarked(checked, inputs)
    if secrets:
        result |= {key: _marked(value, secrets) for key, value in checked.items() if key not in inputs}
    return result


def _collect_secrets(value: Any, secret: bool, found: list[Any]) -> None:
    if isinstance(value, Secret):
        _collect_secrets(value.value, True, found)
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            _collect_secrets(item, secret, found)
    elif secret and value not in ("", None, True, False) and value is not UNKNOWN:
        found.append(value)


def _marked(value: Any, secrets: list[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _marked(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, secrets) for item in value]
    return Secret(value) if value in secrets and not isinstance(value, bool) else value


# -- aliases -----------------------------------------------------------------------------------------------------------


def inherited_name(child: str, parent: str, parent_alias: str) -> str:
    """The name under a parent's old name: children that begin with their parent's name are renamed along with it."""
    return parent_alias + child[len(parent) :] if child.startswith(parent) else child


# -- order -------------------------------------------------------------------------------------------------------------


def requirements(resource: ResourceState) -> set[str]:
    """The URNs that must exist as long as this resource does."""
    needed = {*resource.dependencies, resource.parent, resource.deleted_with, provider_urn(resource.provider)}
    for urns in resource.property_dependencies.values():
        needed.update(urns)
    return needed - {"", resource.urn}


def provider_urn(reference: str) -> str:
    """The URN in a provider reference (``<urn>::<id>``)."""
    return reference.rpartition("::")[0]


def deletion_blockers(doomed: Sequence[ResourceState]) -> list[list[int]]:
    """For each resource to delete, the indices of those that must be deleted before it: all that require it.

    An old copy that awaits deletion after its replacement (``delete``) is required by old copies and by resources that
    the program no longer has; both may still use it. A live resource never waits for an old copy of itself.
    """
    positions: dict[str, list[int]] = {}
    for index, resource in enumerate(doomed):
        positions.setdefault(resource.urn, []).append(index)
    blockers: list[list[int]] = [[] for _ in doomed]
    for index, resource in enumerate(doomed):
        for urn in requirements(resource):
            for required in positions.get(urn, ()):
                blockers[required].append(index)
    return blockers


def transitive_dependents(urn: str, resources: Sequence[ResourceState]) -> list[ResourceState]:
    """All that require ``urn``, directly or not, in the order of the snapshot."""
    found = {urn}
    result = []
    for resource in resources:
        if not resource.delete and requirements(resource) & found:
            found.add(resource.urn)
            result.append(resource)
    return result


def with_unknown_dependencies(resource: ResourceState, replaced: set[str]) -> PropertyMap | None:
    """The inputs with those properties unknown that come from a replaced resource, or None where none does."""
    affected = [key for key, urns in resource.property_dependencies.items() if replaced & set(urns)]
    return {**resource.inputs, **dict.fromkeys(affected, UNKNOWN)} if affected else None


# -- targets -----------------------------------------------------------------------------------------------------------


class Targets:
    """The resources that ``--target`` names (URNs, with ``*`` and ``**`` as wildcards). Empty means all."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self._matchers = [re.compile(re.escape(p).replace(r"\*\*", ".*").replace(r"\*", "[^:]*") + r"\Z") for p in patterns]

    def __contains__(self, urn: object) -> bool:
        return not self._matchers or any(matcher.match(str(urn)) for matcher in self._matchers)

    def unmatched(self, urns: Mapping[str, Any] | Iterable[str]) -> list[str]:
        """The patterns that match none of the URNs."""
        known = list(urns)
        pairs = zip(self.patterns, self._matchers, strict=True)
        return [p for p, matcher in pairs if not any(matcher.match(urn) for urn in known)]
