"""A package's schema as far as the local cloud serves it, from the types of Pulumi's SDK: ``pulumi import`` writes code by it.

Owns names and types of properties; descriptions, functions and defaults are left out. Loading the SDK's classes takes a second or
two, so a schema is made when it is asked for.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final, get_args, get_origin

from isostack.engine.sdk_imports import name_by_name
from isostack.localcloud.resource_types import all_rows
from isostack.localcloud.resource_types.row import ResourceType

_FOLDERS: Final = {"lambda": "lambda_"}
_PLAIN: Final = {str: "string", bool: "boolean", int: "integer", float: "number"}
_ANY: Final = {"$ref": "pulumi.json#/Any"}


@cache
def schema_of(package: str, version: str) -> dict[str, Any]:
    """The schema of a package, for ``json.dumps``."""
    types: dict[str, Any] = {}
    rows = [row for row in all_rows()[0] if row.token.startswith(f"{package}:")]
    with name_by_name():
        resources = {row.token: found for row in rows if (found := _resource(row, package, types))}
    return {
        "name": package,
        "version": version,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},
        "language": {"python": {}},
        "resources": resources,
        "types": types,
    }


def _resource(row: ResourceType, package: str, types: dict[str, Any]) -> dict[str, Any] | None:
    """A resource type; None where the SDK has no such class."""
    from pulumi._types import input_type_types

    module, _, name = row.token.removeprefix(f"{package}:").partition(":")
    folder = module.partition("/")[0]
    place = f"pulumi_{package}" if folder == "index" else f"pulumi_{package}.{_FOLDERS.get(folder, folder)}"
    arguments = getattr(import_module(place), f"{name}Args", None)
    if arguments is None:
        return None
    found = input_type_types(arguments)
    inputs = {key: _type(type_, folder, types, package) for key, type_ in found.items()}
    return {"inputProperties": inputs, "requiredInputs": [*row.required], "properties": inputs}


def _type(type_: Any, folder: str, types: dict[str, Any], package: str) -> dict[str, Any]:
    """A property's type; the types of objects are put into ``types``."""
    from pulumi import Archive, Asset
    from pulumi._types import input_type_types, is_input_type, unwrap_type

    type_ = unwrap_type(type_)
    origin, parts = get_origin(type_), get_args(type_)
    if type_ in _PLAIN:
        return {"type": _PLAIN[type_]}
    if origin in (list, Sequence):
        return {"type": "array", "items": _type(parts[0], folder, types, package)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _type(parts[1], folder, types, package)}
    if parts:  # the text or an enumeration, an object as a class or as a dictionary
        chosen = next((part for part in parts if inspect.isclass(part) and is_input_type(part)), parts[0])
        return _type(chosen, folder, types, package)
    if not inspect.isclass(type_):
        return _ANY
    if issubclass(type_, enum.Enum):
        return {"type": "string"}
    if issubclass(type_, Archive | Asset):
        return {"$ref": f"pulumi.json#/{'Archive' if issubclass(type_, Archive) else 'Asset'}"}
    if not is_input_type(type_):
        return _ANY
    name = type_.__name__.removesuffix("Args")
    token = f"{package}:{folder}/{name}:{name}"
    if token not in types:
        types[token] = {"type": "object"}  # for one that holds itself
        types[token]["properties"] = {key: _type(inner, folder, types, package) for key, inner in input_type_types(type_).items()}
    return {"$ref": f"#/types/{token}"}
