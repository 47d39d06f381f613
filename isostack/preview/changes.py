"""Turns what a run is about to do into an environment's part of the report. Pure: no file, no cloud, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from isostack.engine import plan
from isostack.engine import urn as urns
from isostack.engine.deployment import STACK_TYPE
from isostack.engine.events import Change, Op, StepStarted
from isostack.engine.values import SIGNATURE_KEY, UNKNOWN, has_unknown, plain
from isostack.preview.offline import PLACEHOLDER
from isostack.preview.report import Node, PropertyChange, ResourceChange

if TYPE_CHECKING:
    from isostack.engine.run import Intent
    from isostack.engine.state import ResourceState

LONGEST_VALUE = 4000
# Types whose deletion takes away what nobody can make anew: data, messages, logs, images, or the keys to them.
HOLDS_DATA = re.compile(
    r"aws:(rds/(instance|cluster|snapshot)|s3/(bucket|bucketV2|bucketObject\w*)|dynamodb/(table|tableItem)|efs/fileSystem"
    r"|elasticache/(cluster|replicationGroup)|ebs/volume|secretsmanager/secret|kms/key|sqs/queue|ecr/repository"
    r"|cloudwatch/logGroup|cognito/userPool|ssm/parameter|ec2/instance):\w+|docker:index/volume:Volume"
)
_SHOWN = {Op.CREATE, Op.UPDATE, Op.REPLACE, Op.DELETE, Op.IMPORT, Op.FORGET}


def changes_of(intent: Intent) -> tuple[ResourceChange, ...]:
    """What changes, in the order of components and names."""
    unsure = _unsure(intent)
    replaced = {step.urn for step in intent.steps if step.op is Op.REPLACE}
    found = []
    for step in intent.steps:
        old_copy = step.op in (Op.DELETE, Op.FORGET) and step.urn in replaced
        if step.op in _SHOWN and not old_copy and not step.component and not step.type.startswith("pulumi:"):
            found.append(_change(intent, step, step.urn in unsure))
    return tuple(sorted(found, key=lambda change: (change.component, natural(change.name), change.type)))


def nodes_of(intent: Intent) -> tuple[Node, ...]:
    """Everything that the program registers or the state has, parents first, siblings by name; providers left out."""
    unsure, steps = _unsure(intent), dict[str, StepStarted]()
    for step in intent.steps:
        if not (step.urn in steps and steps[step.urn].op is Op.REPLACE):  # the deletion of the old copy
            steps[step.urn] = step
    children: dict[str, list[str]] = {}
    for step in steps.values():
        if not step.type.startswith("pulumi:providers:") and step.type != STACK_TYPE:
            parent = step.parent if step.parent in steps and steps[step.parent].type != STACK_TYPE else ""
            children.setdefault(parent, []).append(step.urn)
    nodes: list[Node] = []

    def walk(urn: str, parent: int) -> None:
        step, place = steps[urn], len(nodes)
        op = "unsure" if urn in unsure else "same" if step.op in (Op.READ, Op.REFRESH) else str(step.op)
        nodes.append(Node(step.name, step.type, parent, op, _is_component(step, children)))
        for child in sorted(children.get(urn, ()), key=in_order):
            walk(child, place)

    def in_order(urn: str) -> tuple[Any, ...]:
        return not _is_component(steps[urn], children), natural(steps[urn].name), urn

    for root in sorted(children.get("", ()), key=in_order):
        walk(root, -1)
    return tuple(nodes)


def _is_component(step: StepStarted, children: Mapping[str, list[str]]) -> bool:
    return step.component or (step.urn in children and not step.type.startswith("aws:"))


def _change(intent: Intent, step: StepStarted, unsure: bool) -> ResourceChange:
    op = "unsure" if unsure else str(step.op)
    leaves = [leaf for change in step.changes for leaf in _leaves(change)]
    forced = tuple(dict.fromkeys(change.path.partition(".")[0].partition("[")[0] for change in step.changes if change.replaces))
    return ResourceChange(
        name=step.name,
        type=step.type,
        component=component_of(intent, step),
        op=op,
        properties=tuple(_property(intent, step.urn, leaf) for leaf in leaves if leaf.old != leaf.new or leaf.new is None),
        forced_by=forced,
        data_at_stake=op in ("replace", "delete") and bool(HOLDS_DATA.fullmatch(step.type)),
        note=step.note,
    )


def component_of(intent: Intent, step: StepStarted) -> tuple[str, ...]:
    """The components that a resource is in, outermost first, the stack left out: ``Database shop``."""
    names: list[str] = []
    urn = step.parent
    while urn and urns.type_of(urn) != STACK_TYPE:
        names.insert(0, f"{urns.type_of(urn).rpartition(':')[2]} {urns.name_of(urn)}")
        state = intent.after.get(urn) or intent.before.get(urn)
        urn = state.parent if state else ""
    return tuple(names)


def natural(name: str) -> list[tuple[bool, int, str]]:
    """By name, and ``queue-10`` after ``queue-9``."""
    return [(part.isdigit(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name)]


# -- what hangs on a look-up -------------------------------------------------------------------------------------------


def _unsure(intent: Intent) -> set[str]:
    """Resources that change in nothing but what is unknown, though nothing that they depend on changes for certain."""
    unsure: set[str] = set()
    certain = {step.urn for step in intent.steps if step.op in _SHOWN}
    for step in intent.steps:
        after = intent.after.get(step.urn)
        if step.op not in (Op.UPDATE, Op.REPLACE) or after is None or not step.changes:
            continue
        if all(has_unknown(change.new) and not _sources(after, change) & (certain - unsure) for change in step.changes):
            unsure.add(step.urn)
    return unsure


def _sources(resource: ResourceState, change: Change) -> set[str]:
    return set(resource.property_dependencies.get(change.path.partition(".")[0].partition("[")[0], ()))


# -- values ------------------------------------------------------------------------------------------------------------


def _leaves(change: Change) -> Iterable[Change]:
    """A change in a JSON document as the changes inside of it."""
    old, new = _document(change.old), _document(change.new)
    if old is None or new is None:
        return (change,)
    inner = plan.changes({change.path: old}, {change.path: new}, [change.path])
    return [Change(one.path, one.kind, one.old, one.new, change.replaces) for one in inner] or (change,)


def _document(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _property(intent: Intent, urn: str, change: Change) -> PropertyChange:
    before = None if change.kind == "add" else _fingerprinted(intent.before.get(urn), change.path, change.old)
    after = None if change.kind == "delete" else _fingerprinted(intent.after.get(urn), change.path, change.new)
    return PropertyChange(change.path, before, after, change.replaces)


def _fingerprinted(resource: ResourceState | None, path: str, value: Any) -> str:
    """A value as text; a secret by its fingerprint, where a placeholder stands for it."""
    if value == plan.MASKED and resource is not None:
        sealed = plain(resource.inputs.get(path))
        value = sealed if isinstance(sealed, str) and PLACEHOLDER.fullmatch(sealed) else value
    return as_text(value)


def as_text(value: Any) -> str:
    """A value in one line: text as it is, JSON for the rest, names for what is unknown."""
    shown = _presentable(value)
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"


def _presentable(value: Any) -> Any:
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        if SIGNATURE_KEY in value:
            return f"[file {str(value.get('hash'))[:12]}]" if value.get("hash") else "[file]"
        return {key: _presentable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_presentable(item) for item in value]
    return value
