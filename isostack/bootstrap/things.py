"""Things that are to be in an account: looked for, told, made where they are missing, and mended where they differ.

Owns that nothing is made twice, and that what is told is what is then done. What the things are, others say.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from isostack.errors import OperationFailed

PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds: IAM shows what was written after a while


class Reach(Protocol):
    """An account in one region, by one who may work in it. ``told`` says which and by whom."""

    account_id: str
    region: str
    told: str

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True)
class Thing:
    """Something in an account. ``look`` gives what is there in the form of ``wanted``, or None where nothing is; ``put`` makes
    it so. ``type_`` is Pulumi's, by which the price table knows it; empty for a setting."""

    name: str
    look: Callable[[], Any]
    wanted: Callable[[], Any]
    put: Callable[[], None]
    type_: str = ""


@dataclass(frozen=True)
class Seen:
    """A thing as it is now: ``state`` is what would be done with it."""

    thing: Thing
    state: Literal["make", "change", "there"]
    found: Any = None

    def as_dict(self) -> dict[str, Any]:
        if self.state == "there":
            return {"name": self.thing.name, "state": self.state}
        return {"name": self.thing.name, "state": self.state, "found": self.found, "wanted": self.thing.wanted()}


def seen(thing: Thing) -> Seen:
    """What would be done with a thing."""
    found = thing.look()
    if found is None:
        return Seen(thing, "make")
    return Seen(thing, "there" if found == thing.wanted() else "change", found)


def make(things: Iterable[Thing], progress: Callable[[Seen], None]) -> None:
    """Make and mend what is not there, in this order. Raises OperationFailed where a thing does not come to be as it should."""
    for thing in things:
        now = seen(thing)
        if now.state == "there":
            continue
        progress(now)
        thing.put()
        for pause in PAUSES:
            time.sleep(pause)
            if seen(thing).state == "there":
                break
        else:
            raise OperationFailed(f"{thing.name} is not as it should be after it was made; run the same command again")


def costs(found: Sequence[Seen], region: str) -> tuple[float, list[str]]:
    """What these things cost a month by the price table, and what it leaves out. Raises OperationFailed for an unknown type."""
    from isostack.cost.prices import prices

    table, total, left_out = prices(), 0.0, dict[str, None]()
    for one in found:
        if not one.thing.type_:
            continue
        row = table.of(one.thing.type_)
        charges = [table.monthly(charge, region) for charge in row.charges or ()] if row else [None]
        if row is None or None in charges:
            raise OperationFailed(f"the price table has no price for {one.thing.type_} in {region}")
        total += sum(charge for charge in charges if charge is not None)
        left_out |= dict.fromkeys(row.leaves_out)
    return total, list(left_out)


def lines(reach: Reach, found: Sequence[Seen]) -> Iterator[str]:
    """The plan for a person."""
    signs = {"make": "+", "change": "~", "there": "="}
    yield f"In {reach.told}:"
    for one in found:
        yield f"  {signs[one.state]} {one.thing.name}"
        if one.state == "change":
            yield f"      is      {json.dumps(one.found, sort_keys=True)}"
            yield f"      will be {json.dumps(one.thing.wanted(), sort_keys=True)}"
    monthly, left_out = costs(found, reach.region)
    text = f"${monthly:,.2f} a month for all of it, as estimated" if monthly else "no monthly charge for having it"
    yield f"{text}; left out: {', '.join(left_out)}" if left_out else text
