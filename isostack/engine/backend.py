"""Where stacks are kept, as the store sees it: a protocol, and what everybody who keeps stacks has to promise.

Folders of this machine are :mod:`isostack.engine.folders`; others live outside the engine, which knows no cloud. Every
implementation passes ``tests/engine/test_backends.py``.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol
from urllib.parse import quote

from isostack.errors import BadInput


class Log(Protocol):
    """A journal that is being written."""

    origin: str
    """Where it is, for messages."""

    def append(self, data: bytes) -> None:
        """Append all of ``data`` or nothing, and return when it outlasts this process. Threads may do so at once.

        Raises OperationFailed where that cannot be, and Locked where another run has taken over.
        """

    def check(self) -> None:
        """Raise Locked where another run is known to have taken over."""

    def close(self) -> None:
        """End it: nothing can be appended afterwards. What was appended stays."""


class Lock(Protocol):
    """One run at a time on a stack, for the length of a ``with`` block, which raises Locked where another run has it."""

    fence: int
    """Higher than that of every earlier holder."""
    warning: str
    """Whose lock was taken over, if anybody's."""

    def __enter__(self) -> Lock: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Place(Protocol):
    """Where one stack is kept. Reading needs no lock; the rest is for whoever holds it.

    A run that has lost its lock writes nothing any more: its writes raise Locked, and what the next holder has read is all
    that was ever written. Raises BadInput for what cannot be read and OperationFailed for what cannot be written.
    """

    origin: str
    """Where the state is, for messages."""

    def lock(self, command: str) -> Lock:
        """The lock, to be entered; ``command`` is what others are told of its holder."""

    def holder(self) -> str | None:
        """Who holds the lock, in words, or None where nobody does."""

    def state(self) -> bytes | None:
        """The state as it was last written, whole; None where there is none."""

    def journal(self) -> bytes | None:
        """What the journal has by now; None where there is none."""

    def previous(self) -> bytes | None:
        """The last sound state before the present one, if it is kept."""

    def write(self, data: bytes) -> None:
        """Put a new state in the place of the present one, whole or not at all, and keep the present one as the previous."""

    def start_log(self, fence: int) -> Log:
        """Begin a journal. Raises BadInput where an earlier run's is there."""

    def drop_journal(self) -> None:
        """Remove the journal, if there is one."""

    def remove(self) -> None:
        """Forget states and journal. Fences go on rising."""

    def damaged(self, why: str) -> str:
        """Keep the present state, which is damaged, and say in words what is wrong, what became of it and how to go on."""

    def damaged_journal(self, why: str) -> str:
        """The same of the journal."""


class Backend(Protocol):
    """Where the stacks of all projects are kept."""

    origin: str
    """Where it is, for messages."""

    def place(self, project: str, stack: str) -> Place:
        """The place of a stack, which need not exist."""

    def stacks(self) -> list[tuple[str, str]]:
        """The (project, stack) pairs that have a state or a journal, in alphabetical order."""


def file_name(name: str) -> str:
    """A name for a file or an object from any name: what is not safe is percent-encoded. Raises BadInput for an empty one."""
    if not name:
        raise BadInput("a project and a stack need a name")
    quoted = quote(name, safe="")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted
