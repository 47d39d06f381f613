"""What Pulumi's SDK does at each registration and for each output that this engine has no use for, left out meanwhile.

Owns no behaviour: a program sees no difference but the time (docs/performance.md has the shares).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi import Output

SETTLED = 10_000
"""Futures that may be kept although they are done; each takes about a kilobyte."""


@contextlib.contextmanager
def left_out(*, positions: bool) -> Iterator[None]:
    """Leave it out while the block runs, after the SDK has its settings; ``positions`` keeps where resources are registered."""
    from pulumi import Output
    from pulumi.runtime import resource
    from pulumi.runtime.proto import source_pb2

    kept = resource._get_stack_trace, resource.create_urn, Output._track
    if not positions:
        resource._get_stack_trace = source_pb2.StackTrace  # the SDK walks the stack, and the engine keeps no positions
    resource.create_urn = _create_urn(resource.create_urn)
    Output._track = _track()  # type: ignore[method-assign]
    try:
        yield
    finally:
        resource._get_stack_trace, resource.create_urn, Output._track = kept  # type: ignore[method-assign]


class _NoUrn:
    async def future(self) -> None:
        """Nothing: the monitor makes the URN."""


def _create_urn(create_urn: Any) -> Any:
    """For each registration the SDK makes a URN through several outputs, which it needs only where there is no monitor."""

    def create(name: Any, type_: Any, parent: Any = None, project: Any = None, stack: Any = None) -> Any:
        # For an alias it passes outputs, or project and stack.
        if isinstance(name, str) and isinstance(parent, str) and project is None and stack is None:
            return _NoUrn()
        return create_urn(name, type_, parent, project, stack)

    return create


def _track() -> Any:
    """The SDK forgets each output's future by a callback when it is done; done ones can as well be forgotten many at once."""
    from pulumi.runtime.settings import SETTINGS

    outputs, lock = SETTINGS.outputs, SETTINGS.lock
    most = SETTLED

    def track(self: Output[Any]) -> None:
        nonlocal most
        with lock:
            outputs.add(self._data)
            if len(outputs) > most:
                outputs.difference_update([task for task in outputs if _is_well(task)])
                most = 2 * len(outputs) + SETTLED

    return track


def _is_well(task: Any) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
