"""The commands about who does what: ``cloud login|logout|whoami``, ``approve``, ``break-glass``, ``record``.

What they ask and show; what they do is the modules' beside this one.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isostack import composition
from isostack.console import console, print_json, print_lines, stdout_kept
from isostack.errors import BadInput, OperationFailed, Refused
from isostack.options import HERE, Cwd, Debug, Engine, EngineName, Env, Json, Yes, repeated

if TYPE_CHECKING:
    from isostack.display import Display
    from isostack.engine.project import Project
    from isostack.engine.run import Intent
    from isostack.engine.store import Store
    from isostack.localcloud.server import LocalCloud
    from isostack.parameters import Gates

As = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who you are; your user name by default.")]
Code = Annotated[str | None, typer.Option("--mfa", metavar="CODE", help="The six digits of your second factor.")]


def add_commands(app: typer.Typer, cloud_app: typer.Typer) -> None:
    """Put the commands where they belong."""
    cloud_app.command("login")(login)
    cloud_app.command("logout")(logout)
    cloud_app.command("whoami")(whoami)
    app.command("approve")(approve)
    app.command("break-glass")(break_glass)
    app.command("record")(record)


def login(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="A role of the environment, as operations.")],
    env: Env,
    person: As = None,
    code: Code = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Take on a role of an environment, as one would in its account, for an hour."""
    from isostack.gates.identity import ENTRY, Sessions
    from isostack.gates.identity import login as take_on

    place = _Place.at(cwd)
    gates = place.gates(env)
    if role == gates.break_glass:
        where = place.where
        raise Refused(f"{role} is for emergencies; type: isostack break-glass {env}{where} --ticket … --reason … --mfa CODE")
    session = take_on(place.endpoint(), env, gates, role, person or _user(), code)
    Sessions(place.store.home).keep(place.project.name, session)
    text = f"{session.person} is {role} in {env} until {session.expires}"
    if session.role == ENTRY:
        text = f"{session.person} is {gates.entry_role} in {env} until {session.expires}: its own roles come with its first up"
    _show(as_json, session.facts(), text)


