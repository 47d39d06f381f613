"""What an environment is: the components, put together. The same for every environment; only its arguments differ."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from components.base import Component
from components.database import Database, DatabaseArgs
from components.ingress import Ingress, IngressArgs
from components.network import Network, NetworkArgs
from components.queue import Queue, QueueArgs
from components.service import Service, ServiceArgs
from components.storage import Storage


@dataclass(frozen=True)
class EnvironmentArgs:
    """The values of one environment, taken from a parameter set."""

    region: str
    zones: tuple[str, ...]
    cidr: str
    allowed_cidrs: tuple[str, ...]
    image: str
    cpu: int
    memory: int
    count: int
    port: int
    health_path: str
    log_days: int
    engine_version: str
    instance_class: str
    storage_gb: int
    backup_days: int
    multi_az: bool
    visibility_timeout_seconds: int
    max_receives: int


class Environment(Component):
    """One environment, complete. ``outputs`` is what its users need; secrets are secret there."""

    def __init__(
        self, name: str, args: EnvironmentArgs, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, tags, opts)
        self.args = args
        self.network = Network(name, NetworkArgs(args.cidr, args.zones), tags, self.options())
        self.storage = Storage(name, tags, self.options())
        self.queue = Queue(name, QueueArgs(args.visibility_timeout_seconds, args.max_receives), tags, self.options())
        self.ingress = self._ingress()
        service_group = self._service_group()
        self.database = self._database(service_group)
        self.service = self._service(service_group)
        self.outputs: dict[str, pulumi.Output[str]] = {
            "url": self.ingress.url,
            "vpc_id": self.network.vpc_id,
            "asset_bucket": self.storage.bucket_name,
            "job_queue_url": self.queue.url,
            "database_endpoint": self.database.endpoint,
            "database_url": self.database.url,
            "cluster_arn": self.service.cluster_arn,
            "task_role_arn": self.service.task_role_arn,
        }
        self.register_outputs(self.outputs)

    def _ingress(self) -> Ingress:
        args = self.args
        return Ingress(
            self.name,
            IngressArgs(
                self.network.vpc_id, self.network.public_subnet_ids, args.allowed_cidrs, args.port, args.health_path
            ),
            self.tags,
            self.options(),
        )

    def _service_group(self) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self.child("service"),
            vpc_id=self.network.vpc_id,
            description="The backend",
            ingress=[
                {
                    "protocol": "tcp",
                    "from_port": self.args.port,
                    "to_port": self.args.port,
                    "security_groups": [self.ingress.security_group_id],
                    "description": "the load balancer",
                }
            ],
            egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}],
            tags=self.named("service"),
            opts=self.options(),
        )

    def _database(self, service_group: ec2.SecurityGroup) -> Database:
        args = self.args
        return Database(
            self.name,
            DatabaseArgs(
                vpc_id=self.network.vpc_id,
                subnet_ids=self.network.private_subnet_ids,
                client_security_group_id=service_group.id,
                engine_version=args.engine_version,
                instance_class=args.instance_class,
                storage_gb=args.storage_gb,
                backup_days=args.backup_days,
                multi_az=args.multi_az,
            ),
            self.tags,
            self.options(),
        )

    def _service(self, service_group: ec2.SecurityGroup) -> Service:
        args = self.args
        return Service(
            self.name,
            ServiceArgs(
                region=args.region,
                vpc_id=self.network.vpc_id,
                subnet_ids=self.network.private_subnet_ids,
                security_group=service_group,
                target_group_arn=self.ingress.target_group_arn,
                listener=self.ingress.listener,
                image=args.image,
                cpu=args.cpu,
                memory=args.memory,
                count=args.count,
                port=args.port,
                log_days=args.log_days,
                bucket_name=self.storage.bucket_name,
                bucket_arn=self.storage.bucket_arn,
                queue_url=self.queue.url,
                queue_arn=self.queue.arn,
                database_secret_arn=self.database.secret_arn,
            ),
            self.tags,
            self.options(),
        )
