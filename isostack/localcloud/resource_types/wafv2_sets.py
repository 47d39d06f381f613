"""AWS WAF: IP sets and regex pattern sets; also what all of WAF's named things have in common.

Source: the WAFV2 API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import (
    AutoName,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

ABSENT = ("WAFNonexistentItemException",)

# -- what named things have in common -----------------------------------------------------------------------------------


def client(cloud: Cloud, scope: str) -> Any:
    """The client for a scope; CloudFront's lives in one region only, and AWS says so in words that nobody understands."""
    if scope not in ("CLOUDFRONT", "REGIONAL"):
        raise ProviderError(f"wafv2: scope {scope!r} is neither REGIONAL nor CLOUDFRONT")
    if scope == "CLOUDFRONT" and cloud.region != "us-east-1":
        raise ProviderError(
            f"WAFInvalidParameterException: scope CLOUDFRONT is for us-east-1 only, not {cloud.region}; "
            "give the resource region us-east-1, or a provider of that region"
        )
    return cloud.client("wafv2")


def named(id_: str, known: Properties) -> dict[str, str]:
    """The parameters by which WAF knows a thing, from what is known or from an id to import by (``ID/name/scope``)."""
    parts = id_.split("/")
    if len(parts) == 3:
        return {"Id": parts[0], "Name": parts[1], "Scope": parts[2]}
    if "name" not in known:
        raise ProviderError(f"{id_!r} is no id to import by; write ID/name/REGIONAL or ID/name/CLOUDFRONT")
    return {"Id": id_, "Name": known["name"], "Scope": known["scope"]}


def tags_of(cloud: Cloud, arn: str) -> dict[str, str]:
    """The tags of a named thing."""
    answer = cloud.client("wafv2").list_tags_for_resource(ResourceARN=arn)
    return tag_map(answer["TagInfoForResource"]["TagList"])


def retag(cloud: Cloud, old: Properties, new: Properties, changed: set[str]) -> None:
    """Set and remove tags until they are as in the new inputs."""
    if "tagsAll" not in changed:
        return
    tags, removed = tag_changes(old, new)
    if removed:
        cloud.client("wafv2").untag_resource(ResourceARN=old["arn"], TagKeys=removed)
    if tags:
        cloud.client("wafv2").tag_resource(ResourceARN=old["arn"], Tags=tag_list(tags))


def creation(inputs: Properties) -> dict[str, Any]:
    """The parameters that every create call takes."""
    parameters: dict[str, Any] = {"Name": inputs["name"], "Scope": inputs["scope"]}
    if inputs.get("description"):
        parameters["Description"] = inputs["description"]
    if inputs.get("tagsAll"):
        parameters["Tags"] = tag_list(inputs["tagsAll"])
    return parameters


def described(inputs: Properties) -> dict[str, Any]:
    return {"Description": inputs["description"]} if inputs.get("description") else {}


def ids_by_name(cloud: Cloud, call: str, key: str, inputs: Properties) -> list[str]:
    """The ids of what a list call shows, over all its pages, with the inputs' name and scope."""
    waf, ids, page = client(cloud, inputs["scope"]), [], {"NextMarker": ""}
    while "NextMarker" in page:
        marker = {"NextMarker": page["NextMarker"]} if page["NextMarker"] else {}
        page = getattr(waf, call)(Scope=inputs["scope"], Limit=100, **marker)
        ids += [found["Id"] for found in page[key] if found["Name"] == inputs["name"]]
    return ids


# -- IP sets ------------------------------------------------------------------------------------------------------------


def _addresses(inputs: Properties) -> list[str]:
    version = inputs["ipAddressVersion"]
    for address in inputs.get("addresses") or []:
        try:
            network = ipaddress.ip_network(address, strict=False)
        except ValueError:
            network = None
        if network is None or "/" not in address or version != f"IPV{network.version}":
            raise ProviderError(
                f"WAFInvalidParameterException: IpSet: {address!r} is no block of {version} addresses such as "
                f"{'203.0.113.7/32' if version == 'IPV4' else '2001:db8::/56'}"
            )
    return list(inputs.get("addresses") or [])


def _create_ip_set(cloud: Cloud, inputs: Properties) -> str:
    answer = client(cloud, inputs["scope"]).create_ip_set(
        IPAddressVersion=inputs["ipAddressVersion"], Addresses=_addresses(inputs), **creation(inputs)
    )
    return str(answer["Summary"]["Id"])


def _read_ip_set(cloud: Cloud, id_: str, known: Properties) -> Properties:
    name = named(id_, known)
    answer = client(cloud, name["Scope"]).get_ip_set(**name)
    found = answer["IPSet"]
    return {
        "addresses": found["Addresses"],
        "arn": found["ARN"],
        "description": found.get("Description") or "",
        "id": found["Id"],
        "ipAddressVersion": found["IPAddressVersion"],
        "lockToken": answer["LockToken"],
        "name": found["Name"],
        "scope": name["Scope"],
        "tagsAll": tags_of(cloud, found["ARN"]),
    }


