"""The commands ``isostack parameters …``. What they ask and change is the project's own module's; here it is only shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isostack.composition import project_at
from isostack.console import aligned, print_json, print_lines
from isostack.errors import BadInput, Refused
from isostack.options import HERE, Cwd, Debug, Json

if TYPE_CHECKING:
    from isostack.engine.project import Project
    from isostack.parameters import Change, Explanation, ParametersModule

parameters_app = typer.Typer(help="The parameter sets: what environments are made from.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version of the parameter set.")]


@parameters_app.command("list")
def list_versions(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show every version, its digest, and which environments pin it."""
    from isostack.parameters import pins, told

    project, module = _open(cwd)
    pinned = pins(project)
    with told():
        published = module.published()
        rows: list[dict[str, Any]] = [
            {
                "version": version,
                "digest": module.digest(version),
                "published": version in published,
                "pinned_by": [environment for environment in pinned if pinned[environment] == version],
            }
            for version in module.versions()
        ]
    if as_json:
        print_json({"project": project.name, "versions": rows})
        return
    cells = [
        (r["version"], r["digest"][:12], "published" if r["published"] else "draft", ", ".join(r["pinned_by"]) or "-")
        for r in rows
    ]
    print_lines(aligned([("version", "digest", "state", "pinned by"), *cells]))


@parameters_app.command()
def show(
    version: Version,
    environment: Annotated[str | None, typer.Option("--environment", "-e", help="One environment's values alone.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Print a version's values: of every environment side by side, or of one."""
    from isostack.parameters import told

    _, module = _open(cwd)
    with told():
        parameters = module.load(version)
        values = parameters.plain(environment) if environment is not None else {}
        every = {name: parameters.plain(name) for name in module.ENVIRONMENTS}
    if environment is not None:
        print_json(values) if as_json else print_lines(_yaml(values))
    elif as_json:
        print_json(every)
    else:
        cells = ((path, name, (_text(value),)) for name in every for path, value in _flat(every[name]).items())
        print_lines(aligned([("parameter", "environment", "value"), *_grouped(cells, len(every))]))


@parameters_app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A version.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another version.")],
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Show what changes in each environment from one version to another."""
    from isostack.parameters import told

    _, module = _open(cwd)
    with told():
        changes = module.diff(module.load(before), module.load(after))
    if as_json:
        print_json({"from": before, "to": after, "changes": [vars(change) for change in changes]})
    elif changes:
        cells = ((change.path, change.environment, _change(change)) for change in changes)
        print_lines(aligned([("parameter", "environment", before, after), *_grouped(cells, len(module.ENVIRONMENTS))]))
    else:
        print_lines([f"{before} and {after} say the same"])


@parameters_app.command()
def explain(
    env: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="A parameter's path, such as database.backup.")],
    version: Annotated[str | None, typer.Option("--version", help="A version; the one that ENV pins otherwise.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Say what a value is, what it means, and where it comes from."""
    from isostack.parameters import pins, told

    project, module = _open(cwd)
    with told():
        chosen = version or pins(project).get(env) or _newest(module)
        found = module.explain(module.load(chosen), env, path)
    if as_json:
        table = found.table
        known = {name: getattr(found, name) for name in ("path", "environment", "value", "meaning", "file", "line")}
        columns = {"path": table.path, "line": table.line, "values": dict(table.values)} if table else None
        reason = {"staging_may_differ": table.marker.reason or None} if table else {}
        print_json({"version": chosen, **known, "table": columns and {**columns, **reason}})
    else:
        print_lines(_explained(found))


@parameters_app.command()
def check(
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="One version; all of them otherwise.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Say everything that is wrong; 3 is the exit code where a published version was edited."""
    from isostack.parameters import pins, problems, told

    project, module = _open(cwd)
    with told():
        every = [version] if version else list(dict.fromkeys([*module.versions(), *module.published()]))
    found = problems(module, every, {} if version else pins(project))
    code = max((error.exit_code for error in found), default=0)
    lines = [line for error in found for line in str(error).splitlines()]
    if as_json:
        result = {0: "succeeded", Refused.exit_code: "refused"}.get(code, "failed")
        diagnostics = [{"urn": "", "severity": "error", "message": line} for line in lines]
        print_json({"result": result, "exit_code": code, "versions": every, "diagnostics": diagnostics})
        if code:
            raise typer.Exit(code)
    elif found:
        raise (Refused if code == Refused.exit_code else BadInput)("\n".join(lines))
    else:
        print_lines([f"{', '.join(every)}: nothing is wrong"])


@parameters_app.command()
def new(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The new version, newer than all there are.")],
    source: Annotated[str | None, typer.Option("--from", metavar="VERSION", help="What to copy; the newest otherwise.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Copy a version to a new one, to be edited."""
    from isostack.parameters import told

    project, module = _open(cwd)
    with told():
        file = module.new(version, source)
    where = project.relative(file)
    if as_json:
        print_json({"version": version, "file": where})
    else:
        print_lines([f"{where} is a copy", f"next: edit it · isostack parameters check {version} · publish {version}"])


@parameters_app.command()
def publish(version: Version, as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Lock a version as it is now: from then on it never changes."""
    from isostack.parameters import told

    _, module = _open(cwd)
    with told():
        digest = module.publish(version)
    if as_json:
        print_json({"version": version, "digest": digest})
    else:
        print_lines([f"{version} is published: {digest}"])


@parameters_app.command()
def schema(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Print the JSON schema of the documents, for editors."""
    _, module = _open(cwd)
    print_lines([module.schema().rstrip()])


def _open(cwd: Path) -> tuple[Project, ParametersModule]:
    from isostack.parameters import parameters_of

    project = project_at(cwd)
    return project, parameters_of(project)


def _newest(module: ParametersModule) -> str:
    every = module.versions()
    if not every:
        raise BadInput("there is no parameter set yet")
    return every[-1]


# -- how it looks ------------------------------------------------------------------------------------------------------


def _change(change: Change) -> tuple[str, ...]:
    before = "-" if change.kind == "added" else _text(change.before)
    return before, "-" if change.kind == "removed" else _text(change.after)


def _grouped(cells: Iterable[tuple[str, str, tuple[str, ...]]], environments: int) -> Iterator[tuple[str, ...]]:
    """A row for each path and what stands there, with the environments that have the same."""
    alike: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for path, environment, rest in cells:
        alike.setdefault(path, {}).setdefault(rest, []).append(environment)
    for path, groups in alike.items():
        for rest, names in groups.items():
            yield path, "all" if len(names) == environments else ", ".join(names), *rest


def _explained(found: Explanation) -> Iterator[str]:
    yield f"{found.path} in {found.environment}: {_text(found.value)}"
    if found.meaning:
        yield found.meaning
    yield f"from {found.file}:{found.line}"
    if found.table is None:
        yield "one value for all environments"
        return
    yield f"a column of the table {found.table.path}:"
    yield from (f"  {line}" for line in aligned([(name, _text(value)) for name, value in found.table.values.items()]))
    reason = found.table.marker.reason
    yield f"staging may differ from production: {reason}" if reason else "staging has the same as production"


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {k: v for key, item in value.items() for k, v in _flat(item, f"{path}.{key}" if path else key).items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _yaml(values: dict[str, Any]) -> Iterator[str]:
    import yaml

    plain = json.loads(json.dumps(values))  # tuples as lists
    yield yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=120).rstrip()
