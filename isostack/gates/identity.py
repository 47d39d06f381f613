"""Who somebody is: sessions of an environment's roles, taken on as in an account, and what STS says of them.

``isostack cloud login ROLE ENV`` takes on the person's own role (one of the role's principals) and with it the environment's; the
pipeline's role by a token with its subject claim. Before an environment has roles, the account's entry role takes their place.
Sessions lie in ``sessions.json`` of the state folder, mode 0600, by project and stack. What a role demands is judged by the local
cloud (:mod:`isostack.localcloud.trust`); whether an identity suffices, by :mod:`isostack.gates.admission`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from isostack.engine.files import locked, write_whole
from isostack.errors import BadInput, Refused

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud
    from isostack.parameters import Gates, Role

FILE: Final = "sessions.json"
LOCK: Final = "sessions.lock"
SESSION_SECONDS: Final = 3600
"""Nobody stays longer, whatever the role allows: AWS's limit where one role's session takes on another."""
ENTRY: Final = "entry"
LONGEST_TAG: Final = 256
"""Characters of a session tag's value, STS's limit."""
_PERSON: Final = re.compile(r"[\w+=,.@-]{2,48}", re.ASCII)


@dataclass(frozen=True)
class Session:
    """Credentials of a role for one stack. ``role`` is ``entry`` where the environment has no roles yet; times are ISO 8601."""

    stack: str
    role: str
    person: str
    account: str
    arn: str
    expires: str
    key: str
    secret: str
    token: str
    ticket: str = ""
    """The ticket of a session of the role for emergencies."""

    @property
    def ended(self) -> bool:
        return datetime.fromisoformat(self.expires) <= datetime.now(UTC)

    def facts(self) -> dict[str, str]:
        """All but the credentials."""
        return {name: value for name, value in asdict(self).items() if name not in ("key", "secret", "token")}


class Sts(Protocol):
    """Who is asked who somebody is: the local cloud's STS, or an account's (:mod:`isostack.gates.account`)."""

    def caller(self, only: str, /) -> tuple[Session | None, str]:
        """The session, with the ARN that STS knows it by; or None and why, ``only`` saying who there should be."""

    def has(self, role: Role, /) -> bool:
        """Whether the account has the role."""

    def login_command(self, operation: str, role: str, wanted: Role, /) -> str:
        """What to type to become a role for this operation."""


class Sessions:
    """The sessions of a state folder."""

    def __init__(self, home: Path) -> None:
        self.file = home / FILE
        self._lock = home / LOCK

    def all(self) -> dict[str, Session]:
        """By ``project/stack``. A file that cannot be read, or that others may read, is no identity. Raises BadInput."""
        if not self.file.exists():
            return {}
        if self.file.stat().st_mode & 0o077:
            raise BadInput(f"others may read the sessions in {self.file}; end them: isostack cloud logout")
        try:
            return {name: _session(fields) for name, fields in json.loads(self.file.read_text()).items()}
        except (ValueError, TypeError, AttributeError):
            raise BadInput(f"{self.file} is damaged; end all sessions: isostack cloud logout") from None

    def of(self, project: str, stack: str) -> Session | None:
        return self.all().get(f"{project}/{stack}")

    def keep(self, project: str, session: Session) -> None:
        """Put a session in the place of the stack's last one; those of others stay, also of one who logs in at the same time."""
        with locked(self._lock):
            self._write({**self.all(), f"{project}/{session.stack}": session})

    def end(self, project: str, stack: str | None) -> int:
        """Forget a stack's session, or all sessions of all projects; how many there were."""
        if stack is None:
            try:
                count = len(self.all())
            except BadInput:
                count = 1
            self.file.unlink(missing_ok=True)
            return count
        with locked(self._lock):
            kept = self.all()
            ended = kept.pop(f"{project}/{stack}", None)
            self._write(kept)
        return int(ended is not None)

    def _write(self, sessions: Mapping[str, Session]) -> None:
        text = json.dumps({name: asdict(session) for name, session in sessions.items()}, indent=2)
        write_whole(self.file, text.encode())


@dataclass(frozen=True)
class LocalSts:
    """The STS of a state folder's local cloud, asked about the session that ``cloud login`` has kept there."""

    home: Path
    project: str
    stack: str
    gates: Gates
    where: str = ""

    def caller(self, only: str) -> tuple[Session | None, str]:
        session = Sessions(self.home).of(self.project, self.stack)
        if session is None:
            return None, f"nobody is logged in to {self.stack}, and {only}"
        if session.ended:
            return None, f"the session of {session.person} as {session.role} ended at {session.expires}"
        endpoint = self._endpoint()
        arn = caller_arn(endpoint, session) if endpoint else None
        if arn is None:
            return None, f"the session of {session.person} is not one of the local cloud that runs now"
        return replace(session, arn=arn), ""

    def has(self, role: Role) -> bool:
        return physical_role(self._endpoint(), self.gates.account, role) is not None

    def login_command(self, operation: str, role: str, wanted: Role) -> str:
        return login_command(self.stack, role, wanted) + self.where

    def _endpoint(self) -> str:
        """Empty where the local cloud does not run."""
        from isostack.localcloud.server import LocalCloud

        status = LocalCloud(self.home).status()
        return status.endpoint if status.running else ""


def _session(fields: Mapping[str, Any]) -> Session:
    """A session that was written down. Raises ValueError or TypeError where it is none."""
    session = Session(**fields)
    if not all(isinstance(value, str) for value in fields.values()) or datetime.fromisoformat(session.expires).tzinfo is None:
        raise ValueError("this is no session")
    return session


