"""What is measured, how often and in which order.

The engines take turns at each operation, so that both see the machine in the same mood.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.engines import ISOSTACK, STACK, Engine, Measured, Operation, environment, measure

PREVIEW = Operation("preview of a fresh stack", "preview")
UP_ALONE = Operation("up --skip-preview", "up", skip_preview=True)
UP = Operation("up", "up")
UP_AGAIN_ALONE = Operation("up --skip-preview, nothing to do", "up", skip_preview=True)
UP_AGAIN = Operation("up, nothing to do", "up")
PREVIEW_AGAIN = Operation("preview, nothing to do", "preview")
DESTROY = Operation("destroy", "destroy")
# One round: two lives of a stack.
ROUND = (PREVIEW, UP_ALONE, PREVIEW_AGAIN, UP_AGAIN_ALONE, DESTROY, UP, UP_AGAIN, DESTROY)
TITLES = tuple(dict.fromkeys(operation.title for operation in ROUND))
STARTS = 5  # a start is short and so needs more of them

ROOT = Path(__file__).parent.parent
PARTS = ("stacks", "components")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """A program in a size; ``aim`` is the share of the CLI's time that the embedded engine may take, or None."""

    program: str
    count: int
    resources: int
    aim: float | None = None

    @property
    def title(self) -> str:
        return f"{self.program}, {self.resources} resources"


SMALL = Case("wide", 20, 62, 0.3)
LARGE = Case("wide", 200, 602, 0.2)
CHAIN = Case("chain", 100, 101)
EMPTY = Case("wide", 0, 2)
HUNDRED = Case("wide", 33, 101)
THOUSAND = Case("wide", 333, 1001)


@dataclass
class Samples:
    """All that was measured of one operation on one case, by the engine's name."""

    by_engine: dict[str, list[Measured]] = field(default_factory=dict)

    def add(self, engine: str, measured: Measured) -> None:
        self.by_engine.setdefault(engine, []).append(measured)

    def seconds(self, engine: str) -> float | None:
        """The median, or None where this engine was not measured."""
        taken = self.by_engine.get(engine)
        return median(sample.seconds for sample in taken) if taken else None

    def peak(self, engine: str) -> int:
        """The most memory of any run, in bytes."""
        return max(sample.peak for sample in self.by_engine[engine])


Comparison = dict[str, Samples]
"""Samples by the operation's title."""


def compare(case: Case, engines: Sequence[Engine], repeat: int, say: Say) -> Comparison:
    """Take a stack through its life so many times, each operation by one engine after the other."""
    samples: Comparison = {title: Samples() for title in TITLES}
    for number in range(repeat):
        for operation in ROUND:
            for engine in engines:
                project = engine.project(case.program, case.count)
                say(f"{case.title}: {operation.title}, {engine.name}, {number + 1} of {repeat}")
                samples[operation.title].add(engine.name, engine.run(operation, project))
    return samples


@dataclass(frozen=True)
class Scaling:
    """``up --skip-preview`` by case on the embedded engine; at 1,001 resources its state and its memory, in bytes.

    ``peak`` is the most that any ``up`` took, with or without its preview.
    """

    ups: dict[Case, Samples]
    state: int
    peak: int


def scaling(embedded: Engine, repeat: int, say: Say) -> Scaling:
    """The embedded engine at 2, 101 and 1,001 resources."""
    ups = {case: Samples() for case in (EMPTY, HUNDRED, THOUSAND)}
    for number in range(repeat):
        for case, samples in ups.items():
            project = embedded.project(case.program, case.count)
            say(f"{case.title}: up and destroy, embedded, {number + 1} of {repeat}")
            samples.add(embedded.name, embedded.run(UP_ALONE, project))
            embedded.run(DESTROY, project)
    project = embedded.project(THOUSAND.program, THOUSAND.count)
    say(f"{THOUSAND.title}: up with its preview, embedded")
    peak = max(embedded.run(UP, project).peak, ups[THOUSAND].peak(embedded.name))
    state = embedded.folder / "home" / "stacks" / project.name / STACK / "state.json"
    size = state.stat().st_size
    embedded.run(DESTROY, project)
    return Scaling(ups, size, peak)


@dataclass(frozen=True)
class Starts:
    """How long things take to start, in seconds (medians)."""

    python: float
    help: float
    cloud: float


def starts(folder: Path, repeat: int, say: Say) -> Starts:
    """Python alone, ``isostack --help``, and ``isostack cloud start`` where no local cloud runs, in turn."""
    home = folder / "cold"
    taken = Samples()
    log = folder / "log"
    for number in range(max(repeat, STARTS)):
        say(f"starts, {number + 1} of {max(repeat, STARTS)}")
        here = environment(home)
        taken.add("python", measure([sys.executable, "-c", "pass"], folder, here, log))
        taken.add("help", measure([*ISOSTACK, "--help"], folder, here, log))
        if number < repeat:
            try:
                taken.add("cloud", measure([*ISOSTACK, "cloud", "start"], folder, here, log))
            finally:
                measure([*ISOSTACK, "cloud", "stop"], folder, here, log)
                shutil.rmtree(home)
    return Starts(*(taken.seconds(name) or 0.0 for name in ("python", "help", "cloud")))


@dataclass(frozen=True)
class Judged:
    """A preview of this project's dev environment, in seconds (medians): with its own policy pack, and without."""

    judged: float
    unjudged: float


def judged(folder: Path, home: Path, times: int, say: Say) -> Judged:
    """Both in turn, of a stack that is not there yet, in copies of this project."""
    taken, copies = Samples(), {}
    for name, parts in {"with": (*PARTS, "policies"), "without": PARTS}.items():
        copies[name] = copy = folder / f"project-{name}"
        for part in parts:
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Pulumi.yaml", copy)
    for number in range(-1, times):  # the first of each compiles its modules
        for name, copy in copies.items():
            here = {**environment(home), "PYTHONPATH": str(copy)}
            measured = measure([*ISOSTACK, "preview", "dev"], copy, here, folder / "log")
            if number >= 0:
                say(f"preview {name} policies, {number + 1} of {times}")
                taken.add(name, measured)
    return Judged(*(taken.seconds(name) or 0.0 for name in ("with", "without")))


def steps(cases: Sequence[Case], engines: Sequence[Engine], repeat: int, *, quick: bool) -> int:
    """How many times the functions here will say something."""
    some = len(cases) * len(engines) * len(ROUND) * repeat + (0 if quick else 3 * repeat + 1)
    return some + max(repeat, STARTS) + 2 * previews_judged(repeat, quick=quick)


def previews_judged(repeat: int, *, quick: bool) -> int:
    """How many previews with policies, and without, are to be measured."""
    return repeat if quick else max(repeat, STARTS)
