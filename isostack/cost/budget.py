"""Budgets: what an environment may cost a month, and the gate that holds a run to it.

A run that makes an environment no dearer is never refused, so that one beyond its budget can be made cheaper. What has no price
counts nothing, so a budget holds the part that is known; the message says so. The figures are the parameter set's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from isostack.cost import estimate
from isostack.cost.estimate import Estimate
from isostack.engine.events import Diagnostic
from isostack.engine.project import PINNED_KEY
from isostack.errors import Refused
from isostack.parameters import budget_of

if TYPE_CHECKING:
    from isostack.engine.project import Project
    from isostack.engine.run import Intent

ENVIRONMENT_KEY = "isostack:environment"
Verdict = tuple[Literal["within", "warn", "refuse"], str]
"""What comes out, and what there is to say, or nothing."""


@dataclass(frozen=True)
class Budget:
    """Dollars a month beyond which to warn and to refuse; None for no limit."""

    warn: int | None = None
    refuse: int | None = None

    def __bool__(self) -> bool:
        return self.warn is not None or self.refuse is not None

    def judge(self, before: Estimate, after: Estimate) -> Verdict:
        """What a change from one estimate to another comes to."""
        cost = f"it would cost ${after.monthly:,.2f} a month{' at least' if after.unpriced else ''}, as estimated"
        if self.refuse is not None and after.monthly > self.refuse:
            beyond = f"{cost}, and its budget is ${self.refuse:,}"
            if after.monthly > before.monthly:
                mend = "make it smaller, or raise budget.refuse in a new version of the parameters"
                return "refuse", f"{beyond}; {mend}"
            return "warn", f"{beyond}; it is let through because it costs no more than before"
        if self.warn is not None and after.monthly > self.warn:
            return "warn", f"{cost}, and its budget warns beyond ${self.warn:,}"
        return "within", ""

    def as_dict(self) -> dict[str, int | None]:
        """For ``--json``."""
        return {"warn": self.warn, "refuse": self.refuse}


def of(project: Project, stack: str, config: Mapping[str, str]) -> Budget:
    """The budget of a stack, by the environment that its configuration names. Raises BadInput where that cannot be read."""
    said = budget_of(project, config.get(ENVIRONMENT_KEY, stack), config.get(PINNED_KEY))
    return Budget(said.get("warn"), said.get("refuse"))


@dataclass
class Spending:
    """A gate that holds a run to a budget, and remembers what it saw."""

    budget: Budget
    before: Estimate = field(default_factory=Estimate)
    after: Estimate = field(default_factory=Estimate)
    verdict: Verdict = ("within", "")

    def __call__(self, intent: Intent) -> None:
        self.before, self.after = estimate.of(intent.before), estimate.of(intent.after)
        self.verdict = kind, message = self.budget.judge(self.before, self.after)
        if kind == "refuse":
            raise Refused(f"{intent.stack.name}: {message}; nothing was changed")
        if kind == "warn":
            intent.stack.sink(Diagnostic("warning", f"{intent.stack.name}: {message}"))

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        kind, message = self.verdict
        figures = {"before": self.before.monthly, "after": self.after.monthly, "unpriced": list(self.after.unpriced)}
        return {**figures, "label": estimate.LABEL, "budget": {**self.budget.as_dict(), "verdict": kind, "message": message}}
