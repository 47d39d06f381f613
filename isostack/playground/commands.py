"""The commands ``isostack play …``: what they ask and show. What they do is :mod:`isostack.playground.lifecycle`'s."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from isostack.composition import own_store_of, project_at
from isostack.console import Console, aligned, console, print_json, print_lines, stdout_kept
from isostack.errors import EXIT_CODES, BadInput, OperationFailed, Refused
from isostack.options import HERE, Cwd, Debug, Json

if TYPE_CHECKING:
    from isostack.display import Display
    from isostack.engine.events import Event, Result
    from isostack.playground.lifecycle import Playgrounds

play_app = typer.Typer(help="Playgrounds: throwaway dev stacks of your own.", no_args_is_help=True)

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The playground; yours for this git branch by default.")]


@play_app.command()
def up(
    name: Name = None,
    ttl: Annotated[str | None, typer.Option("--ttl", help="How long it lives, as 90m, 8h or 2d.")] = None,
    label: Annotated[str | None, typer.Option("--from", metavar="SNAPSHOT", help="Start with this snapshot's data.")] = None,
    containers: Annotated[
        bool | None, typer.Option("--containers/--no-containers", help="Run the services in containers; remembered.")
    ] = None,
    build: Annotated[
        list[str] | None, typer.Option(metavar="[SERVICE=]FOLDER", help="Build the services' image from here, or one's.")
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(metavar="[SERVICE=]NAME", help="Take this image for the services, or for one.")
    ] = None,
    migrate: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run this in a container before the services start.")
    ] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Bring a private dev environment up, or to what the program says now."""
    from isostack.playground.containers import asked

    wish = asked(containers, build or [], image or [], migrate)
    with working(cwd, as_json) as work:
        chosen = work.playgrounds.named(name)
        with work.shown(f"Bringing up playground {chosen}"):
            record, result = work.playgrounds.up(chosen, work.sink, ttl, label, asked=wish)
        work.conclude(result, {"playground": asdict(record)})
        for service, url in (result.outputs.get("service_urls") or {}).items() if record.containers else ():
            work.say(f"{service}: {url}")
        work.say(f"playground {record.name} lives for another {_shown(record.remaining)}; next: isostack play run -- COMMAND")


