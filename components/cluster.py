"""The ECS cluster that services run in. On Fargate it is a name, and a place for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecs

from components.base import Component


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """A cluster has nothing to choose."""

    tags: Mapping[str, str]


class Cluster(Component):
    """Gives ``arn`` and ``cluster_name``."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        cluster = ecs.Cluster(
            self.child("cluster"),
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=self.named("cluster"),
            opts=self.options(),
        )
        self.arn = cluster.arn
        self.cluster_name = cluster.name
        self.register_outputs({"arn": self.arn, "cluster_name": self.cluster_name})
