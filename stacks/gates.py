"""Who may run an environment, approve what is done to it, and come in in an emergency: what the parameters say, as isostack asks.

Derived from ``access`` and ``account``; which environments only some may run, and by which roles, is the same in every version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from components.naming import fitted
from stacks.model import PEOPLE, Access, EnvironmentParameters, Role

RESTRICTED = ("staging", "production")
"""The environments that operators alone may run."""
BREAK_GLASS: Role = "break-glass"
ISSUER = "https://token.actions.githubusercontent.com"  # of GitHub's tokens for workflows
OPERATORS: Mapping[Role, str] = {"operations": "operate", "deployer": "deploy"}
"""The roles that may run an environment, each as long as it has this level there."""


@dataclass(frozen=True)
class GateRole:
    """A role, as the account names it but for Pulumi's ending, and who may take it on; with ``mfa`` by a second factor."""

    name: str
    principals: tuple[str, ...]
    subjects: tuple[str, ...]
    issuer: str
    mfa: bool


@dataclass(frozen=True)
class Gates:
    """The gates of an environment. ``entry_role`` is there before the environment is, and makes it; with ``needs_plan`` nobody
    else brings it up but by a saved plan, emergencies apart."""

    account: str
    region: str
    entry_role: str
    roles: Mapping[str, GateRole]
    operators: tuple[str, ...]
    approvers: tuple[str, ...]
    break_glass: str
    needs_plan: bool = True


def gates_of(values: EnvironmentParameters) -> Gates:
    """The gates that an environment's parameters make."""
    access = values.access
    operators = tuple(role for role, level in OPERATORS.items() if access.matrix[role] == level)
    return Gates(
        account=values.account,
        region=values.region,
        entry_role=values.entry_role,
        roles={role: _role(values.name, role, access) for role in get_args(Role)},
        operators=operators,
        approvers=tuple(role for role in operators if role in PEOPLE),
        break_glass=BREAK_GLASS,
    )


def _role(name: str, role: Role, access: Access) -> GateRole:
    return GateRole(
        name=fitted(f"{name}-{role}", "aws:iam/role:Role"),
        principals=access.principals[role],
        subjects=access.oidc_subjects if role == "deployer" else (),
        issuer=ISSUER,
        mfa=role == BREAK_GLASS or (access.mfa and role in PEOPLE),
    )
