"""The errors a user sees: one line that says what is wrong, where, and how to mend it; and the exit code it ends with.

Anything else that escapes is a defect of isostack and is shown with a traceback under ``--debug`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isostack.engine.events import Result


class IsostackError(Exception):
    """An error meant for a person. ``str(error)`` is the whole message; ``exit_code`` is the process's exit code."""

    exit_code = 1


class OperationFailed(IsostackError):
    """The operation was tried and failed (exit code 1)."""

    exit_code = 1


class BadInput(IsostackError):
    """Bad usage or bad input; nothing was changed (exit code 2)."""

    exit_code = 2


class Refused(IsostackError):
    """Refused by a policy, a gate or the engine's own limits; nothing was changed (exit code 3).

    ``result`` is what the operation had found by then, where it had found anything.
    """

    exit_code = 3
    result: Result | None = None


class Locked(IsostackError):
    """Another run holds the stack's lock (exit code 4)."""

    exit_code = 4


EXIT_CODES = {"succeeded": 0, "failed": OperationFailed.exit_code, "refused": Refused.exit_code}
"""The exit code of each way in which an operation ends."""


def as_document(error: object, code: int) -> dict[str, Any]:
    """What ``--json`` says of an error that ends the process with this code."""
    return {
        "result": "refused" if code == Refused.exit_code else "failed",
        "exit_code": code,
        "diagnostics": [{"urn": "", "severity": "error", "message": str(error)}],
    }
