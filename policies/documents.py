"""IAM policy documents: where resources carry them, and what they say.

Owns IAM's grammar: JSON or objects, single values or lists, Not-elements, wildcards, conditions. What is too much is said by the
rules. Conditions narrow a statement and never widen it: a conditional Allow is one, a conditional Deny is none to rely on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

from policies.patterns import all_wild, covers, every_action, every_of_kind, every_resource, matches, matches_action
from policies.resources import UNKNOWN, CannotTell, Resource


class Kind(Enum):
    """What a document is for. A boundary gives nothing: it is the most that other documents can give."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    TRUST = "trust"
    RESOURCE = "resource"
    KEY = "key"


class Unreadable(Exception):
    """A value is no policy document. Its text says what is wrong, without the value."""


# Where documents are, by type of resource; * is each item of a list.
PLACES: Mapping[str, tuple[tuple[str, Kind], ...]] = {
    "aws:iam/policy:Policy": (("policy", Kind.IDENTITY),),
    "aws:iam/rolePolicy:RolePolicy": (("policy", Kind.IDENTITY),),
    "aws:iam/groupPolicy:GroupPolicy": (("policy", Kind.IDENTITY),),
    "aws:iam/userPolicy:UserPolicy": (("policy", Kind.IDENTITY),),
    "aws:iam/role:Role": (("assumeRolePolicy", Kind.TRUST), ("inlinePolicies.*.policy", Kind.IDENTITY)),
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": (("inlinePolicy", Kind.IDENTITY),),
    "aws:kms/key:Key": (("policy", Kind.KEY),),
    "aws:kms/keyPolicy:KeyPolicy": (("policy", Kind.KEY),),
    "aws:kms/externalKey:ExternalKey": (("policy", Kind.KEY),),
    "aws:kms/replicaKey:ReplicaKey": (("policy", Kind.KEY),),
    "aws:kms/replicaExternalKey:ReplicaExternalKey": (("policy", Kind.KEY),),
    **dict.fromkeys(
        (
            "aws:s3/bucket:Bucket",
            "aws:s3/bucketV2:BucketV2",
            "aws:s3/bucketPolicy:BucketPolicy",
            "aws:s3/accessPoint:AccessPoint",
            "aws:s3control/accessPointPolicy:AccessPointPolicy",
            "aws:sqs/queue:Queue",
            "aws:sqs/queuePolicy:QueuePolicy",
            "aws:sns/topic:Topic",
            "aws:sns/topicPolicy:TopicPolicy",
            "aws:secretsmanager/secret:Secret",
            "aws:secretsmanager/secretPolicy:SecretPolicy",
            "aws:ecr/repositoryPolicy:RepositoryPolicy",
            "aws:ecr/registryPolicy:RegistryPolicy",
            "aws:efs/fileSystemPolicy:FileSystemPolicy",
            "aws:backup/vaultPolicy:VaultPolicy",
            "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
            "aws:apigateway/restApi:RestApi",
            "aws:apigateway/restApiPolicy:RestApiPolicy",
            "aws:glue/resourcePolicy:ResourcePolicy",
            "aws:ses/identityPolicy:IdentityPolicy",
        ),
        (("policy", Kind.RESOURCE),),
    ),
    "aws:dynamodb/resourcePolicy:ResourcePolicy": (("policy", Kind.RESOURCE),),
    "aws:kinesis/resourcePolicy:ResourcePolicy": (("policy", Kind.RESOURCE),),
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": (("policyDocument", Kind.RESOURCE),),
    "aws:opensearch/domain:Domain": (("accessPolicies", Kind.RESOURCE),),
    "aws:opensearch/domainPolicy:DomainPolicy": (("accessPolicies", Kind.RESOURCE),),
    "aws:elasticsearch/domain:Domain": (("accessPolicies", Kind.RESOURCE),),
    "aws:ecr/repository:Repository": (("policy", Kind.RESOURCE),),
}
BOUNDARY = "*-boundary"
"""The name of a policy that is a permissions boundary, and no grant. Rules refuse to have one attached."""


def types_with(*kinds: Kind) -> frozenset[str]:
    """The types of resources that carry documents of these kinds."""
    return frozenset(type_ for type_, places in PLACES.items() if any(kind in kinds for _, kind in places))


# -- documents -------------------------------------------------------------------------------------------------------------


ANY_ADDRESS = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Condition:
    """One key of a condition. ``key`` and ``operator`` are in lower case."""

    operator: str
    key: str
    values: tuple[str, ...]

    @property
    def demands(self) -> bool:
        """Whether a request without the key, or with any value at all, fails it."""
        operator = self.operator.removeprefix("foranyvalue:")
        if operator.endswith("ifexists") or ":" in operator or "not" in operator or operator == "null":
            return False
        if operator == "bool":
            return self.values == ("true",)
        return bool(self.values) and not any(all_wild(value) or value in ANY_ADDRESS for value in self.values)

    @property
    def demands_presence(self) -> bool:
        """Whether a request without the key fails it."""
        return self.demands or (self.operator == "null" and self.values == ("false",))


