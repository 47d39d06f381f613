"""Permissions and trust: policy documents, taken apart into what each lets whom do to what, and compared.

Understands documents as strings or objects, single values and lists, NotAction, NotResource and NotPrincipal, wildcards inside
names, conditions. Whom a policy concerns is found through its attachments, whether by ARN, by name or, where these are not known
yet, by what the program's resources depend on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from isostack.engine.state import ResourceState
from isostack.widening.sides import Kind, Side, Widening, as_list, hidden, word

ROLE: Final = "aws:iam/role:Role"
POLICY: Final = "aws:iam/policy:Policy"
_OWNERS: Final = {"role": ROLE, "user": "aws:iam/user:User", "group": "aws:iam/group:Group"}
# Where a policy stands in a resource that says what one owner may do.
_INLINE: Final = {f"aws:iam/{owner}Policy:{owner.title()}Policy": owner for owner in _OWNERS}
_ATTACHMENTS: Final = {f"aws:iam/{owner}PolicyAttachment:{owner.title()}PolicyAttachment": owner for owner in _OWNERS}
_TO_MANY: Final = "aws:iam/policyAttachment:PolicyAttachment"
# Policies of resources: which property says whose it is ("" is itself), and in which property the document stands.
_RESOURCE_POLICIES: Final = {
    "aws:s3/bucketPolicy:BucketPolicy": ("bucket", "policy"),
    "aws:s3/bucket:Bucket": ("", "policy"),
    "aws:s3/bucketV2:BucketV2": ("", "policy"),
    "aws:sqs/queuePolicy:QueuePolicy": ("queueUrl", "policy"),
    "aws:sqs/queue:Queue": ("", "policy"),
    "aws:sns/topicPolicy:TopicPolicy": ("arn", "policy"),
    "aws:sns/topic:Topic": ("", "policy"),
    "aws:kms/key:Key": ("", "policy"),
    "aws:kms/keyPolicy:KeyPolicy": ("keyId", "policy"),
    "aws:secretsmanager/secretPolicy:SecretPolicy": ("secretArn", "policy"),
    "aws:secretsmanager/secret:Secret": ("", "policy"),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": ("repository", "policy"),
    "aws:dynamodb/resourcePolicy:ResourcePolicy": ("resourceArn", "policy"),
    "aws:efs/fileSystemPolicy:FileSystemPolicy": ("fileSystemId", "policy"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("", "policy"),
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": ("policyName", "policyDocument"),
    "aws:opensearch/domain:Domain": ("", "accessPolicies"),
}
_LAMBDA_PERMISSION: Final = "aws:lambda/permission:Permission"
_FUNCTION_URL: Final = "aws:lambda/functionUrl:FunctionUrl"
_OF_GRANTS: Final = ("granteePrincipal", "operations", "keyId", "constraints")
EVERYBODY: Final = "everybody"


@dataclass(frozen=True)
class Grant:
    """What a statement lets one principal (empty: the owner) do; each part is a pattern, or ``not`` and what it is not."""

    principal: str
    action: str
    resource: str
    condition: str
    effect: str = "Allow"

    def covers(self, other: Grant) -> bool:
        """Whether this one lets happen all that the other does."""
        return (
            self.effect == other.effect
            and _covers(self.principal, other.principal)
            and _covers(self.action.lower(), other.action.lower())
            and _covers(self.resource, other.resource)
            and self.condition in ("", other.condition)
        )


@dataclass(frozen=True)
class _Document:
    """A policy: the subject whose permissions it is about, and its text."""

    kind: Kind
    subject: str
    label: str
    urn: str
    value: Any
    verb: str = "may now"


def permissions(before: Side, after: Side) -> Iterator[Widening]:
    """What policies, attachments, boundaries and trusts allow after and not before."""
    old, new = _by_subject(before), _by_subject(after)
    for key, documents in new.items():
        yield from _compared(old.get(key, []), documents)
    for key, documents in old.items():
        if key not in new and after.get(documents[0].subject) is not None:
            yield from _compared(documents, [])
    yield from _attached_by_name(before, after)
    yield from _boundaries(before, after)
    yield from _functions(before, after)
    yield from _members(before, after)
    yield from _granted(before, after)


def _by_subject(side: Side) -> dict[tuple[str, str], list[_Document]]:
    found: dict[tuple[str, str], list[_Document]] = {}
    for document in _documents(side):
        found.setdefault((document.kind, document.subject), []).append(document)
    return found


def _documents(side: Side) -> Iterator[_Document]:
    for resource in side.resources:
        if resource.type == ROLE:
            label = f"role {side.label(resource.urn)}"
            yield _Document("trust", resource.urn, label, resource.urn, resource.inputs.get("assumeRolePolicy"))
            for inline in as_list(resource.inputs.get("inlinePolicies")):
                value = inline.get("policy") if isinstance(inline, Mapping) else inline
                yield _Document("permission", resource.urn, label, resource.urn, value)
        elif owner := _INLINE.get(resource.type):
            subject = side.named(resource, owner, _OWNERS[owner])
            label = f"{owner} {side.label(subject)}"
            yield _Document("permission", subject, label, resource.urn, resource.inputs.get("policy"))
        elif resource.type in _RESOURCE_POLICIES:
            whose, property_ = _RESOURCE_POLICIES[resource.type]
            if property_ in resource.inputs:
                subject, label = _owner(side, resource, whose)
                yield _Document("permission", subject, label, resource.urn, resource.inputs[property_], "lets")
    for subject, label, urn, policy in _attachments(side):
        document = side.get(policy)
        if document is not None:
            yield _Document("permission", subject, label, urn, document.inputs.get("policy"))
    for resource in side.of(POLICY):
        if any(side.named(role, "permissionsBoundary", POLICY) == resource.urn for role in side.of(ROLE)):
            label = f"boundary {side.label(resource.urn)}"
            yield _Document("permission", resource.urn, label, resource.urn, resource.inputs.get("policy"), "now leaves room for")


def _owner(side: Side, resource: ResourceState, whose: str) -> tuple[str, str]:
    """Whose policy it is: the resource itself, or the one that a property names or depends on."""
    if not whose:
        return resource.urn, f"{word(resource.type)} {side.label(resource.urn)}"
    for urn in resource.property_dependencies.get(whose, ()):
        if (found := side.get(urn)) is not None:
            return urn, f"{word(found.type)} {side.label(urn)}"
    given = resource.inputs.get(whose)
    return resource.urn, f"{given if isinstance(given, str) else side.label(resource.urn)}"


def _attachments(side: Side) -> Iterator[tuple[str, str, str, str]]:
    """Subject, label, URN of what attaches, and URN or ARN of the policy."""
    for resource in side.resources:
        if owner := _ATTACHMENTS.get(resource.type):
            subject = side.named(resource, owner, _OWNERS[owner])
            yield subject, f"{owner} {side.label(subject)}", resource.urn, side.named(resource, "policyArn", POLICY)
        elif resource.type == _TO_MANY:
            policy = side.named(resource, "policyArn", POLICY)
            for owner, type_ in _OWNERS.items():
                for name in as_list(resource.inputs.get(f"{owner}s")):
                    subject = side.named(resource, f"{owner}s", type_, name)
                    yield subject, f"{owner} {side.label(subject)}", resource.urn, policy
        elif resource.type == ROLE:
            for arn in as_list(resource.inputs.get("managedPolicyArns")):
                policy = side.named(resource, "managedPolicyArns", POLICY, arn)
                yield resource.urn, f"role {side.label(resource.urn)}", resource.urn, policy


def _attached_by_name(before: Side, after: Side) -> Iterator[Widening]:
    """Policies of which only the name is known here, such as AWS's own."""
    known = {(subject, policy) for subject, _, _, policy in _attachments(before)}
    for subject, label, urn, policy in _attachments(after):
        same = (old := before.get(urn)) is not None and (now := after.get(urn)) is not None and old.inputs == now.inputs
        if same or policy.startswith("urn:"):
            continue
        if not policy or (subject, policy) not in known:
            if policy:
                yield Widening("permission", label, f"{label} may now do all that {policy} allows", urn)
            else:
                yield _cannot_tell("permission", label, urn)


