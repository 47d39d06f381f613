"""Property values from and to protobuf ``Struct``, in which the SDK and providers exchange them.

Integral numbers become ``int`` (protobuf has doubles only); secrets and unknowns become :class:`Secret` and
:data:`UNKNOWN`; output values become their value. Assets, archives and resource references stay as they are.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import struct_pb2

from isostack.engine.values import (
    OUTPUT_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_STRING,
    PropertyMap,
    Secret,
)


def from_struct(struct: struct_pb2.Struct) -> PropertyMap:
    """A property map; keys whose value is null are left out, as Pulumi's engine does at the top level."""
    result = {}
    for key, value in struct.fields.items():
        converted = from_value(value)
        if converted is not None:
            result[key] = converted
    return result


def from_value(value: struct_pb2.Value) -> Any:
    """One property value."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == UNKNOWN_STRING else text
    if kind == "bool_value":
        return value.bool_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE_KEY in fields:
            signature = fields[SIGNATURE_KEY].string_value
            if signature == SECRET_SIGNATURE:
                return Secret(from_value(fields["value"]))
            if signature == OUTPUT_SIGNATURE:
                inner = from_value(fields["value"]) if "value" in fields else UNKNOWN
                return Secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
        return {key: from_value(item) for key, item in fields.items()}
    return None


def to_struct(values: PropertyMap) -> struct_pb2.Struct:
    """The ``Struct`` of a property map."""
    struct = struct_pb2.Struct()
    _fill(struct, values)
    return struct


def _fill(struct: struct_pb2.Struct, values: PropertyMap) -> None:
    fields = struct.fields
    for key, value in values.items():
        _set(fields[key], value)


def _set(target: struct_pb2.Value, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, (int, float)):
        target.number_value = value
    elif value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        _fill(target.struct_value, value)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        values = target.list_value.values
        for item in value:
            _set(values.add(), item)
    elif value is UNKNOWN:
        target.string_value = UNKNOWN_STRING
    elif isinstance(value, Secret):
        _fill(target.struct_value, {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value})
    else:
        raise TypeError(f"no property value: {type(value).__name__}")
