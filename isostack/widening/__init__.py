"""What a change lets in, or allows, that was not before: permissions, trust, network reach, deletion. Pure.

Compares the state before an intent with the one after it, and knows no order of steps: what was there already, in whatever
form, is not new. Errs on the safe side: denials that stand beside a permission are not counted against it, and two ranges that
together are a third are told as new. A value that only the up will know is told as such. Policy documents are
:mod:`isostack.widening.permissions`', the network is :mod:`isostack.widening.reach`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isostack.widening.permissions import permissions
from isostack.widening.reach import reach
from isostack.widening.sides import Kind, Side, Widening, aligned, hidden, word

if TYPE_CHECKING:
    from isostack.engine.run import Intent
    from isostack.engine.state import ResourceState

__all__ = ["Noted", "Widening", "is_creation", "lines", "widened"]


@dataclass
class Noted:
    """A gate that lets everything pass, and remembers what is let in or allowed anew."""

    found: tuple[Widening, ...] = ()
    creation: bool = False

    def __call__(self, intent: Intent) -> None:
        self.found, self.creation = widened(intent), is_creation(intent)


_WORDS: dict[Kind, tuple[str, str]] = {
    "permission": ("permission", "permissions"),
    "trust": ("trust", "trusts"),
    "network": ("way through the network", "ways through the network"),
    "protection": ("thing that can be deleted", "things that can be deleted"),
}


def widened(intent: Intent) -> tuple[Widening, ...]:
    """All that is new, by subject; nothing for a destroy and a refresh."""
    if intent.operation not in ("up", "preview"):
        return ()
    after = Side(intent.after)
    before = aligned(Side(intent.before), after)
    found = {*permissions(before, after), *reach(before, after), *_unprotected(before, after)}
    return tuple(sorted(found, key=lambda one: (one.kind, one.subject, one.text)))


# What keeps a thing from being deleted, and the value that does. Where nothing is said, nothing is kept and nothing is forced.
_KEEPERS = {
    "deletionProtection": True,
    "enableDeletionProtection": True,
    "deletionProtectionEnabled": True,
    "forceDestroy": False,
}


def _unprotected(before: Side, after: Side) -> Iterator[Widening]:
    """What could not be deleted before, and could be after."""
    for old in before.resources:
        new = after.get(old.urn)
        if new is None:
            continue
        lost = [name for name, kept in _KEEPERS.items() if _keeps(old, name, kept) and not _keeps(new, name, kept)]
        unsure = [name for name in lost if hidden(new.inputs.get(name))]
        lost = [name for name in lost if name not in unsure] + (["protect"] if old.protect and not new.protect else [])
        label = f"{word(old.type)} {after.label(old.urn)}"
        if lost:
            text = f"{label} can now be deleted: {', '.join(lost)} no longer {'keeps' if len(lost) == 1 else 'keep'} it"
            yield Widening("protection", label, text, old.urn)
        if unsure:
            text = f"cannot tell yet whether {', '.join(unsure)} still keeps {label} from being deleted"
            yield Widening("protection", label, text, old.urn, unsure=True)


def _keeps(resource: ResourceState, name: str, kept: bool) -> bool:
    value = resource.inputs.get(name)
    return not hidden(value) and (value is True or value == "true") is kept


def is_creation(intent: Intent) -> bool:
    """Whether the stack has nothing yet, so that all of it is new."""
    return not any(r.in_cloud for r in intent.before.resources)


def lines(found: tuple[Widening, ...], *, creation: bool) -> Iterator[str]:
    """For people: one line each; of a new environment the counts alone."""
    if not found:
        return
    if not creation:
        yield "Lets in or allows anew:"
        yield from (f"  {one}" for one in found)
        return
    counts: Counter[str] = Counter(one.kind for one in found)
    parts = [f"{n} {one if n == 1 else many}" for kind, (one, many) in _WORDS.items() if (n := counts[kind])]
    told = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    yield f"All is new, so all that it lets in or allows is new: {told} (--json lists them)"
