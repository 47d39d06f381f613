"""What an environment is: the components, put together. The same for every environment; only its values differ.

Owns who is given what of whom. What the values are is the parameter set's; what is made of them is each component's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from components.access import Access, AccessArgs, AccessValues, Boundary, BoundaryArgs
from components.audit import Audit, AuditArgs, AuditValues
from components.base import Component
from components.cache import Cache, CacheArgs, CacheValues
from components.cluster import Cluster, ClusterArgs
from components.database import Database, DatabaseArgs, DatabaseValues
from components.flags import FeatureFlags, FeatureFlagsArgs, FlagsValues
from components.ingress import Ingress, IngressArgs, IngressValues
from components.keys import Keys, KeysArgs, KeysValues
from components.network import Network, NetworkArgs, NetworkValues
from components.observability import Observability, ObservabilityArgs, ObservabilityValues
from components.queue import Queue, QueueArgs, QueueValues
from components.service import Service, ServiceArgs, ServiceValues
from components.storage import Storage, StorageArgs, StorageValues


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs:
    """The values of one environment. ``label`` is its name for people; ``zones`` are full names, as ``eu-west-1a``.

    ``github_arn`` is GitHub's identity provider, where the account has one that is not this environment's.
    """

    label: str
    account_id: str
    region: str
    zones: tuple[str, ...]
    release: str
    tags: Mapping[str, str]
    network: NetworkValues
    keys: KeysValues
    storage: StorageValues
    audit: AuditValues
    queue: QueueValues
    database: DatabaseValues
    cache: CacheValues
    services: Mapping[str, ServiceValues]
    flags: FlagsValues
    ingress: IngressValues
    access: AccessValues
    observability: ObservabilityValues
    github_arn: str | None = None


class Environment(Component):
    """One environment, complete. ``outputs`` is what its users need; secrets are secret there.

    ``secret_values`` are the values of what a service may name among its secrets.
    """

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.boundary = Boundary(
            name, BoundaryArgs(tags=args.tags, account_id=args.account_id, region=args.region), self.options()
        )
        self.keys = self._keys()
        self.network = self._network()
        self.storage = self._storage()
        self.audit = self._audit()
        self.queue = self._queue()
        self.ingress = self._ingress()
        self.service_group = self._service_group()
        self.database = self._database()
        self.cache = self._cache()
        self.flags = self._flags()
        self.cluster = Cluster(name, ClusterArgs(tags=args.tags), self.options())
        self.secret_values = {"DATABASE_URL": self.database.url, "CACHE_URL": self.cache.url}
        self.services = {role: self._service(role, values) for role, values in args.services.items()}
        self.access = self._access()
        self.observability = self._observability()
        self.outputs = self._outputs()
        self.register_outputs(self.outputs)

    def _outputs(self) -> dict[str, pulumi.Input[object]]:
        return {
            "url": self.ingress.url,
            "balancer_dns_name": self.ingress.dns_name,
            "web_acl_arn": self.ingress.web_acl_arn,
            "certificate_arn": self.ingress.certificate_arn,
            "target_group_arns": self.ingress.target_group_arns,
            "vpc_id": self.network.vpc_id,
            "public_subnet_ids": self.network.public_subnet_ids,
            "private_subnet_ids": self.network.private_subnet_ids,
            "database_subnet_ids": self.network.database_subnet_ids,
            "data_key_arn": self.keys.data_key_arn,
            "logs_key_arn": self.keys.logs_key_arn,
            "asset_bucket": self.storage.bucket_name,
            "logs_bucket": self.storage.logs_bucket_name,
            "audit_bucket": self.audit.bucket_name,
            "trail_arn": self.audit.trail_arn,
            "job_queue_url": self.queue.url,
            "job_queue_arn": self.queue.arn,
            "dead_letter_arn": self.queue.dead_letter_arn,
            "database_endpoint": self.database.endpoint,
            "database_url": self.database.url,
            "database_secret_arn": self.database.secret_arn,
            "cache_endpoint": self.cache.endpoint,
            "cache_secret_arn": self.cache.secret_arn,
            "cluster_arn": self.cluster.arn,
            "service_names": {role: service.service_name for role, service in self.services.items()},
            "task_role_arns": {role: service.task_role_arn for role, service in self.services.items()},
            "flags_application_id": self.flags.application_id,
            "flags_profile_id": self.flags.profile_id,
            "role_arns": self.access.role_arns,
            "alarm_topic_arn": self.observability.topic_arn,
            "dashboard": self.observability.dashboard_name,
            # What a service finds in its environment, for a program that runs elsewhere in its place.
            "service_environment": pulumi.Output.secret(
                {
                    **self.secret_values,
                    "ASSET_BUCKET": self.storage.bucket_name,
                    "JOB_QUEUE_URL": self.queue.url,
                    "RELEASE": self.args.release,
                }
            ),
        }

    def _keys(self) -> Keys:
        args = self.args
        return Keys(
            self.name,
            KeysArgs(tags=args.tags, account_id=args.account_id, region=args.region, **vars(args.keys)),
            self.options(),
        )

    def _network(self) -> Network:
        args = self.args
        return Network(
            self.name,
            NetworkArgs(
                tags=args.tags,
                region=args.region,
                zones=args.zones,
                logs_key_arn=self.keys.logs_key_arn,
                permissions_boundary_arn=self.boundary.arn,
                **vars(args.network),
            ),
            self.options(),
        )

    def _storage(self) -> Storage:
        args = self.args
        return Storage(
            self.name,
            StorageArgs(tags=args.tags, account_id=args.account_id, key_arn=self.keys.data_key_arn, **vars(args.storage)),
            self.options(),
        )

    def _audit(self) -> Audit:
        args = self.args
        return Audit(
            self.name,
            AuditArgs(
                tags=args.tags,
                account_id=args.account_id,
                region=args.region,
                key_arn=self.keys.logs_key_arn,
                access_logs_bucket_name=self.storage.logs_bucket_name,
                permissions_boundary_arn=self.boundary.arn,
                **vars(args.audit),
            ),
            self.options(),
        )

    def _queue(self) -> Queue:
        args = self.args
        return Queue(
            self.name,
            QueueArgs(tags=args.tags, key_arn=self.keys.data_key_arn, **vars(args.queue)),
            self.options(),
        )

    def _service_group(self) -> ec2.SecurityGroup:
        """One group for all services: the database and the cache let it in, and it is let in by the load balancer."""
        return ec2.SecurityGroup(
            self.child("service"),
            vpc_id=self.network.vpc_id,
            description="The services",
            ingress=[
                {
                    "protocol": "tcp",
                    "from_port": self.args.ingress.port,
                    "to_port": self.args.ingress.port,
                    "security_groups": [self.ingress.security_group_id],
                    "description": "the load balancer",
                }
            ],
            egress=[
                {
                    "protocol": "-1",
                    "from_port": 0,
                    "to_port": 0,
                    "cidr_blocks": ["0.0.0.0/0"],
                    "description": "partners, and AWS",
                }
            ],
            tags=self.named("service"),
            opts=self.options(),
        )

    def _database(self) -> Database:
        args = self.args
        return Database(
            self.name,
            DatabaseArgs(
                tags=args.tags,
                vpc_id=self.network.vpc_id,
                subnet_ids=self.network.database_subnet_ids,
                client_security_group_ids=[self.service_group.id],
                key_arn=self.keys.data_key_arn,
                database_name=self.name.replace("-", "_"),
                permissions_boundary_arn=self.boundary.arn,
                **vars(args.database),
            ),
            self.options(),
        )

    def _cache(self) -> Cache:
        args = self.args
        return Cache(
            self.name,
            CacheArgs(
                tags=args.tags,
                vpc_id=self.network.vpc_id,
                subnet_ids=self.network.database_subnet_ids,
                client_security_group_ids=[self.service_group.id],
                key_arn=self.keys.data_key_arn,
                **vars(args.cache),
            ),
            self.options(),
        )

    def _flags(self) -> FeatureFlags:
        return FeatureFlags(self.name, FeatureFlagsArgs(tags=self.args.tags, **vars(self.args.flags)), self.options())

    def _ingress(self) -> Ingress:
        args = self.args
        return Ingress(
            self.name,
            IngressArgs(
                tags=args.tags,
                vpc_id=self.network.vpc_id,
                vpc_cidr=args.network.cidr,
                public_subnet_ids=self.network.public_subnet_ids,
                private_subnet_ids=self.network.private_subnet_ids,
                logs_bucket_name=self.storage.logs_bucket_name,
                logs_key_arn=self.keys.logs_key_arn,
                **vars(args.ingress),
            ),
            self.options(),
        )

    def _service(self, role: str, values: ServiceValues) -> Service:
        args = self.args
        return Service(
            self.child(role),
            ServiceArgs(
                tags=args.tags,
                region=args.region,
                release=args.release,
                cluster_arn=self.cluster.arn,
                cluster_name=self.cluster.cluster_name,
                vpc_id=self.network.vpc_id,
                subnet_ids=self.network.private_subnet_ids,
                security_group_id=self.service_group.id,
                target_group_arn=self.ingress.target_group_arns[values.target] if values.target else None,
                listeners=self.ingress.listeners,
                bucket_name=self.storage.bucket_name,
                bucket_arn=self.storage.bucket_arn,
                queue_url=self.queue.url,
                queue_arn=self.queue.arn,
                secret_arns=self._secret_arns(),
                key_arn=self.keys.data_key_arn,
                logs_key_arn=self.keys.logs_key_arn,
                permissions_boundary_arn=self.boundary.arn,
                **vars(values),
            ),
            self.options(),
        )

    def _secret_arns(self) -> dict[str, pulumi.Output[str]]:
        """What a service may name among its secrets."""
        return {"DATABASE_URL": self.database.secret_arn, "CACHE_URL": self.cache.secret_arn}

    def _access(self) -> Access:
        args = self.args
        return Access(
            self.name,
            AccessArgs(
                tags=args.tags,
                region=args.region,
                bucket_arn=self.storage.bucket_arn,
                queue_arn=self.queue.arn,
                database_resource_id=self.database.resource_id,
                key_arn=self.keys.data_key_arn,
                secret_arns=self._secret_arns(),
                boundary_arn=self.boundary.arn,
                github_arn=args.github_arn,
                **vars(args.access),
            ),
            self.options(),
        )

    def _observability(self) -> Observability:
        args = self.args
        return Observability(
            self.name,
            ObservabilityArgs(
                tags=args.tags,
                environment_label=args.label,
                region=args.region,
                key_arn=self.keys.data_key_arn,
                load_balancer_arn_suffix=self.ingress.load_balancer_arn_suffix,
                target_group_arn_suffixes=self.ingress.target_group_arn_suffixes,
                queue_name=self.queue.queue_name,
                dead_letter_name=self.queue.dead_letter_name,
                database_id=self.database.instance_id,
                trail_log_group_name=self.audit.log_group_name,
                **vars(args.observability),
            ),
            self.options(),
        )