@dataclass(frozen=True)
class Principal:
    """Whom a statement is about. ``kind`` is AWS, Service, Federated or CanonicalUser; anybody is ``AWS`` ``*``."""

    kind: str
    value: str


@dataclass(frozen=True)
class Statement:
    """One statement. ``but_actions`` and the like say that the list is a Not-element's."""

    number: int
    sid: str
    allows: bool
    actions: tuple[str, ...]
    but_actions: bool
    resources: tuple[str, ...]
    but_resources: bool
    principals: tuple[Principal, ...]
    but_principals: bool
    conditions: tuple[Condition, ...]

    @property
    def shown(self) -> str:
        return f"statement {self.sid or self.number}"

    def names(self, action: str) -> bool:
        """Whether it is about an action, spelled out as ``iam:PassRole``."""
        return any(matches_action(pattern, action) for pattern in self.actions) is not self.but_actions

    def names_resource(self, arn: str) -> bool:
        """Whether it is about a resource, spelled out. A statement without resources, as of trust, is about its own."""
        if not self.resources and not self.but_resources:
            return True
        return any(matches(pattern, arn) for pattern in self.resources) is not self.but_resources

    @cached_property
    def every_action(self) -> bool:
        """Whether it is about all actions, or all but some."""
        return any(map(every_action, self.actions)) is not self.but_actions

    @cached_property
    def every_resource(self) -> bool:
        """Whether it is about all resources, or all but some."""
        return any(map(every_resource, self.resources)) is not self.but_resources

    @cached_property
    def every_of_kind(self) -> bool:
        """Whether, among others, it is about resources that it does not name."""
        if self.but_resources:
            return self.every_resource
        return any(map(every_of_kind, self.resources))

    def held_by(self, *keys: str) -> bool:
        """Whether a condition demands a value of one of these keys; one that ends with ``/`` or ``:`` stands for all below it."""
        return any(
            condition.demands and any(_is_key(condition.key, key.lower()) for key in keys) for condition in self.conditions
        )


def _is_key(key: str, wanted: str) -> bool:
    return key.startswith(wanted) if wanted[-1] in "/:" else key == wanted


@dataclass(frozen=True)
class Document:
    """A policy document. ``where`` is the property that holds it."""

    where: str
    kind: Kind
    statements: tuple[Statement, ...]

    @property
    def allowing(self) -> Iterator[Statement]:
        return (statement for statement in self.statements if statement.allows)

    def grants(self, statement: Statement, action: str) -> bool:
        """Whether one of its Allow statements gives an action, and no other statement takes it away again altogether."""
        return statement.names(action) and not any(_takes_away(other, statement, action) for other in self.statements)

    def may(self, action: str, arn: str) -> bool:
        """Whether it lets an action be done to a resource, if all of its conditional Allow statements apply."""
        about = [one for one in self.statements if one.names(action) and one.names_resource(arn)]
        return any(one.allows for one in about) and not any(not one.allows and not one.conditions for one in about)


def _takes_away(other: Statement, statement: Statement, action: str) -> bool:
    if other.allows or other.conditions or other.but_principals or not other.names(action):
        return False
    if other.principals and not any(principal.value == "*" for principal in other.principals):
        return False
    if other.every_resource and not other.but_resources:
        return True
    if other.but_resources or statement.but_resources:
        return False
    return bool(statement.resources) and all(
        any(covers(pattern, resource) for pattern in other.resources) for resource in statement.resources
    )


def documents(resource: Resource, *kinds: Kind) -> Iterator[Document]:
    """The documents of these kinds that a resource carries, unreadable ones apart. Raises CannotTell, after the known ones."""
    for document in _documents(resource, kinds):
        if isinstance(document, Document):
            yield document


def allowing(resource: Resource, *kinds: Kind) -> Iterator[tuple[Document, Statement]]:
    """The statements that allow, each with its document. Raises CannotTell as ``documents`` does."""
    for document in documents(resource, *kinds):
        for statement in document.allowing:
            yield document, statement


def unreadable(resource: Resource, *kinds: Kind) -> Iterator[str]:
    """What is wrong with documents that cannot be read, and that no rule can judge therefore. Raises CannotTell at the end."""
    for document in _documents(resource, kinds):
        if isinstance(document, str):
            yield document


def _documents(resource: Resource, kinds: tuple[Kind, ...]) -> Iterator[Document | str]:
    unknown = None
    for place, kind in PLACES.get(resource.type, ()):
        actual = Kind.BOUNDARY if kind is Kind.IDENTITY and is_boundary(resource) else kind
        for where, value in _values(resource.props, place.split("."), "") if actual in kinds else ():
            try:
                if value is not None and value != "":
                    yield Document(where, actual, parsed(value))
            except CannotTell:
                unknown = where
            except Unreadable as error:
                yield f"{where} is no policy document: {error}"
    if unknown:
        raise CannotTell(unknown)