def _boundaries(before: Side, after: Side) -> Iterator[Widening]:
    for role in after.of(ROLE, _OWNERS["user"]):
        old = before.get(role.urn)
        if old is None:
            continue
        was, now = (side.named(one, "permissionsBoundary", POLICY) for side, one in ((before, old), (after, role)))
        if was and was != now:
            label = f"{word(role.type)} {after.label(role.urn)}"
            if hidden(role.inputs.get("permissionsBoundary")) and not now:
                yield Widening("permission", label, f"cannot tell yet which boundary {label} has", role.urn, unsure=True)
                continue
            what = f"the boundary {after.label(now)}" if now else "no boundary any more"
            yield Widening("permission", label, f"{label} now has {what}, in place of {before.label(was)}", role.urn)


def _functions(before: Side, after: Side) -> Iterator[Widening]:
    """Who may call functions: permissions, which are statements of their policies, and public URLs."""
    for one in after.of(_LAMBDA_PERMISSION, _FUNCTION_URL):
        old = before.get(one.urn)
        if old is not None and old.inputs == one.inputs:
            continue
        _, label = _owner(after, one, "function")
        label = label if label.startswith("function") else f"function {label}"
        if one.type == _FUNCTION_URL:
            if hidden(one.inputs.get("authorizationType")):
                yield Widening("network", label, f"cannot tell yet who can call {label}", one.urn, unsure=True)
            elif one.inputs.get("authorizationType") == "NONE":
                yield Widening("network", label, f"{label} can now be called by {EVERYBODY}", one.urn)
            continue
        values = [one.inputs.get(name) for name in ("principal", "action", "sourceArn", "sourceAccount")]
        if hidden(values):
            yield _cannot_tell("permission", label, one.urn)
            continue
        principal, action, *sources = values
        source = next((f" for {value}" for value in sources if value), "")
        yield Widening("permission", label, f"{label} lets {_who(str(principal))} {action}{source}", one.urn)


