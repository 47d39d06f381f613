"""Reads Pulumi's YAML and JSON files as Pulumi's own parser does, and writes config values as it does.

The CLI and this engine must hand the same text to the same program, so scalars follow Go's ``yaml.v3`` and not PyYAML:
``yes`` and ``1:30`` are text, ``1e3`` and ``0o17`` are numbers, ``0123`` is octal, a key given twice is an error, and
numbers are written as Go's ``encoding/json`` writes them. What the keys of a file mean is left to others.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from isostack.errors import BadInput

if TYPE_CHECKING:
    from yaml import CSafeLoader as _BaseLoader
else:
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

EXTENSIONS: Final = (".json", ".yaml", ".yml")
"""The extensions of project files, in the order in which Pulumi looks for them."""

Scalar = None | bool | int | float | str

_TAG = "tag:yaml.org,2002:"
_KEYWORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIME = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|( ))(\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?(?(4)|(Z|[-+]\d\d:\d\d)))?")


def shown(path: Path) -> str:
    """The path as messages show it: relative to the working directory where it lies below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def read(path: Path) -> dict[str, Any]:
    """The file's mapping, with text keys at every depth; ``{}`` for an empty file.

    Raises BadInput, with line and column, where it is no YAML (or JSON) or holds something other than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown(path)} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"cannot read {shown(path)}: {error.strerror}") from None
    try:
        value = _plain(_parse_json(text, path) if path.suffix == ".json" else _parse_yaml(text, path))
    except RecursionError:
        raise BadInput(f"{shown(path)} holds a value that contains itself; take the alias out") from None
    except ValueError as error:
        raise BadInput(f"{shown(path)}: {error}; put it in quotes") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"{shown(path)} must hold a mapping of keys to values, not {_kind(value)}")
    return value


def to_text(value: Any) -> str:
    """A config value as a program receives it: text as it is, null as ``""``, all else as Go's JSON."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else _go_json(value)


# -- YAML and JSON -----------------------------------------------------------------------------------------------------


class _Loader(_BaseLoader):
    """PyYAML with the scalars of yaml.v3; a tag that it does not know is ignored, as there."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:
            return _TAG + _resolve(value)[0]
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]  # as the stubs have it

    def scalar(self, node: yaml.ScalarNode) -> Scalar:
        wanted = node.tag.removeprefix(_TAG)
        tag, value = _resolve(node.value)
        if tag != wanted and (wanted, tag) != ("float", "int"):
            raise _error(f"{node.value!r} is not of type {wanted}", node)
        return value

    def untagged(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        assert isinstance(node, yaml.MappingNode)  # noqa: S101  # a node is one of three kinds
        return self.construct_mapping(node, deep=True)


for _name in ("null", "bool", "int", "float", "timestamp"):
    _Loader.add_constructor(_TAG + _name, _Loader.scalar)
_Loader.add_constructor(None, _Loader.untagged)


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        loader = _Loader(text)
        if not loader.check_node():
            return None
        node = loader.get_node()  # the first document, as Pulumi reads it
        assert node is not None  # noqa: S101  # check_node said so
        _refuse_repeated_keys(node, set())
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadInput(f"{shown(path)}{where}: {error.problem or error.context}; mend the YAML there") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{shown(path)} is not YAML: {' '.join(str(error).split())}") from None


def _parse_json(text: str, path: Path) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_int=float)  # Go reads every number of an untyped JSON value as a float64
    except json.JSONDecodeError as error:
        raise BadInput(f"{shown(path)}, line {error.lineno}, column {error.colno}: {error.msg}; mend the JSON there") from None


def _refuse_repeated_keys(node: yaml.Node, seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, seen)
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in first:
                    raise _error(f"the key {key.value!r} was given in line {first[key.value]} already", key)
                first[key.value] = line
            _refuse_repeated_keys(value, seen)


def _error(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _resolve(text: str) -> tuple[str, Scalar]:
    """The tag and value of a plain scalar, by the rules of yaml.v3."""
    if text in _KEYWORDS:
        value = _KEYWORDS[text]
        return ("null" if value is None else type(value).__name__), value
    if text == "<<":
        return "merge", text
    if text[0] not in "+-.0123456789":
        return "str", text
    time = _go_time(text)
    if time is not None:
        return "timestamp", time
    plain = text if text[0] == "." else text.replace("_", "")
    integer = _INTEGER.fullmatch(plain)
    if integer:
        sign, *digits = integer.groups()
        number = next(int(part, base) for part, base in zip(digits, (16, 2, 8, 10), strict=True) if part is not None)
        number = -number if sign == "-" else number
        if -(2**63) <= number < (2**63 if sign else 2**64):
            return "int", number
    if _FLOAT.fullmatch(plain) and math.isfinite(float(plain)):
        return "float", float(plain)
    return "str", text


def _go_time(text: str) -> str | None:
    """A YAML timestamp as Go prints a ``time.Time``, which is what Pulumi makes of it; None where it is none."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, _, hour, minute, second, fraction, zone = match.groups()
    moment = [int(part or 0) for part in (year, month, day, hour, minute, second)]
    try:
        datetime(*moment)  # type: ignore[arg-type]  # noqa: DTZ001  # six integers; asked only whether there is such a time
    except ValueError:
        return None
    digits = (fraction or "")[:9].rstrip("0")
    offset = "+0000 UTC" if zone in (None, "Z", "+00:00") else f"{zone} {zone}".replace(":", "")
    date, time = "{:04}-{:02}-{:02}".format(*moment[:3]), "{:02}:{:02}:{:02}".format(*moment[3:])
    return f"{date} {time}{'.' + digits if digits else ''} {offset}"


def _plain(value: Any) -> Any:
    """The value with text keys at every depth. Raises ValueError for what JSON cannot hold."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else to_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, Scalar) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r} is no value that Pulumi takes")
    return value


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"the single value {to_text(value)!r}"


# -- Go's JSON ---------------------------------------------------------------------------------------------------------


def _go_json(value: Any) -> str:
    """Compact JSON with sorted keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_go_string(key)}:{_go_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_go_json, value)) + "]"
    if isinstance(value, str):
        return _go_string(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value < 2**63:
        return str(value)
    return _go_float(float(value))


def _go_string(text: str) -> str:
    # Go escapes what could end a script element or a line of JavaScript.
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _go_float(number: float) -> str:
    if number == 0:
        return "0"
    if not 1e-6 <= abs(number) < 1e21:
        return re.sub(r"e-0(\d)$", r"e-\1", repr(number).replace(".0e", "e"))
    return re.sub(r"\.0$", "", format(Decimal(repr(number)), "f"))
