"""The report as one HTML file that stands alone: it works from disk, asks no network, and lets nothing run but its own script.

Owns what the template needs beside the report: the changes as a matrix of resources and environments. Whatever is in the report
is text to the template; the page's policy names its own style and script by their hashes, so nothing else could act.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from isostack.engine.urn import short_type
from isostack.preview.changes import natural
from isostack.preview.picture import picture
from isostack.preview.report import COUNTED, OPS, PropertyChange, Report, ResourceChange, alike
from isostack.preview.text import SIGNS, clean, compared, component_name, cost_of, notes


@dataclass(frozen=True)
class Row:
    """A resource that changes somewhere: its change in each environment (None where it stays), and the values that differ.

    ``forced`` is what there is to say of replacements, with the environments that it is said of; ``alike`` is whether it changes
    as many others do, wherever it does.
    """

    name: str
    type: str
    changes: tuple[ResourceChange | None, ...]
    values: tuple[tuple[str, tuple[tuple[str, PropertyChange], ...]], ...]
    forced: tuple[tuple[str, ResourceChange], ...] = ()
    alike: bool = False


def page(report: Report) -> str:
    """The page, ending with a line break. The same for the same report."""
    folder = files("isostack.preview") / "templates"
    source, style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"clean": clean, "short_type": short_type}
    rows = matrix(report)
    text = environment.from_string(source).render(
        report=report,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy="; ".join(_policy(style, script)),
        matrix=rows,
        alike=sum(row.alike for _, some in rows for row in some),
        pictures=[picture(one.nodes) for one in report.environments],
        notes=[list(notes(one)) for one in report.environments],
        ops=[op for op in OPS if any(one.count(op) for one in report.environments)],
        signs=SIGNS,
        meanings=COUNTED,
        compared=compared,
        cost_of=cost_of,
        component_name=component_name,
    )
    return f"{text}\n"


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
    grouped = {id(change) for environment in report.environments for group in alike(environment.changes) for change in group}

    def row_of(name: str, type_: str, some: list[ResourceChange | None]) -> Row:
        is_alike = all(id(one) in grouped for one in some if one)
        return Row(name, type_, tuple(some), _values(names, some), _forced(names, some), is_alike)

    return [
        (
            component,
            [
                row_of(name, type_, some)
                for (name, type_), some in sorted(rows.items(), key=lambda item: (natural(item[0][0]), item[0][1]))
            ],
        )
        for component, rows in sorted(found.items())
    ]


def _forced(names: list[str], changes: list[ResourceChange | None]) -> tuple[tuple[str, ResourceChange], ...]:
    found: dict[ResourceChange, list[str]] = {}
    for name, change in zip(names, changes, strict=True):
        if change and (change.forced_by or change.note or change.data_at_stake):
            found.setdefault(replace(change, properties=()), []).append(name)
    return tuple((", ".join(where), change) for change, where in found.items())


def _values(
    names: list[str], changes: list[ResourceChange | None]
) -> tuple[tuple[str, tuple[tuple[str, PropertyChange], ...]], ...]:
    """By path, what differs where; environments in which the same changes to the same are told together."""
    paths: dict[str, dict[PropertyChange, list[str]]] = {}
    for name, change in zip(names, changes, strict=True):
        for one in change.properties if change else ():
            paths.setdefault(one.path, {}).setdefault(one, []).append(name)
    return tuple((path, tuple((", ".join(where), one) for one, where in some.items())) for path, some in paths.items())