@play_app.command()
def down(
    name: Name = None,
    no_snapshot: Annotated[bool, typer.Option("--no-snapshot", help="Keep nothing, and remove older snapshots.")] = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Remove a playground, after a snapshot of its data. Nobody is asked."""
    with working(cwd, as_json) as work:
        chosen = work.playgrounds.named(name)
        with work.shown(f"Taking down playground {chosen}"):
            result, kept = work.playgrounds.down(chosen, work.sink, not no_snapshot)
        work.conclude(result, {"playground": {"name": chosen}, "snapshot": asdict(kept) if kept else None})
        tombstone = list(work.playgrounds.records.tombstones())[-1]
        work.say(f"removed {chosen} and its {tombstone['resources']} resources; bring it back: {tombstone['bring_back']}")


@play_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Run a program of yours with what services find in their environment: isostack play run [NAME] -- COMMAND."""
    if as_json:
        raise BadInput("play run: the output is the program's; isostack play env --json prints the variables")
    name, command = _before_and_after(context.args)
    with working(cwd, False) as work:
        variables = work.playgrounds.environment(work.playgrounds.named(name))
    _replace_this_process(command, variables)


@play_app.command()
def env(
    name: Name = None,
    form: Annotated[str, typer.Option("--format", help="shell, to be evaluated, or dotenv.")] = "shell",
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Print what services find in their environment, secrets included."""
    if form not in ("shell", "dotenv"):
        raise BadInput(f"--format {form}: there are shell and dotenv")
    with working(cwd, as_json) as work:
        variables = work.playgrounds.environment(work.playgrounds.named(name))
        if as_json:
            print_json(variables)
            return
        print_lines(
            f"export {key}={shlex.quote(value)}" if form == "shell" else f"{key}={_dotenv(value)}"
            for key, value in sorted(variables.items())
        )


@play_app.command()
def snapshot(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What to call it.")],
    name: Name = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Keep all data of a playground: databases, files, messages, values, items."""
    from isostack.playground.snapshots import size_shown

    with working(cwd, as_json) as work:
        chosen = work.playgrounds.named(name)
        with work.shown(f"Taking snapshot {label} of playground {chosen}"):
            manifest = work.playgrounds.take(chosen, label, work.sink)
        work.document({"result": "succeeded", "snapshot": asdict(manifest)})
        work.say(f"snapshot {manifest.label}: {size_shown(manifest.bytes)}; bring it back: isostack play restore {label}")


@play_app.command()
def restore(
    label: Annotated[str | None, typer.Argument(metavar="[LABEL]", help="The snapshot; the newest by default.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The playground; yours for this git branch by default.")] = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Bring a playground and its data back to a snapshot."""
    with working(cwd, as_json) as work:
        chosen = work.playgrounds.named(name)
        with work.shown(f"Restoring playground {chosen}"):
            manifest, result = work.playgrounds.restore(chosen, label, work.sink)
        work.conclude(result, {"playground": {"name": chosen}, "snapshot": asdict(manifest)})
        work.say(f"playground {chosen} is as it was at {manifest.taken} ({manifest.label})")


@play_app.command()
def reset(name: Name = None, as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Bring a broken playground back to its last snapshot, whatever state it is in."""
    with working(cwd, as_json) as work:
        chosen = work.playgrounds.named(name)
        with work.shown(f"Resetting playground {chosen}"):
            manifest, result = work.playgrounds.reset(chosen, work.sink)
        work.conclude(result, {"playground": {"name": chosen}, "snapshot": asdict(manifest) if manifest else None})
        what = f"with the data of {manifest.label} ({manifest.taken})" if manifest else "without data: there was no snapshot"
        work.say(f"playground {chosen} is back, {what}")


@play_app.command()
def extend(
    lifetime: Annotated[str, typer.Argument(metavar="LIFETIME", help="From now, as 90m, 4h or 2d.")],
    name: Name = None,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Let a playground live longer."""
    with working(cwd, as_json) as work:
        chosen = work.playgrounds.named(name)
        with work.shown(f"Extending playground {chosen}"):
            record, result = work.playgrounds.extend(chosen, lifetime, work.sink)
        work.conclude(result, {"playground": asdict(record)})
        work.say(f"playground {record.name} lives for another {_shown(record.remaining)}")


@play_app.command()
def sweep(
    yes: Annotated[bool, typer.Option("--yes", help="Remove orphans without asking.")] = False,
    as_json: Json = False,
    cwd: Cwd = HERE,
    debug: Debug = False,
) -> None:
    """Remove what has expired, and on confirmation what bears a playground's tag but no state knows."""
    from isostack.playground import sweep as sweeping

    with working(cwd, as_json) as work, sweeping.only_one(work.playgrounds.records.folder):
        with work.shown("Sweeping playgrounds"):
            swept = sweeping.end_expired(work.playgrounds, work.sink)
            sweeping.drop_drafts(work.playgrounds)
            orphans = sweeping.orphans(work.playgrounds)
        for ended in swept.ended:
            work.say(f"removed {ended['name']}, which had expired, and its {ended['resources']} resources")
        for orphan in orphans.found:
            work.say(f"no state knows {orphan}")
        asked = bool(orphans.found) and not yes and not as_json and sys.stdin.isatty()
        removing = yes or (asked and typer.confirm(f"Remove these {len(orphans.found)}?"))
        if removing:
            with work.shown("Removing orphans"):
                swept.blocked += sweeping.remove(work.playgrounds, orphans.found, work.sink)
        blocked = [*swept.blocked, *orphans.unseen]
        work.document(
            {
                "result": "failed" if blocked else "succeeded",
                "exit_code": 1 if blocked else 0,
                "ended": swept.ended,
                "orphans": [orphan.as_dict() for orphan in orphans.found],
                "removed": removing,
                "blocked": blocked,
            }
        )
        for line in blocked:
            work.say(f"not done: {line}")
        if orphans.found:
            how_many = f"{len(orphans.found)} that no state knows"
            if not removing:
                work.say(f"{how_many} stay; isostack play sweep --yes removes them")
            elif not blocked:
                work.say(f"removed {how_many}")
        elif not swept.ended and not blocked:
            work.say("nothing to sweep")
        if blocked:
            raise typer.Exit(1)


@play_app.command("list")
def list_playgrounds(as_json: Json = False, cwd: Cwd = HERE, debug: Debug = False) -> None:
    """Show every playground: owner, age, expiry, resources, what it costs a month if left on (an estimate), snapshots."""
    from isostack.playground.snapshots import size_shown

    with working(cwd, as_json) as work:
        rows = work.playgrounds.overview()
        if as_json:
            work.document({"project": work.playgrounds.project.name, "playgrounds": rows})
            return
        if not rows:
            work.say("no playgrounds; isostack play up makes one")
            return
        records = {record.name: record for record in work.playgrounds.records.all()}
        table = [("playground", "owner", "age", "expires in", "resources", "a month", "snapshots", "size")]
        table += [
            (
                row["name"],
                row["owner"],
                _shown(records[row["name"]].age),
                "expired" if row["expired"] else _shown(records[row["name"]].remaining),
                str(row["resources"]),
                "-" if row["monthly"] is None else f"${row['monthly']:,.2f}",
                ", ".join(row["snapshots"]) or "-",
                size_shown(row["snapshot_bytes"]) if row["snapshots"] else "-",
            )
            for row in rows
        ]
        for line in aligned(table):
            work.say(line)


# -- what the commands stand on -----------------------------------------------------------------------------------------


class Work:
    """One command's playgrounds, display and document."""

    def __init__(self, playgrounds: Playgrounds, console: Console, as_json: bool) -> None:
        self.playgrounds = playgrounds
        self._console = console
        self._as_json = as_json
        self._display: Display | None = None

    def sink(self, event: Event) -> None:
        if self._display:
            self._display(event)

    def phase(self, what: str) -> None:
        """Show what is being done."""
        from isostack.engine.events import Phase

        self.sink(Phase(what))

    @contextmanager
    def shown(self, title: str) -> Iterator[None]:
        """Show progress while the block runs; with ``--json``, what programs print goes to standard error meanwhile."""
        self.playgrounds.derive_key()
        from isostack.display import Display

        if self._as_json:
            with stdout_kept():
                yield
            return
        self._display = Display(self._console)
        with self._display.running(title):
            yield

    def conclude(self, result: Result | None, facts: dict[str, Any]) -> None:
        """Show how it ended. Raises Exit where it failed."""
        from isostack.display import document

        ending = "succeeded" if result is None else result.result
        code = EXIT_CODES[ending]
        if self._as_json:
            print_json({"result": ending, "exit_code": code, **facts, **(document(result) if result else {})})
        elif result is not None and self._display is not None:
            self._display.conclude(result)
        if code:
            raise typer.Exit(code)

    def refused(self, refusal: Refused) -> NoReturn:
        """Show what had been found when it was refused, before anything was changed."""
        from isostack.engine.events import Diagnostic

        if refusal.result is not None:
            if self._as_json:
                said = Diagnostic("error", str(refusal))
                self.conclude(replace(refusal.result, diagnostics=(*refusal.result.diagnostics, said)), {})
            elif self._display is not None:
                self._display.conclude(refusal.result)
        raise refusal

    def document(self, document: dict[str, Any]) -> None:
        if self._as_json:
            print_json(document)

    def say(self, line: str) -> None:
        if not self._as_json:
            self._console.print(line)


@contextmanager
def working(cwd: Path, as_json: bool) -> Iterator[Work]:
    from isostack.localcloud.server import LocalCloud
    from isostack.playground.lifecycle import Playgrounds, warnings

    project = project_at(cwd)
    store = own_store_of(project)
    playgrounds = Playgrounds(project, store, LocalCloud(store.home))
    work = Work(playgrounds, console(), as_json)
    try:
        yield work
    except Refused as refusal:
        work.refused(refusal)
    warnings(playgrounds.records.all(), lambda line: print(f"warning: {line}", file=sys.stderr))  # noqa: T201 - a message


def _before_and_after(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The name, if any, and the command after ``--``."""
    if "--" not in sys.argv:
        raise BadInput("play run: write the command after --, as in: isostack play run -- make run")
    command = sys.argv[sys.argv.index("--") + 1 :]
    before = list(arguments[: len(arguments) - len(command)]) if command else list(arguments)
    if not command or len(before) > 1:
        raise BadInput("play run: write [NAME] -- COMMAND, as in: isostack play run -- make run")
    return (before[0] if before else None), command


def _replace_this_process(command: list[str], variables: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], command, {**os.environ, **variables})  # noqa: S606 - the person's own command
    except OSError as error:
        raise OperationFailed(f"{command[0]}: {error.strerror}") from error


def _dotenv(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'


def _shown(span: Any) -> str:
    from isostack.playground.records import shown

    return shown(span)
