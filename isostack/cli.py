"""The command line: the composition root. Heavy modules are imported inside the commands that need them.

Exit codes: 0 done, 1 the operation failed, 2 bad usage or bad input, 3 refused, 4 locked by another run.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from isostack import cloud_cli, operations
from isostack.bootstrap.commands import bootstrap_app
from isostack.composition import guard_before, in_the_backend, local_cloud_at, project_at, recorded, require_state, store_of
from isostack.console import console, print_json, stdout_kept
from isostack.cost.commands import cost
from isostack.errors import BadInput, IsostackError, Refused, as_document
from isostack.gates import commands as gates
from isostack.options import HERE, Cwd, Debug, Engine, EngineName, Env, Json, Yes, repeated
from isostack.parameters_cli import parameters_app
from isostack.playground.account_commands import account_app
from isostack.playground.commands import play_app
from isostack.policy.commands import policy_app
from isostack.stack_tags import tags

if TYPE_CHECKING:
    from isostack.localcloud.server import LocalCloud

app = typer.Typer(
    name="isostack",
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
cloud_cli.add_commands(cloud_app)
app.add_typer(bootstrap_app, name="bootstrap")
operations.add_commands(app)
gates.add_commands(app, cloud_app)
app.command()(cost)
app.command()(tags)


@app.callback()
def _isostack() -> None:
    """Four environments of one shape, on a simulated AWS or a real one."""
    # Without a callback, Typer takes a single command for the whole.


def main() -> NoReturn:
    """Run the command line, and end with its exit code. Errors are one line on standard error."""
    as_json, debug, interrupted = "--json" in sys.argv, "--debug" in sys.argv, False
    gc.disable()  # the process is short, and collecting its garbage takes longer than leaving it (docs/performance.md)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show "├─" is no reason to fail
    _leave_out_other_commands(sys.argv[1:])
    try:
        # In this mode an Exit does not rise: its code is returned; 130 is an interrupt.
        returned = app(standalone_mode=False)
        code = returned if isinstance(returned, int) else 0
        if code == 130:
            raise KeyboardInterrupt
    except IsostackError as error:
        code = _report(error, error.exit_code, as_json, debug)
    except typer.Abort:
        code = _report("called off; nothing was changed", 1, as_json, debug)
    except KeyboardInterrupt:
        interrupted = True
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and told
    at_work = sys.modules.get("isostack.engine.interruption")
    if interrupted or (at_work and at_work.pressed.is_set()):
        _end_at_once(code)
    sys.exit(code)


def _end_at_once(code: int) -> NoReturn:
    """After Ctrl-C, the interpreter would wait for calls under way, and may end by the signal, whatever the code
    (where it was raised while a text was executed, as the classes of records are made)."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _leave_out_other_commands(arguments: list[str]) -> None:
    """Typer builds every command that it is given, at a cost that shows (docs/performance.md); one is called."""
    asked = next((argument for argument in arguments if not argument.startswith("-")), "")
    groups = [group for group in app.registered_groups if group.name == asked]
    commands = [command for command in app.registered_commands if asked in (command.name, _name(command.callback))]
    if groups or commands:  # else the help or an error, which names them all
        app.registered_groups, app.registered_commands = groups, commands


def _name(callback: object) -> str:
    """The command's name, where it was given none: as Typer makes it from a function's."""
    return getattr(callback, "__name__", "").replace("_", "-")


