"""``aws.iam.get_policy_document``: the policy language as Terraform writes it, byte for byte.

Pure: no call to the cloud. The order of keys, the indentation, ``\\u0026`` for ``&`` and the reversed order of sets
follow what Terraform's provider prints, because programs compare and hash this text.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Function, Properties

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_VERSIONS = ("2008-10-17", "2012-10-17")
# Go's encoder, which Terraform uses, escapes what HTML and JavaScript would misread.
_GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_STATEMENT_KEYS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource")

# A statement as it is merged: the keys above with their final values, "Principal" and "NotPrincipal" as a list of
# (type, identifiers), "Condition" as a list of (test, variable, values).
_Statement = dict[str, Any]
_Document = dict[str, Any]


def _get_policy_document(cloud: Cloud, arguments: Properties) -> Properties:
    for unused in ("sourceJson", "overrideJson"):
        if arguments.get(unused):
            raise ProviderError(f"getPolicyDocument: {unused} has no effect; use {unused[:-4]}PolicyDocuments, a list")
    merged: _Document = {"Version": "", "Id": "", "Statement": []}
    sources = _parsed_all(arguments, "sourcePolicyDocuments")
    _require_unique_sids((s for source in sources for s in source["Statement"]), "sourcePolicyDocuments")
    own = _from_arguments(arguments)
    for document in (*sources, own, *_parsed_all(arguments, "overridePolicyDocuments")):
        _merge(merged, document)
    written = _written(merged)
    text = _go_json(json.dumps(written, indent=2, ensure_ascii=False))
    return {
        **arguments,
        "version": own["Version"],
        "id": str(zlib.crc32(text.encode())),
        "json": text,
        "minifiedJson": _go_json(json.dumps(written, separators=(",", ":"), ensure_ascii=False)),
    }


def _require_unique_sids(statements: Iterable[_Statement], where: str) -> None:
    seen = set()
    for statement in statements:
        sid = statement.get("Sid")
        if sid and sid in seen:
            raise ProviderError(f"getPolicyDocument: {where} has two statements with the sid {sid!r}; make sids unique")
        seen.add(sid)


def _merge(merged: _Document, document: _Document) -> None:
    """Add a document's statements; one with a sid that is there already takes its place."""
    merged["Id"] = document["Id"] or merged["Id"]
    merged["Version"] = max(merged["Version"], document["Version"])
    statements = merged["Statement"]
    for new in document["Statement"]:
        at = next((i for i, old in enumerate(statements) if new.get("Sid") and old.get("Sid") == new["Sid"]), None)
        if at is None:
            statements.append(new)
        else:
            statements[at] = new


# -- from arguments ----------------------------------------------------------------------------------------------------


def _from_arguments(arguments: Properties) -> _Document:
    version = arguments.get("version") or _VERSIONS[-1]
    if version not in _VERSIONS:
        raise ProviderError(f"getPolicyDocument: version {version!r} is none of {', '.join(_VERSIONS)}")
    statements = [_statement(given, version) for given in arguments.get("statements") or []]
    _require_unique_sids(statements, "statements")
    return {"Version": version, "Id": arguments.get("policyId") or "", "Statement": statements}


def _statement(given: Properties, version: str) -> _Statement:
    effect, sid = given.get("effect") or "Allow", given.get("sid") or ""
    if effect not in ("Allow", "Deny"):
        raise ProviderError(f"getPolicyDocument: effect {effect!r} is neither Allow nor Deny")
    if not re.fullmatch("[a-zA-Z0-9]*", sid):
        raise ProviderError(f"getPolicyDocument: sid {sid!r} may hold letters and digits only")
    return {
        "Sid": sid,
        "Effect": effect,
        "Action": _set(given.get("actions")),
        "NotAction": _set(given.get("notActions")),
        "Resource": _variables(_set(given.get("resources")), version),
        "NotResource": _variables(_set(given.get("notResources")), version),
        "Principal": _principals(given.get("principals"), version),
        "NotPrincipal": _principals(given.get("notPrincipals"), version),
        "Condition": [
            (c["test"], c["variable"], [_variables(str(value), version) for value in c.get("values") or []])
            for c in given.get("conditions") or []
        ],
    }


