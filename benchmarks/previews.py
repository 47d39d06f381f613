"""Previews of this project's own environments: all at once, one alone, and by the Pulumi CLI one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engines import ISOSTACK, Engine, environment, measure
from benchmarks.report import CLI, Table
from benchmarks.schedule import Samples, Say

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ("dev", "integration", "staging", "production")
ALL = "preview --all"
AIM_OF_SINGLE = 1.5
AIM_OF_CLI = 1 / 6


@dataclass(frozen=True)
class Previews:
    """Seconds (medians): of all environments at once, of the slowest one alone, and of the CLI's four together, or None."""

    everything: float
    slowest: float
    cli: float | None


def previews(folder: Path, engines: Sequence[Engine], repeat: int, say: Say) -> Previews:
    """Take turns: all at once, each alone, each by the CLI where it is on the path. No environment has a state."""
    project, samples = _copy(folder / "previews"), Samples()
    here, log = environment(folder / "previews" / "home"), folder / "log"
    cli = next((engine for engine in engines if engine.name == CLI), None)
    for number in range(repeat):
        say(f"previews of {project.parent.name}, {number + 1} of {repeat}")
        samples.add(ALL, measure([*ISOSTACK, "preview", "--all"], project, here, log))
        for name in ENVIRONMENTS:
            samples.add(name, measure([*ISOSTACK, "preview", name, "--format", "text"], project, here, log))
            if cli is None:
                continue
            if not number:
                measure(["pulumi", "stack", "init", name], project, cli.environment, log)
            samples.add(f"{CLI} {name}", measure(_pulumi(name), project, cli.environment, log))
    slowest = max(samples.seconds(name) or 0.0 for name in ENVIRONMENTS)
    by_cli = [samples.seconds(f"{CLI} {name}") for name in ENVIRONMENTS]
    return Previews(samples.seconds(ALL) or 0.0, slowest, sum(filter(None, by_cli)) if cli else None)


def previews_table(found: Previews) -> Table:
    """What was measured, beside what is aimed at."""
    rows = [
        ["all four at once", f"{found.everything:.2f} s", ""],
        ["beside the slowest one alone", f"{found.everything / found.slowest:.2f}", f"at most {AIM_OF_SINGLE}"],
        ["the slowest one alone", f"{found.slowest:.2f} s", ""],
    ]
    if found.cli is not None:
        rows.append(["four times pulumi preview", f"{found.cli:.2f} s", ""])
        rows.append(["all four at once beside that", f"{found.everything / found.cli:.2f}", f"at most {AIM_OF_CLI:.2f}"])
    return Table("previews of the four environments", ["", "measured", "aim"], rows)


def _copy(folder: Path) -> Path:
    """The project without a virtual environment of its own, so that both engines use this interpreter."""
    project = folder / "project"
    for part in ("stacks", "components", "policies"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "Pulumi.yaml").read_text()
    runtime = "runtime:\n  name: python\n  options:\n    virtualenv: .venv\n"
    (project / "Pulumi.yaml").write_text(text.replace(runtime, "runtime: python\n"))
    return project


def _pulumi(name: str) -> list[str]:
    return ["pulumi", "preview", "--stack", name, "--non-interactive", "--color", "never"]
