"""The report as one HTML file that stands alone: it works from disk, asks no network, and lets nothing run but its own script.

Owns what the template needs beside the report: the changes as a matrix of resources and environments. Whatever is in the report
is text to the template; the page's policy names its own style and script by their hashes, so nothing else could act.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from isostack.preview.changes import natural
from isostack.preview.picture import picture
from isostack.preview.report import OPS, PropertyChange, Report, ResourceChange, counted, short_type
from isostack.preview.text import SIGNS, clean, compared, component_name, cost_of, notes

_MEANINGS = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "import": "to import",
    "forget": "to forget",
    "unsure": "not sure",
}


@dataclass(frozen=True)
class Row:
    """A resource: its change in each environment (None where it stays), and the values that differ."""

    name: str
    type: str
    changes: tuple[ResourceChange | None, ...]
    values: tuple[tuple[str, tuple[tuple[str, PropertyChange], ...]], ...]

    @property
    def ops(self) -> str:
        return " ".join(sorted({change.op for change in self.changes if change}))

    @property
    def at_stake(self) -> bool:
        return any(change.data_at_stake for change in self.changes if change)


def page(report: Report) -> str:
    """The page, ending with a line break. The same for the same report."""
    folder = files("isostack.preview") / "templates"
    sources = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")}
    style, script = sources.pop("page.css"), sources.pop("page.js")
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clean": clean, "short_type": short_type}
    return (
        environment.get_template("page.html").render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy="; ".join(_policy(style, script)),
            matrix=matrix(report),
            pictures=[picture(one.nodes) for one in report.environments],
            notes=[list(notes(one)) for one in report.environments],
            ops=[op for op in OPS if any(one.count(op) for one in report.environments)],
            signs=SIGNS,
            meanings=_MEANINGS,
            counted=counted,
            compared=compared,
            cost_of=cost_of,
            component_name=component_name,
        )
        + "\n"
    )


def _policy(style: str, script: str) -> tuple[str, ...]:
    allowed = f"style-src '{_hash(style)}'", f"script-src '{_hash(script)}'"
    return "default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def matrix(report: Report) -> list[tuple[tuple[str, ...], list[Row]]]:
    """For each component the resources that change anywhere, with their changes side by side."""
    found: dict[tuple[str, ...], dict[tuple[str, str], list[ResourceChange | None]]] = {}
    for place, environment in enumerate(report.environments):
        for change in environment.changes:
            rows = found.setdefault(change.component, {})
            row = rows.setdefault((change.name, change.type), [None] * len(report.environments))
            row[place] = change
    names = [environment.name for environment in report.environments]
    return [
        (
            component,
            [
                Row(name, type_, tuple(some), _values(names, some))
                for (name, type_), some in sorted(rows.items(), key=lambda item: (natural(item[0][0]), item[0][1]))
            ],
        )
        for component, rows in sorted(found.items())
    ]


def _values(
    names: list[str], changes: list[ResourceChange | None]
) -> tuple[tuple[str, tuple[tuple[str, PropertyChange], ...]], ...]:
    """By path, what differs where; environments in which the same changes to the same are told together."""
    paths: dict[str, dict[PropertyChange, list[str]]] = {}
    for name, change in zip(names, changes, strict=True):
        for one in change.properties if change else ():
            paths.setdefault(one.path, {}).setdefault(one, []).append(name)
    return tuple((path, tuple((", ".join(where), one) for one, where in some.items())) for path, some in paths.items())
