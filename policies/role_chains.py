"""Which roles a person gets hold of by way of another role: chains of grants to assume roles.

Owns who may become whom among the roles of one stack. A person comes in from outside: from a principal of AWS that is no role of
the stack, or by SAML. Whom a role lets in at the door is granted in the open, and no chain; what leads on from there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from policies.documents import Document, Kind, Statement, allowing, documents
from policies.references import References
from policies.resources import UNKNOWN, Resource

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
INLINE = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ADMINISTRATOR = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/AdministratorAccess")
ASSUME, BY_SAML = "sts:AssumeRole", "sts:AssumeRoleWithSAML"
_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?")


class RoleChains:
    """The roles of one stack. All raises CannotTell for what a preview does not know."""

    def __init__(self, references: References) -> None:
        self.references = references
        self.roles = references.of(ROLE)

    def chains(self) -> Iterator[list[Resource]]:
        """The shortest way from each role that people enter to each that they reach from there, both included."""
        for entry in self.roles:
            if self._entered_by_people(entry):
                yield from self._from(entry)

    def _from(self, entry: Resource) -> Iterator[list[Resource]]:
        reached, ways = {entry.urn}, [[entry]]
        while ways:
            way = ways.pop(0)
            for role in self.roles:
                if role.urn not in reached and self._may_become(way[-1], role):
                    reached.add(role.urn)
                    ways.append([*way, role])
                    yield [*way, role]

    def _trusting(self, role: Resource) -> Iterator[tuple[Document, Statement]]:
        return allowing(role, Kind.TRUST)

    def _entered_by_people(self, role: Resource) -> bool:
        own = self._own_arns
        return any(
            document.grants(statement, BY_SAML)
            or (
                document.grants(statement, ASSUME)
                and (statement.but_principals or any(one.kind == "AWS" and one.value not in own for one in statement.principals))
            )
            for document, statement in self._trusting(role)
        )

    @cached_property
    def _own_arns(self) -> set[str]:
        arns = (role.props.get("arn", UNKNOWN) for role in self.roles)
        return {arn for arn in arns if arn is not UNKNOWN}

    def _may_become(self, role: Resource, other: Resource) -> bool:
        """Within an account a trust in the role is enough; one in the account leaves it to the role's policies."""
        left_to_policies = False
        for document, statement in self._trusting(other):
            if not document.grants(statement, ASSUME):
                continue
            for principal in statement.principals:
                if principal.kind != "AWS":
                    continue
                if _is(principal.value, role):
                    return True
                left_to_policies |= principal.value == "*" or self._is_account_of(principal.value, role)
        return left_to_policies and self._is_allowed(role, other)

    def _is_account_of(self, principal: str, role: Resource) -> bool:
        account, arn = _ACCOUNT.fullmatch(principal), role.peek("arn")
        return account is not None and (not isinstance(arn, str) or f":{account[1]}:" in arn)

    def _is_allowed(self, role: Resource, other: Resource) -> bool:
        if self._is_administrator(role):
            return True
        given = self._policies(role)
        if not any(statement.names(ASSUME) for document in given for statement in document.allowing):
            return False
        arn = other.get("arn")
        boundary = self.references.one(role, "permissionsBoundary", (POLICY,))
        limits = [] if boundary is None else list(documents(boundary, Kind.IDENTITY, Kind.BOUNDARY))
        denied = any(
            not statement.allows and not statement.conditions and statement.names(ASSUME) and statement.names_resource(arn)
            for document in given
            for statement in document.statements
        )
        return not denied and any(one.may(ASSUME, arn) for one in given) and all(one.may(ASSUME, arn) for one in limits)

    def _attachments(self, role: Resource) -> Iterator[Resource]:
        for attachment in self.references.of(ATTACHMENT):
            if self.references.one(attachment, "role", (ROLE,)) is role:
                yield attachment

    def _is_administrator(self, role: Resource) -> bool:
        arns = [*role.all("managedPolicyArns"), *(one.peek("policyArn") for one in self._attachments(role))]
        return any(isinstance(arn, str) and ADMINISTRATOR.fullmatch(arn) for arn in arns)

    def _policies(self, role: Resource) -> list[Document]:
        found = list(documents(role, Kind.IDENTITY))
        for inline in self.references.of(INLINE):
            if self.references.one(inline, "role", (ROLE,)) is role:
                found += documents(inline, Kind.IDENTITY)
        attached = [self.references.one(attachment, "policyArn", (POLICY,)) for attachment in self._attachments(role)]
        for policy in [*attached, *self.references.many(role, "managedPolicyArns", (POLICY,))]:
            if policy is not None:
                found += documents(policy, Kind.IDENTITY, Kind.BOUNDARY)
        return found


def _is(principal: str, role: Resource) -> bool:
    """Whether a principal is a role; before that has an ARN, by its name, which is chosen before anything else is known."""
    arn, name = role.peek("arn"), role.peek("name")
    if isinstance(arn, str):
        return principal == arn
    return isinstance(name, str) and principal.rpartition("/")[2] == name
