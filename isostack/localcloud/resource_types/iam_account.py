"""What an account has once: its password policy and alias. Source: the IAM API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_POLICY_ID = "iam-account-password-policy"
_POLICY = {
    "allowUsersToChangePassword": "AllowUsersToChangePassword",
    "hardExpiry": "HardExpiry",
    "maxPasswordAge": "MaxPasswordAge",
    "minimumPasswordLength": "MinimumPasswordLength",
    "passwordReusePrevention": "PasswordReusePrevention",
    "requireLowercaseCharacters": "RequireLowercaseCharacters",
    "requireNumbers": "RequireNumbers",
    "requireSymbols": "RequireSymbols",
    "requireUppercaseCharacters": "RequireUppercaseCharacters",
}
_NUMBERS = ("maxPasswordAge", "minimumPasswordLength", "passwordReusePrevention")


def _put_policy(cloud: Cloud, inputs: Properties) -> str:
    given: dict[str, Any] = {}
    for name, parameter in _POLICY.items():
        if name in inputs and not (name in _NUMBERS and not inputs[name]):  # IAM takes no 0 for "not at all"
            given[parameter] = int(inputs[name]) if name in _NUMBERS else inputs[name]
    cloud.client("iam").update_account_password_policy(**given)
    return _POLICY_ID


def _read_policy(cloud: Cloud, id_: str, known: Properties) -> Properties:
    policy = cloud.client("iam").get_account_password_policy()["PasswordPolicy"]
    outputs = {name: policy.get(parameter, 0 if name in _NUMBERS else False) for name, parameter in _POLICY.items()}
    return {**outputs, "expirePasswords": policy.get("ExpirePasswords", False), "id": _POLICY_ID}


def _update_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_policy(cloud, {**{name: old[name] for name in _COMPUTED_TOO if name not in changed and name in old}, **new})


def _delete_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("iam").delete_account_password_policy()


def _create_alias(cloud: Cloud, inputs: Properties) -> str:
    client, alias = cloud.client("iam"), inputs["accountAlias"]
    present = client.list_account_aliases()["AccountAliases"]
    if present:  # IAM would replace it without a word
        raise ProviderError(f"AccountAlias: the account has the alias {present[0]!r} already; import it, or remove it first")
    client.create_account_alias(AccountAlias=alias)
    return str(alias)


def _read_alias(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    return {"accountAlias": id_} if id_ in cloud.client("iam").list_account_aliases()["AccountAliases"] else None


def _delete_alias(cloud: Cloud, id_: str, known: Properties) -> None:
    if _read_alias(cloud, id_, {}):
        cloud.client("iam").delete_account_alias(AccountAlias=id_)


def _find_alias(cloud: Cloud, inputs: Properties) -> list[str]:
    return [inputs["accountAlias"]] if _read_alias(cloud, inputs["accountAlias"], {}) else []


_COMPUTED_TOO = tuple(name for name in _POLICY if name not in ("allowUsersToChangePassword", "minimumPasswordLength"))

RESOURCE_TYPES = (
    ResourceType(
        token="aws:iam/accountPasswordPolicy:AccountPasswordPolicy",
        service="iam",
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        computed=("expirePasswords",),
        sticky=_COMPUTED_TOO,
        defaults={"allowUsersToChangePassword": True, "minimumPasswordLength": 6},
        volatile=("expirePasswords",),
        absent=("NoSuchEntity",),
        adopts=True,
    ),
    ResourceType(
        token="aws:iam/accountAlias:AccountAlias",
        service="iam",
        create=_create_alias,
        read=_read_alias,
        delete=_delete_alias,
        find=_find_alias,
        required=("accountAlias",),
        delete_before_replace=True,
        absent=("NoSuchEntity",),
    ),
)
