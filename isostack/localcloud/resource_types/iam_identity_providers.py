"""AWS IAM's OpenID Connect identity providers. Source: the IAM API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.iam_policies import NO_SUCH_ENTITY
from isostack.localcloud.resource_types.row import (
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _create_oidc_provider(cloud: Cloud, inputs: Properties) -> str:
    optional = {"ThumbprintList": inputs.get("thumbprintLists"), "Tags": tag_list(inputs.get("tagsAll"))}
    answer = cloud.client("iam").create_open_id_connect_provider(
        Url=inputs["url"] if "://" in inputs["url"] else f"https://{inputs['url']}",
        ClientIDList=inputs["clientIdLists"],
        **{key: value for key, value in optional.items() if value},
    )
    return str(answer["OpenIDConnectProviderArn"])


def _read_oidc_provider(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    provider = cloud.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=id_)
    return {
        "arn": id_,
        "clientIdLists": provider["ClientIDList"],
        "thumbprintLists": provider["ThumbprintList"],
        "url": provider["Url"],  # without https://, as AWS gives it and Terraform shows it
        "tagsAll": tag_map(provider.get("Tags")),
    }


def _update_oidc_provider(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    iam = cloud.client("iam")
    if "clientIdLists" in changed:
        # moto can neither add nor remove a client id; made anew, the provider has the same ARN.
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=id_)
        _create_oidc_provider(cloud, {"thumbprintLists": old.get("thumbprintLists"), **new})
        return
    if "thumbprintLists" in changed:
        iam.update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=id_, ThumbprintList=new.get("thumbprintLists") or []
        )
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=id_, TagKeys=removed)
        if tags:
            iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=id_, Tags=tag_list(tags))


def _delete_oidc_provider(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=id_)


def _find_oidc_provider(cloud: Cloud, inputs: Properties) -> list[str]:
    providers = cloud.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    url = inputs["url"].rpartition("://")[2]
    return [provider["Arn"] for provider in providers if provider["Arn"].partition(":oidc-provider/")[2] == url]


def _compare_oidc_provider(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """AWS keeps the address without its scheme, so with and without it is the same."""
    url = str(new.get("url")).rpartition("://")[2]
    if old.get("url", url) == url:
        changed = changed - {"url"}
    return Diff(tuple(sorted(changed)), tuple(changed & {"url"}))


def _get_oidc_provider(cloud: Cloud, arguments: Properties) -> Properties:
    arns = [arguments["arn"]] if arguments.get("arn") else _find_oidc_provider(cloud, arguments)
    if not arns:
        raise ProviderError(f"getOpenIdConnectProvider: there is no provider for {arguments['url']!r}")
    found = _read_oidc_provider(cloud, arns[0], {}) or {}
    return {**found, "id": arns[0], "tags": found.pop("tagsAll", {})}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        service="iam",
        create=_create_oidc_provider,
        read=_read_oidc_provider,
        update=_update_oidc_provider,
        delete=_delete_oidc_provider,
        find=_find_oidc_provider,
        required=("clientIdLists", "url"),
        computed=("arn",),
        sticky=("thumbprintLists",),
        local=("url",),
        sets=("clientIdLists",),
        compare=_compare_oidc_provider,
        tagged=True,
        absent=NO_SUCH_ENTITY,
        limits="new client ids make the provider anew, under the same ARN",
    ),
)

FUNCTIONS = (Function(token="aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider", service="iam", call=_get_oidc_provider),)