def login(
    endpoint: str, stack: str, gates: Gates, role: str, person: str, code: str | None, ticket: str = "", reason: str = ""
) -> Session:
    """A session of an environment's role; one for a ticket has ticket and reason as tags, which the audit trail keeps.

    Raises BadInput for a role or a person that there is not, Refused where STS refuses.
    """
    if role not in gates.roles:
        raise BadInput(f"{stack} has no role {role!r}; it has {', '.join(gates.roles)}")
    if not _PERSON.fullmatch(person):
        raise BadInput(f"--as {person}: 2 to 48 letters, digits or +=,.@-_ name somebody")
    if code is not None and not re.fullmatch("[0-9]{6}", code):
        raise BadInput("--mfa takes the six digits that the device shows; on the local cloud any six will do")
    wanted = gates.roles[role]
    arn = physical_role(endpoint, gates.account, wanted)
    if wanted.mfa and code is None:
        raise Refused(f"{role} of {stack} takes a second factor; type: {login_command(stack, role, wanted)}")
    if arn is not None:
        answer = _take_on(endpoint, arn, wanted, role, stack, person, code, _tags(ticket, reason))
    elif role in gates.operators:
        arn, role = f"arn:aws:iam::{gates.account}:role/{gates.entry_role}", ENTRY
        answer = _cloud(endpoint, gates.account).client("sts").assume_role(
            RoleArn=arn, RoleSessionName=person, DurationSeconds=SESSION_SECONDS
        )  # fmt: skip
    else:
        raise Refused(f"{stack} has no role {wanted.name} yet; they come with its first up, by {' or '.join(gates.operators)}")
    credentials = answer["Credentials"]
    expires = credentials["Expiration"].astimezone(UTC).isoformat(timespec="seconds")
    return Session(
        stack, role, person, gates.account, answer["AssumedRoleUser"]["Arn"], expires,
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"], ticket,
    )  # fmt: skip


def _tags(ticket: str, reason: str) -> list[dict[str, str]]:
    """A session's tags; what STS takes in none of them becomes a blank, and the record has it in full."""
    given = {"ticket": ticket, "reason": reason} if ticket else {}
    return [{"Key": key, "Value": re.sub(r"[^\w .:/=+@-]", " ", value)[:LONGEST_TAG]} for key, value in given.items()]


def _take_on(
    endpoint: str, arn: str, wanted: Role, role: str, stack: str, person: str, code: str | None, tags: list[dict[str, str]]
) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    session = {"RoleArn": arn, "RoleSessionName": person, "DurationSeconds": SESSION_SECONDS}
    try:
        if wanted.principals:
            own = wanted.principals[0]
            cloud = _cloud(endpoint, own.split(":")[4])
            first = cloud.client("sts").assume_role(RoleArn=own, RoleSessionName=person)["Credentials"]
            person_cloud = _cloud(endpoint, cloud.account_id, first)
            factor = {"SerialNumber": f"arn:aws:iam::{cloud.account_id}:mfa/{person}", "TokenCode": code} if code else {}
            return dict(person_cloud.client("sts").assume_role(**session, **factor, **({"Tags": tags} if tags else {})))
        if wanted.subjects:
            token = _token({"iss": wanted.issuer, "aud": "sts.amazonaws.com", "sub": wanted.subjects[0]})
            sts = _cloud(endpoint, arn.split(":")[4]).client("sts")
            return dict(sts.assume_role_with_web_identity(**session, WebIdentityToken=token))
    except ClientError as error:
        raise Refused(f"{role} of {stack}: {error.response['Error']['Message']}") from None
    raise Refused(f"nobody may take on {role} in {stack}: the parameter set names no principals for it (access.principals)")


def _token(claims: Mapping[str, str]) -> str:
    """A token as GitHub's, signed by nobody: the local cloud believes it."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])


def _cloud(endpoint: str, account: str, credentials: Mapping[str, Any] | None = None) -> Cloud:
    from isostack.localcloud.client import Cloud

    cloud = Cloud(endpoint, account_id=account)
    if credentials is not None:
        cloud.act_as(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    return cloud


def physical_role(endpoint: str, account: str, role: Role) -> str | None:
    """The ARN of the role that the account has under this name, with or without Pulumi's ending; None where it has none."""
    pages = _cloud(endpoint, account).client("iam").get_paginator("list_roles").paginate()
    found = [one["Arn"] for page in pages for one in page["Roles"] if is_role(one["RoleName"], role)]
    return str(found[0]) if found else None


def is_role(physical: str, role: Role) -> bool:
    """Whether a role of this physical name is that role."""
    return re.fullmatch(f"{re.escape(role.name)}(-[0-9a-f]{{7}})?", physical) is not None


def caller_arn(endpoint: str, session: Session) -> str | None:
    """Who STS says that the session is; None where it is over, or of a cloud that is gone."""
    from botocore.exceptions import ClientError

    credentials = {"AccessKeyId": session.key, "SecretAccessKey": session.secret, "SessionToken": session.token}
    try:
        arn = str(_cloud(endpoint, session.account, credentials).client("sts").get_caller_identity()["Arn"])
    except ClientError:
        return None
    return arn if ":assumed-role/" in arn else None  # moto has a user of its own for whom it does not know


def login_command(stack: str, role: str, wanted: Role) -> str:
    """What to type to become a role."""
    return f"isostack cloud login {role} {stack}" + (" --mfa CODE" if wanted.mfa else "")
