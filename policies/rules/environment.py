"""Rules on environment: what no other pack has; they look at a whole stack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pulumi_policy import Severity

from policies.references import References
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.role_chains import ROLE, RoleChains
from policies.rule import DISABLED, EVERYWHERE, MANDATORY, STRICTEST, Area, Example, Finding, Given, Levels, Rule, Settings
from policies.rules.data import LIKE_PRODUCTION

STEADY = Levels(dev=DISABLED, integration=MANDATORY, staging=MANDATORY, production=MANDATORY)
"""For what only an environment that nobody relies on may be."""

PROVIDERS = ("pulumi:providers:aws", "pulumi:providers:aws-native")
ACCOUNTS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "default": {
        "dev": "111111111111",
        "integration": "222222222222",
        "staging": "333333333333",
        "production": "444444444444",
    },
    "description": "The account of each environment, as the judge knows it",
}
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+")


# -- accounts ------------------------------------------------------------------------------------------------------------


def _own_account(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    environment = settings.environment
    own = settings.options["accounts"].get(environment)
    allowed = _structure(resource.get("allowedAccountIds", ()))
    if not allowed:
        yield "allowedAccountIds is not given: it would work in whatever account its credentials are of"
    elif own is None:
        if len(allowed) > 1:
            yield f"allowedAccountIds has {len(allowed)} accounts, and an environment has one"
    elif wrong := [str(one) for one in allowed if str(one) != own]:
        yield f"allowedAccountIds has {', '.join(wrong)}, and the account of {environment} is {own}"
    assumed = [*_structure(resource.get("assumeRoles", ())), *_structure(resource.get("assumeRole", ()))]
    for role in assumed:
        arn = UNKNOWN if role is UNKNOWN else role.get("roleArn", role.get("role_arn"))
        if arn is UNKNOWN:
            raise CannotTell("assumeRoles")
        account = _ROLE_ARN.fullmatch(arn or "")
        expected = own or (str(allowed[0]) if allowed else None)
        if account and expected and account[1] != expected:
            yield f"it becomes {arn}, and the account of {environment} is {expected}"


def _structure(value: Any) -> Sequence[Any]:
    """A list of a provider's configuration: all that is no text is JSON there. One thing stands for a list of it."""
    given = json.loads(value) if isinstance(value, str) else value
    return given if isinstance(given, (list, tuple)) else [given]


# -- others' secrets -----------------------------------------------------------------------------------------------------

STACK_REFERENCE = "pulumi:pulumi:StackReference"
_SECRET_ARN = re.compile(
    r"arn:aws[a-z-]*:(?:secretsmanager:[^:\s]*:(\d{12}):secret:|ssm:[^:\s]*:(\d{12}):parameter/)([^\s\"',*?]*)"
)
_PRODUCTION = re.compile(r"(?<![a-z0-9])prod(uction)?(?![a-z0-9])", re.IGNORECASE)
# Where a property names a secret, it may do so without an ARN.
NAMING = {
    "aws:secretsmanager/secretVersion:SecretVersion": "secretId",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "secretArn",
    "aws:secretsmanager/secretRotation:SecretRotation": "secretId",
    "aws:ssm/parameter:Parameter": "name",
}


def _others_secret(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    others = {account: name for name, account in settings.options["accounts"].items() if name != settings.environment}
    for resource in resources:
        for path, text in _texts(resource.props):
            for match in _SECRET_ARN.finditer(text):
                owner = others.get(match[1] or match[2]) or _of_production(match[3], settings)
                if owner:
                    yield Finding(what=f"{path} names {match[3]}, a secret of {owner}", resource=resource)
        name = resource.peek(NAMING.get(resource.type, ""))
        if isinstance(name, str) and not name.startswith("arn:") and _of_production(name, settings):
            yield Finding(what=f"it names {name}, a secret of {STRICTEST}", resource=resource)
        if resource.type == STACK_REFERENCE:
            stack = resource.peek("name") or resource.name
            if isinstance(stack, str) and _of_production(stack.rpartition("/")[2], settings):
                yield Finding(what=f"it reads the outputs of {stack}, also those that are secret", resource=resource)


def _of_production(name: str, settings: Settings) -> str | None:
    """Production's name, where something is called after it in another environment."""
    return STRICTEST if settings.environment != STRICTEST and _PRODUCTION.search(name) else None


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a value, with where they stand. What is not known comes from this stack, and is looked at when it is."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{path}[{number}]")


