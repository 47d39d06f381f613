"""Holds a run to what gates and people have looked at before it: the program runs a second time, and may say something else then.

What was unknown may come out as anything, and automatic names end otherwise; all else is as it was foreseen, or the step fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from isostack.engine.plan import DEFAULTS_KEY, Goal, provider_urn
from isostack.engine.state import Snapshot
from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, PropertyMap, Secret, has_unknown

_ENDS_AT_RANDOM: Final = re.compile(r"(.+?)([0-9a-f]{26}|[0-9a-f]{7})(\.\w+)?")
_AN_ENDING: Final = "(?:[0-9a-f]{26}|[0-9a-f]{7})"
_NOTHING: Final = object()


def new_names(before: Snapshot, after: Snapshot) -> dict[str, tuple[str, str]]:
    """Automatic names that a run has thought up, each with what stands before and after the digits at which it ends."""
    found: dict[str, tuple[str, str]] = {}
    for resource in after.resources:
        old = before.get(resource.urn)
        for key in resource.inputs.get(DEFAULTS_KEY, ()):
            name = resource.inputs.get(key)
            match = _ENDS_AT_RANDOM.fullmatch(name) if isinstance(name, str) else None
            if match and (old is None or old.inputs.get(key) != name):
                found[match[0]] = match[1], match[3] or ""
    return found


class Foreseen:
    """What a rehearsal has come to; ``registered`` are the URNs of what the program had."""

    def __init__(self, before: Snapshot, after: Snapshot, registered: Set[str]) -> None:
        self._after = after
        self._registered = registered
        self._names = new_names(before, after)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None

    def problem(self, goal: Goal, inputs: PropertyMap) -> str:
        """What about a resource is another thing than was looked at, or empty. Values are not shown."""
        planned = self._after.get(goal.urn)
        if planned is None or goal.urn not in self._registered:
            return "not done, because it was not there when this run was looked at; preview it again, and up once more"
        others = [key for key in ("protect", "retain_on_delete", "deleted_with") if getattr(planned, key) != getattr(goal, key)]
        others += ["provider"] if provider_urn(planned.provider) != provider_urn(goal.provider or "") else []
        paths = [*others, *self._differing("", planned.inputs, inputs)]
        if not paths:
            return ""
        return f"not done, because it is not what was looked at before this run: {', '.join(paths)}; preview it again"

    def missing(self, registered: Set[str]) -> list[str]:
        """What the program had then and has not now, which would be deleted."""
        return sorted(self._registered - registered)

    def _differing(self, path: str, then: Any, now: Any) -> Iterator[str]:
        then, now = _bare(then), _bare(now)
        if isinstance(then, dict) and isinstance(now, dict):
            made_up = {DEFAULTS_KEY, *then.get(DEFAULTS_KEY, ()), *now.get(DEFAULTS_KEY, ())}
            for key in sorted((then.keys() | now.keys()) - made_up):
                yield from self._differing(f"{path}.{key}" if path else key, then.get(key, _NOTHING), now.get(key, _NOTHING))
        elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
            for number, pair in enumerate(zip(then, now, strict=True)):
                yield from self._differing(f"{path}[{number}]", *pair)
        elif not (then is UNKNOWN or then == now or self._is_renamed(then, now) or (now is _NOTHING and has_unknown(then))):
            yield path

    def _is_renamed(self, then: Any, now: Any) -> bool:
        if self._pattern is None or not isinstance(then, str) or not isinstance(now, str):
            return False
        parts = (self._names.get(part, part) for part in self._pattern.split(then))
        wanted = "".join(re.escape(p) if isinstance(p, str) else f"{re.escape(p[0])}{_AN_ENDING}{re.escape(p[1])}" for p in parts)
        return re.fullmatch(wanted, now) is not None


def _bare(value: Any) -> Any:
    """The value out of its secret; of files their content alone."""
    if isinstance(value, Secret):
        return _bare(value.value)
    if isinstance(value, Mapping) and value.get(SIGNATURE_KEY) in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE) and value.get("hash"):
        return value["hash"]
    return value
