"""``head.json``, the one object by which a stack's runs agree: who holds the lease, which state counts, which journal is open.

Everything else is written once and never changed, and counts only if the head names it. Each change of the head is a
conditional write over the very head that was read, so that of all who would change it exactly one does; a run that was
overtaken cannot. Reads and writes nothing itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from isostack.engine.lock import Holder
from isostack.errors import BadInput

FORMAT: Final = 1
FORMAT_KEY: Final = "isostack-shared-state"
KEPT: Final = 10
"""So many states are kept beside the present one; their versions stay longer, as the bucket's lifecycle says."""


@dataclass(frozen=True)
class Pointer:
    """A state: its object, the version of it, the SHA-256 of its bytes, and when it was written."""

    key: str
    version: str
    sha256: str
    written: str


@dataclass(frozen=True)
class Head:
    """The head. ``fence`` rises with each lease; ``journal`` is the fence of the run whose journal is open, 0 for none.

    ``run`` tells one's own head from another's. ``beat`` changes with every write: an ETag may be a digest of the content, and a
    renewal that changed nothing would go unseen by somebody who is about to take over.
    """

    fence: int = 0
    beat: int = 0
    run: str = ""
    lease: float = 0.0
    holder: Holder | None = None
    state: Pointer | None = None
    history: tuple[Pointer, ...] = field(default=())
    journal: int = 0

    def why_free(self, age: float) -> str:
        """Why the lease holds nobody off, or ``""`` where it does.

        ``age`` is how long ago the head was written, by the bucket's clock: machines' own clocks do not matter.
        """
        if self.holder is None:
            return "nobody holds it"
        if (here := machine()) and self.holder.space == here and not self.holder.is_running:
            return "that process is gone"
        # Both ends of the age are whole seconds.
        return f"it gave no sign of life for {age:.0f} seconds" if age > self.lease + 1 else ""

    def encode(self) -> bytes:
        return json.dumps({FORMAT_KEY: FORMAT, **asdict(self)}, indent=1).encode()


def decode(data: bytes, origin: str) -> Head:
    """A head from its bytes. Raises BadInput where it is damaged, or from a newer version."""
    try:
        fields = json.loads(data)
        if fields.pop(FORMAT_KEY) != FORMAT:
            raise BadInput(f"{origin} is of a format that this version of isostack does not read; install a newer one")
        holder, state, history = fields.pop("holder"), fields.pop("state"), fields.pop("history")
        return Head(
            **fields,
            holder=Holder(**holder) if holder else None,
            state=Pointer(**state) if state else None,
            history=tuple(Pointer(**one) for one in history),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{origin} is damaged ({error}); put an earlier version of this object in its place") from None


@cache
def machine() -> str:
    """A name for this machine since it was started, and this process's numbering in it; empty where there is none to be had.

    Host names repeat, among containers and runners, and every machine's first numbering has the same name.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
