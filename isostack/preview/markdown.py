"""The report as one comment of a pull request, in GitHub's Markdown.

Whatever names and values are in it come out as text: in tables and headings inside of ``<code>``, where GitHub looks for neither
mentions nor references, with every character that Markdown or HTML reads as a number; in lists of changes inside of fences
that are longer than any run of backticks in them. A comment has less than :data:`LIMIT` characters: lists are cut, with counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from isostack.preview.report import Environment, PropertyChange, Report, ResourceChange, alike, by_component, counted
from isostack.preview.text import (
    apart,
    clean,
    compared,
    component_name,
    cost_of,
    group_line,
    headline,
    notes,
    property_line,
    shown_properties,
)

LIMIT = 64_000
"""Bytes, of which there are at least as many as characters. GitHub takes 65,536 of these; ``.github/comment.py`` adds some."""
MARK = "<!-- isostack preview -->"
"""By this the comment of an earlier push is found, to be edited in place."""
SIGNS = {"create": "+", "import": "+", "update": "!", "replace": "-", "delete": "-", "forget": "-", "unsure": "#"}
# The most lines of a list and the most characters of a value, from all to next to nothing.
_ROOM = ((100_000, 1000), (2000, 300), (500, 200), (200, 160), (80, 120), (30, 100), (12, 80), (5, 60), (2, 40), (0, 24))
_SPECIAL = re.compile(r"[\\`*_\[\]<>&!~|$:@#{}()^=]|(?<=www)\.")


def markdown(report: Report, artefact: str = "") -> str:
    """The comment, ending with a line break. ``artefact`` is the address of a page that holds all."""
    for most, width in _ROOM:
        text = "\n".join(_Comment(report, artefact, most, width).lines()) + "\n"
        if len(text.encode()) < LIMIT:
            return text
    return f"{MARK}\n### {_code(report.verdict, 400)}\n"


def _code(text: str, width: int) -> str:
    return f"<code>{_SPECIAL.sub(lambda match: f'&#{ord(match[0])};', clean(text, width))}</code>"


@dataclass(frozen=True)
class _Comment:
    report: Report
    artefact: str
    most: int
    width: int

    def lines(self) -> Iterator[str]:
        report = self.report
        yield MARK
        yield f"### {_MARKS[report.result]} {self.code(report.verdict, 3)}"
        yield ""
        base = f", and with revision {self.code(report.base)} where there is none" if report.base else ""
        yield (
            f"Revision {self.code(report.revision)} of {self.code(report.project)}, compared with the recorded state of each"
            f" environment{base}."
        )
        if self.artefact:
            yield ""
            yield f"[Everything, as a page]({_address(self.artefact)})"
        yield ""
        yield from self._table()
        for environment in report.environments[: max(self.most, 4)]:
            yield from self._environment(environment)
        yield from self._parity()

    def code(self, text: str, times: int = 1) -> str:
        return _code(text, max(24, self.width) * times)

    # -- the table -----------------------------------------------------------------------------------------------------

    def _table(self) -> Iterator[str]:
        environments = self.report.environments
        columns = ["environment", "changes", "data at stake", "policies", "wider", "parameters"]
        with_cost = any(cost_of(environment) for environment in environments)
        columns += ["a month (estimate)"] if with_cost else []
        yield f"| {' | '.join(columns)} |"
        yield f"| {' | '.join('---' for _ in columns)} |"
        shown = environments[: max(self.most, 4)]
        for environment in shown:
            cost = cost_of(environment)
            cells = list(self._cells(environment)) + ([self.code(cost) if cost else "not known"] if with_cost else [])
            yield f"| {' | '.join(cells)} |"
        if len(shown) < len(environments):
            yield f"| … and {len(environments) - len(shown):,} more |{' |' * (len(columns) - 1)}"

    def _cells(self, environment: Environment) -> Iterator[str]:
        yield self.code(environment.name)
        yield f"**{counted(environment)}**" if environment.error or environment.changes else counted(environment)
        yield f"**{len(environment.at_stake):,}**" if environment.at_stake else "none"
        refused, advised = len(environment.refused), len(environment.policies) - len(environment.refused)
        said = [f"**{refused:,} mandatory**"] * bool(refused) + [f"{advised:,} advisory"] * bool(advised)
        yield ", ".join(said) or "none"
        yield f"**{len(environment.widened):,}**" if environment.widened else "none"
        deployed, pinned = environment.deployed, environment.pinned
        if deployed and pinned and deployed != pinned:
            yield f"{self.code(deployed)} to {self.code(pinned)}"
        else:
            yield self.code(pinned) if pinned else "none"

    # -- what is collapsed ---------------------------------------------------------------------------------------------

    def _environment(self, environment: Environment) -> Iterator[str]:
        some = list(notes(environment))
        if not (environment.error or environment.changes or some):
            return
        yield ""
        yield f"<details><summary>{self.code(environment.name)}: {counted(environment)}</summary>"
        yield ""
        if environment.error:
            yield from self._fenced([clean(line, 10 * self.width) for line in environment.error.splitlines()] or ["failed"])
        else:
            yield self.code(compared(environment), 3)
        for heading, texts in some:
            yield ""
            yield f"**{self.code(heading)}**"
            yield ""
            yield from self._fenced([clean(text, 3 * self.width) for text in texts])
        if environment.changes:
            yield ""
            yield "**changes**"
            yield ""
            yield from self._changes(environment)
        yield ""
        yield "</details>"

    def _changes(self, environment: Environment) -> Iterator[str]:
        lines: list[str] = []
        changing = apart(environment)
        for group in alike(environment.changes)[: self.most]:
            lines.append(f"{SIGNS['update']} {clean(group_line(group), 2 * self.width)}")
            lines += self._properties(SIGNS["update"], group[0].properties)
        told = 0
        for component, changes in by_component(changing).items():
            if len(lines) >= self.most:
                break
            lines.append(f"# {clean(component_name(component), self.width)}")
            for change in changes:
                if len(lines) >= self.most:
                    break
                lines += self._change(change)
                told += 1
        rest = len(changing) - told
        yield from self._fence(
            "diff", lines + ([f"# … and {rest:,} more {'change' if rest == 1 else 'changes'}"] if rest else [])
        )

    def _change(self, change: ResourceChange) -> Iterator[str]:
        sign = SIGNS[change.op]
        yield f"{sign} {clean(headline(change), 2 * self.width)}"
        yield from self._properties(sign, shown_properties(change))

    def _properties(self, sign: str, properties: Sequence[PropertyChange]) -> Iterator[str]:
        shown = properties[: max(3, self.most // 20)]
        yield from (f"{sign}     {property_line(one, self.width)}" for one in shown)
        if len(shown) < len(properties):
            yield f"{sign}     … and {len(properties) - len(shown):,} more properties"

    def _parity(self) -> Iterator[str]:
        parity = self.report.parity
        if parity is None:
            return
        yield ""
        if parity.holds:
            yield f"Parity of {self.code(parity.version)} holds."
            return
        yield f"<details><summary>Parity of {self.code(parity.version)} is broken</summary>"
        yield ""
        yield from self._fenced([clean(breach, 3 * self.width) for breach in parity.breaches])
        yield ""
        yield "</details>"

    def _fenced(self, texts: Sequence[str]) -> Iterator[str]:
        shown, rest = texts[: self.most], len(texts[self.most :])
        yield from self._fence("text", [*shown, *([f"… and {rest:,} more"] if rest else [])])

    def _fence(self, language: str, lines: Iterable[str]) -> Iterator[str]:
        kept = [re.sub(r"`{10,}", "…", line) for line in lines]
        longest = max((len(run) for line in kept for run in re.findall(r"`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        yield f"{fence}{language}"
        yield from kept
        yield fence


_MARKS = {"succeeded": "Preview:", "failed": "Preview failed:", "refused": "Preview refused:"}


def _address(address: str) -> str:
    """An address that can stand in a link: what would end it is escaped."""
    return re.sub(
        r"[^A-Za-z0-9\-._~:/?#@!$&'*+,;=%]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), address
    )
