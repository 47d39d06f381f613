"""Violations in SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), as code scanning reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isostack.engine.events import Violation
from isostack.policy.catalogue import Entry

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"mandatory": "error", "advisory": "warning"}
# From the severity's name to the number by which code scanning sorts (over 9 is critical, over 7 high, over 4 medium).
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}


def document(
    violations: Sequence[Violation], rows: Sequence[Entry], sources: Mapping[str, tuple[str, int]], program: str
) -> dict[str, Any]:
    """One run. ``sources`` has file and line by URN; what has none is put at the top of ``program``."""
    ids = [f"{row.pack}/{row.name}" for row in rows]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "isostack policy",
                        "version": version("isostack"),
                        "rules": [_rule(id_, row) for id_, row in zip(ids, rows, strict=True)],
                    }
                },
                "results": [_result(violation, ids, sources, program) for violation in violations],
            }
        ],
    }


def _rule(id_: str, row: Entry) -> dict[str, Any]:
    help_ = f"{row.rule.why} {row.rule.mend}" if row.rule else row.title
    strictest = "mandatory" if "mandatory" in row.levels.values() else "advisory"
    tags = ["security", *([row.area] if row.area else []), *row.ids]
    score = {"security-severity": _SCORES[row.severity]} if row.severity else {}
    return {
        "id": id_,
        "name": row.name,
        "shortDescription": {"text": row.title},
        "fullDescription": {"text": help_},
        "help": {"text": help_},
        "defaultConfiguration": {"level": _LEVELS[strictest]},
        "properties": {"tags": tags, **score},
    }


def _result(violation: Violation, ids: Sequence[str], sources: Mapping[str, tuple[str, int]], program: str) -> dict[str, Any]:
    id_ = f"{violation.pack}/{violation.policy}"
    file, line = sources.get(violation.urn) or (program, 1)
    identity = "\0".join((id_, violation.urn, violation.message))
    return {
        "ruleId": id_,
        **({"ruleIndex": ids.index(id_)} if id_ in ids else {}),
        "level": _LEVELS[violation.level],
        "message": {"text": violation.message},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": line}},
                "logicalLocations": [{"fullyQualifiedName": violation.urn, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"violation/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }


def under_repository(root: Path, file: str) -> str:
    """A file of a project as code scanning wants it: relative to the repository that the project is in, if it is in one."""
    repository = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    return (root / file).relative_to(repository).as_posix()