# -- options for dev alone -----------------------------------------------------------------------------------------------

# Options that remove what others rely on, by property: when they do, and what they do.
DEV_ONLY: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "forceDestroy": (bool, "is on: it is deleted with all that is in it"),
    "forceDelete": (bool, "is on: it is deleted with all that is in it"),
    "skipFinalSnapshot": (bool, "is on: it is deleted without a last snapshot"),
    "recoveryWindowInDays": (lambda days: int(days) == 0, "is 0: once deleted, it cannot be had back"),
}


def _dev_only(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    for resource in resources:
        for name, (is_on, words) in DEV_ONLY.items():
            value = resource.peek(name)
            if value is UNKNOWN:
                yield Finding(what=f"{name} is not known", resource=resource, unsure=True)
            elif value is not None and is_on(value):
                yield Finding(what=f"{name} {words}", resource=resource)


# -- what can be thrown away ---------------------------------------------------------------------------------------------

DISPOSABLE = "isostack:disposable_dev_stack:DisposableDevStack"
MARKS = ("playground", "expires")
OWNER, END = "owner", "expires"


def _disposable_parts(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """What says that a stack, or itself, can be thrown away; and how. Raises CannotTell after all that is known."""
    for resource in resources:
        if resource.type == DISPOSABLE:
            yield resource, "it is a disposable stack"
        for mark in MARKS:
            if _tags(resource).get(mark) is not None:
                yield resource, f"its tag {mark} says that it can be thrown away"
    if any(resource.peek("tags") is UNKNOWN for resource in resources):
        raise CannotTell("tags")


def _tags(resource: Resource) -> Mapping[str, Any]:
    tags = resource.peek("tags")
    return tags if isinstance(tags, Mapping) else {}


def _not_disposable(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    for resource, how in _disposable_parts(resources):
        yield Finding(what=f"{how}, and people rely on {settings.environment}", resource=resource)


def _owned(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    """Of a disposable stack everything has owner and end: what sweeps up sees single resources, and no stack."""
    if not any(_disposable_parts(resources)):
        return
    for resource in resources:
        if resource.peek("tags") is None:
            continue
        for tag in (OWNER, END):
            value = UNKNOWN if resource.peek("tags") is UNKNOWN else _tags(resource).get(tag)
            if value is UNKNOWN:
                yield Finding(what=f"its tag {tag} is not known", resource=resource, unsure=True)
            elif not value:
                yield Finding(what=f"it can be thrown away, and has no tag {tag}", resource=resource)
            elif tag == END and not _is_time(value):
                yield Finding(what=f"its tag {END} is {value}, and no time", resource=resource)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


# -- roles ---------------------------------------------------------------------------------------------------------------


def _role_chains(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    roles = RoleChains(References(resources))
    try:
        for chain in roles.chains():
            way = " → ".join(role.name for role in chain)
            yield Finding(what=f"people who enter {chain[0].name} can become it: {way}", resource=chain[-1])
    except CannotTell as error:
        yield Finding(what=f"{error.path or 'a policy'} of a role is not known", unsure=True)


# -- examples ------------------------------------------------------------------------------------------------------------


def _provider(account: str) -> tuple[Given, ...]:
    role = {"roleArn": "arn:aws:iam::444444444444:role/isostack-entry"}
    props = {"region": "eu-west-1", "allowedAccountIds": [account], "assumeRoles": [role]}
    return (Given(type=PROVIDERS[0], name="account", props=props),)


def _role(name: str, principal: str) -> Given:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    arn = f"arn:aws:iam::444444444444:role/{name}"
    return Given(type=ROLE, name=name, props={"arn": arn, "name": name, "assumeRolePolicy": {"Statement": [statement]}})


def _roles(second: str) -> tuple[Given, ...]:
    return _role("operations", "arn:aws:iam::999999999999:role/operations"), _role("migrations", second)


def _bucket(**props: Any) -> tuple[Given, ...]:
    return (Given(type="aws:s3/bucket:Bucket", name="invoices", props={"tags": {"owner": "shop"}, **props}),)


_ENDS = {"owner": "ada", "expires": "2030-01-31T18:00:00+00:00", "playground": "ada-search"}
_SECRET = "arn:aws:secretsmanager:eu-west-1:{account}:secret:shop-database-url"  # noqa: S105 - a name


def _task(account: str) -> tuple[Given, ...]:
    container = {"name": "app", "secrets": [{"name": "DATABASE_URL", "valueFrom": _SECRET.format(account=account)}]}
    props = {"family": "backend", "containerDefinitions": json.dumps([container])}
    return (Given(type="aws:ecs/taskDefinition:TaskDefinition", name="backend", props=props),)


RULES: tuple[Rule, ...] = (
    Rule(
        number=34,
        name="provider-in-own-account",
        area=Area.ENVIRONMENT,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=(),
        title="A provider works in the account of its environment, and in no other",
        why="With the wrong credentials in a terminal, dev's program would change production.",
        mend="Set allowedAccountIds to the environment's account alone, and assume a role of that account.",
        types=frozenset(PROVIDERS),
        check=_own_account,
        schema={"accounts": ACCOUNTS},
        example=Example(wrong=_provider("111111111111"), mended=_provider("444444444444")),
    ),
    Rule(
        number=34,
        name="no-secret-of-another-environment",
        area=Area.ENVIRONMENT,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=(),
        title="No environment names a secret of another one, and least of all one of production",
        why="Who may change dev's program could print production's secret.",
        mend="Make a secret of the environment's own, in its own account.",
        check_stack=_others_secret,
        schema={"accounts": ACCOUNTS},
        example=Example(wrong=_task("111111111111"), mended=_task("444444444444")),
    ),
    Rule(
        number=35,
        name="no-dev-only-option",
        area=Area.ENVIRONMENT,
        severity=Severity.HIGH,
        levels=LIKE_PRODUCTION,
        ids=(),
        title="Nothing has an option that is for throwing things away",
        why="Such options make a playground go in minutes, and production as well.",
        mend="Leave the option out, or turn it off in the parameter set.",
        check_stack=_dev_only,
        example=Example(wrong=_bucket(forceDestroy=True), mended=_bucket(forceDestroy=False)),
    ),
    Rule(
        number=35,
        name="not-disposable",
        area=Area.ENVIRONMENT,
        severity=Severity.CRITICAL,
        levels=STEADY,
        ids=(),
        title="Nothing that people rely on ends by itself",
        why="What is swept up by its tags or its date goes without a question.",
        mend="Use Environment in place of DisposableDevStack, and leave out the tags playground and expires.",
        check_stack=_not_disposable,
        example=Example(wrong=_bucket(tags=_ENDS), mended=_bucket()),
    ),
    Rule(
        number=35,
        name="disposable-has-owner-and-end",
        area=Area.ENVIRONMENT,
        severity=Severity.MEDIUM,
        levels=EVERYWHERE,
        ids=(),
        title="All that can be thrown away says whose it is and when it ends",
        why="What nobody owns and nothing ends is paid for until somebody wonders.",
        mend="Give the tags owner and expires (a time with its zone, as 2030-01-31T18:00:00Z) to all of it.",
        check_stack=_owned,
        example=Example(wrong=_bucket(tags={"playground": "ada-search", "owner": "ada"}), mended=_bucket(tags=_ENDS)),
    ),
    Rule(
        number=37,
        name="no-role-chain",
        area=Area.ENVIRONMENT,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=(),
        title="No role is reached from a person's role by a chain of grants to assume roles",
        why="What a person may do is read off the role that they enter; what lies behind it is seen by nobody.",
        mend="Let people enter the role directly, or trust a service or the pipeline in their place.",
        check_stack=_role_chains,
        example=Example(
            wrong=_roles("arn:aws:iam::444444444444:role/operations"),
            mended=_roles("arn:aws:iam::999999999999:role/database-team"),
        ),
    ),
)
