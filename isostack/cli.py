"""The command line: the composition root. Heavy modules are imported inside the commands that need them.

Exit codes: 0 done, 1 the operation failed, 2 bad usage or bad input, 3 refused, 4 locked by another run.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from isostack.console import Line, console, stdout_kept
from isostack.errors import BadInput, IsostackError, Refused
from isostack.gates.commands import add_commands
from isostack.parameters_cli import parameters_app
from isostack.playground.account_commands import account_app
from isostack.playground.commands import play_app
from isostack.policy.commands import policy_app

if TYPE_CHECKING:
    from isostack.engine.events import Event, Result
    from isostack.engine.project import Project
    from isostack.engine.run import Intent, Options, Stack
    from isostack.engine.store import Store
    from isostack.gates.admission import Guard
    from isostack.localcloud.server import LocalCloud
    from isostack.widening import Noted

app = typer.Typer(
    name="isostack",
    help="Four environments of one shape, on a simulated AWS or a real one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cloud_app = typer.Typer(help="The local cloud: a simulated AWS on a loopback address.", no_args_is_help=True)
app.add_typer(cloud_app, name="cloud")
app.add_typer(parameters_app, name="parameters")
app.add_typer(play_app, name="play")
play_app.add_typer(account_app, name="account")
app.add_typer(policy_app, name="policy")
add_commands(app, cloud_app)

Env = Annotated[str, typer.Argument(metavar="ENV", help="The environment: the name of a stack.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
Cwd = Annotated[Path, typer.Option("--cwd", metavar="DIR", help="The Pulumi project to work on.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="URN", help="Only this resource; may be repeated; * and ** are wildcards."),
]
Parallel = Annotated[int, typer.Option("--parallel", min=1, max=256, help="How many steps are under way at once.")]
PolicyPacks = Annotated[
    list[Path] | None,
    typer.Option("--policy-pack", metavar="DIR", help="Let this policy pack judge too; may be repeated."),
]
PolicyConfigs = Annotated[
    list[Path] | None,
    typer.Option("--policy-pack-config", metavar="FILE", help="A pack's configuration; one for each --policy-pack."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
HERE = Path()
Packs = tuple[list[Path], list[Path]] | None
_EXIT_CODES = {"succeeded": 0, "failed": 1, "refused": 3}


def main() -> NoReturn:
    """Run the command line, and end with its exit code. Errors are one line on standard error."""
    as_json, debug = "--json" in sys.argv, "--debug" in sys.argv
    gc.disable()  # the process is short, and collecting its garbage takes longer than leaving it (docs/performance.md)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show "├─" is no reason to fail
    try:
        # In this mode an Exit does not rise: its code is returned; 130 is an interrupt.
        returned = app(standalone_mode=False)
        code = returned if isinstance(returned, int) else 0
        if code == 130:
            code = _report("interrupted", 1, as_json, debug)
    except IsostackError as error:
        code = _report(error, error.exit_code, as_json, debug)
    except typer.Abort:
        code = _report("called off; nothing was changed", 1, as_json, debug)
    except KeyboardInterrupt:
        code = _report("interrupted", 1, as_json, debug)
    except BrokenPipeError:
        sys.stdout = None  # or the interpreter complains at its exit
        code = 1
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        code = _report(f"{error.strerror or error}{where}", 1, as_json, debug)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            if not message and not as_json:  # a command group alone, whose help has been printed
                sys.exit(2)
            code = _report(message, 2, as_json, debug)
        elif debug:
            raise
        else:
            text = " ".join(str(error).split())
            text = f"{type(error).__name__}: {text} (a defect of isostack; --debug shows where)"
            code = _report(text, 1, as_json, debug)
    gc.freeze()  # the interpreter collects once more at its exit, even so
    sys.exit(code)


def _report(error: object, code: int, as_json: bool, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    if as_json:
        _print_json(_refusal(error, code))
    else:
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the message
    return code


def _refusal(error: object, code: int) -> dict[str, Any]:
    return {
        "result": "refused" if code == Refused.exit_code else "failed",
        "exit_code": code,
        "diagnostics": [{"urn": "", "severity": "error", "message": str(error)}],
    }


# -- operations --------------------------------------------------------------------------------------------------------


@app.command()
def up(
    env: Env,
    as_json: Json = False,
    cwd: Cwd = HERE,
    target: Target = None,
    parallel: Parallel = 16,
    skip_preview: Annotated[
        bool, typer.Option("--skip-preview", help="Do not go through the program first; faster, and less careful.")
    ] = False,
    refresh_first: Annotated[bool, typer.Option("--refresh", help="Look first at what the cloud has.")] = False,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Do what preview --save wrote down, or nothing where it has moved."),
    ] = None,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
    debug: Debug = False,
) -> None:
    """Bring an environment to what the program says."""
    from isostack.engine import run

    options = run.Options(tuple(target or ()), parallel, skip_preview, refresh_first)
    if plan is not None:
        from isostack.preview.plans import plan_gate

        gate = plan_gate(plan, env, policy_pack or (), policy_pack_config or ())
        options = run.Options(tuple(target or ()), parallel, False, refresh_first, [gate])
    _operate("Updating", run.up, env, cwd, options, as_json, (policy_pack or [], policy_pack_config or []))
    if not as_json:
        where = "" if cwd == HERE else f" --cwd {cwd}"
        advice = (
            f"next: isostack outputs {env}{where} · change something, then isostack preview {env}{where} · "
            f"isostack destroy {env}{where}"
        )
        console().print(Line((advice, "bright_black")))


@app.command()
def preview(
    env: Annotated[str | None, typer.Argument(metavar="[ENV]", help="The environment: the name of a stack.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All environments, from their recorded states: no cloud, no passphrase, no network.")
    ] = False,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORM", help="text, json, markdown or html; looks at ENV as --all does.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="REF", help="Compare with this revision's program where there is no state.")
    ] = None,
    with_parity: Annotated[bool, typer.Option("--parity", help="Also prove parity; takes some seconds more.")] = False,
    artefact: Annotated[str, typer.Option("--artefact", metavar="URL", help="Where all of it is; Markdown links to it.")] = "",
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Write the plan, for up --plan; asks for the states' passphrase."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead of standard output.")
    ] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    target: Target = None,
    parallel: Parallel = 16,
    refresh_first: Annotated[bool, typer.Option("--refresh", help="Look first at what the cloud has.")] = False,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
    debug: Debug = False,
) -> None:
    """Show what `up` would change: in one environment, or, without any cloud, in all of them."""
    if everything or form is not None or base is not None or with_parity or artefact or output is not None:
        if target or refresh_first:
            raise BadInput("--target and --refresh go with one environment and its cloud, not with --all and its forms")
        _preview_recorded(
            env, everything, form or ("json" if as_json else "text"), base, with_parity, artefact, output, save, cwd
        )
        return
    if env is None:
        raise BadInput("name an environment, or look at all of them with --all")
    from isostack.engine import run

    seen: list[Intent] = []
    options = run.Options(tuple(target or ()), parallel, refresh=refresh_first, gates=[seen.append] if save else ())
    _operate("Previewing", run.preview, env, cwd, options, as_json, (policy_pack or [], policy_pack_config or []))
    if save:
        _save(save, seen[0], policy_pack or [], policy_pack_config or [])


def _save(file: Path, intent: Intent, packs: list[Path], configurations: list[Path]) -> None:
    """Write the plan of one environment."""
    from isostack.preview.base import revision_of
    from isostack.preview.plans import plan_of, save

    project = intent.stack.project
    plan = plan_of(intent, packs, configurations)
    save(file, project, revision_of(project), {intent.stack.name: plan})
    print(f"{file}: {plan['digest']}; isostack up {intent.stack.name} --plan {file} does this", file=sys.stderr)  # noqa: T201 - a message


def _preview_recorded(env: str | None, everything: bool, form: str, *rest: Any) -> None:
    from isostack.preview.commands import Wanted, preview_all

    *options, cwd = rest
    if env is None and not everything:
        raise BadInput("name an environment, or look at all of them with --all")
    project = _project(cwd)
    code = preview_all(project, _home(project), Wanted(None if everything else env, form, *options))
    if code:
        raise typer.Exit(code)


@app.command()
def destroy(
    env: Env,
    yes: Yes = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="ENV", help="The name of a restricted environment, in place of typing it.")
    ] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    target: Target = None,
    parallel: Parallel = 16,
    debug: Debug = False,
) -> None:
    """Delete everything in an environment."""
    from isostack.engine import run

    if not yes and _guard(env, cwd) is None:
        if as_json or not sys.stdin.isatty():
            raise BadInput(f"destroy {env}: there is nobody to ask; add --yes to delete everything in it")
        typer.confirm(f"Delete {'the targets' if target else 'everything'} in {env}?", abort=True)
    _operate("Destroying", run.destroy, env, cwd, run.Options(tuple(target or ()), parallel), as_json, confirm=confirm)


@app.command()
def refresh(
    env: Env,
    as_json: Json = False,
    cwd: Cwd = HERE,
    target: Target = None,
    parallel: Parallel = 16,
    debug: Debug = False,
) -> None:
    """Bring the state in line with what the cloud has."""
    from isostack.engine import run

    _operate("Refreshing", run.refresh, env, cwd, run.Options(tuple(target or ()), parallel), as_json)


def _operate(
    verb: str,
    operation: Callable[[Stack, Options], Result],
    env: str,
    cwd: Path,
    options: Options,
    as_json: bool,
    packs: Packs = None,
    confirm: str | None = None,
) -> None:
    """Do it, and show it; with ``packs`` (folders and their configurations) policies judge it."""
    from isostack.display import Display
    from isostack.widening import lines

    if as_json:
        _operate_for_machines(operation, env, cwd, options, packs, confirm)
        return
    display = Display(console(), planning=operation.__name__ == "preview")
    stack = _stack(env, cwd, display, has_state=operation.__name__ in ("destroy", "refresh"))
    gated, noted = _gated(stack, operation.__name__, options, cwd, packs, confirm)
    try:
        with display.running(f"{verb} {env} ({stack.project.name})"):
            result = operation(stack, gated)
    except Refused as refusal:
        if refusal.result:
            display.conclude(refusal.result)
        raise
    display.conclude(result)
    for line in lines(noted.found, creation=noted.creation):
        display.console.print(line)
    if result.result != "succeeded":
        raise typer.Exit(_EXIT_CODES[result.result])


def _gated(stack: Stack, operation: str, options: Options, cwd: Path, packs: Packs, confirm: str | None) -> tuple[Options, Noted]:
    """The options with the policies and gates that stand before this run. Raises Refused where the caller does not get past."""
    from dataclasses import replace

    from isostack.policy.attach import attach
    from isostack.widening import Noted

    noted, gates, exactly = Noted(), list(options.gates), operation == "up" and bool(options.gates)
    guard = None if operation == "preview" else _guard(stack.name, cwd)
    if operation in ("up", "preview") and (guard or not options.skip_preview):
        gates.append(noted)
    if guard is not None:
        if sys.stdin.isatty() and confirm is None:
            guard.ask_name = lambda: str(typer.prompt(f"Everything in {stack.name} is about to be deleted. Type its name"))
        guard.planned = bool(options.gates)
        session = guard.admit(operation, confirm)
        gates.append(guard.gate)
        exactly = exactly or not guard.exempt(session)
    analyzer = None if packs is None else attach(stack.project, stack.config, *packs)
    return replace(options, gates=gates, analyzer=analyzer, exactly=exactly), noted


def _guard(env: str, cwd: Path) -> Guard | None:
    """What stands before an environment that only some may run; None for any other."""
    from isostack.parameters import has_parameters

    project = _project(cwd)
    if not has_parameters(project):
        return None
    from isostack.engine.project import load_stack
    from isostack.gates.admission import guard_of

    store = _store(project)
    config = load_stack(project, env, store.keyring.open)
    return guard_of(project, env, config.values, store.home, "" if cwd == HERE else f" --cwd {cwd}")


def _operate_for_machines(
    operation: Callable[[Stack, Options], Result], env: str, cwd: Path, options: Options, packs: Packs, confirm: str | None
) -> None:
    """Print one document, the same keys for every ending."""
    from isostack.engine.events import Result, Tally

    noted = None
    name: Any = operation.__name__
    started = time.perf_counter()
    try:
        with stdout_kept():
            stack = _stack(env, cwd, lambda event: None, has_state=name in ("destroy", "refresh"))
            gated, noted = _gated(stack, name, options, cwd, packs, confirm)
            result = operation(stack, gated)
        document, code = _document(result), _EXIT_CODES[result.result]
    except IsostackError as error:
        seconds = round(time.perf_counter() - started, 3)
        found = error.result if isinstance(error, Refused) else None
        document, code = _document(found or Result(env, name, "failed", Tally(), seconds)), error.exit_code
        document |= _refusal(error, code)
    document["widening"] = [one.as_dict() for one in noted.found] if noted else []
    _print_json(document)
    if code:
        raise typer.Exit(code)


def _document(result: Result) -> dict[str, Any]:
    from dataclasses import asdict

    from isostack.display import presentable

    return {
        "stack": result.stack,
        "engine": result.engine,
        "operation": result.operation,
        "result": result.result,
        "exit_code": _EXIT_CODES[result.result],
        "changes": result.changes.as_dict(),
        "duration_seconds": result.duration_seconds,
        "outputs": presentable(result.outputs),
        "diagnostics": [{"urn": d.urn, "severity": d.severity, "message": d.message} for d in result.diagnostics],
        "policy": [asdict(violation) for violation in result.policy],
    }


# -- state -------------------------------------------------------------------------------------------------------------


@app.command()
def outputs(
    env: Env,
    name: Annotated[str | None, typer.Argument(help="One output alone.")] = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets instead of [secret].")] = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Print what an environment exports."""
    from isostack.display import presentable, print_outputs, shown
    from isostack.engine.deployment import STACK_TYPE
    from isostack.status import what_is_lost

    project = _project(cwd)
    store = _store(project)
    _require_state(store, project, env)
    snapshot = store.load(project.name, env).snapshot
    values: dict[str, Any] = next((dict(r.outputs) for r in snapshot.resources if r.type == STACK_TYPE), {})
    if name is not None and name not in values:
        raise BadInput(f"{env} exports no {name!r}; it exports {', '.join(sorted(values)) or 'nothing'}")
    lost = what_is_lost(snapshot, env, _local_cloud(cwd).status().identity)
    if lost:
        print(f"warning: {lost}", file=sys.stderr)  # noqa: T201 - a message
    if as_json:
        _print_json(presentable(values if name is None else values[name], show_secrets))
    elif name is not None:
        print(shown(values[name], show_secrets))  # noqa: T201 - the value alone, for scripts
    else:
        print_outputs(console(), values, show_secrets)