def _update_ip_set(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    waf, name = client(cloud, new["scope"]), named(id_, old)
    if changed & {"addresses", "description"}:
        token = waf.get_ip_set(**name)["LockToken"]
        waf.update_ip_set(Addresses=_addresses(new), LockToken=token, **name, **described(new))
    retag(cloud, old, new, changed)


def _delete_ip_set(cloud: Cloud, id_: str, known: Properties) -> None:
    waf, name = client(cloud, known["scope"]), named(id_, known)
    waf.delete_ip_set(LockToken=waf.get_ip_set(**name)["LockToken"], **name)


def _find_ip_set(cloud: Cloud, inputs: Properties) -> list[str]:
    return ids_by_name(cloud, "list_ip_sets", "IPSets", inputs)


# -- regex pattern sets -------------------------------------------------------------------------------------------------


def _patterns(inputs: Properties) -> list[dict[str, str]]:
    return [{"RegexString": pattern["regexString"]} for pattern in inputs.get("regularExpressions") or []]


def _create_pattern_set(cloud: Cloud, inputs: Properties) -> str:
    answer = client(cloud, inputs["scope"]).create_regex_pattern_set(RegularExpressionList=_patterns(inputs), **creation(inputs))
    return str(answer["Summary"]["Id"])


def _read_pattern_set(cloud: Cloud, id_: str, known: Properties) -> Properties:
    name = named(id_, known)
    answer = client(cloud, name["Scope"]).get_regex_pattern_set(**name)
    found = answer["RegexPatternSet"]
    return {
        "arn": found["ARN"],
        "description": found.get("Description") or "",
        "id": found["Id"],
        "lockToken": answer["LockToken"],
        "name": found["Name"],
        "regularExpressions": [{"regexString": pattern["RegexString"]} for pattern in found["RegularExpressionList"]],
        "scope": name["Scope"],
        "tagsAll": tags_of(cloud, found["ARN"]),
    }


def _update_pattern_set(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    waf, name = client(cloud, new["scope"]), named(id_, old)
    if changed & {"description", "regularExpressions"}:
        token = waf.get_regex_pattern_set(**name)["LockToken"]
        waf.update_regex_pattern_set(RegularExpressionList=_patterns(new), LockToken=token, **name, **described(new))
    retag(cloud, old, new, changed)


def _delete_pattern_set(cloud: Cloud, id_: str, known: Properties) -> None:
    waf, name = client(cloud, known["scope"]), named(id_, known)
    waf.delete_regex_pattern_set(LockToken=waf.get_regex_pattern_set(**name)["LockToken"], **name)


def _find_pattern_set(cloud: Cloud, inputs: Properties) -> list[str]:
    return ids_by_name(cloud, "list_regex_pattern_sets", "RegexPatternSets", inputs)


# -- look-ups -----------------------------------------------------------------------------------------------------------


def _get_ip_set(cloud: Cloud, arguments: Properties) -> Properties:
    found = _find_ip_set(cloud, arguments)
    if not found:
        raise ProviderError(f"getIpSet: no WAFv2 IP set is named {arguments['name']!r} in scope {arguments['scope']}")
    outputs = _read_ip_set(cloud, found[0], arguments)
    return {key: outputs[key] for key in ("addresses", "arn", "description", "id", "ipAddressVersion", "name", "scope")} | {
        "region": cloud.region
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:wafv2/ipSet:IpSet",
        service="wafv2",
        create=_create_ip_set,
        read=_read_ip_set,
        update=_update_ip_set,
        delete=_delete_ip_set,
        find=_find_ip_set,
        name=AutoName(max_length=128),
        required=("ipAddressVersion", "scope"),
        replace_on=("ipAddressVersion", "name", "namePrefix", "scope"),
        computed=("arn", "lockToken"),
        local=("namePrefix",),
        sets=("addresses",),
        volatile=("lockToken",),
        absent=ABSENT,
        tagged=True,
    ),
    ResourceType(
        token="aws:wafv2/regexPatternSet:RegexPatternSet",
        service="wafv2",
        create=_create_pattern_set,
        read=_read_pattern_set,
        update=_update_pattern_set,
        delete=_delete_pattern_set,
        find=_find_pattern_set,
        name=AutoName(max_length=128),
        required=("scope",),
        replace_on=("name", "namePrefix", "scope"),
        computed=("arn", "lockToken"),
        local=("namePrefix",),
        sets=("regularExpressions",),
        volatile=("lockToken",),
        absent=ABSENT,
        tagged=True,
    ),
)

FUNCTIONS = (Function(token="aws:wafv2/getIpSet:getIpSet", service="wafv2", call=_get_ip_set),)