def is_boundary(resource: Resource) -> bool:
    """Whether a managed policy has the name of a boundary. An automatic name is none: it ends at random."""
    name = resource.props.get("name")
    return resource.type == "aws:iam/policy:Policy" and isinstance(name, str) and matches(BOUNDARY, name)


def _values(value: Any, steps: list[str], where: str) -> Iterator[tuple[str, Any]]:
    if value is UNKNOWN or not steps:
        yield where, value
    elif steps[0] == "*":
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            yield from _values(item, steps[1:], f"{where}[{index}]")
    elif isinstance(value, Mapping) and value.get(steps[0]) is not None:
        yield from _values(value[steps[0]], steps[1:], f"{where}.{steps[0]}".lstrip("."))


def parsed(value: Any) -> tuple[Statement, ...]:
    """The statements of a document, given as JSON or as an object. Raises Unreadable and CannotTell."""
    if value is UNKNOWN:
        raise CannotTell
    if isinstance(value, str):
        return _of_text(value)
    return _statements(value)


@lru_cache(maxsize=1024)
def _of_text(text: str) -> tuple[Statement, ...]:
    try:
        return _statements(json.loads(text))
    except ValueError:
        raise Unreadable("it is no JSON") from None


def _statements(document: Any) -> tuple[Statement, ...]:
    if not isinstance(document, Mapping):
        raise Unreadable("it is no object")
    given = _member(document, "Statement")
    if given is None:
        raise Unreadable("it has no Statement")
    items = given if isinstance(given, list) else [given]
    return tuple(_statement(number, item) for number, item in enumerate(items, 1))


def _statement(number: int, given: Any) -> Statement:
    if given is UNKNOWN:
        raise CannotTell
    if not isinstance(given, Mapping):
        raise Unreadable(f"statement {number} is no object")
    effect = _member(given, "Effect")
    if effect is UNKNOWN:
        raise CannotTell
    if effect not in ("Allow", "Deny"):
        raise Unreadable(f"the Effect of statement {number} is neither Allow nor Deny")
    actions, but_actions = _either(given, "Action", number)
    resources, but_resources = _either(given, "Resource", number)
    if not actions:
        raise Unreadable(f"statement {number} has no Action")
    but_principals = _member(given, "NotPrincipal") is not None
    sid = _member(given, "Sid")
    return Statement(
        number=number,
        sid=sid if isinstance(sid, str) else "",
        allows=effect == "Allow",
        actions=actions,
        but_actions=but_actions,
        resources=resources,
        but_resources=but_resources,
        principals=_principals(_member(given, "NotPrincipal" if but_principals else "Principal"), number),
        but_principals=but_principals,
        conditions=_conditions(_member(given, "Condition"), number),
    )


def _member(given: Mapping[str, Any], name: str) -> Any:
    """An element of a document; also in the spelling of Pulumi's arguments, which IAM takes as well: case does not count."""
    if name in given:
        return given[name]
    return next((value for key, value in given.items() if key.lower() == name.lower()), None)


def _either(given: Mapping[str, Any], name: str, number: int) -> tuple[tuple[str, ...], bool]:
    plain, negated = _member(given, name), _member(given, f"Not{name}")
    if plain is not None and negated is not None:
        raise Unreadable(f"statement {number} has {name} and Not{name}")
    return _texts(plain if negated is None else negated, f"{name} of statement {number}"), negated is not None


def _texts(value: Any, what: str) -> tuple[str, ...]:
    """A value or a list of values as texts, with true and false as JSON has them."""
    items = value if isinstance(value, list) else [] if value is None else [value]
    found = []
    for item in items:
        if item is UNKNOWN:
            raise CannotTell
        if not isinstance(item, (str, bool, int, float)):
            raise Unreadable(f"the {what} is neither a text nor a list of texts")
        found.append(str(item).lower() if isinstance(item, bool) else str(item))
    return tuple(found)


def _principals(given: Any, number: int) -> tuple[Principal, ...]:
    if given is None:
        return ()
    if given is UNKNOWN:
        raise CannotTell
    if isinstance(given, str):
        return (Principal("AWS", given),)
    if not isinstance(given, Mapping):
        raise Unreadable(f"the Principal of statement {number} is neither * nor an object")
    return tuple(
        Principal(kind, value) for kind, values in given.items() for value in _texts(values, f"Principal of statement {number}")
    )


def _conditions(given: Any, number: int) -> tuple[Condition, ...]:
    if given is None:
        return ()
    if given is UNKNOWN:
        raise CannotTell
    if isinstance(given, Mapping) and any(keys is UNKNOWN for keys in given.values()):
        raise CannotTell
    if not isinstance(given, Mapping) or not all(isinstance(keys, Mapping) for keys in given.values()):
        raise Unreadable(f"the Condition of statement {number} is no object of objects")
    return tuple(
        Condition(operator.lower(), key.lower(), _texts(values, f"Condition of statement {number}"))
        for operator, keys in given.items()
        for key, values in keys.items()
    )
