"""Who may take on a role: the local cloud's STS asks the role's own trust policy, as AWS's does, and sessions end.

moto lets anybody take on any role, for ever. Here a role that exists is given to those whom its trust policy names, under its
conditions, for no longer than it allows; a session that is over is no identity any more. The made-up credentials of the local
cloud itself are above all of this, and a role that does not exist stays open to all: by such ones programs reach accounts.
A second factor is any code of six digits. Runs inside the local cloud's process.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

CHAINED_SECONDS: Final = 3600
"""The longest session that a role's session may take on, AWS's limit for role chaining."""
_OWN_ROLE: Final = ":role/isostack"  # by which isostack's own clients reach accounts


@cache
def ask_trust_policies() -> None:
    """moto hands out any role's credentials to anybody, and they never expire."""
    from moto.core.utils import utcnow
    from moto.sts.responses import TokenResponse

    patched: Any = TokenResponse
    assume, with_token, identity = patched.assume_role, patched.assume_role_with_web_identity, patched.get_caller_identity

    def assume_role(self: Any) -> Any:
        caller = _session(self.get_access_key())
        if caller is not None:
            _require_current(caller, utcnow())
            code = self._get_param("TokenCode") if self._get_param("SerialNumber") else None
            context = {"aws:PrincipalArn": _role_arn(caller), "aws:MultiFactorAuthPresent": "false"}
            if code is not None:
                if not re.fullmatch("[0-9]{6}", code):
                    raise _denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
                context |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
            tags = self._get_param("Tags") or []
            context |= {f"aws:RequestTag/{tag['Key']}": str(tag["Value"]) for tag in tags}
            for action in ("sts:TagSession", "sts:AssumeRole") if tags else ("sts:AssumeRole",):
                _require_trust(self, action, context, chained=True)
        return assume(self)

    def assume_role_with_web_identity(self: Any) -> Any:
        claims = _claims(self._get_param("WebIdentityToken") or "")
        host = re.sub("^https://", "", str(claims.get("iss", "")))
        context = {f"{host}:{name}": str(value) for name, value in claims.items()}
        _require_trust(self, "sts:AssumeRoleWithWebIdentity", {**context, "federated": host}, chained=False)
        return with_token(self)

    def get_caller_identity(self: Any) -> Any:
        caller = _session(self.get_access_key())
        if caller is not None:
            _require_current(caller, utcnow())
        return identity(self)

    patched.assume_role = assume_role
    patched.assume_role_with_web_identity = assume_role_with_web_identity
    patched.get_caller_identity = get_caller_identity


def trusts(policy: Mapping[str, Any], action: str, context: Mapping[str, str]) -> bool:
    """Whether a trust policy lets somebody in: an Allow that fits and no Deny that does.

    ``context`` has ``aws:PrincipalArn`` or ``federated``, and values for conditions. An operator that is not known never fits
    an Allow and always a Deny.
    """
    effects = [
        str(statement.get("Effect"))
        for statement in _list(policy.get("Statement"))
        if _fits(statement, action, context, allow=statement.get("Effect") == "Allow")
    ]
    return "Allow" in effects and "Deny" not in effects


def _fits(statement: Mapping[str, Any], action: str, context: Mapping[str, str], *, allow: bool) -> bool:
    actions = [str(one) for one in _list(statement.get("Action"))]
    if not any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), action, re.IGNORECASE) for one in actions):
        return False
    return _names(statement.get("Principal"), context) and _holds(statement.get("Condition") or {}, context, unknown=not allow)


def _names(principal: Any, context: Mapping[str, str]) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    caller = context.get("aws:PrincipalArn", "")
    account = caller.split(":")[4] if caller else ""
    for one in map(str, _list(principal.get("AWS"))):
        if one == "*" or (caller and one in (caller, account, f"arn:aws:iam::{account}:root")):
            return True
    federated = context.get("federated")
    return bool(federated) and any(str(one).endswith(f":oidc-provider/{federated}") for one in _list(principal.get("Federated")))


def _holds(conditions: Mapping[str, Any], context: Mapping[str, str], *, unknown: bool) -> bool:
    """Whether all conditions hold; ``unknown`` is what is said of an operator that is not known."""
    for operator, wanted in conditions.items():
        for key, values in wanted.items():
            given = context.get(key)
            texts = [str(value) for value in _list(values)]
            if operator in ("StringEquals", "ArnEquals"):
                held = given in texts
            elif operator in ("StringLike", "ArnLike"):
                held = given is not None and any(re.fullmatch(_pattern(text), given) for text in texts)
            elif operator == "Null":
                held = str(given is None).lower() in [text.lower() for text in texts]
            elif operator == "Bool":
                held = given in [text.lower() for text in texts]
            elif operator == "NumericLessThan":
                held = given is not None and any(float(given) < float(text) for text in texts)
            else:
                held = unknown
            if not held:
                return False
    return True


def _pattern(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _claims(token: str) -> dict[str, Any]:
    """The claims of a token, which nobody has signed: whoever reaches the local cloud may say who he is."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


# -- moto's side --------------------------------------------------------------------------------------------------------


def _session(access_key: str) -> Any:
    """The session that has this key, in whichever account."""
    from moto.sts.models import sts_backends

    for account in list(sts_backends):
        for backend in list(sts_backends[account].values()):
            found = backend.get_assumed_role_from_access_key(access_key)
            if found is not None and not found.role_arn.endswith(_OWN_ROLE):
                return found
    return None


def _role_arn(session: Any) -> str:
    return str(session.role_arn)


def _require_current(session: Any, now: Any) -> None:
    from moto.sts.exceptions import STSClientError

    if session.expiration <= now:
        message = f"The security token included in the request is expired since {session.expiration:%Y-%m-%dT%H:%M:%SZ}"
        raise STSClientError("ExpiredTokenException", message)


def _require_trust(response: Any, action: str, context: Mapping[str, str], *, chained: bool) -> None:
    from moto.iam.models import iam_backends
    from moto.sts.exceptions import STSClientError

    arn = str(response._get_param("RoleArn"))
    account = arn.split(":")[4] if arn.count(":") >= 5 else response.current_account
    roles = iam_backends[account][response.partition].roles.values()
    role = next((role for role in roles if role.arn == arn), None)
    if role is None:
        return
    if not trusts(json.loads(role.assume_role_policy_document), action, context):
        who = context.get("aws:PrincipalArn") or context.get("federated") or "nobody"
        raise _denied(f"User: {who} is not authorized to perform: {action} on resource: {arn}")
    asked = response._get_int_param("DurationSeconds", CHAINED_SECONDS)
    longest = min(int(role.max_session_duration or CHAINED_SECONDS), CHAINED_SECONDS if chained else 12 * CHAINED_SECONDS)
    if asked > longest:
        message = f"The requested DurationSeconds exceeds the {longest} seconds that this role's session may last."
        raise STSClientError("ValidationError", message)


def _denied(message: str) -> Exception:
    from moto.sts.exceptions import STSClientError

    error: Exception = STSClientError("AccessDenied", message)
    return error
