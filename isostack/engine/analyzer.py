"""What the engine asks of whoever judges resources. The engine knows no policy packs; those are :mod:`isostack.policy`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isostack.engine.events import Violation
from isostack.engine.plan import Goal
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.values import PropertyMap


class Analyzer(Protocol):
    """Judges resources and stacks. Called from several threads. Raises OperationFailed where a policy itself fails."""

    def of_resource(
        self, goal: Goal, inputs: PropertyMap, provider: ResourceState | None, *, preview: bool
    ) -> Sequence[Violation]:
        """What is wrong with a resource, by the inputs that the provider has checked."""
        ...

    def of_stack(self, snapshot: Snapshot, *, preview: bool) -> Sequence[Violation]:
        """What is wrong with a stack, by the outputs of all its resources."""
        ...
