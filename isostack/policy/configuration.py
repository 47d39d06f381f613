"""How strictly each policy of a pack is held, and with which properties, as Pulumi reconciles it.

In this order, the later one wins: the pack's level, the policy's own, the pack's initial configuration, the file given for it.
A policy's properties start with the defaults of its schema, and are held against the schema at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi_policy import EnforcementLevel, Policy, ResourceValidationPolicy

from isostack.engine.project_file import shown
from isostack.errors import BadInput, Refused
from isostack.policy.pack import Pack

ALL = "all"
LEVEL = "enforcementLevel"
_LEVELS = {level.value: level for level in EnforcementLevel}


@dataclass(frozen=True)
class Held:
    """A policy, its level and its properties."""

    policy: Policy
    level: EnforcementLevel
    properties: Mapping[str, Any] = field(default_factory=dict)


def read_file(path: Path) -> dict[str, Any]:
    """A configuration file: JSON, by the name of a policy a level, or an object that may have one. Raises BadInput."""
    try:
        text = path.read_text()
        said = json.loads(text) if text.strip() else {}
    except OSError as error:
        raise BadInput(f"--policy-pack-config {shown(path)}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"--policy-pack-config {shown(path)} is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise BadInput(f"--policy-pack-config {shown(path)} must hold an object: a level or an object by the name of a policy")
    if "environments" in said:
        raise Refused(
            f"--policy-pack-config {shown(path)}: environments are Pulumi Cloud's; leave them out, or use the Pulumi CLI"
        )
    return said


def reconcile(pack: Pack, given: Mapping[str, Any], source: str = "") -> tuple[Held, ...]:
    """The policies of a pack under what its configuration says; ``source`` is what messages call ``given``.

    Raises BadInput where that names no policy, no level, or properties that the schema does not allow; and Refused for what would
    change resources.
    """
    levels = {policy.name: policy.enforcement_level or pack.level for policy in pack.policies}
    properties = {policy.name: _defaults(policy) for policy in pack.policies}
    for said, name in ((pack.initial_config, f"the initial configuration of {pack.name}"), (given, source)):
        split = {key: _split(value, f"{name}: {key}") for key, value in said.items()}
        if said is given and (unknown := sorted(split.keys() - levels.keys() - {ALL})):
            raise BadInput(f"{name}: {pack.name} has no policy {', '.join(unknown)}; isostack policy list shows them")
        if ALL in split and split[ALL][0] is not None:
            levels = dict.fromkeys(levels, split[ALL][0])
        for key in split.keys() & levels.keys():
            level, more = split[key]
            levels[key] = level or levels[key]
            properties[key] |= more
    changed = {key for said in (pack.initial_config, given) for key in said}
    return tuple(
        _held(pack, policy, levels[policy.name], properties[policy.name], policy.name in changed) for policy in pack.policies
    )


def _defaults(policy: Policy) -> dict[str, Any]:
    schema = policy.config_schema
    return {key: said["default"] for key, said in schema.properties.items() if "default" in said} if schema else {}


def _split(value: Any, what: str) -> tuple[Any, dict[str, Any]]:
    """The level, if any, and the properties of an entry."""
    if isinstance(value, (str, EnforcementLevel)):
        value = {LEVEL: value}
    if not isinstance(value, dict):
        raise BadInput(f"{what} is {value!r}; write a level, or an object with {LEVEL!r} or properties")
    level = value.get(LEVEL)
    if level is not None and not isinstance(level, EnforcementLevel):
        if level not in _LEVELS:
            raise BadInput(f"{what}: {level!r} is no level; there are {', '.join(_LEVELS)}")
        level = _LEVELS[level]
    return level, {key: item for key, item in value.items() if key != LEVEL}


def _held(pack: Pack, policy: Policy, level: EnforcementLevel, properties: dict[str, Any], changed: bool) -> Held:
    schema = policy.config_schema
    if schema and (changed or schema.required):
        _validate(f"{pack.name}: {policy.name}", {"properties": schema.properties, "required": schema.required or []}, properties)
    if level is EnforcementLevel.REMEDIATE:
        if isinstance(policy, ResourceValidationPolicy) and policy.has_remediation():
            raise Refused(
                f"policy {policy.name} of {pack.name} would change resources (level remediate), which the embedded engine "
                "does not do; give it another level with --policy-pack-config, or use the Pulumi CLI"
            )
        level = EnforcementLevel.MANDATORY  # as Pulumi takes it where there is nothing to remedy with
    return Held(policy, level, properties)


def _validate(what: str, schema: dict[str, Any], properties: dict[str, Any]) -> None:
    import jsonschema

    validator = jsonschema.Draft7Validator({"type": "object", **schema})
    problems = [
        f"{'.'.join(map(str, e.absolute_path))}{': ' if e.absolute_path else ''}{e.message}"
        for e in validator.iter_errors(properties)
    ]
    if problems:
        raise BadInput(f"configuration of {what}: {'; '.join(sorted(problems))}")
