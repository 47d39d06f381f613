"""Approvals: that somebody else has looked at exactly this change, and lets it happen until a certain time, once.

An approval is an entry of the record (:mod:`isostack.gates.record`) about the digest of a normalised intent
(:mod:`isostack.intents`). Whoever approves is known by a session; the one who then runs it must be somebody else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from isostack.errors import BadInput, Refused
from isostack.gates.identity import Session
from isostack.gates.record import Entry, Record

APPROVAL: Final = "approval"
USE: Final = "run"
BREAK_GLASS: Final = "break-glass"
LIFETIME: Final = timedelta(hours=8)
LONGEST: Final = timedelta(days=7)


@dataclass(frozen=True)
class Approval:
    """Who approved what, until when; ``operation`` is ``up``, ``destroy`` or ``import``."""

    number: int
    project: str
    stack: str
    operation: str
    digest: str
    person: str
    arn: str
    until: str


def approve(
    record: Record, project: str, stack: str, operation: str, digest: str, by: Session, lifetime: timedelta = LIFETIME
) -> Approval:
    """Record an approval."""
    until = (datetime.now(UTC) + lifetime).isoformat(timespec="seconds")
    facts = {**_facts(project, stack, operation, digest, by), "until": until}
    return Approval(record.append(APPROVAL, facts).number, **facts)


def open_approvals(record: Record, project: str, stack: str, operation: str, runner: str) -> list[Approval]:
    """What may still be run of what others than the runner approved, newest first."""
    entries = record.entries()
    used = _used(entries)
    now = datetime.now(UTC)
    approvals = [
        approval
        for entry in reversed(entries)
        if entry.kind == APPROVAL and entry.number not in used
        for approval in [_approval(entry)]
        if datetime.fromisoformat(approval.until) > now and approval.person != runner
    ]
    return [one for one in approvals if (one.project, one.stack, one.operation) == (project, stack, operation)]


def digest_of_state(text: str) -> str:
    """What an approval of a state that is to be imported is bound to."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def note_run(
    record: Record,
    project: str,
    stack: str,
    operation: str,
    digest: str,
    by: Session,
    approvals: Sequence[Approval],
    engine: str = "embedded",
) -> None:
    """Record a run of a restricted environment, the engine that does it, and the approvals that it uses up.

    Raises Refused where another run has used one of them meanwhile.
    """

    def require_unused(entries: Sequence[Entry]) -> None:
        if any(approval.number in _used(entries) for approval in approvals):
            raise Refused(f"{operation} {stack}: nothing was changed: another run has just used the approval, which counts once")

    facts = _facts(project, stack, operation, digest, by)
    facts_of_run = {"engine": engine, "ticket": by.ticket, "approvals": [approval.number for approval in approvals]}
    record.append(USE, {**facts, **facts_of_run}, require_unused)


def _used(entries: Sequence[Entry]) -> set[int]:
    """The numbers of the approvals that runs have used up."""
    return {number for entry in entries if entry.kind == USE for number in entry.facts.get("approvals", ())}


def _facts(project: str, stack: str, operation: str, digest: str, by: Session) -> dict[str, str]:
    """What both say: which change of which stack, and who."""
    return {
        "project": project, "stack": stack, "operation": operation, "digest": digest, "person": by.person, "arn": by.arn
    }  # fmt: skip


def _approval(entry: Entry) -> Approval:
    facts = entry.facts
    return Approval(
        entry.number, facts["project"], facts["stack"], facts["operation"], facts["digest"], facts["person"], facts["arn"],
        facts["until"],
    )  # fmt: skip


def lifetime(text: str) -> timedelta:
    """``90m``, ``8h`` or ``2d`` as a time. Raises BadInput for anything else, and for more than a week."""
    found = re.fullmatch("([1-9][0-9]{0,3})([mhd])", text)
    time = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[found[2]]: int(found[1])}) if found else None
    if time is None or time > LONGEST:
        raise BadInput(f"--for {text}: write it as 90m, 8h or 2d, up to 7d")
    return time
