"""Who may get into an environment, and how: its roles, whom each trusts, and the boundary around all of them.

Owns trust. What a level may do is said by :mod:`components.levels` and :mod:`components.pipeline`; what services may do, by the
services. There are no users here and no keys: people come with a role of their own, the pipeline with a token from GitHub.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import iam

from components import levels, pipeline
from components.base import Component
from components.documents import policy_document
from components.levels import GITHUB, Place, Scope, Statement
from components.naming import fitted

BREAK_GLASS = "break-glass"
DEPLOYER = "deployer"
ROLES = {
    "developer": "Developers",
    "qa": "Those who test",
    "partner": "Partners' programs",
    "operations": "Those who run it",
    DEPLOYER: "The pipeline",
    BREAK_GLASS: "Emergencies: its use sets off an alarm",
}
PEOPLE = frozenset({"developer", "qa", "operations", BREAK_GLASS})
Level = Callable[[Scope], list[Statement]]
LEVELS: Mapping[str, Level] = {
    "none": levels.none,
    "read": levels.read,
    "use": levels.use,
    "operate": levels.operate,
    "deploy": pipeline.deploy,
    "emergency": levels.emergency,
}
REASONS = ("reason", "ticket")
"""Without these tags nobody gets in by the role for emergencies."""

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class BoundaryArgs:
    """The boundary is around roles of this account."""

    tags: Mapping[str, str]
    account_id: str
    region: str


class Boundary(Component):
    """The most that any role of an environment may do: gives ``arn``, for the ``permissions_boundary`` of each."""

    def __init__(self, name: str, args: BoundaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        place = Place(name=name, account_id=args.account_id, region=args.region)
        policy = iam.Policy(
            self.child("boundary"),
            name=place.boundary_name,
            description="The most that any role of the environment may do",
            policy=policy_document(*pipeline.boundary(place)),
            tags=self.named("boundary"),
            opts=self.options(),
        )
        self.arn = policy.arn
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True, kw_only=True)
class AccessValues:
    """By role: ``principals`` (full ARNs of who may take it on), ``matrix`` (its level) and ``session_hours``, 1 to 12.

    The roles are ``developer``, ``qa``, ``partner``, ``operations``, ``deployer`` and ``break-glass``; the levels ``none``,
    ``read``, ``use``, ``operate``, ``deploy`` (the deployer's alone) and ``emergency``. With ``mfa`` people need a second factor,
    shown in the last hour; for break-glass they always do, and a ticket and a reason, as tags of their session. Workflows of
    ``repository`` (``owner/name``) deploy, those whose subject claims are exactly among ``oidc_subjects``.
    """

    account_id: str
    principals: Mapping[str, tuple[str, ...]]
    matrix: Mapping[str, str]
    session_hours: Mapping[str, int]
    mfa: bool
    repository: str
    oidc_subjects: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccessArgs(AccessValues):
    """What the levels speak of. Names of buckets, queues, secrets and all else that is not given begin with the component's.

    ``boundary_arn`` is the :class:`Boundary` of an environment whose other roles have it too; without one, it is made here.
    ``github_arn`` is GitHub's identity provider, of which an account has one at most; without it, that is made here too.
    """

    tags: Mapping[str, str]
    region: str
    bucket_arn: pulumi.Input[str]
    queue_arn: pulumi.Input[str]
    database_resource_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    secret_arns: Mapping[str, pulumi.Input[str]]
    boundary_arn: pulumi.Input[str] | None = None
    github_arn: pulumi.Input[str] | None = None


class Access(Component):
    """Gives ``role_arns`` by role, and ``boundary_arn``."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.scope = self._scope()
        self.boundary_arn = args.boundary_arn or self._boundary()
        self.github_arn = args.github_arn or self._github().arn
        self.roles = {role: self._role(role, description) for role, description in ROLES.items()}
        for role in ROLES:
            self._permissions(role)
        self._foundation()
        self.role_arns = {role: one.arn for role, one in self.roles.items()}
        self.register_outputs({"role_arns": self.role_arns, "boundary_arn": self.boundary_arn})

    def _scope(self) -> pulumi.Output[Scope]:
        """One output for all, so that every role depends on the same resources, whatever its level."""
        args = self.args
        settled = pulumi.Output.all(
            bucket_arn=args.bucket_arn,
            queue_arn=args.queue_arn,
            database_resource_id=args.database_resource_id,
            key_arn=args.key_arn,
            secret_arns=[args.secret_arns[name] for name in sorted(args.secret_arns)],
        )
        place = {"name": self.name, "account_id": args.account_id, "region": args.region}
        return settled.apply(lambda values: Scope(**place, **values))

    def _boundary(self) -> pulumi.Output[str]:
        args = BoundaryArgs(tags=self.tags, account_id=self.args.account_id, region=self.args.region)
        return Boundary(self.name, args, self.options()).arn

    def _github(self) -> iam.OpenIdConnectProvider:
        return iam.OpenIdConnectProvider(
            self.child("github"),
            url=f"https://{GITHUB}",
            client_id_lists=["sts.amazonaws.com"],
            tags=self.named("github"),
            opts=self.options(),
        )

    def _role(self, role: str, description: str) -> iam.Role:
        args = self.args
        return iam.Role(
            fitted(self.child(role), "aws:iam/role:Role"),
            description=f"{description} of {args.repository}" if role == DEPLOYER else description,
            assume_role_policy=self._trust(role),
            permissions_boundary=self.boundary_arn,
            max_session_duration=args.session_hours[role] * HOUR,
            tags=self.named(role),
            opts=self.options(),
        )

    # -- whom a role trusts -----------------------------------------------------------------------------------------------

    def _trust(self, role: str) -> pulumi.Input[str]:
        if role == DEPLOYER:
            return pulumi.Output.from_input(self.github_arn).apply(
                lambda github: _trusting(*self._principals(role), *self._workflows(github))
            )
        return _trusting(*self._principals(role))

    def _principals(self, role: str) -> list[Statement]:
        arns = list(self.args.principals[role])
        if not arns:
            return []
        statement: dict[str, Any] = {
            "Sid": "Principals",
            "Effect": "Allow",
            "Principal": {"AWS": arns},
            "Action": ["sts:AssumeRole", "sts:TagSession"] if role == BREAK_GLASS else "sts:AssumeRole",
        }
        if role == BREAK_GLASS or (self.args.mfa and role in PEOPLE):
            statement["Condition"] = {
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "NumericLessThan": {"aws:MultiFactorAuthAge": str(HOUR)},
            }
        if role == BREAK_GLASS:
            # Tags of the session, which the audit trail keeps: `aws sts assume-role --tags Key=ticket,Value=...`.
            statement["Condition"]["Null"] = {f"aws:RequestTag/{tag}": "false" for tag in REASONS}
        return [statement]

    def _workflows(self, github: str) -> list[Statement]:
        subjects = list(self.args.oidc_subjects)
        if not subjects:
            return []
        claims = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": subjects}
        return [
            {
                "Sid": "Workflows",
                "Effect": "Allow",
                "Principal": {"Federated": github},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": claims},
            }
        ]

    # -- what a role may do -----------------------------------------------------------------------------------------------

    def _permissions(self, role: str) -> iam.RolePolicy:
        return iam.RolePolicy(
            self.child(role),
            role=self.roles[role].name,
            policy=self._document(LEVELS[self.args.matrix[role]]),
            opts=self.options(),
        )

    def _foundation(self) -> iam.RolePolicyAttachment:
        """The half of the pipeline's level that has no room in the policy of its role."""
        level = pipeline.foundation if self.args.matrix[DEPLOYER] == "deploy" else levels.none
        policy = iam.Policy(
            self.child("foundation"),
            description="How the pipeline makes the network, the way in, and roles",
            policy=self._document(level),
            tags=self.named("foundation"),
            opts=self.options(),
        )
        return iam.RolePolicyAttachment(
            self.child("foundation"), role=self.roles[DEPLOYER].name, policy_arn=policy.arn, opts=self.options()
        )

    def _document(self, level: Level) -> pulumi.Output[str]:
        def document(scope: Scope) -> pulumi.Input[str]:
            return policy_document(*level(scope))

        return self.scope.apply(document)


def _trusting(*trusted: Statement) -> pulumi.Input[str]:
    """A trust policy; one that trusts nobody says so, since IAM takes no empty one."""
    nobody = {"Sid": "Nobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    return policy_document(*(trusted or [nobody]))
