"""Who somebody is in an account: what its STS says of the person's own credentials, those that the Pulumi CLI runs with.

Asked for a stack that lives in an account, by ``--engine pulumi``, and never else. Roles are taken on by the person's own means
(``aws sso login``, a profile, a token in CI); credentials are neither kept nor shown. Whether an identity suffices is judged by
:mod:`isostack.gates.admission`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from isostack.errors import Refused
from isostack.gates.identity import Session, is_role
from isostack.localcloud.client import require_loopback

if TYPE_CHECKING:
    from isostack.parameters import Gates, Role

PROFILE: Final = "ISOSTACK_IDENTITY_PROFILE"
# What SDKs call a session that nobody has given a name: another one each time, so that one person would be several.
_NAMELESS: Final = re.compile(r"(botocore-session|AWSCLI-Session|aws-[a-z-]*sdk[a-z-]*)-?\d+")


class AccountSts:
    """STS of an environment's account. ``client`` makes boto3's client of a service."""

    def __init__(self, stack: str, gates: Gates, where: str = "", client: Callable[[str], Any] | None = None) -> None:
        self._stack, self._where = stack, where
        self._client = client or (lambda service: client_of(service, gates.region))

    def caller(self, only: str) -> tuple[Session | None, str]:
        """The session of a role, with its ARN alone; or None and why there is none, ``only`` being who there should be."""
        from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

        try:
            arn = str(self._client("sts").get_caller_identity()["Arn"])
        except ClientError as error:
            told = error.response.get("Error", {})
            return None, f"STS says {told.get('Code', '')}: {' '.join(str(told.get('Message', '')).split())}; {only}"
        except CredentialRetrievalError as error:  # its text is that of a program of the person's
            return None, f"your credentials cannot be had from {error.kwargs.get('provider', 'their source')}; {only}"
        except (BotoCoreError, EOFError) as error:
            return None, f"{' '.join(str(error).split()) or 'nobody is there to be asked for a second factor'}; {only}"
        if ":assumed-role/" not in arn:
            return None, f"{arn} is no session of a role; {only}"
        name = arn.rpartition("/")[2]
        if _NAMELESS.fullmatch(name):
            return None, f"the session {name} has nobody's name; give the profile yours, as role_session_name"
        return Session(self._stack, "", "", "", arn, "", "", "", ""), ""

    def has(self, role: Role) -> bool:
        """Whether the account has the role. Raises Refused where the caller may not look."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self._client("iam").get_paginator("list_roles").paginate()
            return any(is_role(one["RoleName"], role) for page in pages for one in page["Roles"])
        except (BotoCoreError, ClientError) as error:
            text = " ".join(str(error).split())
            raise Refused(
                f"{self._stack}: nothing was changed: whether the account has {role.name} cannot be seen: {text}"
            ) from None

    def login_command(self, operation: str, role: str, wanted: Role) -> str:
        """What to type to run it as a role."""
        return f"AWS_PROFILE=… isostack {operation} {self._stack} --engine pulumi{self._where} (with a profile that takes on {wanted.name})"


def client_of(service: str, region: str) -> Any:
    """boto3's client with the credentials of the environment, or of the profile in ``ISOSTACK_IDENTITY_PROFILE``.

    Raises Refused where it would lead to a local cloud: who somebody is there says nothing of an account.
    """
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
    session = boto3.Session(profile_name=os.environ.get(PROFILE) or None, region_name=region)
    client = session.client(service, config=config)
    if _is_loopback(client.meta.endpoint_url):
        where = f"{client.meta.endpoint_url} is a local cloud, and isostack:cloud is aws"
        raise Refused(f"nothing was changed: {where}; use a shell without `isostack cloud env`")
    return client


def _is_loopback(endpoint: str) -> bool:
    with suppress(Refused):
        return bool(require_loopback(endpoint))
    return False
