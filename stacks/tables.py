"""Values for all environments and tables with one for each: which there are in a document, and what comes out of them.

A field may be a table only where the model declares it, with :class:`PerEnvironment`. Owns finding the tables, taking a
column of each, and validating what comes out, all problems at once. The fields themselves are :mod:`stacks.model`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails

from stacks.documents import Document, Problem, Steps, nearest
from stacks.units import Quantity, Unit

ENVIRONMENTS = ("dev", "integration", "staging", "production")
Wrong = tuple[Steps, str, str]
"""A check's finding: steps from the object that was checked, what is wrong there, and how to mend it."""


@dataclass(frozen=True)
class PerEnvironment:
    """Declares that a field may be a table. Staging's value must be production's, unless one of these says otherwise.

    ``staging`` is the reason why staging may differ. ``own`` is for what makes an environment itself: account, addresses, names.
    """

    staging: str | None = None
    own: bool = False

    @property
    def reason(self) -> str:
        """Why staging may differ from production; empty where it may not."""
        return self.staging or ("each environment has its own" if self.own else "")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        one = handler(schema)
        columns = dict.fromkeys(ENVIRONMENTS, one)
        table = {"type": "object", "properties": columns, "required": list(ENVIRONMENTS), "additionalProperties": False}
        return {"anyOf": [one, table]}


class Area(BaseModel):
    """What belongs together in a parameter set. Its checks see only the fields that are valid by themselves."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)

    def values(self) -> dict[str, Any]:
        """The fields as the component takes them: plain numbers in its units, under its names."""
        return dict(_plain(name, getattr(self, name), field) for name, field in type(self).model_fields.items())

    def has(self, *names: str) -> bool:
        """Whether all these fields are valid by themselves."""
        return self.model_fields_set.issuperset(names)

    def check(self) -> Iterator[Wrong]:
        """What is wrong between fields."""
        yield from ()


M = TypeVar("M", bound=Area)


def _plain(name: str, value: Any, field: FieldInfo) -> tuple[str, Any]:
    inner = value.values() if isinstance(value, dict) else [value]
    if not any(isinstance(item, Quantity) for item in inner):
        return name, value
    annotations = [*field.metadata, *(m for argument in get_args(field.annotation) for m in get_args(argument))]
    unit = next(item for item in annotations if isinstance(item, Unit))
    if isinstance(value, dict):
        return f"{name}_{unit.suffix}", {key: item.within(unit.unit) for key, item in value.items()}
    return f"{name}_{unit.suffix}", value.within(unit.unit)


@dataclass(frozen=True)
class Table:
    """A field with a value for each environment, as the document has it; ``line`` is the table's own."""

    path: str
    steps: Steps
    values: Mapping[str, Any]
    line: int
    marker: PerEnvironment


def find_tables(document: Document, model: type[Area]) -> tuple[dict[str, Table], list[Problem]]:
    """The document's tables by path, and what is wrong with them. Missing columns are filled, so that reading can go on."""
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for steps, values, marker in _scan(document.value, model, None, ()):
        missing = [environment for environment in ENVIRONMENTS if environment not in values]
        if marker is None:
            what = "differs by environment, and only fields that the model declares so may"
            problems.append(document.problem(steps, what, "write one value for all environments"))
        elif missing:
            problems.append(document.problem(steps, f"the table has no {' and no '.join(missing)}", "give each a value"))
        for other in values.keys() - set(ENVIRONMENTS):
            problems.append(document.problem((*steps, other), "is no environment", nearest(other, ENVIRONMENTS)))
        given = next(values[environment] for environment in reversed(ENVIRONMENTS) if environment in values)
        columns = {environment: values.get(environment, given) for environment in ENVIRONMENTS}
        path = ".".join(map(str, steps))
        tables[path] = Table(path, steps, columns, document.line(steps), marker or PerEnvironment(own=True))
        unlike = marker and not missing and not marker.reason and values["staging"] != values["production"]
        if unlike:
            what = f"staging has {values['staging']!r}, and production {values['production']!r}"
            mend = "give both the same, for staging is production in all but name"
            problems.append(document.problem((*steps, "staging"), what, mend))
    return tables, problems


def _scan(
    value: Any, annotation: Any, marker: PerEnvironment | None, steps: Steps
) -> Iterator[tuple[Steps, dict[str, Any], PerEnvironment | None]]:
    """Every mapping with environments for keys, and the marker of its field."""
    if not isinstance(value, dict):
        return
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        marker = next((item for item in metadata if isinstance(item, PerEnvironment)), marker)
    if not set(ENVIRONMENTS).isdisjoint(value):
        yield steps, value, marker
    elif _is_model(annotation):
        for name, item in value.items():
            if field := annotation.model_fields.get(name):
                own = next((m for m in field.metadata if isinstance(m, PerEnvironment)), None)
                yield from _scan(item, field.annotation, own, (*steps, name))
    elif get_origin(annotation) is dict:
        for name, item in value.items():
            yield from _scan(item, get_args(annotation)[1], None, (*steps, name))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def column(document: Document, tables: Mapping[str, Table], chosen: Mapping[str, str]) -> dict[str, Any]:
    """The document's value with each table replaced by the value of the environment that is chosen for its path."""
    by_steps = {table.steps: table for table in tables.values()}

    def pick(value: Any, steps: Steps) -> Any:
        if table := by_steps.get(steps):
            value = table.values[chosen[table.path]]
        if isinstance(value, dict):
            return {key: pick(item, (*steps, key)) for key, item in value.items()}
        # A strict, frozen model holds tuples, and takes nothing else for them.
        return tuple(pick(item, (*steps, index)) for index, item in enumerate(value)) if isinstance(value, list) else value

    picked: dict[str, Any] = pick(document.value, ())
    return picked


