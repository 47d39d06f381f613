"""The ``config:`` block of Pulumi.yaml: which configuration a project declares, and whether a stack's values fit it.

Pure: takes what was parsed and gives declarations and problems, each problem a line for a person. Reading files and
decrypting values is :mod:`isostack.engine.project`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from isostack.engine.project_file import to_text

TYPES: Final = ("string", "integer", "boolean", "array", "object")
ATTRIBUTES: Final = ("type", "items", "description", "secret", "default", "value")

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_ATOI = re.compile(r"[-+]?[0-9]+")

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Declaration:
    """One declared key. ``written`` is how Pulumi.yaml spells it, ``key`` its full key, ``path`` the place inside that.

    ``own`` is false for configuration of another namespace than the project's: it has no type and always a default.
    ``type`` is ``""`` where none is declared; ``items`` is the type of an array's elements as Pulumi.yaml nests it;
    ``default`` is None where there is none.
    """

    written: str
    key: str
    path: Steps = ()
    own: bool = True
    type: str = ""
    items: Mapping[str, Any] | None = None
    description: str = ""
    secret: bool = False
    default: Any = None

    @property
    def required(self) -> bool:
        """Whether a stack has to give the value."""
        return self.own and self.default is None

    def accepts(self, value: Any) -> bool:
        """Whether a stack's value, decrypted, is of the declared type. Plain values count by their text."""
        return not self.type or _accepts(self.type, self.items, value if _is_nested(value) else to_text(value))

    def type_name(self) -> str:
        """The declared type as people write it: ``integer``, ``array<string>``."""
        return _type_name(self.type, self.items)


def full_key(project: str, key: str) -> str:
    """``namespace:name``; a key without a namespace belongs to the project. Raises ValueError where it is no key."""
    parts = key.split(":")
    if len(parts) == 1:
        parts = [project, key]
    elif len(parts) == 3 and parts[1] == "config":  # how keys were written before 2018, and Pulumi takes them still
        del parts[1]
    if len(parts) > 2 or not all(parts):
        raise ValueError(f"{key!r} is not a config key; write NAME or NAMESPACE:NAME")
    return ":".join(parts)


def parse_schema(project: str, block: Mapping[str, Any], file: str) -> tuple[list[Declaration], list[str]]:
    """The declarations in a ``config:`` block, sorted by key, and what is wrong with it."""
    declarations, problems = [], []
    for written, raw in sorted(block.items()):
        try:
            declarations.append(_declaration(project, written, raw))
        except ValueError as error:
            problems.append(f"{file}: config {written!r}: {error}")
    return declarations, problems


def lookup(config: Mapping[str, Any], declaration: Declaration) -> tuple[bool, Any]:
    """Whether the configuration has a value for the declaration, and which."""
    if declaration.key not in config:
        return False, None
    value = config[declaration.key]
    for step in declaration.path:
        members = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        if step not in members:
            return False, None
        value = members[step]
    return True, value


def apply_default(config: dict[str, Any], declaration: Declaration) -> None:
    """Put the default where the declaration's value belongs. Raises ValueError where that cannot be done."""
    value, steps = declaration.default, declaration.path
    for step in reversed(steps):
        if not isinstance(step, str):
            raise ValueError("a default for an element of an array cannot be set; give the whole array a default")
        value = {step: value}
    if steps and declaration.key in config:
        value = _merged(config[declaration.key], value)
    config[declaration.key] = value


def _declaration(project: str, written: str, raw: Any) -> Declaration:
    key = full_key(project, written)
    namespace, name = key.split(":")
    own = namespace == project
    first, *path = _steps(name)
    place: dict[str, Any] = {"written": written, "key": f"{namespace}:{first}", "path": tuple(path), "own": own}
    if isinstance(raw, bool | int | str | list) or (isinstance(raw, float) and raw.is_integer()):
        return Declaration(**place, default=raw)
    if not isinstance(raw, dict):
        raise ValueError("a short value is text, an integer, a boolean or a list; quote other numbers")
    unknown = sorted(raw.keys() - set(ATTRIBUTES))
    if unknown:
        hint = f"; the attributes are {', '.join(ATTRIBUTES)}" + ("" if own else ", and an object goes under 'value'")
        raise ValueError(f"unknown attribute {unknown[0]!r}{hint}")
    type_, items, default, value = (raw.get(attribute) for attribute in ("type", "items", "default", "value"))
    _check_type(raw, own)
    if default is not None and value is not None:
        raise ValueError("has both 'default' and 'value'; keep one")
    if default is not None and type_ and not _accepts(type_, items, default):
        raise ValueError(f"the default {to_text(default)!r} is not of type {_type_name(type_, items)}")
    return Declaration(
        **place,
        type=type_ or "",
        items=items,
        description=str(raw.get("description") or ""),
        secret=bool(raw.get("secret")),
        default=value if default is None else default,
    )


def _check_type(raw: Mapping[str, Any], own: bool) -> None:
    if not isinstance(raw.get("secret", False), bool | None):
        raise ValueError("'secret' is true or false")
    if not own:
        if raw.get("type") is not None or raw.get("default") is not None:
            raise ValueError("belongs to another namespace, so it takes a 'value', and neither a type nor a default")
        if raw.get("value") is None:
            raise ValueError("belongs to another namespace and needs a 'value'")
        return
    declared: Any = raw
    while declared.get("type") is not None or declared is not raw:
        if declared.get("type") not in TYPES:
            raise ValueError(f"unknown type {declared.get('type')!r}; the types are {', '.join(TYPES)}")
        if declared["type"] != "array":
            return
        declared = declared.get("items")
        if not isinstance(declared, dict):
            raise ValueError("is an array and must say of what: items: {type: string}")


def _accepts(type_: str, items: Mapping[str, Any] | None, value: Any) -> bool:
    if type_ == "string":
        return isinstance(value, str)
    if type_ == "integer":
        if isinstance(value, bool):
            return False
        whole = isinstance(value, float) and value.is_integer()
        return isinstance(value, int) or whole or (isinstance(value, str) and bool(_ATOI.fullmatch(value)))
    if type_ == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if type_ == "object":
        return isinstance(value, dict)
    if not isinstance(value, list) or items is None:
        return False
    return all(_accepts(items["type"], items.get("items"), item) for item in value)


def _type_name(type_: str, items: Mapping[str, Any] | None) -> str:
    return f"array<{_type_name(items['type'], items.get('items'))}>" if type_ == "array" and items else type_


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _merged(base: Any, addition: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(addition, dict):
        raise ValueError("its default cannot be set, because the value above it is not an object")
    result = dict(base)
    for key, value in addition.items():
        result[key] = _merged(result[key], value) if key in result else value
    return result


def _steps(name: str) -> Steps:
    """``a.b[0]["c.d"]`` as its keys and indices."""
    steps: list[str | int] = []
    position = 0
    while position < len(name):
        match = _STEP.match(name, position)
        if not match:
            raise ValueError(f'{name!r} is not a path; quote keys with dots or brackets as in a["b.c"]')
        plain, index, quoted = match.groups()
        steps.append(int(index) if index else plain or re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return tuple(steps)
