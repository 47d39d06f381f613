"""The operations as commands: ``up``, ``preview``, ``destroy``, ``refresh``, with the policies and gates that stand before them.

What they ask and show; what they do is :mod:`isostack.engine.run`'s, and a preview without any cloud is
:mod:`isostack.preview.commands`'.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isostack import composition
from isostack.console import Line, console, print_json, stdout_kept
from isostack.errors import EXIT_CODES, BadInput, IsostackError, Refused, as_document
from isostack.options import (
    HERE,
    Cwd,
    Debug,
    Engine,
    EngineName,
    Env,
    Json,
    PolicyConfigs,
    PolicyPacks,
    Yes,
    repeated,
)

if TYPE_CHECKING:
    from isostack.cost.budget import Spending
    from isostack.engine.events import Event, Result
    from isostack.engine.operation import Intent, Operation, Options, Stack
    from isostack.gates.admission import Guard
    from isostack.widening import Noted

Target = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="URN", help="Only this resource; may be repeated; * and ** are wildcards."),
]
Parallel = Annotated[int, typer.Option("--parallel", min=1, max=256, help="How many steps are under way at once.")]
Packs = tuple[list[Path], list[Path]] | None


def add_commands(app: typer.Typer) -> None:
    """Put the commands where they belong."""
    for command in (up, preview, destroy, refresh):
        app.command()(command)


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
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Bring an environment to what the program says."""
    from isostack.engine.operation import Options

    options = Options(tuple(target or ()), parallel, skip_preview, refresh_first)
    if plan is not None:
        from isostack.preview.plans import plan_gate

        gate = plan_gate(plan, env, policy_pack or (), policy_pack_config or ())
        options = Options(tuple(target or ()), parallel, False, refresh_first, [gate])
    _operate("Updating", "up", env, cwd, options, as_json, engine, (policy_pack or [], policy_pack_config or []))
    if not as_json:
        where = repeated(cwd, engine)
        advice = (
            f"next: isostack outputs {env}{where} · change something, then isostack preview {env}{where} · "
            f"isostack destroy {env}{where}"
        )
        console().print(Line((advice, "bright_black")))


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
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Show what `up` would change: in one environment, or, without any cloud, in all of them."""
    if everything or form is not None or base is not None or with_parity or artefact or output is not None:
        if target or refresh_first or engine is not EngineName.EMBEDDED:
            raise BadInput("--target, --refresh and --engine go with one environment and its cloud, not with --all and its forms")
        _preview_recorded(
            env, everything, form or ("json" if as_json else "text"), base, with_parity, artefact, output, save, cwd
        )
        return
    if env is None:
        raise BadInput("name an environment, or look at all of them with --all")
    from isostack.engine.operation import Options

    seen: list[Intent] = []
    options = Options(tuple(target or ()), parallel, refresh=refresh_first, gates=[seen.append] if save else ())
    _operate("Previewing", "preview", env, cwd, options, as_json, engine, (policy_pack or [], policy_pack_config or []))
    if save:
        _save(save, seen[0], policy_pack or [], policy_pack_config or [])


def _save(file: Path, intent: Intent, packs: list[Path], configurations: list[Path]) -> None:
    """Write the plan of one environment."""
    from isostack.preview.base import revision_of
    from isostack.preview.plans import plan_of, save

    project = intent.stack.project
    plan = plan_of(intent, packs, configurations)
    save(file, project, revision_of(project), {intent.stack.name: plan})
    by = "" if intent.engine == "embedded" else f" --engine {intent.engine}"
    print(f"{file}: {plan['digest']}; isostack up {intent.stack.name} --plan {file}{by} does this", file=sys.stderr)  # noqa: T201 - a message


def _preview_recorded(env: str | None, everything: bool, form: str, *rest: Any) -> None:
    from isostack.preview.commands import Wanted, preview_all

    *options, cwd = rest
    if env is None and not everything:
        raise BadInput("name an environment, or look at all of them with --all")
    project = composition.project_at(cwd)
    code = preview_all(composition.store_of(project), project, Wanted(None if everything else env, form, *options))
    if code:
        raise typer.Exit(code)


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
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Delete everything in an environment."""
    from isostack.engine.operation import Options

    if not yes and _guard(env, cwd, engine) is None:
        if as_json or not sys.stdin.isatty():
            raise BadInput(f"destroy {env}: there is nobody to ask; add --yes to delete everything in it")
        typer.confirm(f"Delete {'the targets' if target else 'everything'} in {env}?", abort=True)
    _operate("Destroying", "destroy", env, cwd, Options(tuple(target or ()), parallel), as_json, engine, confirm=confirm)


def refresh(
    env: Env,
    as_json: Json = False,
    cwd: Cwd = HERE,
    target: Target = None,
    parallel: Parallel = 16,
    engine: Engine = EngineName.EMBEDDED,
    debug: Debug = False,
) -> None:
    """Bring the state in line with what the cloud has."""
    from isostack.engine.operation import Options

    _operate("Refreshing", "refresh", env, cwd, Options(tuple(target or ()), parallel), as_json, engine)


