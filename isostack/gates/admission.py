"""The gates of a restricted environment: who runs it, the name typed, a second person's approval. Each refusal names all that
is unmet, and the command that meets it.

Which environments are restricted, and which roles may run them, is the project's to say (:mod:`isostack.parameters`). Who
somebody is, STS is asked at every run, the local cloud's or the account's; a session's file is believed in nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isostack.engine.project import PINNED_KEY
from isostack.errors import Refused
from isostack.gates.approvals import Approval, note_run, open_approvals
from isostack.gates.emergency import ticket_of
from isostack.gates.identity import ENTRY, LocalSts, Session, Sts, is_role
from isostack.gates.record import Record
from isostack.intents import digest
from isostack.parameters import gates_of, restricted
from isostack.widening import Widening, widened

if TYPE_CHECKING:
    from isostack.engine.project import Project
    from isostack.engine.run import Intent
    from isostack.parameters import Gates

LONGEST_LIST: Final = 20


@dataclass(frozen=True)
class Unmet:
    """A gate that does not open, why, and what to type."""

    gate: str
    why: str
    command: str

    def __str__(self) -> str:
        return f"{self.gate}: {self.why}; type: {self.command}"


def guard_of(
    project: Project, stack: str, config: Mapping[str, str], home: Path, record: Record, where: str = "", in_account: bool = False
) -> Guard | None:
    """The guard of a stack that is a restricted environment, by its name or its configuration; None for any other.

    ``where`` is added to the commands that refusals name; ``in_account`` says that the account's STS is asked.
    Raises BadInput where the project's parameters cannot be read, Refused where it is several environments at once.
    """
    environment = restricted(project, stack, config)
    if environment is None:
        return None
    gates = gates_of(project, environment, config.get(PINNED_KEY))
    if gates is None:
        raise Refused(f"{project.name} restricts {environment}, and does not say by which gates (gates in its parameters.py)")
    sts: Sts
    if in_account:
        from isostack.gates.account import AccountSts

        sts = AccountSts(stack, gates, where)
    else:
        sts = LocalSts(home, project.name, stack, gates, where)
    return Guard(project.name, stack, gates, sts, record, where)


@dataclass
class Guard:
    """Stands before one restricted stack for one run. ``admit`` comes first, ``gate`` is the engine's."""

    project: str
    stack: str
    gates: Gates
    sts: Sts
    record: Record
    where: str = ""
    ask_name: Callable[[], str] | None = None
    """Has somebody type the environment's name; None where there is nobody to ask."""
    planned: bool = False
    """Whether a saved plan is held against what would be done."""
    engine: str = "embedded"
    """Who runs it, as the record says."""
    session: Session | None = None
    approvals: list[Approval] = field(default_factory=list)

    @property
    def in_account(self) -> bool:
        """Whether the environment is one of an account, not of the local cloud."""
        return not isinstance(self.sts, LocalSts)

    def admit(self, operation: str, confirmed: str | None = None, state: str = "") -> Session:
        """Let the caller pass to what ``operation`` is, or raise Refused with every unmet gate.

        ``confirmed`` is the environment's name, as it was typed for a destroy; ``state`` the digest of what is to be imported:
        changes are held against the state, so that one which says that all is allowed already would hide them.
        """
        unmet: list[Unmet] = []
        used: list[Approval] = []
        session, why = self._caller(operation)
        if session is None:
            unmet.append(Unmet("identity", why, self._login(operation)))
        if operation == "up" and session is not None and self._needs_plan(session):
            here = f"{self.stack}{self._again}"
            command = f"isostack preview {here} --save plan.json, and isostack up {here} --plan plan.json"
            unmet.append(Unmet("plan", "what is to be done was not previewed and saved", command))
        if operation == "import" and session is not None and not self.exempt(session):
            approvals = open_approvals(self.record, self.project, self.stack, operation, session.person)
            used = [approval for approval in approvals if approval.digest == state][:1]
            if not used:
                unmet.append(self._second_person(f"nobody else has approved this state of {self.stack}", "--import FILE"))
        if operation == "destroy":
            person = session.person if session else ""
            if not open_approvals(self.record, self.project, self.stack, operation, person):
                unmet.append(self._second_person(f"nobody else has approved that everything in {self.stack} goes", "--destroy"))
            if confirmed is None and self.ask_name is not None and not unmet:
                confirmed = self.ask_name()
            if confirmed != self.stack:
                command = f"isostack destroy {self.stack}{self._again} --confirm {self.stack}"
                unmet.append(Unmet("name", "the environment's name was not typed", command))
        if unmet or session is None:
            raise Refused(_refusal(operation, self.stack, unmet))
        self.session = session
        if operation in ("refresh", "import"):
            note_run(self.record, self.project, self.stack, operation, state, session, used, self.engine)
        return session

    def gate(self, intent: Intent) -> None:
        """The engine's gate: what needs a second person has his approval of exactly this. Notes the run in the record."""
        session = self.session
        if session is None:
            raise Refused(
                _refusal(intent.operation, self.stack, [Unmet("identity", "nobody was admitted", self._login(intent.operation))])
            )
        this = digest(intent)
        reason, option = self._needs_second(intent, session)
        used: list[Approval] = []
        if reason:
            approvals = open_approvals(self.record, self.project, self.stack, intent.operation, session.person)
            used = [approval for approval in approvals if approval.digest == this][:1]
            if not used:
                stale = " (what was approved is another change)" if approvals else ""
                raise Refused(_refusal(intent.operation, self.stack, [self._second_person(f"{reason}{stale}", option)]))
        if any(not step.component for step in intent.steps if step.op not in ("same", "read", "refresh")):
            note_run(self.record, self.project, self.stack, intent.operation, this, session, used, intent.engine)
        self.approvals = used

    def approver(self) -> Session:
        """The session of somebody who may approve. Raises Refused."""
        session, why = self._caller("approve", self.gates.approvers)
        if session is None:
            raise Refused(_refusal("approve", self.stack, [Unmet("identity", why, self._login("approve"))]))
        return session

    def in_emergency(self) -> Session:
        """The session of somebody who has taken on the role for emergencies. Raises Refused."""
        role = self.gates.break_glass
        if not role:
            raise Refused(f"{self.stack} has no role for emergencies")
        session, why = self._caller("break-glass", (role,))
        if session is None:
            command = self.sts.login_command("break-glass", role, self.gates.roles[role])
            raise Refused(_refusal("break-glass", self.stack, [Unmet("identity", why, command)]))
        return session

    def exempt(self, session: Session) -> bool:
        """Whether nobody else looks first: whoever makes the environment has nothing to compare with, emergencies no time."""
        return session.role in (ENTRY, self.gates.break_glass)

    def _needs_second(self, intent: Intent, session: Session) -> tuple[str, str]:
        """Why somebody else must approve, and the option that his command takes; empty where nobody must."""
        if intent.operation == "destroy":
            return f"nobody else has approved that this goes from {self.stack}", "--destroy"
        if self.exempt(session):
            return "", ""
        wider = widened(intent)
        if not wider:
            return "", ""
        return "somebody else has to approve what is let in or allowed anew:" + _listed(wider), ""

    def _needs_plan(self, session: Session) -> bool:
        return getattr(self.gates, "needs_plan", False) and not self.planned and not self.exempt(session)

    def _second_person(self, why: str, option: str) -> Unmet:
        others = " or ".join(self.gates.approvers)
        command = f"isostack approve {self.stack}{f' {option}' if option else ''}{self._again}"
        return Unmet("approval", why, f"{command} (somebody else, logged in as {others})")

    @property
    def _again(self) -> str:
        """What is added to commands that take an engine."""
        return self.where if self.engine == "embedded" else f" --engine {self.engine}{self.where}"

    def _login(self, operation: str) -> str:
        role = self.gates.operators[0] if self.gates.operators else self.gates.break_glass
        return self.sts.login_command(operation, role, self.gates.roles[role])

    def _caller(self, operation: str, allowed: Sequence[str] = ()) -> tuple[Session | None, str]:
        """The session, as STS knows it, where it is of a role that may; else why not."""
        gates = self.gates
        only = f"only {' or '.join(allowed or gates.operators)} may {operation}"
        session, why = self.sts.caller(only)
        if session is None:
            return None, why
        arn, ticket = session.arn, ""
        _, _, _, _, account, resource = arn.split(":")
        _, physical, person = resource.split("/")
        if account != gates.account:
            return None, f"{arn} is of account {account}, and {self.stack} is account {gates.account}"
        role = next((name for name, one in gates.roles.items() if is_role(physical, one)), None)
        if role is None and physical == gates.entry_role and not allowed:
            if any(self.sts.has(gates.roles[name]) for name in gates.operators):
                return None, f"{physical} makes {self.stack}, and {self.stack} is there: {only} now"
            role = ENTRY
        elif role == gates.break_glass and not allowed and operation != "destroy":
            ticket = ticket_of(self.record, self.project, session)
            if not ticket:
                command = f"isostack break-glass {self.stack}{self._again} --ticket … --reason …"
                return None, f"{role} without a ticket on record ({command})"
        elif role not in (allowed or gates.operators):
            return None, f"{person} is {role or physical} in {self.stack}, and {only}"
        return replace(session, person=person, role=str(role), account=account, ticket=ticket), ""


def _refusal(operation: str, stack: str, unmet: list[Unmet]) -> str:
    if len(unmet) == 1:
        return f"{operation} {stack}: nothing was changed: {unmet[0]}"
    return f"{operation} {stack}: nothing was changed; these gates are unmet:" + "".join(f"\n  - {one}" for one in unmet)


def _listed(wider: tuple[Widening, ...]) -> str:
    more = f"\n    … and {len(wider) - LONGEST_LIST} more" if len(wider) > LONGEST_LIST else ""
    return "".join(f"\n    {one}" for one in wider[:LONGEST_LIST]) + more + "\n  "
