"""Amazon RDS: parameter groups of clusters. Source: the RDS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.localcloud.resource_types.row import AutoName, Properties, ResourceType, tag_changes, tag_list, tag_map

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_CHUNK = 20  # parameters that one call takes


def _requests(parameters: list[Properties] | None) -> list[dict[str, str]]:
    return [
        {
            "ParameterName": item["name"].lower(),
            "ParameterValue": str(item["value"]),
            "ApplyMethod": item.get("applyMethod") or "immediate",
        }
        for item in parameters or []
    ]


def _in_chunks(call: Any, name: str, parameters: list[dict[str, str]]) -> None:
    for start in range(0, len(parameters), _CHUNK):
        call(DBClusterParameterGroupName=name, Parameters=parameters[start : start + _CHUNK])


def _create(cloud: Cloud, inputs: Properties) -> str:
    client, name = cloud.client("rds"), inputs["name"]
    client.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        DBParameterGroupFamily=inputs["family"],
        Description=inputs["description"],
        Tags=tag_list(inputs.get("tagsAll")),
    )
    try:
        _in_chunks(client.modify_db_cluster_parameter_group, name, _requests(inputs.get("parameters")))
    except Exception:
        client.delete_db_cluster_parameter_group(DBClusterParameterGroupName=name)
        raise
    return str(name)


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties:
    client = cloud.client("rds")
    group = client.describe_db_cluster_parameter_groups(DBClusterParameterGroupName=id_)["DBClusterParameterGroups"][0]
    arn = group["DBClusterParameterGroupArn"]
    pages = client.get_paginator("describe_db_cluster_parameters").paginate(DBClusterParameterGroupName=id_, Source="user")
    names = {item["name"].lower(): item["name"] for item in known.get("parameters") or []}
    return {
        "arn": arn,
        "description": group["Description"],
        "family": group["DBParameterGroupFamily"],
        "name": group["DBClusterParameterGroupName"],
        "parameters": [
            {
                "applyMethod": item.get("ApplyMethod", "immediate"),
                "name": names.get(item["ParameterName"], item["ParameterName"]),
                "value": item["ParameterValue"],
            }
            for page in pages
            for item in page["Parameters"]
            if item.get("ParameterValue") is not None
        ],
        "tagsAll": tag_map(client.list_tags_for_resource(ResourceName=arn)["TagList"]),
    }


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("rds")
    if "parameters" in changed:
        before, after = _requests(old.get("parameters")), _requests(new.get("parameters"))
        kept = {item["ParameterName"] for item in after}
        _in_chunks(client.modify_db_cluster_parameter_group, id_, [item for item in after if item not in before])
        removed = [item for item in before if item["ParameterName"] not in kept]
        _in_chunks(client.reset_db_cluster_parameter_group, id_, removed)
    tags, gone = tag_changes(old, new)
    if gone:
        client.remove_tags_from_resource(ResourceName=old["arn"], TagKeys=gone)
    if tags:
        client.add_tags_to_resource(ResourceName=old["arn"], Tags=tag_list(tags))


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("rds").delete_db_cluster_parameter_group(DBClusterParameterGroupName=id_)


RESOURCE_TYPES = (
    ResourceType(
        token="aws:rds/clusterParameterGroup:ClusterParameterGroup",
        service="rds",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        name=AutoName(max_length=255, lower=True),
        required=("family",),
        replace_on=("description", "family", "name", "namePrefix"),
        computed=("arn",),
        local=("namePrefix",),
        defaults={"description": "Managed by Pulumi"},
        sets=("parameters",),
        absent=("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault"),
        tagged=True,
    ),
)
