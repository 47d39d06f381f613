"""What a rule is. Owns its shape; the rules are in :mod:`policies.rules`, and Pulumi is told of them by :mod:`policies.pack`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.resources import Resource

ENVIRONMENTS = ("dev", "integration", "staging", "production")
STRICTEST = "production"

MANDATORY, ADVISORY, DISABLED = EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY, EnforcementLevel.DISABLED


class Area(Enum):
    """What a rule is about."""

    IDENTITY = "identity"
    TRUST = "trust"
    NETWORK = "network"
    DATA = "data"
    TRACE = "trace"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How strictly a rule is held, by environment."""

    dev: EnforcementLevel
    integration: EnforcementLevel
    staging: EnforcementLevel
    production: EnforcementLevel

    def of(self, environment: str) -> EnforcementLevel:
        level: EnforcementLevel = getattr(self, environment)
        return level


EVERYWHERE = Levels(dev=MANDATORY, integration=MANDATORY, staging=MANDATORY, production=MANDATORY)
DEV_MAY = Levels(dev=ADVISORY, integration=MANDATORY, staging=MANDATORY, production=MANDATORY)
FROM_STAGING = Levels(dev=DISABLED, integration=ADVISORY, staging=MANDATORY, production=MANDATORY)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a rule may ask beside the resources: the environment, and ``options``, its own configuration (defaults filled in)."""

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule found: in a stack with the ``resource`` that it is about. ``unsure`` is what a preview cannot tell yet."""

    what: str
    resource: Resource | None = None
    unsure: bool = False


@dataclass(frozen=True, kw_only=True)
class Given:
    """A resource of an example, as Pulumi would show it to the rule."""

    type: str
    props: Mapping[str, Any]
    name: str = "example"
    protect: bool = False
    provider: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Example:
    """Resources that a rule refuses, and the same ones mended. ``isostack policy explain`` prints both; a test runs both."""

    wrong: tuple[Given, ...]
    mended: tuple[Given, ...]


Check = Callable[[Resource, Settings], Iterator[str | Finding]]
StackCheck = Callable[[Sequence[Resource], Settings], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule, as a value. It has either ``check``, for each resource of ``types``, or ``check_stack``, for all of them at once.

    ``number`` is the rule's in the table of the production-access pack. ``ids`` are the ids of other lists that it answers to:
    Checkov's (``CKV…``), CIS AWS Foundations 7.0 (``CIS 2.14``), AWSGuard's (``AG …``). ``title`` says what holds where the rule
    is kept; ``mend`` is a sentence in the imperative. ``schema`` describes its options, each with a default, as JSON schema does.
    """

    number: int
    name: str
    area: Area
    severity: Severity
    levels: Levels
    ids: tuple[str, ...]
    title: str
    why: str
    mend: str
    example: Example
    types: frozenset[str] = frozenset()
    check: Check | None = None
    check_stack: StackCheck | None = None
    schema: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.check is None) is (self.check_stack is None):
            raise ValueError(f"Rule {self.name}: give it check or check_stack, one of them.")
        if self.check and not self.types:
            raise ValueError(f"Rule {self.name}: say which types of resources it is about.")
        if missing := [key for key, schema in self.schema.items() if "default" not in schema]:
            raise ValueError(f"Rule {self.name}: give a default to {', '.join(missing)}.")

    @property
    def defaults(self) -> dict[str, Any]:
        """The options of a rule that nobody configured."""
        return {key: schema["default"] for key, schema in self.schema.items()}