def _members(before: Side, after: Side) -> Iterator[Widening]:
    """Users that groups take in, and with that all that these may do."""
    known = set(_memberships(before))
    for urn, user, group in _memberships(after):
        if (urn, user, group) not in known or not (user and group):
            label = f"user {after.label(user)}"
            yield Widening("permission", label, f"{label} is now in group {after.label(group)}", urn, not (user and group))


def _memberships(side: Side) -> Iterator[tuple[str, str, str]]:
    """URN, user and group, each of which is empty where it is not known yet."""
    for one in side.of("aws:iam/userGroupMembership:UserGroupMembership"):
        user = side.named(one, "user", _OWNERS["user"])
        yield from (
            (one.urn, user, side.named(one, "groups", _OWNERS["group"], name)) for name in as_list(one.inputs.get("groups"))
        )
    for one in side.of("aws:iam/groupMembership:GroupMembership"):
        group = side.named(one, "group", _OWNERS["group"])
        users = as_list(one.inputs.get("users"))
        yield from ((one.urn, side.named(one, "users", _OWNERS["user"], name), group) for name in users)


def _granted(before: Side, after: Side) -> Iterator[Widening]:
    """Grants of keys, which let a principal use one whatever its policy says."""
    for one in after.of("aws:kms/grant:Grant"):
        old = before.get(one.urn)
        said = [one.inputs.get(name) for name in _OF_GRANTS]
        if old is not None and said == [old.inputs.get(name) for name in _OF_GRANTS]:
            continue
        label = _owner(after, one, "keyId")[1]
        label = label if label.startswith("key") else f"key {label}"
        if hidden(said[:2]):
            yield _cannot_tell("permission", label, one.urn)
        else:
            what = ", ".join(f"kms:{operation}" for operation in as_list(said[1]))
            yield Widening("permission", label, f"{label} lets {_who(str(said[0]))} {what}", one.urn)


# -- comparing ------------------------------------------------------------------------------------------------------------


def _compared(old: list[_Document], new: list[_Document]) -> Iterator[Widening]:
    """What the documents of one subject grant anew, and deny no longer."""
    known = [grant for document in old if not hidden(document.value) for grant in grants(document.value)]
    same = set(known)  # most grants are as they were, and whether another covers one takes long to say
    now: list[Grant] = []
    unsure = False
    for document in new:
        if hidden(document.value):
            unsure = True
            if not any(document.urn == other.urn and document.value == other.value for other in old):
                yield _cannot_tell(document.kind, document.label, document.urn)
            continue
        found = grants(document.value)
        now += found
        fresh = [g for g in found if g.effect == "Allow" and g not in same and not any(other.covers(g) for other in known)]
        yield from _told(document, fresh)
    kept = set(now)
    lost = [g for g in known if g.effect == "Deny" and g not in kept and not any(other.covers(g) for other in now)]
    if lost and not unsure:
        about = (new or old)[0]
        yield from _told(about, lost)


