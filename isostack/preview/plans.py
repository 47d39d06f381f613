"""Saved plans: what a preview found that ``up`` would do, written down, and the gate that lets exactly that be done.

A plan holds the intent in its normal form (:mod:`isostack.intents`), whose digest approvals are bound to, and beside it what it
was made from: the version of the parameters, the state, the policy packs. Whoever applies it computes all of that anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isostack.engine.files import write_whole
from isostack.engine.project import PINNED_KEY
from isostack.engine.urn import name_of, short_type, type_of
from isostack.errors import BadInput, OperationFailed, Refused
from isostack.intents import UNKNOWN_MARK, digest_of, normalised
from isostack.preview.text import clean

if TYPE_CHECKING:
    from isostack.engine.project import Project
    from isostack.engine.run import Gate, Intent
    from isostack.engine.state import Snapshot

FORMAT: Final = 1
MOST: Final = 30
_ABSENT: Final = object()
_PARTS: Final = {"format", "project", "stack", "operation", "steps", "unchanged"}


def plan_of(intent: Intent, packs: Sequence[Path] = (), configurations: Sequence[Path] = ()) -> dict[str, Any]:
    """The plan of one environment: its digest, what it was made from, and the intent. ``packs`` are those asked for by name,
    ``configurations`` the files for packs."""
    document = normalised(intent)
    return {"digest": digest_of(document), "made_from": _made_from(intent, packs, configurations), "intent": document}


def save(path: Path, project: Project, revision: str, plans: Mapping[str, dict[str, Any]]) -> None:
    """Write plans by environment, readable by the owner alone. Raises OperationFailed where that cannot be done."""
    document = {"format": FORMAT, "project": project.name, "revision": revision, "environments": dict(plans)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise OperationFailed(f"--save {path}: cannot be written: {error.strerror}") from None


def load(path: Path, environment: str) -> dict[str, Any]:
    """An environment's plan. Raises BadInput where the file holds none, or one that was edited."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"--plan {path}: cannot be read: {error.strerror}") from None
    except ValueError:
        document = None
    plans = document.get("environments") if isinstance(document, dict) else None
    if not isinstance(plans, dict) or document.get("format") != FORMAT:
        raise BadInput(f"--plan {path}: this is no plan; isostack preview {environment} --save FILE makes one")
    plan = plans.get(environment)
    if not isinstance(plan, dict) or not isinstance(plan.get("intent"), dict):
        raise BadInput(f"--plan {path}: there is no plan for {environment} in it, only for {', '.join(sorted(plans)) or 'none'}")
    if not (isinstance(plan.get("made_from"), dict) and plan["intent"].keys() >= _PARTS):
        raise BadInput(f"--plan {path}: this is no whole plan; isostack preview {environment} --save FILE makes one")
    if digest_of(plan["intent"]) != plan.get("digest"):
        raise BadInput(f"--plan {path}: it was edited since it was saved: its digest is another; save it anew")
    return plan


def plan_gate(path: Path, environment: str, packs: Sequence[Path] = (), configurations: Sequence[Path] = ()) -> Gate:
    """A gate that lets pass exactly what is in the file. Raises BadInput where that holds no plan for the environment."""
    plan = load(path, environment)

    def gate(intent: Intent) -> None:
        now = plan_of(intent, packs, configurations)
        moved = list(_moved(plan, now))
        if moved:
            rest = [f"and {len(moved) - MOST:,} more"] if len(moved) > MOST else []
            told = "".join(f"\n  - {line}" for line in [*moved[:MOST], *rest])
            raise Refused(
                f"{environment}: nothing was changed, because this is not what {path} says any more:{told}\n"
                f"look at it anew, and save it: isostack preview {environment} --save {path}"
            )

    return gate


# -- what a plan is made from ------------------------------------------------------------------------------------------


def _made_from(intent: Intent, packs: Sequence[Path], configurations: Sequence[Path]) -> dict[str, Any]:
    from isostack.policy.attach import own_pack

    project, config = intent.stack.project, intent.stack.config
    own = own_pack(project)
    version = config.values.get(PINNED_KEY)
    return {
        "engine": intent.engine,
        "parameters": version,
        "parameters_digest": _parameters_digest(project, version),
        "state": _state_digest(intent.before),
        "policy_packs": [digest_of_folder(folder) for folder in [*([own] if own else []), *packs]],
        "policy_configurations": [f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in configurations],
    }


