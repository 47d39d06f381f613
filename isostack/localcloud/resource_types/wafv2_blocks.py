"""AWS WAF's nested blocks, rules above all, between Pulumi's spelling and the API's, by the shapes of botocore's service model.

Owns the few places where the two differ by more than capital letters, and empty blocks: WAF's blocks speak by being there
(``block: {}``).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from json import loads
from typing import Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties

_SPELLED = {
    ("AddressField", "Identifier"): "identifiers",
    ("AsnMatchStatement", "AsnList"): "asnLists",
    ("ManagedRuleGroupConfig", "AWSManagedRulesAntiDDoSRuleSet"): "awsManagedRulesAntiDdosRuleSet",
    ("PhoneNumberField", "Identifier"): "identifiers",
    ("VisibilityConfig", "CloudWatchMetricsEnabled"): "cloudwatchMetricsEnabled",
}
# A list of blocks with an identifier each in the API, one block with a list of identifiers in Pulumi.
_IDENTIFIERS = {("RequestInspectionACFP", "AddressFields"), ("RequestInspectionACFP", "PhoneNumberFields")}

# By which Pulumi's bridge marks every block that it has checked; so an empty block is not the same as none.
_CHECKED: Properties = {"__defaults": []}


def checked(*properties: str) -> Callable[[Properties], Properties]:
    """The ``complete`` of a type whose blocks, in these properties, may be empty."""
    return lambda inputs: {key: _marked(value) if key in properties else value for key, value in inputs.items()}


def _marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()} or dict(_CHECKED)
    return value


@dataclass(frozen=True)
class Spelling:
    """How the properties of one resource type spell the API's blocks."""

    lists_of_one: frozenset[tuple[str, str]]
    """Members that are one block in the API and a list of one, in the plural, in Pulumi; by their shape."""

    def to_api(self, shape: Any, value: Any) -> Any:
        """The value as the API takes it; ``shape`` is botocore's. Properties that the API lacks are refused by name."""
        kind = shape.type_name
        if kind == "list":
            return [self.to_api(shape.member, item) for item in value if item is not None]
        if kind == "structure":
            members = {self._name(shape.name, member): member for member in shape.members}
            given = {key: item for key, item in value.items() if item not in (None, "", []) and key not in _CHECKED}
            for key in given.keys() - members.keys():
                raise ProviderError(f"wafv2: {key} is not supported on the local cloud; leave it out")
            return {members[key]: self._member_to_api(shape, members[key], item) for key, item in given.items()}
        if kind in ("integer", "long"):
            return int(value)
        return value.encode() if kind == "blob" and isinstance(value, str) else value

    def _member_to_api(self, shape: Any, member: str, value: Any) -> Any:
        if (shape.name, member) in self.lists_of_one:
            value = value[0] or {}
        elif (shape.name, member) in _IDENTIFIERS:
            return [{"Identifier": identifier} for identifier in value["identifiers"]]
        return self.to_api(shape.members[member], value)

    def from_api(self, shape: Any, value: Any) -> Any:
        """The value in Pulumi's spelling."""
        kind = shape.type_name
        if kind == "list":
            return [self.from_api(shape.member, item) for item in value]
        if kind == "structure":
            given = {member: item for member, item in value.items() if item is not None}
            return {self._name(shape.name, member): self._member_from_api(shape, member, item) for member, item in given.items()}
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def _member_from_api(self, shape: Any, member: str, value: Any) -> Any:
        if (shape.name, member) in _IDENTIFIERS:
            return {"identifiers": [item["Identifier"] for item in value]}
        found = self.from_api(shape.members[member], value)
        return [found] if (shape.name, member) in self.lists_of_one else found

    def _name(self, shape: str, member: str) -> str:
        name = _SPELLED.get((shape, member)) or _camel_case(member)
        return f"{name.removesuffix('s')}s" if (shape, member) in self.lists_of_one else name


@cache
def _camel_case(member: str) -> str:
    words = re.findall(r"[A-Z]+[0-9]*(?![a-z])|[A-Z][a-z0-9]*", member)
    return "".join([words[0].lower(), *(word.capitalize() for word in words[1:])])


IN_WEB_ACLS = Spelling(frozenset({("Cookies", "MatchPattern"), ("FieldToMatch", "HeaderOrder"), ("FieldToMatch", "Headers")}))
IN_RULE_GROUPS = Spelling(IN_WEB_ACLS.lists_of_one | {("NotStatement", "Statement")})


def rules_of_json(text: str, property_: str) -> list[Any]:
    """Rules that a program gives as JSON in the API's spelling, with search strings in base64, as boto3 takes them."""
    try:
        rules = loads(text, object_hook=_with_bytes)
    except ValueError as error:
        raise ProviderError(f"wafv2: {property_} is not JSON: {error}") from error
    if not isinstance(rules, list):
        raise ProviderError(f"wafv2: {property_} holds no list of rules; write [{{…}}, …]")
    return rules


def _with_bytes(block: dict[str, Any]) -> dict[str, Any]:
    if isinstance(text := block.get("SearchString"), str):
        block["SearchString"] = b64decode(text)
    return block