def validate(document: Document, tables: Mapping[str, Table], model: type[M]) -> tuple[dict[str, M], list[Problem]]:
    """The model of each environment, and everything that is wrong in any, by itself or between fields.

    Where something is wrong, the models hold what is valid by itself.
    """
    instances = {}
    found: dict[Wrong, list[str]] = {}
    for environment in ENVIRONMENTS:
        instances[environment], wrong = _examine(model, column(document, tables, dict.fromkeys(tables, environment)))
        for finding in dict.fromkeys(wrong):
            found.setdefault(finding, []).append(environment)
    return instances, [problem for finding in found for problem in _problems(document, tables, finding, found[finding])]


def _problems(document: Document, tables: Mapping[str, Table], finding: Wrong, environments: list[str]) -> Iterator[Problem]:
    """A finding at its columns; what is wrong in all environments alike, such as a field's name, is no column's."""
    steps, what, mend = finding
    if len(environments) == len(ENVIRONMENTS):
        yield document.problem(steps, what, mend)
    else:
        yield from (document.problem(written(tables, environment, steps), what, mend) for environment in environments)


def written(tables: Mapping[str, Table], environment: str, steps: Steps) -> Steps:
    """Where the document says what an environment has at these steps: the same, or in the environment's column of a table."""
    for table in tables.values():
        length = len(table.steps)
        if steps[:length] == table.steps:
            return (*table.steps, environment, *steps[length:])
    return steps


def _examine(model: type[M], data: dict[str, Any]) -> tuple[M, list[Wrong]]:
    try:
        instance = model.model_validate(data)
    except ValidationError as error:
        found = [_finding(model, data, details) for details in error.errors(include_url=False)]
        instance = _valid_part(model, data, [steps for steps, _, _ in found])
        return instance, [*found, *_checks(instance)]
    return instance, list(_checks(instance))


def _valid_part(model: Any, data: dict[str, Any], wrong: list[Steps]) -> Any:
    """A model of the fields that nothing is wrong with, and of such models."""
    valid = {}
    for name, field in model.model_fields.items():
        beneath = [steps[1:] for steps in wrong if steps and steps[0] == name]
        value = data.get(name)
        if name not in data and not field.is_required():
            continue
        if not beneath:
            valid[name] = getattr(_alone(model, name).model_validate({name: value}), name)
        elif isinstance(value, dict) and _is_model(field.annotation) and () not in beneath:
            valid[name] = _valid_part(field.annotation, value, beneath)
        elif isinstance(value, dict) and get_origin(field.annotation) is dict and () not in beneath:
            inner = get_args(field.annotation)[1]
            if _is_model(inner):
                parts = {key: [steps[1:] for steps in beneath if steps[0] == key] for key in value}
                valid[name] = {key: _valid_part(inner, value[key], parts[key]) for key in value if () not in parts[key]}
    return model.model_construct(**valid)


@cache
def _alone(model: type[Area], name: str) -> type[Area]:
    """A model of a single field of the model."""
    field = model.model_fields[name]
    fields: Any = {name: (field.annotation, field)}
    return create_model("Alone", __base__=Area, **fields)


def _checks(value: Any, steps: Steps = ()) -> Iterator[Wrong]:
    """What the checks of a model find, and of all within it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _checks(item, (*steps, key))
    elif isinstance(value, BaseModel):
        if isinstance(value, Area):
            yield from (((*steps, *at), what, mend) for at, what, mend in value.check())
        for name in value.model_fields_set:
            yield from _checks(getattr(value, name), (*steps, name))


_WORDING = {
    "missing": ("is missing", "write it; nothing has a default"),
    "string_type": ("{input} is no text", "write it in quotes"),
    "int_type": ("{input} is no whole number", "write digits, without quotes"),
    "bool_type": ("{input} is neither true nor false", "write true or false"),
    "tuple_type": ("{input} is no list", "write a list: [a, b]"),
    "dict_type": ("{input} is no mapping", "write names and values: {{name: value}}"),
    "model_type": ("{input} is no mapping", "write its fields below it"),
    "literal_error": ("{input} is unknown", "choose {expected}"),
    "greater_than_equal": ("{input} is too small", "choose {ge} or more"),
    "less_than_equal": ("{input} is too large", "choose {le} or less"),
    "too_short": ("has too few entries", "give {min_length} or more"),
    "string_pattern_mismatch": ("{input} is not written as it must be", "it must match {pattern}"),
}


def _finding(model: type[Area], data: Any, details: ErrorDetails) -> Wrong:
    """Pydantic's finding in our words."""
    steps: Steps = tuple(step for step in details["loc"] if step != "[key]")
    context = details.get("ctx", {})
    if details["type"] == "parameter":
        return steps, str(context["what"]), str(context["mend"])
    if details["type"] == "extra_forbidden":
        return steps, "is no parameter", nearest(str(steps[-1]), _names(model, steps[:-1]))
    what, mend = _WORDING.get(details["type"], ("{input} is not valid", details["msg"].replace("{", "{{").replace("}", "}}")))
    return steps, what.format(input=repr(details["input"])), mend.format(**context)


def _names(model: type[Area], steps: Steps) -> list[str]:
    """The fields of the model that lies at these steps."""
    inner: Any = field_of(model, steps).annotation if steps else model
    if get_origin(inner) is dict:
        inner = get_args(inner)[1]
    return list(inner.model_fields)


def field_of(model: type[Area], steps: Steps) -> FieldInfo:
    """The innermost field on the way to these steps, which lie in a valid document or in one with unknown names at its ends."""
    annotation: Any = model
    found = FieldInfo(annotation=model)
    for step in steps:
        if _is_model(annotation):
            found = annotation.model_fields[str(step)]
            annotation = found.annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
    return found