def _state_digest(snapshot: Snapshot) -> str:
    """A hash of which resources there are and when each was last changed; a run that was refused leaves it as it is."""
    result = hashlib.sha256()
    for resource in sorted(snapshot.resources, key=lambda one: (one.urn, one.delete)):
        result.update(f"{resource.urn}\0{resource.id}\0{resource.delete}\0{resource.modified}\0".encode())
    return f"sha256:{result.hexdigest()}"


def _parameters_digest(project: Project, version: str | None) -> str | None:
    from isostack.parameters import has_parameters, parameters_of, told

    if version is None or not has_parameters(project):
        return None
    with told():
        return parameters_of(project).digest(version)


def digest_of_folder(folder: Path) -> str:
    """A hash of the files of a policy pack, by their paths in it; what Python makes of them is left out."""
    result = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = file.relative_to(folder)
        if not {"__pycache__", ".venv", "venv"}.intersection(inside.parts):
            result.update(f"{inside.as_posix()}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return f"sha256:{result.hexdigest()}"


# -- how two plans differ ----------------------------------------------------------------------------------------------

_WORDS = {
    "engine": "the engine",
    "parameters": "the pinned version of the parameters",
    "parameters_digest": "what the parameters say",
    "state": "the state",
    "policy_packs": "what the policy packs say",
    "policy_configurations": "how the policy packs are configured",
}


def _moved(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is another one, in lines for people."""
    for key, what in _WORDS.items():
        was, is_ = then["made_from"].get(key, "embedded" if key == "engine" else None), now["made_from"][key]
        if was != is_:
            shown = f" was {was} and is {is_}" if key in ("engine", "parameters") else " has changed"
            yield clean(f"{what}{shown}")
    before, after = then["intent"], now["intent"]
    if before == after:
        return
    for key in ("format", "project", "stack", "operation"):
        if before.get(key) != after[key]:
            yield clean(f"the plan's {key} is {before.get(key)}, and not {after[key]}")
    old, new = ({step["urn"]: step for step in document["steps"]} for document in (before, after))
    for urn in sorted(old.keys() | new.keys()):
        yield from _step(urn, old.get(urn), new.get(urn))
    was, is_ = before["unchanged"], after["unchanged"]
    if was != is_:
        yield f"what stays as it is is not what it was ({is_['count']:,} resources, of {was['count']:,})"


def _step(urn: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[str]:
    if old == new:
        return
    called = clean(f"{name_of(urn)} ({short_type(type_of(urn))})")
    if old is None or new is None:
        there = new or old or {}
        verb = " and ".join(there["operations"])
        yield (
            f"{called}: {verb} is in the plan, and not needed any more" if new is None else f"{called}: {verb} is not in the plan"
        )
        return
    if old["operations"] != new["operations"]:
        yield f"{called}: the plan says {' and '.join(old['operations'])}, now it is {' and '.join(new['operations'])}"
    for side in ("before", "after"):
        if old[side] != new[side]:
            for path, was, is_ in _leaves(side, old[side], new[side]):
                yield clean(f"{called}: {path} was {_shown(was)} and is {_shown(is_)}")


def _leaves(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    is_deep = (
        isinstance(old, dict) and isinstance(new, dict) and not any(str(key).startswith("isostack:") for key in (*old, *new))
    )
    if is_deep:
        for key in sorted(old.keys() | new.keys()):
            yield from _leaves(f"{path}.{key}", old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _leaves(f"{path}[{number}]", *pair)
    elif old != new:
        yield path.replace("before.inputs", "before").replace("after.inputs", "after"), old, new


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if value == UNKNOWN_MARK:
        return "[unknown]"
    if isinstance(value, dict) and "isostack:secret" in value:
        return f"[secret {str(value['isostack:secret'])[:8]}]"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 120 else f"{text[:119]}…"
