"""The figures as tables: for people at a terminal, or as Markdown for a page."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from benchmarks.schedule import EMPTY, HUNDRED, THOUSAND, Case, Comparison, Judged, Scaling, Starts

MEGABYTE = 1_000_000
EMBEDDED, CLI = "embedded", "Pulumi CLI"
MEMORY_AIM = 300 * MEGABYTE
SCALING_AIM = 1.2
HELP_AIM = 0.3
POLICY_AIM = 1.15


@dataclass(frozen=True)
class Table:
    """A title, the names of the columns, and rows of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As a Markdown table: all columns but the first are figures, and stand to the right."""
        lines = [self.columns, ["---", *("---:" for _ in self.columns[1:])], *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def show(self) -> None:
        """Print it with Rich, as wide as it needs to be where there is no terminal."""
        from rich.console import Console
        from rich.table import Table as RichTable

        table = RichTable(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        Console(width=None if sys.stdout.isatty() else 120).print(table)


def comparison_table(case: Case, comparison: Comparison) -> Table:
    """One row per operation: medians, their ratio, and the embedded process's memory."""
    rows = []
    for title, samples in comparison.items():
        ours, theirs = samples.seconds(EMBEDDED), samples.seconds(CLI)
        assert ours is not None  # noqa: S101 - the embedded engine is always measured
        ratio = ours / theirs if theirs else None
        rows.append(
            [
                title,
                f"{ours:.2f} s",
                f"{theirs:.2f} s" if theirs else "-",
                f"{ratio:.2f}" if ratio else "-",
                _against(ratio, case.aim),
                f"{samples.peak(EMBEDDED) / MEGABYTE:.0f} MB",
            ]
        )
    return Table(case.title, ("operation", EMBEDDED, CLI, "ratio", "aim", "peak memory, embedded"), rows)


def figures_table(starts: Starts, judged: Judged, scaled: Scaling | None) -> Table:
    """What is measured of the embedded engine alone."""
    rows = [
        ["bare Python: python -c pass", f"{starts.python:.3f} s", ""],
        [
            "isostack --help, beyond bare Python",
            f"{starts.help - starts.python:.3f} s",
            _against(starts.help - starts.python, HELP_AIM),
        ],
        ["cold start of the local cloud (isostack cloud start)", f"{starts.cloud:.2f} s", ""],
        ["preview of dev, a fresh stack, without policies", f"{judged.unjudged:.2f} s", ""],
        [
            "preview of dev with the policy pack, against without",
            f"{judged.judged / judged.unjudged:.2f}",
            _against(judged.judged / judged.unjudged, POLICY_AIM),
        ],
    ]
    return Table("the embedded engine", ("figure", "value", "aim"), rows + (_scaling_rows(scaled) if scaled else []))


def _scaling_rows(scaled: Scaling) -> list[list[str]]:
    seconds = {case: samples.seconds(EMBEDDED) or 0.0 for case, samples in scaled.ups.items()}
    start = seconds[EMPTY]
    net = {case: (seconds[case] - start) / (case.resources - EMPTY.resources) for case in (HUNDRED, THOUSAND)}
    ratio = net[THOUSAND] / net[HUNDRED]
    return [
        [f"up --skip-preview, {EMPTY.resources} resources", f"{start:.2f} s", ""],
        *([f"up --skip-preview, {case.resources:,} resources", f"{seconds[case]:.2f} s", ""] for case in (HUNDRED, THOUSAND)),
        *(
            [f"each resource at {case.resources:,}, less the {EMPTY.resources}", f"{net[case] * 1000:.1f} ms", ""]
            for case in (HUNDRED, THOUSAND)
        ),
        [f"a resource at {THOUSAND.resources:,} against {HUNDRED.resources}", f"{ratio:.2f}", _against(ratio, SCALING_AIM)],
        [
            f"peak memory at {THOUSAND.resources:,} resources",
            f"{scaled.peak / MEGABYTE:.0f} MB",
            _against(scaled.peak / MEGABYTE, MEMORY_AIM / MEGABYTE),
        ],
        [f"state at {THOUSAND.resources:,} resources", f"{scaled.state:,} bytes", ""],
    ]


def _against(value: float | None, aim: float | None) -> str:
    if aim is None:
        return "-"
    if value is None:
        return f"≤ {aim:g}"
    return f"≤ {aim:g}, {'met' if value <= aim else 'missed'}"


def machine(environment: Mapping[str, str], *, with_cli: bool) -> str:
    """What it was measured on, in a line."""
    parts = [
        f"Python {platform.python_version()}",
        f"{os.cpu_count()} cores",
        platform.system(),
        f"pulumi {version('pulumi')}",
        f"pulumi_aws {version('pulumi_aws')}",
    ]
    if with_cli:
        command = ["pulumi", "version"]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - ours
        parts.append(f"Pulumi CLI {answer.stdout.strip()}")
    return ", ".join(parts)
