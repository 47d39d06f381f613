"""What the CLI last did to a stack from this state folder, beside the embedded engine's state of it: a note for ``status``.

The state itself is in the CLI's backend, which may be far away, and others may have changed it since.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isostack.engine.files import make_folder, problem, write_whole
from isostack.engine.project import PINNED_KEY
from isostack.errors import OperationFailed

if TYPE_CHECKING:
    from isostack.engine.events import Result
    from isostack.engine.operation import Stack
    from isostack.engine.state import Snapshot

FILE: Final = "pulumi.json"


def note(stack: Stack, result: Result, after: Snapshot, version: str, cloud: str) -> None:
    """Note how an operation ended and what the stack has now. Raises OperationFailed where that cannot be written."""
    file = stack.store.folder(stack.project.name, stack.name) / FILE
    known = of(file.parent)
    succeeded = result.operation == "up" and result.result == "succeeded"
    document = {
        "cli": version,
        "cloud": cloud,
        "operation": result.operation,
        "result": result.result,
        "changed": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": sum(resource.in_cloud for resource in after.resources),
        "parameter_version": stack.config.values.get(PINNED_KEY, "") if succeeded else known.get("parameter_version", ""),
    }
    try:
        make_folder(file.parent)
        write_whole(file, json.dumps(document).encode())
    except OSError as error:
        raise OperationFailed(problem("write", file, error)) from None


def of(folder: Path) -> dict[str, Any]:
    """The note in a stack's folder; empty where there is none that can be read."""
    try:
        found = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
