"""The report as plain lines, for a terminal; and the lines of single changes, which other forms use as well."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from isostack.engine.urn import short_type
from isostack.preview.report import Environment, PropertyChange, Report, ResourceChange, alike, by_component, counted

SIGNS = {"create": "+", "import": "=", "update": "~", "replace": "+-", "delete": "-", "forget": "-", "unsure": "?"}
WIDTH = 160


def clean(text: str, width: int = 0) -> str:
    """One line of text: what would break the line or turn its direction is written as an escape; cut to a width."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    return text if not width or len(text) <= width else f"{text[: width - 1]}…"


def _escaped(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\u{ord(character):04x}")


def lines(report: Report) -> Iterator[str]:
    """The verdict, and each environment with all its changes."""
    yield clean(f"{report.project} at {report.revision}: {report.verdict}")
    for environment in report.environments:
        yield ""
        yield from _environment(environment)
    if report.parity:
        yield ""
        held = "holds" if report.parity.holds else f"is broken in {len(report.parity.breaches):,} places"
        yield clean(f"parity of {report.parity.version} {held}")
        yield from (clean(f"  {breach}") for breach in report.parity.breaches)


def _environment(environment: Environment) -> Iterator[str]:
    yield clean(f"{environment.name}: {counted(environment)}")
    if environment.error:
        yield clean(f"  error: {environment.error}")
        return
    yield clean(f"  {compared(environment)}")
    if cost := cost_of(environment):
        yield clean(f"  a month, estimated: {cost}")
    for group in alike(environment.changes):
        yield f"    ~  {group_line(group)}"
        yield from (f"         {property_line(one, WIDTH)}" for one in group[0].properties)
    for component, changes in by_component(apart(environment)).items():
        yield clean(f"  {component_name(component)}")
        for change in changes:
            yield f"    {SIGNS[change.op]:<2} {headline(change)}"
            yield from (f"         {property_line(one, WIDTH)}" for one in shown_properties(change))
    for heading, some in notes(environment):
        yield f"  {heading}:"
        yield from (clean(f"    {line}") for line in some)


def notes(environment: Environment) -> Iterator[tuple[str, list[str]]]:
    """What there is to say beside the changes, by heading; headings without any are left out."""
    every = {
        "data at stake": [headline(change) for change in environment.at_stake],
        "policies": [f"{f.level}: {f.policy}: {f.resource}: {f.message}" for f in environment.policies],
        "wider permissions and reach": [widening.what for widening in environment.widened],
        f"parameters, {environment.deployed} to {environment.pinned}": [
            f"{p.path}: {values(p.before, p.after)} ({p.origin})" for p in environment.parameters
        ],
        "without a price, and so not in the estimated cost": list(environment.unpriced) if environment.changes else [],
        "not known without a cloud": list(environment.unseen),
        "warnings": list(environment.warnings),
    }
    yield from ((heading, some) for heading, some in every.items() if some)


def cost_of(environment: Environment) -> str:
    """``$10.00 to $12.50 (+$2.50)``, with ``at least`` where something has no price; empty where it is not known."""
    before, after = environment.cost_before, environment.cost_after
    if before is None or after is None:
        return ""
    sign = "+" if after >= before else "-"
    least = "at least " if environment.unpriced else ""
    return f"{least}${before:,.2f} to ${after:,.2f} ({sign}${abs(after - before):,.2f})"


def compared(environment: Environment) -> str:
    """What the environment is compared with."""
    with_ = environment.compared_with
    return f"compared with {with_}" if with_ else "there is no recorded state: all of it is new"


def component_name(component: tuple[str, ...]) -> str:
    """``Environment shop / Database shop``."""
    return " / ".join(component) or "outside of any component"


def headline(change: ResourceChange) -> str:
    """``shop-db (aws:rds:Instance) replace, forced by engine: data at stake``."""
    said = {"unsure": "hangs on a look-up that only a cloud answers"}.get(change.op, change.op)
    if change.forced_by:
        said += f", forced by {', '.join(change.forced_by)}"
    if change.note:
        said += f", {change.note}"
    if change.data_at_stake:
        said += ": DATA AT STAKE"
    return clean(f"{change.name} ({short_type(change.type)}) {said}", 2 * WIDTH)


def group_line(group: tuple[ResourceChange, ...]) -> str:
    """``104 resources update alike: shop-jobs, shop-assets, …``."""
    return clean(f"{len(group):,} resources update alike: {', '.join(dict.fromkeys(change.name for change in group))}", WIDTH)


def apart(environment: Environment) -> tuple[ResourceChange, ...]:
    """The changes that are not told in a group."""
    grouped = {id(change) for group in alike(environment.changes) for change in group}
    return tuple(change for change in environment.changes if id(change) not in grouped)


def shown_properties(change: ResourceChange) -> tuple[PropertyChange, ...]:
    """The properties to show; those of something new are left out, since all of it is."""
    return () if change.op == "create" else change.properties


def property_line(change: PropertyChange, width: int) -> str:
    """``size: 1 => 2``, with a word where it forces a replacement."""
    forces = "  forces replacement" if change.forces else ""
    return f"{clean(change.path, width)}: {values(change.before, change.after, width)}{forces}"


def values(before: str | None, after: str | None, width: int = WIDTH) -> str:
    """``1 => 2``, or what is added or goes."""
    old, new = (None if value is None else clean(value, width) for value in (before, after))
    if old is None:
        return f"+ {new}"
    if new is None:
        return f"- {old}"
    return f"{old} => {new}" if old != new else f"{new} (changed)"
