"""Who gets in: GitHub's workflows into the account of the state, and from there into each environment's own.

What the roles of an environment are, once it is up, components say (``components/access.py``); these two come before it: they
are there for as long as the accounts are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from isostack.bootstrap.state import alias_of
from isostack.bootstrap.things import Reach, Thing
from isostack.errors import BadInput

GITHUB: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
ADMINISTRATOR: Final = "arn:aws:iam::aws:policy/AdministratorAccess"
_POLICY: Final = "state-and-entry"
_ROLE, _PROVIDER = "aws:iam/role:Role", "aws:iam/openIdConnectProvider:OpenIdConnectProvider"


def pipeline_things(
    reach: Reach, repository: str, bucket: str, project: str, entries: Mapping[str, tuple[str, str]]
) -> list[Thing]:
    """GitHub's identity provider, which an account has once, and a role for each of GitHub's environments of a repository.

    ``entries`` has by GitHub environment the stack and the ARN of the entry role in its account. Raises BadInput where the
    account is one of theirs: an environment makes the provider in its own account itself.
    """
    for stack, entry in entries.values():
        if entry.split(":")[4] == reach.account_id:
            raise BadInput(
                f"account {reach.account_id} is that of {stack}, which makes GitHub's identity provider there by its own program;"
                " keep state and pipeline in an account of their own"
            )
    iam = reach.client("iam")
    provider = f"arn:aws:iam::{reach.account_id}:oidc-provider/{GITHUB}"
    things = [Thing("GitHub's identity provider", lambda: _audiences(iam, provider), lambda: [AUDIENCE],
                    lambda: _make_provider(iam, provider), _PROVIDER)]  # fmt: skip
    for environment, (stack, entry) in entries.items():
        trust = trusting_github(provider, f"repo:{repository}:environment:{environment}")
        allowed = permissions(reach, bucket, project, stack, entry)
        things += role_things(iam, role_name(project, environment), f"GitHub's {environment} of {repository}", trust, allowed)
    return things


def entry_things(reach: Reach, name: str, trusted: Sequence[str]) -> list[Thing]:
    """An environment's entry role, by which it is built in its own account: all that can be done there, for those who are named.

    Nothing less makes roles, keys and networks from nothing, and takes them away; what holds once the environment is there is its
    own boundary and roles. Its account holds nothing else.
    """
    iam = reach.client("iam")
    statement = {"Effect": "Allow", "Principal": {"AWS": _one_or_more(trusted)}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return [
        *role_things(iam, name, "whoever builds the environment of this account", trust, None),
        Thing(f"AdministratorAccess for role {name}", lambda: _is_attached(iam, name), lambda: True,
              lambda: iam.attach_role_policy(RoleName=name, PolicyArn=ADMINISTRATOR)),
    ]  # fmt: skip


def role_things(iam: Any, name: str, description: str, trust: dict[str, Any], allowed: dict[str, Any] | None) -> list[Thing]:
    """A role with its trust, and with ``allowed`` a policy of its own."""

    def present() -> Any:
        role = _absent_is_none(iam, lambda: iam.get_role(RoleName=name)["Role"])
        return role and _document(role["AssumeRolePolicyDocument"])

    def put() -> None:
        if present() is None:
            iam.create_role(RoleName=name, Description=description, AssumeRolePolicyDocument=json.dumps(trust))
        else:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))

    def policy() -> Any:
        found = _absent_is_none(iam, lambda: iam.get_role_policy(RoleName=name, PolicyName=_POLICY)["PolicyDocument"])
        return found and _document(found)

    things = [Thing(f"role {name}, for {description}", present, lambda: trust, put, _ROLE)]
    if allowed is not None:
        document = json.dumps(allowed)
        things.append(
            Thing(f"what role {name} may do", policy, lambda: allowed,
                  lambda: iam.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=document))
        )  # fmt: skip
    return things


def role_name(project: str, environment: str) -> str:
    """The name of the pipeline's role for one of GitHub's environments."""
    return f"{project}-pipeline-{environment}"


def trusting_github(provider: str, subject: str) -> dict[str, Any]:
    """Trusts the tokens of exactly one environment of one repository: no wildcard, and not the branches of pull requests."""
    claims = {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:sub": subject}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": claims},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def permissions(reach: Reach, bucket: str, project: str, stack: str, entry: str) -> dict[str, Any]:
    """What a workflow may do by itself: its own stack's state, as the Pulumi CLI lays it out, and the way into its account."""
    arn = f"arn:aws:s3:::{bucket}"
    own = (
        f"stacks/{project}/{stack}.json*", f"history/{project}/{stack}/*", f"backups/{project}/{stack}/*",
        f"locks/organization/{project}/{stack}/*",
    )  # fmt: skip
    key = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias_of(bucket)}}
    statements: list[dict[str, Any]] = [
        {"Sid": "Find", "Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": arn},
        {"Sid": "Which", "Action": "s3:GetObject", "Resource": f"{arn}/.pulumi/meta.yaml"},
        {
            "Sid": "Own",
            "Action": ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            "Resource": [f"{arn}/.pulumi/{one}" for one in own],
        },
        {
            "Sid": "Seal",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": f"arn:aws:kms:{reach.region}:{reach.account_id}:key/*",
            "Condition": key,
        },
        {"Sid": "Enter", "Action": "sts:AssumeRole", "Resource": entry},
    ]
    return {"Version": "2012-10-17", "Statement": [{**one, "Effect": "Allow"} for one in statements]}


def _audiences(iam: Any, provider: str) -> list[str] | None:
    """The audience that we want, if the provider is there and knows it; others may use it as well."""
    found = _absent_is_none(iam, lambda: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider))
    return found and [one for one in found["ClientIDList"] if one == AUDIENCE]


def _make_provider(iam: Any, provider: str) -> None:
    if _audiences(iam, provider) is None:
        iam.create_open_id_connect_provider(Url=f"https://{GITHUB}", ClientIDList=[AUDIENCE])
    else:
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID=AUDIENCE)


def _is_attached(iam: Any, role: str) -> bool | None:
    found = _absent_is_none(iam, lambda: iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"])
    return any(one["PolicyArn"] == ADMINISTRATOR for one in found or []) or None


def _absent_is_none(iam: Any, look: Callable[[], Any]) -> Any:
    try:
        return look()
    except iam.exceptions.NoSuchEntityException:
        return None


def _document(found: Any) -> Any:
    return json.loads(found) if isinstance(found, str) else found


def _one_or_more(arns: Sequence[str]) -> str | list[str]:
    """As IAM gives it back: one principal is no list."""
    return arns[0] if len(arns) == 1 else list(arns)
