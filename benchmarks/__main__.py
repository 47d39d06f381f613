"""``python -m benchmarks``: the embedded engine beside the Pulumi CLI, where ``pulumi`` is on the path, else alone."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.engines import BenchmarkFailed, running_engines
from benchmarks.playgrounds import playgrounds
from benchmarks.previews import previews, previews_table
from benchmarks.report import Table, comparison_table, figures_table, machine
from benchmarks.schedule import CHAIN, LARGE, SMALL, Say, compare, judged, previews_judged, scaling, starts, steps

NO_CLI = (
    "PULUMI IS NOT ON THE PATH: nothing is compared, and these are the figures of the embedded engine alone. "
    "Put the Pulumi CLI (pulumi and pulumi-language-python) on the path to compare."
)


def main() -> None:
    """Measure, and print the tables on standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds to take the medians of (3)")
    parser.add_argument("--quick", action="store_true", help="only the program of 62 resources, and the starts")
    parser.add_argument("--playgrounds", action="store_true", help="only the playgrounds, which --quick leaves out")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat: at least 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended on the way out
    try:
        with tempfile.TemporaryDirectory(prefix="isostack-benchmark-") as folder:
            _measure(Path(folder), arguments)
    except BenchmarkFailed as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")


def _measure(folder: Path, arguments: argparse.Namespace) -> None:
    quick, alone, repeat = arguments.quick, arguments.playgrounds, arguments.repeat
    cases = [] if alone else [SMALL] if quick else [SMALL, LARGE, CHAIN]
    with running_engines(folder) as engines:
        with_cli = len(engines) > 1
        if not with_cli:
            sys.stderr.write(f"{NO_CLI}\n")
        count = 0 if alone else steps(cases, engines, repeat, quick=quick) + (0 if quick else repeat)
        with _progress(count) as say:
            tables = [comparison_table(case, compare(case, engines, repeat, say)) for case in cases]
            if not alone:
                scaled = None if quick else scaling(engines[0], repeat, say)
                if not quick:
                    tables.append(previews_table(previews(folder, engines, repeat, say)))
                cost = judged(folder, engines[0].folder / "home", previews_judged(repeat, quick=quick), say)
                tables.append(figures_table(starts(folder, repeat, say), cost, scaled))
            if alone or not quick:
                tables.append(playgrounds(folder / "playgrounds", engines, repeat, say).table())
        measured_on = machine(engines[-1].environment, with_cli=with_cli)
    _print(tables, f"Medians of {repeat} on {measured_on}.{'' if with_cli else f' {NO_CLI}'}", arguments.markdown)


def _print(tables: list[Table], note: str, markdown: bool) -> None:
    for table in tables:
        if markdown:
            sys.stdout.write(f"### {table.title.capitalize()}\n\n{table.markdown()}\n\n")
        else:
            table.show()
    sys.stdout.write(f"{note}\n")


@contextmanager
def _progress(total: int) -> Iterator[Say]:
    """A bar on a terminal, else a line for each step."""
    if not sys.stderr.isatty():
        yield lambda text: print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, completed=-1)
        yield lambda text: progress.update(task, advance=1, description=text)


if __name__ == "__main__":
    main()