def _set(values: list[str] | None) -> Any:
    """One value as a string, several without repetition from the last to the first; None for none."""
    distinct = sorted(set(values or []), reverse=True)
    return distinct[0] if len(distinct) == 1 else distinct or None


def _principals(given: list[Properties] | None, version: str) -> list[tuple[str, Any]]:
    return [(p["type"], _variables(_set(p.get("identifiers")) or [], version)) for p in given or []]


def _variables(value: Any, version: str) -> Any:
    """``&{aws:username}`` is how a program writes a policy variable that its own language would expand."""
    if isinstance(value, list):
        return [_variables(item, version) for item in value]
    if value is None or "&{" not in value:
        return value
    if version == _VERSIONS[0]:
        raise ProviderError(f"getPolicyDocument: {value!r} uses a policy variable; version {version} has none")
    return value.replace("&{", "${")


# -- from other documents ----------------------------------------------------------------------------------------------


def _parsed_all(arguments: Properties, name: str) -> list[_Document]:
    texts = enumerate(arguments.get(name) or [])
    return [_parsed(text, f"{name}[{i}]") for i, text in texts if text is not None]


def _parsed(text: str, where: str) -> _Document:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ProviderError(f"getPolicyDocument: {where} is not JSON: {error}") from error
    statements = document.get("Statement", []) if isinstance(document, dict) else None
    if not isinstance(statements, list) or not all(isinstance(s, dict) for s in statements):
        raise ProviderError(f"getPolicyDocument: {where} must be an object whose Statement is a list of objects")
    return {
        "Version": document.get("Version", ""),
        "Id": document.get("Id", ""),
        "Statement": [_parsed_statement(statement) for statement in statements],
    }


def _parsed_statement(given: Properties) -> _Statement:
    return {
        **{key: given.get(key) for key in _STATEMENT_KEYS},
        "Principal": _parsed_principals(given.get("Principal")),
        "NotPrincipal": _parsed_principals(given.get("NotPrincipal")),
        "Condition": [
            (test, variable, _parsed_values(values))
            for test, variables in (given.get("Condition") or {}).items()
            for variable, values in variables.items()
            if isinstance(values, str | bool | list)
        ],
    }


def _parsed_principals(given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, str):
        return [("*", ["*"])]
    return list((given or {}).items())


def _parsed_values(values: str | bool | list[str]) -> list[str]:
    if isinstance(values, bool):
        return [str(values).lower()]
    return [values] if isinstance(values, str) else values


# -- writing -----------------------------------------------------------------------------------------------------------


def _written(document: _Document) -> Properties:
    statements = []
    for statement in document["Statement"]:
        written = {key: statement[key] for key in _STATEMENT_KEYS if statement.get(key) not in (None, "")}
        for key in ("Principal", "NotPrincipal"):
            if statement[key]:
                written[key] = _written_principals(statement[key])
        if statement["Condition"]:
            written["Condition"] = _written_conditions(statement["Condition"])
        statements.append(written)
    full = {"Version": document["Version"], "Id": document["Id"], "Statement": statements}
    return {key: value for key, value in full.items() if value}


def _written_principals(principals: list[tuple[str, Any]]) -> Any:
    if len(principals) == 1 and principals[0][0] == "*" and principals[0][1] in ("*", ["*"]):
        return "*"
    by_type: dict[str, Any] = {}
    for kind, identifiers in principals:
        if isinstance(identifiers, str) and kind not in by_type:
            by_type[kind] = identifiers
            continue
        before = by_type.get(kind, [])
        more = [identifiers] if isinstance(identifiers, str) else sorted(identifiers, reverse=True)
        by_type[kind] = [*([before] if isinstance(before, str) else before), *more]
    return dict(sorted(by_type.items()))


def _written_conditions(conditions: list[tuple[str, str, list[str]]]) -> Properties:
    tests: dict[str, dict[str, Any]] = {}
    for test, variable, values in conditions:
        tests.setdefault(test, {}).setdefault(variable, []).extend(values)
    return {
        test: {variable: values[0] if len(values) == 1 else values for variable, values in sorted(variables.items())}
        for test, variables in sorted(tests.items())
    }


def _go_json(text: str) -> str:
    for character, escape in _GO_ESCAPES.items():
        text = text.replace(character, escape)
    return text


FUNCTIONS = (Function(token="aws:iam/getPolicyDocument:getPolicyDocument", call=_get_policy_document),)
