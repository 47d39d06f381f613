"""The environments of a project side by side, from their state files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from isostack.console import aligned
from isostack.engine.project import pinned_version
from isostack.engine.provider import lineage
from isostack.errors import IsostackError
from isostack.official import last_run

if TYPE_CHECKING:
    from isostack.engine.project import Project
    from isostack.engine.state import Snapshot
    from isostack.engine.store import Store

COLUMNS = ("environment", "engine", "pinned", "deployed", "resources", "last change", "lock")


def overview(project: Project, store: Store, names: list[str], identity: str) -> list[dict[str, Any]]:
    """One row per environment: name, who ran it last, resources, parameter versions, last change, lock, and what is wrong.

    ``identity`` is the local cloud's, empty where it does not run.
    """
    with_state = {stack for owner, stack in store.stacks() if owner == project.name}
    every = [*names, *sorted(with_state - set(names))]
    return [_row(project, store, name, name in with_state, identity) for name in every]


def what_is_lost(snapshot: Snapshot, stack: str, identity: str) -> str | None:
    """Says so where the cloud that the state speaks of is not the one with this identity."""
    known = snapshot.metadata.cloud
    if not known or lineage(known) == lineage(identity) or not any(r.in_cloud for r in snapshot.resources):
        return None
    happened = "was reset or restarted" if identity else "does not run"
    return f"the local cloud {happened}, and what the state knows is gone; isostack up {stack} makes it anew"


def _row(project: Project, store: Store, name: str, has_state: bool, identity: str) -> dict[str, Any]:
    row: dict[str, Any] = {"environment": name, "engine": None, "pinned": None, "deployed": None, "resources": 0}
    row |= {"last_change": None, "operation": None, "result": None, "lock": None, "problem": None}
    try:
        row["pinned"] = pinned_version(project, name)
        if has_state:
            row["lock"] = store.holder(project.name, name)
            snapshot = store.load(project.name, name).snapshot
            facts = snapshot.metadata
            row["resources"] = sum(r.in_cloud for r in snapshot.resources)
            row |= {"last_change": facts.changed or None, "operation": facts.operation, "result": facts.result}
            row["deployed"] = facts.parameter_version or None
            row["problem"] = what_is_lost(snapshot, name, identity)
            row["engine"] = "embedded"
        by_the_cli = last_run.of(store.folder(project.name, name))
        if by_the_cli and by_the_cli["changed"] >= (row["last_change"] or ""):
            row |= _by_the_cli(by_the_cli)
    except IsostackError as error:
        row["problem"] = str(error)
    return row


def _by_the_cli(note: Mapping[str, Any]) -> dict[str, Any]:
    """What the Pulumi CLI left, as far as this state folder knows: state and lock are its backend's."""
    row = {key: note[key] for key in ("operation", "result", "resources")}
    others = {"last_change": note["changed"], "deployed": note["parameter_version"] or None, "lock": None, "problem": None}
    return {"engine": "pulumi", **row, **others}


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The overview as aligned lines, and what is wrong below it, in full."""
    yield from aligned([COLUMNS, *map(_cells, rows)], right=[COLUMNS.index("resources")])
    for row in rows:
        if row["problem"]:
            yield f"{row['environment']}: {row['problem']}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    change = f"{row['operation']} {row['result']}, {row['last_change']}" if row["last_change"] else "-"
    return (
        row["environment"],
        row["engine"] or "-",
        row["pinned"] or "-",
        row["deployed"] or "-",
        str(row["resources"]),
        "see below" if row["problem"] else change,
        row["lock"] or "free",
    )
