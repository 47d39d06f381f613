"""The commands ``isostack policy …``: what they ask and show. What is judged, and by what, is the modules' beside this one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isostack.composition import project_at, require_stack, stack_of, store_of
from isostack.console import aligned, console, print_json, print_lines, stdout_kept
from isostack.errors import BadInput, IsostackError, Refused
from isostack.options import HERE, Cwd, Debug, Env, Json, PolicyConfigs, PolicyPacks

if TYPE_CHECKING:
    from isostack.engine.events import Violation
    from isostack.engine.project import Project, StackConfig
    from isostack.engine.run import Stack
    from isostack.policy.analyzer import Attached, Policies
    from isostack.policy.catalogue import Entry, Given

policy_app = typer.Typer(help="Policy packs: what may be made, and what may not.", no_args_is_help=True)

STRICTEST = "production"
"""The environment that packs are loaded for where none is asked about."""


@policy_app.command("list")
def list_policies(
    as_json: Json = False,
    cwd: Cwd = HERE,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
    debug: Debug = False,
) -> None:
    """Show every policy: area, severity, its level in each environment, ids of other lists that it answers to."""
    from isostack.policy.catalogue import entries, environments

    rows = entries(_packs(cwd, policy_pack or [], policy_pack_config or []))
    if as_json:
        print_json({"policies": [row.as_dict() for row in rows]})
        return
    names = environments(rows)
    head = ("policy", "area", "severity", *(names or ("level",)), "ids")
    cells = [
        (row.name, row.area or "-", row.severity or "-", *(row.level(name) for name in names or ("",)), ", ".join(row.ids) or "-")
        for row in rows
    ]
    print_lines(aligned([head, *cells]))


@policy_app.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A policy's name.")],
    as_json: Json = False,
    cwd: Cwd = HERE,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
    debug: Debug = False,
) -> None:
    """Say what a policy asks for, why, what it answers to, and show what fails and how that is mended."""
    from difflib import get_close_matches

    from isostack.policy.catalogue import entries

    rows = entries(_packs(cwd, policy_pack or [], policy_pack_config or []))
    found = next((row for row in rows if row.name == rule), None)
    if found is None:
        close = get_close_matches(rule, [row.name for row in rows], 1)
        raise BadInput(f"no policy {rule}{f'; did you mean {close[0]}?' if close else ''}; isostack policy list shows them")
    if as_json:
        example = (
            {name: [_given(one) for one in getattr(found.rule.example, name)] for name in ("wrong", "mended")}
            if found.rule
            else None
        )
        print_json({**found.as_dict(), "example": example}, default=str)
    else:
        print_lines(_explained(found))


@policy_app.command()
def check(
    env: Env,
    preview: Annotated[bool, typer.Option("--preview", help="Judge what up would make, and not what is there.")] = False,
    as_json: Json = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for code scanning, and nothing else.")] = False,
    cwd: Cwd = HERE,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
    debug: Debug = False,
) -> None:
    """Report every violation in an environment's state, or in a preview. Ends with 3 where one is mandatory."""
    if as_json and sarif:
        raise BadInput("policy check: --json and --sarif are two documents; ask for one of them")
    with stdout_kept(as_json or sarif):
        stack = _stack(env, cwd)
        policies = _attached(stack.project, stack.config, policy_pack or [], policy_pack_config or [])
        violations = _of_preview(stack, policies) if preview else _of_state(stack, policies)
    mandatory = sum(violation.level == "mandatory" for violation in violations)
    if sarif:
        print_json(_sarif(stack, policies, violations))
    elif as_json:
        ending = {"result": "refused" if mandatory else "succeeded", "exit_code": Refused.exit_code if mandatory else 0}
        judged = "preview" if preview else "state"
        print_json({"stack": env, "judged": judged, **ending, "policy": [asdict(violation) for violation in violations]})
    else:
        _show(env, policies, violations, "what up would make" if preview else "what is there")
    if mandatory:
        raise typer.Exit(Refused.exit_code)


# -- what the commands stand on ----------------------------------------------------------------------------------------


def _packs(cwd: Path, folders: Sequence[Path], files: Sequence[Path]) -> Sequence[Attached]:
    from isostack.engine.project import ENVIRONMENT_KEY, StackConfig

    project = project_at(cwd)
    config = StackConfig(STRICTEST, project.stack_file(STRICTEST), {ENVIRONMENT_KEY: STRICTEST})
    return _attached(project, config, folders, files).packs