def _report(error: object, code: int, as_json: bool, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    if as_json:
        print_json(as_document(error, code))
    else:
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the message
    return code


# -- state -------------------------------------------------------------------------------------------------------------


@app.command()
def outputs(
    env: Env,
    name: Annotated[str | None, typer.Argument(help="One output alone.")] = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets instead of [secret].")] = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Print what an environment exports."""
    from isostack.display import presentable, print_outputs, shown
    from isostack.engine.deployment import STACK_TYPE
    from isostack.status import what_is_lost

    project = project_at(cwd)
    store = store_of(project)
    snapshot = recorded(project, store, env, engine)
    values: dict[str, Any] = next((dict(r.outputs) for r in snapshot.resources if r.type == STACK_TYPE), {})
    if name is not None and name not in values:
        raise BadInput(f"{env} exports no {name!r}; it exports {', '.join(sorted(values)) or 'nothing'}")
    lost = engine is EngineName.EMBEDDED and what_is_lost(snapshot, env, local_cloud_at(cwd).status().identity)
    if lost:
        print(f"warning: {lost}", file=sys.stderr)  # noqa: T201 - a message
    if as_json:
        print_json(presentable(values if name is None else values[name], show_secrets))
    elif name is not None:
        print(shown(values[name], show_secrets))  # noqa: T201 - the value alone, for scripts
    else:
        print_outputs(console(), values, show_secrets)


@app.command("export")
def export_state(
    env: Env, as_json: Json = False, cwd: Cwd = HERE, engine: Engine = EngineName.EMBEDDED, debug: Debug = False
) -> None:
    """Print an environment's state in Pulumi's deployment format, secrets encrypted; `pulumi stack import` takes it."""
    project = project_at(cwd)
    store = store_of(project)
    if engine is EngineName.PULUMI:
        print_json(in_the_backend(project, store, env)[0])
        return
    require_state(project, store, env)
    print_json(store.export(project.name, env))


@app.command("import")
def import_state(
    env: Env,
    file: Annotated[
        Path | None, typer.Argument(help="What `isostack export` or `pulumi stack export` wrote; - for standard input.")
    ] = None,
    previous: Annotated[bool, typer.Option("--previous", help="The state before the last one, in place of a file.")] = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Replace an environment's state by one from a file, or by the one before."""
    project = project_at(cwd)
    store = store_of(project)
    guard = guard_before(project, store, env, repeated(cwd))
    if (file is None) is not previous:
        raise BadInput(f"import {env}: name a file, or take the state before the last one with --previous")
    origin = "the previous state" if file is None else str(file)
    try:
        text = store.previous(project.name, env) if file is None else sys.stdin.read() if origin == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from error
    if guard is not None:
        from isostack.gates.approvals import digest_of_state

        guard.admit("import", state=digest_of_state(text))
    with store.lock(project.name, env, f"isostack import {env}"):
        count = store.import_(project.name, env, text, origin)
    if as_json:
        print_json({"stack": env, "result": "succeeded", "resources": count})
    else:
        console().print(f"{env}: {count} resources imported")


@app.command()
def status(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show every environment: resources, last change, lock."""
    from isostack.engine.project import known_stacks
    from isostack.status import lines, overview

    project = project_at(cwd)
    rows = overview(project, store_of(project), known_stacks(project), local_cloud_at(cwd).status().identity)
    if as_json:
        print_json({"project": project.name, "environments": rows})
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

    project = project_at(cwd)
    chosen = version or newest_pinned(project)
    host = OfflineHost(local_cloud_at(cwd))
    if as_json:
        with stdout_kept():
            proof = prove(project, chosen, host, lambda what: None)
        print_json(proof.as_dict())
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
    cloud = local_cloud_at(cwd)
    endpoint = cloud.ensure(port=port)
    if endpoint.notice:
        print(f"warning: {endpoint.notice}", file=sys.stderr)  # noqa: T201 - the message
    _show_cloud(cloud, as_json)
    if not as_json:
        console().print(f'for pulumi    eval "$(isostack cloud env{repeated(cwd)})"')


@cloud_app.command("stop")
def cloud_stop(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Stop the local cloud. What it holds is gone then; `up` makes it anew."""
    stopped = local_cloud_at(cwd).stop()
    if as_json:
        print_json({"stopped": bool(stopped)})
    else:
        console().print("the local cloud is stopped" if stopped else "the local cloud was not running")


@cloud_app.command("status")
def cloud_status(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show the local cloud's address, uptime, and resources by service."""
    _show_cloud(local_cloud_at(cwd), as_json)


@cloud_app.command("reset")
def cloud_reset(yes: Yes = False, as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Empty the local cloud."""
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise BadInput("cloud reset: there is nobody to ask; add --yes to empty the local cloud")
        typer.confirm("Empty the local cloud?", abort=True)
    cloud = local_cloud_at(cwd)
    cloud.reset()
    _show_cloud(cloud, as_json)


def _show_cloud(cloud: LocalCloud, as_json: bool) -> None:
    from dataclasses import asdict

    state = cloud.status()
    if as_json:
        print_json(asdict(state))
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


if __name__ == "__main__":
    main()