def _operate(
    verb: str,
    operation: Operation,
    env: str,
    cwd: Path,
    options: Options,
    as_json: bool,
    engine: EngineName,
    packs: Packs = None,
    confirm: str | None = None,
) -> None:
    """Do it, and show it; with ``packs`` (folders and their configurations) policies judge it."""
    from isostack.display import Display
    from isostack.widening import lines

    if as_json:
        _operate_for_machines(operation, env, cwd, options, engine, packs, confirm)
        return
    display = Display(console(), planning=operation == "preview")
    stack = _stack(env, cwd, display, operation, engine)
    gated, noted, _ = _gated(stack, operation, options, cwd, engine, packs, confirm)
    try:
        with display.running(f"{verb} {env} ({stack.project.name})"):
            result = composition.done_by(engine, operation)(stack, gated)
    except Refused as refusal:
        if refusal.result:
            display.conclude(refusal.result)
        raise
    display.conclude(result)
    for line in lines(noted.found, creation=noted.creation):
        display.console.print(line)
    if result.result != "succeeded":
        raise typer.Exit(EXIT_CODES[result.result])


def _gated(
    stack: Stack,
    operation: Operation,
    options: Options,
    cwd: Path,
    engine: EngineName,
    packs: Packs,
    confirm: str | None,
) -> tuple[Options, Noted, Spending | None]:
    """The options with the policies and gates that stand before this run. Raises Refused where the caller does not get past."""
    from dataclasses import replace

    from isostack.policy.attach import attach, chosen
    from isostack.widening import Noted

    noted, gates, exactly = Noted(), list(options.gates), operation == "up" and bool(options.gates)
    guard = None
    if operation != "preview":
        guard = composition.guard_before(stack.project, stack.store, stack.name, repeated(cwd), engine)
    if operation in ("up", "preview") and (guard or not options.skip_preview):
        gates.append(noted)
    if guard is not None:
        if sys.stdin.isatty() and confirm is None:
            guard.ask_name = lambda: str(typer.prompt(f"Everything in {stack.name} is about to be deleted. Type its name"))
        guard.planned = bool(options.gates)
        session = guard.admit(operation, confirm)
        gates.append(guard.gate)
        exactly = exactly or not guard.exempt(session)
    spending = _spending(stack) if operation in ("up", "preview") else None
    if spending is not None:
        gates.append(spending)
    options = replace(options, gates=gates, exactly=exactly)
    if packs is not None and engine is EngineName.PULUMI:
        options = replace(options, packs=chosen(stack.project, stack.config, *packs))
    elif packs is not None:
        options = replace(options, analyzer=attach(stack.project, stack.config, *packs))
    return options, noted, spending


def _spending(stack: Stack) -> Spending | None:
    """What holds a run to its environment's budget; None where that has none."""
    from isostack.parameters import has_parameters

    if not has_parameters(stack.project):
        return None
    from isostack.cost import budget

    limits = budget.of(stack.project, stack.name, stack.config.values)
    return budget.Spending(limits) if limits else None


def _guard(env: str, cwd: Path, engine: EngineName) -> Guard | None:
    project = composition.project_at(cwd)
    return composition.guard_before(project, composition.store_of(project), env, repeated(cwd), engine)


def _operate_for_machines(
    operation: Operation, env: str, cwd: Path, options: Options, engine: EngineName, packs: Packs, confirm: str | None
) -> None:
    """Print one document, the same keys for every ending."""
    from isostack.engine.events import Result, Tally

    noted = spending = None
    started = time.perf_counter()
    try:
        with stdout_kept():
            stack = _stack(env, cwd, lambda event: None, operation, engine)
            gated, noted, spending = _gated(stack, operation, options, cwd, engine, packs, confirm)
            result = composition.done_by(engine, operation)(stack, gated)
        document, code = _document(result), EXIT_CODES[result.result]
    except IsostackError as error:
        seconds = round(time.perf_counter() - started, 3)
        found = error.result if isinstance(error, Refused) else None
        document = _document(found or Result(env, operation, "failed", Tally(), seconds, engine=engine.value))
        code = error.exit_code
        document |= as_document(error, code)
    document["widening"] = [one.as_dict() for one in noted.found] if noted else []
    document["cost"] = spending.as_dict() if spending else None
    print_json(document)
    if code:
        raise typer.Exit(code)


def _document(result: Result) -> dict[str, Any]:
    from isostack.display import document

    return {"stack": result.stack, "engine": result.engine, "operation": result.operation, **document(result)}


def _stack(env: str, cwd: Path, sink: Callable[[Event], None], operation: Operation, engine: EngineName) -> Stack:
    project = composition.project_at(cwd)
    store = composition.store_of(project)
    # The CLI's states are in its backend, which only the CLI can ask.
    has_state = operation in ("destroy", "refresh") and engine is EngineName.EMBEDDED
    (composition.require_state if has_state else composition.require_stack)(project, store, env)
    if engine is EngineName.EMBEDDED and not has_state:
        composition.require_own(project, store, env)
    return composition.stack_of(project, store, env, sink, engine)