def logout(
    env: Annotated[str | None, typer.Argument(metavar="[ENV]", help="One environment alone; all of them otherwise.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Forget the sessions that `cloud login` has made."""
    from isostack.gates.identity import Sessions

    place = _Place.at(cwd)
    count = Sessions(place.store.home).end(place.project.name, env)
    _show(as_json, {"ended": count}, f"{count} {'session' if count == 1 else 'sessions'} ended")


def whoami(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show who you are in each environment, and until when, as the local cloud's STS sees it."""
    from isostack.gates.identity import Sessions, caller_arn

    place = _Place.at(cwd)
    status = place.local_cloud().status()
    rows = []
    for name, session in Sessions(place.store.home).all().items():
        if name.rpartition("/")[0] == place.project.name:
            arn = caller_arn(status.endpoint, session) if status.running and not session.ended else None
            rows.append({**session.facts(), "valid": arn is not None, "arn": arn or session.arn})
    lines = [
        f"{row['stack']:<14} {row['person']} as {row['role']}, "
        f"{'until' if row['valid'] else 'no more: ended, or of another cloud;'} {row['expires']}"
        for row in rows
    ]
    _show(as_json, {"sessions": rows}, "\n".join(lines) or "nobody is logged in; isostack cloud login ROLE ENV")


def approve(
    env: Env,
    plan: Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="A saved plan, in place of a new preview.")] = None,
    destroying: Annotated[bool, typer.Option("--destroy", help="Approve that everything in it is deleted.")] = False,
    state: Annotated[Path | None, typer.Option("--import", metavar="FILE", help="Approve that this state is imported.")] = None,
    target: Annotated[list[str] | None, typer.Option("--target", metavar="URN", help="As it will be run.")] = None,
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="How long it counts, as 90m, 8h or 2d.")] = "8h",
    yes: Yes = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Approve, as somebody else, exactly what a run of a restricted environment would do now, once."""
    from isostack import intents
    from isostack.gates import approvals

    lifetime = approvals.lifetime(for_)
    if sum((plan is not None, state is not None, destroying)) > 1 or (target and (plan or state)):
        raise BadInput("--plan, --import and --destroy each say what is approved, and --target goes with none of the first two")
    if not yes and (as_json or not sys.stdin.isatty()):
        raise BadInput(f"approve {env}: there is nobody to ask; add --yes to approve")
    place = _Place.at(cwd)
    guard = composition.guard_before(place.project, place.store, env, repeated(cwd), engine)
    if guard is None:
        raise BadInput(f"{env} asks for nobody's approval")
    by = guard.approver()
    if plan is not None:
        operation, digest = _planned(plan, place.project.name, env)
    elif state is not None:
        operation, digest = "import", approvals.digest_of_state(_read(state))
    else:
        operation = "destroy" if destroying else "up"
        digest = intents.digest(place.foreseen(env, operation, tuple(target or ()), as_json, engine))
    if not yes:
        typer.confirm(f"Approve this {operation} of {env} as {by.person}?", abort=True)
    approval = approvals.approve(guard.record, place.project.name, env, operation, digest, by, lifetime)
    text = f"{by.person} approved this {operation} of {env}, once, until {approval.until} ({digest[:19]}…)"
    _show(as_json, asdict(approval), text)


def break_glass(
    env: Env,
    ticket: Annotated[str, typer.Option("--ticket", metavar="NAME", help="The ticket of the emergency.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence.")] = "",
    person: As = None,
    code: Code = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Take on the role for emergencies: recorded, with an alarm, for an hour at most. In an account, say why you have."""
    from isostack.gates import emergency
    from isostack.gates.identity import Sessions

    place = _Place.at(cwd)
    gates, store = place.gates(env), place.store
    guard = composition.guard_before(place.project, store, env, repeated(cwd), engine)
    if guard is not None and guard.in_account:
        if person or code:
            raise BadInput("--as and --mfa are for the local cloud: in an account your credentials say who you are")
        session = emergency.note_emergency(guard.record, place.project.name, guard.in_emergency(), ticket, reason)
        text = f"{session.person} is {session.role} in {env} until {session.expires}, for {session.ticket}; it is on record"
        _show(as_json, session.facts(), text)
        return
    session, alarm = emergency.break_glass(
        place.endpoint(), composition.record_of(place.project), place.project.name, env, gates, person or _user(), code, ticket,
        reason,
    )  # fmt: skip
    Sessions(store.home).keep(place.project.name, session)
    woken = f"alarm {alarm} is set off" if alarm else f"warning: {env} has no alarm for this, so nobody was woken"
    text = f"{session.person} is {session.role} in {env} until {session.expires}, for {session.ticket}; {woken}"
    _show(as_json, {**session.facts(), "alarm": alarm}, text)


def record(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show who approved, ran and broke in, once the chain of the record has been verified."""
    entries = composition.record_of(composition.project_at(cwd)).entries()
    lines = [
        f"{e.number:>4}  {e.at}  {e.kind:<11}  {e.facts.get('stack', ''):<12} {e.facts.get('person', '')}  "
        f"{e.facts.get('operation', '')} {_by(e.facts)}{e.facts.get('ticket', '')} {e.facts.get('reason', '')}".rstrip()
        for e in entries
    ]
    head = entries[-1].hash if entries else ""
    lines.append(f"{len(entries)} entries, unbroken; the last one's hash is {head}" if entries else "the record is empty")
    _show(as_json, {"entries": [entry.as_dict() for entry in entries], "head": head}, "\n".join(lines))


# -- what the commands stand on ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A project and its state folder."""

    project: Project
    store: Store
    where: str

    @classmethod
    def at(cls, cwd: Path) -> _Place:
        project = composition.project_at(cwd)
        return cls(project, composition.store_of(project), repeated(cwd))

    def local_cloud(self) -> LocalCloud:
        from isostack.localcloud.server import LocalCloud

        return LocalCloud(self.store.home)

    def endpoint(self) -> str:
        return self.local_cloud().ensure().url

    def gates(self, env: str) -> Gates:
        """The gates of an environment, restricted or not. Raises BadInput where the project has none for it."""
        from isostack.engine.project import ENVIRONMENT_KEY, PINNED_KEY, load_stack
        from isostack.parameters import gates_of, has_parameters

        config = load_stack(self.project, env, self.store.keyring.open).values
        gates = None
        if has_parameters(self.project):
            gates = gates_of(self.project, config.get(ENVIRONMENT_KEY, env), config.get(PINNED_KEY))
        if gates is None:
            raise BadInput(f"{self.project.name} names no roles for {env}: anybody may run it")
        return gates

    def foreseen(self, env: str, operation: str, targets: tuple[str, ...], quiet: bool, engine: EngineName) -> Intent:
        """What a run would do now, shown unless ``quiet``. Raises OperationFailed where it would fail."""
        from isostack import widening
        from isostack.engine.operation import Options

        seen: list[Intent] = []
        options = Options(targets, gates=(seen.append,))
        look = composition.done_by(engine, "preview" if operation == "up" else "preview_destroy")
        display = None if quiet else _display()
        stack = composition.stack_of(self.project, self.store, env, display or (lambda event: None), engine)
        with display.running(f"Looking at {operation} of {env}") if display else stdout_kept():
            result = look(stack, options)
        if display:
            display.conclude(replace(result, operation="preview"))
        if not seen:
            raise OperationFailed(f"{operation} {env} would fail, so there is nothing to approve: see isostack preview {env}")
        if display:
            print_lines(widening.lines(widening.widened(seen[0]), creation=widening.is_creation(seen[0])))
        return seen[0]


def _display() -> Display:
    from isostack.display import Display

    return Display(console(), planning=True)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--import {file}: cannot be read: {error}") from None


def _planned(file: Path, project: str, env: str) -> tuple[str, str]:
    """The operation and the digest of a saved plan. Raises BadInput where the file is none, or is another stack's."""
    from isostack.preview import plans

    plan = plans.load(file, env)
    intent = plan["intent"]
    if (intent["project"], intent["stack"]) != (project, env):
        raise BadInput(f"--plan {file}: the plan is one for {intent['stack']} of {intent['project']}, not for {env} of {project}")
    return str(intent["operation"]), str(plan["digest"])


def _by(facts: Mapping[str, Any]) -> str:
    """The engine of a run, where it is not the usual one."""
    return f"by {facts['engine']} " if facts.get("engine", "embedded") != "embedded" else ""


def _user() -> str:
    return "".join(letter if letter.isalnum() or letter in "+=,.@-_" else "-" for letter in getpass.getuser()) or "somebody"


def _show(as_json: bool, document: Any, text: str) -> None:
    print_json(document) if as_json else print_lines([text])
