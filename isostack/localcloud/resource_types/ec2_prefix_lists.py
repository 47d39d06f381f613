"""Managed prefix lists, their entries, and looking them up. Source: the EC2 API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.ec2_requests import (
    Thing,
    asked_filters,
    filters,
    given,
    has_tags_of,
    only,
    require_network,
    retag,
    tagged,
)
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _entries(inputs: Properties) -> dict[str, str]:
    """Descriptions by CIDR block."""
    entries = inputs.get("entries") or []
    for entry in entries:
        require_network("ManagedPrefixList", "entries.cidr", entry["cidr"])
    descriptions = {entry["cidr"]: entry.get("description") or "" for entry in entries}
    if len(descriptions) < len(entries):
        raise ProviderError("ManagedPrefixList: entries name a CIDR block twice; give each block once")
    if len(entries) > int(inputs["maxEntries"]):
        raise ProviderError(
            f"ManagedPrefixList: {len(entries)} entries do not fit into maxEntries {inputs['maxEntries']}; raise maxEntries"
        )
    return descriptions


def _request(descriptions: dict[str, str]) -> list[dict[str, str]]:
    return [{"Cidr": cidr, **given(Description=text)} for cidr, text in descriptions.items()]


def _create_list(cloud: Cloud, inputs: Properties) -> Created:
    family = inputs["addressFamily"]
    if family not in ("IPv4", "IPv6"):
        raise ProviderError(f"ManagedPrefixList: addressFamily {family!r} is neither IPv4 nor IPv6")
    if inputs["name"].startswith("com.amazonaws"):
        raise ProviderError("ManagedPrefixList: the name must not start with com.amazonaws")
    answer = cloud.client("ec2").create_managed_prefix_list(
        PrefixListName=inputs["name"],
        AddressFamily=family,
        MaxEntries=int(inputs["maxEntries"]),
        **given(Entries=_request(_entries(inputs))),
        **tagged("prefix-list", inputs),
    )["PrefixList"]
    id_ = str(answer["PrefixListId"])
    return Created(id_, _outputs(answer, _shown(_request(_entries(inputs)))))


def _shown(entries: list[Thing]) -> list[dict[str, str]]:
    return [{"cidr": entry["Cidr"], "description": entry.get("Description", "")} for entry in entries]


def _outputs(found: Thing, entries: list[dict[str, str]]) -> Properties:
    return {
        "addressFamily": found["AddressFamily"],
        "arn": found["PrefixListArn"],
        "entries": entries,
        "name": found["PrefixListName"],
        "ownerId": found["OwnerId"],
        "tagsAll": tag_map(found.get("Tags")),
        **given(maxEntries=found.get("MaxEntries"), version=found.get("Version")),
    }


def _entries_of(cloud: Cloud, id_: str) -> list[dict[str, str]]:
    pages = cloud.client("ec2").get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=id_)
    return _shown([entry for page in pages for entry in page["Entries"]])


def _read_list(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    found = cloud.client("ec2").describe_managed_prefix_lists(PrefixListIds=[id_])["PrefixLists"]
    if not found or found[0]["State"].startswith("delete"):
        return None
    return _outputs(found[0], _entries_of(cloud, id_))


def _update_list(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    wanted = _entries({**new, "entries": new.get("entries", old.get("entries"))})
    client = cloud.client("ec2")
    if "tagsAll" in changed:
        retag(cloud, id_, old, new)
    name = {"PrefixListName": new["name"]}
    # EC2 takes a new size alone: before entries that need it, after those that are in its way have gone.
    size = int(new["maxEntries"])
    grows = size > int(old["maxEntries"])
    if "maxEntries" in changed and grows:
        client.modify_managed_prefix_list(PrefixListId=id_, MaxEntries=size, **name)
    if "entries" in changed and "entries" in new:
        _change_entries(cloud, id_, wanted, name)
    elif "name" in changed:
        client.modify_managed_prefix_list(PrefixListId=id_, **name)
    if "maxEntries" in changed and not grows:
        client.modify_managed_prefix_list(PrefixListId=id_, MaxEntries=size, **name)


def _change_entries(cloud: Cloud, id_: str, wanted: dict[str, str], name: dict[str, str]) -> None:
    present = {entry["cidr"]: entry["description"] for entry in _entries_of(cloud, id_)}
    removed = [{"Cidr": cidr} for cidr, text in present.items() if wanted.get(cidr) != text]
    added = {cidr: text for cidr, text in wanted.items() if present.get(cidr) != text}
    requests = [given(RemoveEntries=removed, AddEntries=_request(added))]
    if any(entry["Cidr"] in added for entry in removed):  # EC2 takes no block twice in one call
        requests = [{"RemoveEntries": removed}, {"AddEntries": _request(added)}]
    client = cloud.client("ec2")
    for request in requests:
        version = client.describe_managed_prefix_lists(PrefixListIds=[id_])["PrefixLists"][0]["Version"]
        client.modify_managed_prefix_list(PrefixListId=id_, CurrentVersion=version, **name, **request)


def _delete_list(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("ec2").delete_managed_prefix_list(PrefixListId=id_)


def _find_list(cloud: Cloud, inputs: Properties) -> list[str]:
    answer = cloud.client("ec2").describe_managed_prefix_lists(Filters=filters(prefix_list_name=inputs["name"]))
    return [
        found["PrefixListId"]
        for found in answer["PrefixLists"]
        if not found["State"].startswith("delete") and has_tags_of(found, inputs)
    ]


# -- single entries -----------------------------------------------------------------------------------------------------


def _create_entry(cloud: Cloud, inputs: Properties) -> Created:
    cidr, id_ = inputs["cidr"], inputs["prefixListId"]
    require_network("ManagedPrefixListEntry", "cidr", cidr)
    client = cloud.client("ec2")
    found = client.describe_managed_prefix_lists(PrefixListIds=[id_])["PrefixLists"]
    if not found:
        raise ProviderError(f"InvalidPrefixListID.NotFound: The prefix list ID '{id_}' does not exist")
    if _entry(cloud, id_, cidr) is not None:
        raise ProviderError(f"ManagedPrefixListEntry: {id_} has an entry for {cidr} already; import it as {id_},{cidr}")
    client.modify_managed_prefix_list(
        PrefixListId=id_,
        PrefixListName=found[0]["PrefixListName"],
        CurrentVersion=found[0]["Version"],
        AddEntries=_request({cidr: inputs.get("description") or ""}),
    )
    return Created(f"{id_},{cidr}", dict(inputs))


def _entry(cloud: Cloud, id_: str, cidr: str) -> dict[str, str] | None:
    return next((entry for entry in _entries_of(cloud, id_) if entry["cidr"] == cidr), None)


def _read_entry(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    list_id, _, cidr = id_.partition(",")
    if not cidr:
        raise ProviderError(f"{id_!r} is no id to import by; write pl-…,10.0.0.0/16")
    entry = _entry(cloud, list_id, cidr)
    if entry is None:
        return None
    return {"cidr": cidr, "prefixListId": list_id, **given(description=entry["description"])}


def _delete_entry(cloud: Cloud, id_: str, known: Properties) -> None:
    list_id, _, cidr = id_.partition(",")
    client = cloud.client("ec2")
    found = client.describe_managed_prefix_lists(PrefixListIds=[list_id])["PrefixLists"]
    if found and _entry(cloud, list_id, cidr) is not None:
        client.modify_managed_prefix_list(
            PrefixListId=list_id,
            PrefixListName=found[0]["PrefixListName"],
            CurrentVersion=found[0]["Version"],
            RemoveEntries=[{"Cidr": cidr}],
        )


def _find_entry(cloud: Cloud, inputs: Properties) -> list[str]:
    entry = _entry(cloud, inputs["prefixListId"], inputs["cidr"])
    return [f"{inputs['prefixListId']},{inputs['cidr']}"] if entry else []


# -- look-ups -----------------------------------------------------------------------------------------------------------


def _looked_up(cloud: Cloud, arguments: Properties, name: str | None, id_: str | None) -> Thing:
    asked = asked_filters(arguments, prefix_list_name=name, prefix_list_id=id_)
    return only(cloud.client("ec2").describe_managed_prefix_lists(**asked)["PrefixLists"], "EC2 Managed Prefix List")


def _get_managed(cloud: Cloud, arguments: Properties) -> Properties:
    found = _looked_up(cloud, arguments, arguments.get("name"), arguments.get("id"))
    outputs = _outputs(found, _entries_of(cloud, found["PrefixListId"]))
    tags = outputs.pop("tagsAll")
    return {"maxEntries": 0, "version": 0, **outputs, "id": found["PrefixListId"], "region": cloud.region, "tags": tags}


def _get_prefix_list(cloud: Cloud, arguments: Properties) -> Properties:
    found = _looked_up(cloud, arguments, arguments.get("name"), arguments.get("prefixListId"))
    return {
        "cidrBlocks": sorted(entry["cidr"] for entry in _entries_of(cloud, found["PrefixListId"])),
        "id": found["PrefixListId"],
        "name": found["PrefixListName"],
        "region": cloud.region,
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ec2/managedPrefixList:ManagedPrefixList",
        service="ec2",
        create=_create_list,
        read=_read_list,
        update=_update_list,
        delete=_delete_list,
        find=_find_list,
        name=AutoName(max_length=255, unless=()),
        required=("addressFamily", "maxEntries"),
        replace_on=("addressFamily",),
        computed=("arn", "ownerId", "version"),
        sticky=("entries",),
        sets=("entries",),
        volatile=("version",),
        tagged=True,
    ),
    ResourceType(
        token="aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry",
        service="ec2",
        create=_create_entry,
        read=_read_entry,
        delete=_delete_entry,
        find=_find_entry,
        required=("cidr", "prefixListId"),
    ),
)

FUNCTIONS = (
    Function(token="aws:ec2/getManagedPrefixList:getManagedPrefixList", service="ec2", call=_get_managed),
    Function(token="aws:ec2/getPrefixList:getPrefixList", service="ec2", call=_get_prefix_list),
)