def _attached(project: Project, config: StackConfig, folders: Sequence[Path], files: Sequence[Path]) -> Policies:
    from isostack.policy.attach import OWN, attach, own_pack

    policies = attach(project, config, folders, files) if folders or own_pack(project) else None
    if policies is None:
        raise BadInput(f"{project.name} has no policy pack in {OWN}/; write one there, or name one with --policy-pack")
    return policies


def _stack(env: str, cwd: Path) -> Stack:
    project = project_at(cwd)
    store = store_of(project)
    require_stack(project, store, env)
    return stack_of(project, store, env, lambda event: None)


def _of_state(stack: Stack, policies: Policies) -> Sequence[Violation]:
    if (stack.project.name, stack.name) not in stack.store.stacks():
        raise BadInput(f"{stack.name} has no state to judge; bring it up first, or judge what that would make: --preview")
    return policies.of_state(stack.store.load(stack.project.name, stack.name).snapshot)


def _of_preview(stack: Stack, policies: Policies) -> Sequence[Violation]:
    from isostack.engine import run
    from isostack.errors import OperationFailed

    try:
        result = run.preview(stack, run.Options(analyzer=policies))
    except Refused as refusal:
        if refusal.result is None:
            raise
        return refusal.result.policy
    if result.result == "failed":
        raise OperationFailed("; ".join(d.message for d in result.diagnostics if d.severity == "error"))
    return result.policy


def _sarif(stack: Stack, policies: Policies, violations: Sequence[Violation]) -> dict[str, Any]:
    from isostack.policy import sarif
    from isostack.policy.catalogue import entries

    root = stack.project.root
    sources = {
        urn: (sarif.under_repository(root, file), line) for urn, (file, line) in (_sources(stack) if violations else {}).items()
    }
    program = sarif.under_repository(root, str(stack.project.program().relative_to(root)))
    return sarif.document(violations, entries(policies.packs), sources, program)


def _sources(stack: Stack) -> dict[str, tuple[str, int]]:
    """File and line of each resource that the program registers, by URN; nothing where the program cannot be gone through."""
    from isostack.engine import graph
    from isostack.localcloud.provider import OfflineHost
    from isostack.localcloud.server import LocalCloud

    with stdout_kept(True):
        try:
            recorded = graph.record(stack.project, stack.config, OfflineHost(LocalCloud(stack.store.home)))
        except IsostackError:
            return {}
    found = {}
    for urn, node in recorded.nodes.items():
        file, _, line = node.source.rpartition(":")
        if file:
            _, _, rest = urn.removeprefix("urn:pulumi:").partition("::")
            found[f"urn:pulumi:{stack.name}::{rest}"] = file, int(line)
    return found


# -- how it looks ------------------------------------------------------------------------------------------------------


def _show(env: str, policies: Policies, violations: Sequence[Violation], judged: str) -> None:
    from isostack.display import print_violations

    packs = ", ".join(attached.pack.title for attached in policies.packs)
    counts = [f"{n} {level}" for level in ("mandatory", "advisory") if (n := sum(v.level == level for v in violations))]
    print_violations(console(), violations, undecided=True)
    what = f"{' and '.join(counts) or 'no'} {'violation' if len(violations) == 1 else 'violations'}"
    print_lines([f"{env}: {judged}, judged by {packs}: {what}"])


def _explained(entry: Entry) -> Iterator[str]:
    levels = ", ".join(f"{level} in {name}" if name else level for name, level in entry.levels.items())
    yield f"{entry.name} ({', '.join(part for part in (entry.pack, entry.area, entry.severity) if part)})"
    yield f"  {entry.title}"
    yield f"  levels: {levels}"
    if entry.ids:
        yield f"  ids: {', '.join(entry.ids)}"
    if entry.rule is None:
        return
    yield from ("", "why", f"  {entry.rule.why}", "", "mend", f"  {entry.rule.mend}")
    for title, resources in (("this fails", entry.rule.example.wrong), ("this is how it is mended", entry.rule.example.mended)):
        yield from ("", title)
        for given in resources:
            yield f"  {given.type} {given.name}"
            yield from (f"    {line}" for line in json.dumps(_given(given)["props"], indent=2, default=str).splitlines())


def _given(given: Given) -> dict[str, Any]:
    known = {"type": given.type, "name": given.name, "props": _readable(given.props)}
    return {**known, **({"protect": True} if getattr(given, "protect", False) else {})}


def _readable(value: Any) -> Any:
    """Values of an example, with policy documents, which are JSON in a text, as what they say."""
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(item) for item in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