@app.command("export")
def export_state(env: Env, as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Print an environment's state in Pulumi's deployment format, secrets encrypted; `pulumi stack import` takes it."""
    project = _project(cwd)
    store = _store(project)
    _require_state(store, project, env)
    _print_json(store.export(project.name, env))


@app.command("import")
def import_state(
    env: Env,
    file: Annotated[Path, typer.Argument(help="What `isostack export` or `pulumi stack export` wrote; - for standard input.")],
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Replace an environment's state by one from a file."""
    from isostack.engine.lock import StackLock

    project = _project(cwd)
    store = _store(project)
    guard = _guard(env, cwd)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from error
    if guard is not None:
        from isostack.gates.approvals import digest_of_state

        guard.admit("import", state=digest_of_state(text))
    with StackLock(store.folder(project.name, env), f"isostack import {env}"):
        count = store.import_(project.name, env, text, str(file))
    if as_json:
        _print_json({"stack": env, "result": "succeeded", "resources": count})
    else:
        console().print(f"{env}: {count} resources imported")


@app.command()
def status(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show every environment: resources, last change, lock."""
    from isostack.engine.project import known_stacks
    from isostack.status import lines, overview

    project = _project(cwd)
    rows = overview(project, _store(project), known_stacks(project), _local_cloud(cwd).status().identity)
    if as_json:
        _print_json({"project": project.name, "environments": rows})
    elif not rows:
        console().print(f"{project.name} has no environments yet; isostack up ENV makes one")
    else:
        for line in lines(rows):
            console().print(line)


@app.command()
def parity(
    version: Annotated[str | None, typer.Option("--version", help="The parameter set; the newest pinned one by default.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Prove that the environments differ only where a table of the parameter set says so. Needs no cloud."""
    from isostack.display import Display
    from isostack.engine.events import Phase
    from isostack.localcloud.provider import OfflineHost
    from isostack.parameters import newest_pinned
    from isostack.parity import lines, prove

    project = _project(cwd)
    chosen = version or newest_pinned(project)
    host = OfflineHost(_local_cloud(cwd))
    if as_json:
        with stdout_kept():
            proof = prove(project, chosen, host, lambda what: None)
        _print_json(proof.as_dict())
    else:
        display = Display(console(), planning=True)
        with display.running(f"Comparing the environments of {chosen} ({project.name})"):
            proof = prove(project, chosen, host, lambda what: display(Phase(what)) if display.lively else None)
        for line in lines(proof):
            console().print(line)
    if not proof.holds:
        raise typer.Exit(Refused.exit_code)


# -- the local cloud ---------------------------------------------------------------------------------------------------


@cloud_app.command("start")
def cloud_start(
    port: Annotated[int | None, typer.Option(help="The port; a free one is taken and remembered otherwise.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Start the local cloud, or say that it runs."""
    cloud = _local_cloud(cwd)
    endpoint = cloud.ensure(port=port)
    if endpoint.notice:
        print(f"warning: {endpoint.notice}", file=sys.stderr)  # noqa: T201 - the message
    _show_cloud(cloud, as_json)


@cloud_app.command("stop")
def cloud_stop(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Stop the local cloud. What it holds is gone then; `up` makes it anew."""
    stopped = _local_cloud(cwd).stop()
    if as_json:
        _print_json({"stopped": bool(stopped)})
    else:
        console().print("the local cloud is stopped" if stopped else "the local cloud was not running")


@cloud_app.command("status")
def cloud_status(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show the local cloud's address, uptime, and resources by service."""
    _show_cloud(_local_cloud(cwd), as_json)


@cloud_app.command("reset")
def cloud_reset(yes: Yes = False, as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Empty the local cloud."""
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise BadInput("cloud reset: there is nobody to ask; add --yes to empty the local cloud")
        typer.confirm("Empty the local cloud?", abort=True)
    cloud = _local_cloud(cwd)
    cloud.reset()
    _show_cloud(cloud, as_json)


def _show_cloud(cloud: LocalCloud, as_json: bool) -> None:
    from dataclasses import asdict

    state = cloud.status()
    if as_json:
        _print_json(asdict(state))
        return
    out = console()
    if not state.running:
        out.print("the local cloud is not running; isostack cloud start starts it")
        return
    out.print(f"local cloud   {state.endpoint}")
    out.print(f"process       {state.pid}, up {_duration(state.uptime_seconds)}")
    out.print(f"resources     {sum(state.resources.values())}")
    for service, count in sorted(state.resources.items()):
        out.print(f"  {service:<16} {count}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


# -- what the commands stand on ----------------------------------------------------------------------------------------


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=2))  # noqa: T201 - the document is the output


def _project(cwd: Path) -> Project:
    from isostack.engine.project import load_project

    if not cwd.is_dir():
        raise BadInput(f"--cwd {cwd}: no such directory")
    return load_project(cwd.resolve())


def _chosen_home() -> Path | None:
    chosen = os.environ.get("ISOSTACK_HOME")
    return Path(chosen).expanduser().resolve() if chosen else None


def _home(project: Project) -> Path:
    return _chosen_home() or project.root / ".isostack"


def _store(project: Project) -> Store:
    from isostack.engine.store import Store

    return Store(_home(project))


def _local_cloud(cwd: Path) -> LocalCloud:
    from isostack.localcloud.server import LocalCloud

    return LocalCloud(_chosen_home() or _home(_project(cwd)))


def _stack(env: str, cwd: Path, sink: Callable[[Event], None], *, has_state: bool) -> Stack:
    from isostack.engine.project import load_stack
    from isostack.engine.run import Stack
    from isostack.localcloud.provider import LocalCloudHost
    from isostack.localcloud.server import LocalCloud

    project = _project(cwd)
    store = _store(project)
    if has_state:
        _require_state(store, project, env)
    else:
        _require_stack(project, store, env)
    config = load_stack(project, env, store.keyring.open)
    return Stack(project, env, config, store, LocalCloudHost(LocalCloud(store.home)), sink)


def _require_stack(project: Project, store: Store, env: str) -> None:
    """A project that has stack files has no other stacks, but for those that the state knows."""
    from isostack.engine.project import known_stacks

    known = known_stacks(project)
    if known and env not in known and (project.name, env) not in store.stacks():
        raise BadInput(f"no environment {env!r} in {project.name}; there are {', '.join(known)}")


def _require_state(store: Store, project: Project, env: str) -> None:
    if (project.name, env) not in store.stacks():
        _require_stack(project, store, env)
        raise BadInput(f"{env} has no state yet; bring it up first: isostack up {env}")


if __name__ == "__main__":
    main()