def _told(document: _Document, fresh: list[Grant]) -> Iterator[Widening]:
    together: dict[tuple[str, str, str, str], list[str]] = {}
    for grant in fresh:
        together.setdefault((grant.effect, grant.principal, grant.resource, grant.condition), []).append(grant.action)
    for (effect, principal, resource, condition), actions in together.items():
        what, under = ", ".join(dict.fromkeys(actions)), f" where {condition}" if condition else ""
        on = "" if resource in ("", "*") and document.kind == "trust" else f" on {resource or 'it'}"
        label = document.label
        if effect == "Deny":
            who = f"{_who(principal)} is" if principal else f"{label} is"
            sentence = f"{who} no longer denied {what}{on}{under}" + (f" by {label}" if principal else "")
        elif document.kind == "trust":
            way = "" if what == "sts:AssumeRole" else f" ({what})"
            sentence = f"{label} now trusts {_who(principal)}{way}{under}"
        elif principal:
            sentence = f"{label} now lets {_who(principal)} {what}{on}{under}"
        else:
            verb = "may now" if document.verb == "lets" else document.verb
            sentence = f"{label} {verb} {what}{on}{under}"
        yield Widening(document.kind, label, sentence, document.urn)


def _cannot_tell(kind: Kind, label: str, urn: str) -> Widening:
    about = "whom {} trusts" if kind == "trust" else "what the policy of {} allows"
    return Widening(kind, label, f"cannot tell yet {about.format(label)}: up will know", urn, unsure=True)


def _who(principal: str) -> str:
    if principal in ("*", "AWS:*"):
        return EVERYBODY
    return re.sub("^(AWS|Service|Federated|CanonicalUser):", "", principal)


# -- documents --------------------------------------------------------------------------------------------------------------


def grants(document: Any) -> list[Grant]:
    """A policy's statements in their smallest parts. One that cannot be read grants everything: so it shows."""
    if document in (None, ""):
        return []
    text = document if isinstance(document, str) else json.dumps(document, sort_keys=True)
    return list(_grants(text))


@lru_cache(maxsize=2048)
def _grants(text: str) -> tuple[Grant, ...]:
    try:
        statements = as_list(json.loads(text)["Statement"])
        return tuple(grant for statement in statements for grant in _of(statement))
    except (ValueError, TypeError, KeyError, AttributeError):
        return (Grant("", "whatever an unreadable policy says", "*", ""),)


def _of(statement: Mapping[str, Any]) -> Iterator[Grant]:
    condition = json.dumps(statement["Condition"], sort_keys=True) if statement.get("Condition") else ""
    for principal in _principals(statement):
        for action in _either(statement, "Action"):
            for resource in _either(statement, "Resource") or [""]:
                yield Grant(principal, action, resource, condition, str(statement.get("Effect", "Allow")))


def _principals(statement: Mapping[str, Any]) -> list[str]:
    if "NotPrincipal" in statement:
        return [f"everybody but {json.dumps(statement['NotPrincipal'], sort_keys=True)}"]
    given = statement.get("Principal")
    if given is None:
        return [""]
    if isinstance(given, str):
        return ["*" if given == "*" else f"AWS:{given}"]
    return [f"{kind}:{one}" for kind, values in given.items() for one in as_list(values)]


def _either(statement: Mapping[str, Any], name: str) -> list[str]:
    if f"Not{name}" in statement:
        kept_out = ", ".join(sorted(str(one) for one in as_list(statement[f"Not{name}"])))
        return [f"everything but {kept_out}"]
    return [str(one) for one in as_list(statement.get(name))]


def _covers(wide: str, narrow: str) -> bool:
    """Whether a pattern matches whatever the other one does; ``*`` of the narrow one counts as a letter."""
    if wide in (narrow, "*") or (wide == "AWS:*" and narrow.startswith("AWS:")):
        return True
    if wide.startswith("everything but ") or narrow.startswith("everything but ") or not wide:
        return False
    return ("*" in wide or "?" in wide) and _pattern(wide).fullmatch(narrow) is not None


@lru_cache(maxsize=4096)
def _pattern(wide: str) -> re.Pattern[str]:
    return re.compile(re.escape(wide).replace(r"\*", ".*").replace(r"\?", "[^*]"), re.DOTALL)
