"""Amazon RDS: parameter groups, of instances and of clusters, whose calls differ in names alone.

Source: the RDS API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isostack.localcloud.resource_types.rds_requests import refuse_use, tags_of, update_tags
from isostack.localcloud.resource_types.row import AutoName, Properties, ResourceType, tag_list

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_CHUNK = 20  # parameters that one call takes
_DESCRIPTION = {"description": "Managed by Pulumi"}


@dataclass(frozen=True)
class _Groups:
    """One kind of groups: ``key`` begins the names of its parameters, ``calls`` is in those of its calls."""

    key: str
    calls: str

    def call(self, cloud: Cloud, verb: str, name: str, **arguments: Any) -> Any:
        method = f"{verb}_{self.calls}_parameter_group{'s' if verb == 'describe' else ''}"
        return getattr(cloud.client("rds"), method)(**{f"{self.key}Name": name, **arguments})

    def create(self, cloud: Cloud, inputs: Properties) -> str:
        name = str(inputs["name"])
        family, description = inputs["family"], inputs.get("description") or _DESCRIPTION["description"]
        tags = tag_list(inputs.get("tagsAll"))
        self.call(cloud, "create", name, DBParameterGroupFamily=family, Description=description, Tags=tags)
        try:
            self.apply(cloud, "modify", name, _parameters(inputs.get("parameters")))
        except Exception:
            self.call(cloud, "delete", name)
            raise
        return name

    def apply(self, cloud: Cloud, verb: str, name: str, parameters: list[dict[str, str]], **arguments: Any) -> None:
        for start in range(0, len(parameters), _CHUNK):
            self.call(cloud, verb, name, Parameters=parameters[start : start + _CHUNK], **arguments)

    def read(self, cloud: Cloud, id_: str, known: Properties) -> Properties | None:
        client, groups = cloud.client("rds"), self.call(cloud, "describe", id_)[f"{self.key}s"]
        if not groups:
            return None
        arn = groups[0][f"{self.key}Arn"]
        pages = client.get_paginator(f"describe_{self.calls}_parameters").paginate(**{f"{self.key}Name": id_}, Source="user")
        names = {item["name"].lower(): item["name"] for item in known.get("parameters") or []}
        return {
            "arn": arn,
            "description": groups[0]["Description"],
            "family": groups[0]["DBParameterGroupFamily"],
            "name": groups[0][f"{self.key}Name"],
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
            "tagsAll": tags_of(client, arn),
        }

    def update(self, cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
        if "parameters" in changed:
            before, after = _parameters(old.get("parameters")), _parameters(new.get("parameters"))
            kept = {item["ParameterName"] for item in after}
            names = [item["ParameterName"] for item in before if item["ParameterName"] not in kept]
            removed = [{"ParameterName": name, "ApplyMethod": "pending-reboot"} for name in names]
            self.apply(cloud, "reset", id_, removed, ResetAllParameters=False)
            self.apply(cloud, "modify", id_, [item for item in after if item not in before])
        if "tagsAll" in changed:
            update_tags(cloud.client("rds"), old["arn"], old, new)

    def delete(self, cloud: Cloud, id_: str, known: Properties) -> None:
        self.call(cloud, "delete", id_)

    def row(self, token: str, delete: Callable[[Cloud, str, Properties], None], *local: str) -> ResourceType:
        return ResourceType(
            token=token,
            service="rds",
            create=self.create,
            read=self.read,
            update=self.update,
            delete=delete,
            name=AutoName(max_length=255, lower=True),
            required=("family",),
            replace_on=("description", "family", "name", "namePrefix"),
            computed=("arn",),
            local=("namePrefix", *local),
            defaults=_DESCRIPTION,
            sets=("parameters",),
            absent=("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault"),
            tagged=True,
        )


def _parameters(parameters: list[Properties] | None) -> list[dict[str, str]]:
    return [
        {
            "ParameterName": item["name"].lower(),
            "ParameterValue": str(item["value"]),
            "ApplyMethod": item.get("applyMethod") or "immediate",
        }
        for item in parameters or []
    ]


def _delete_of_instances(cloud: Cloud, id_: str, known: Properties) -> None:
    if known.get("skipDestroy"):
        return
    refuse_use(
        cloud.client("rds"),
        "InvalidDBParameterGroupState",
        id_,
        lambda instance: [group["DBParameterGroupName"] for group in instance.get("DBParameterGroups") or []],
    )
    _INSTANCES.delete(cloud, id_, known)


_INSTANCES = _Groups("DBParameterGroup", "db")
_CLUSTERS = _Groups("DBClusterParameterGroup", "db_cluster")

RESOURCE_TYPES = (
    _INSTANCES.row("aws:rds/parameterGroup:ParameterGroup", _delete_of_instances, "skipDestroy"),
    _CLUSTERS.row("aws:rds/clusterParameterGroup:ClusterParameterGroup", _CLUSTERS.delete),
)
