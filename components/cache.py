"""A cache: Valkey on ElastiCache, with its token, and the secret with the URL by which programs reach it.

What is in it can be made again: it is replicated where the values say so, and never backed up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_aws import ec2, elasticache, secretsmanager

from components.base import Component
from components.naming import fitted

PORT = 6379


@dataclass(frozen=True, kw_only=True)
class CacheValues:
    """``engine_version`` is Valkey's, as ``8.0``. With one replica or more, another zone takes over when the primary fails."""

    engine_version: str
    node_type: str
    replicas: int


@dataclass(frozen=True, kw_only=True)
class CacheArgs(CacheValues):
    """Only the clients' security groups reach the cache."""

    tags: Mapping[str, str]
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_security_group_ids: Sequence[pulumi.Input[str]]
    key_arn: pulumi.Input[str]


class Cache(Component):
    """Gives ``endpoint`` (the primary's address) and ``port``, a plain number.

    ``url`` (``rediss://``, with the token) is secret; the secret at ``secret_arn`` holds the same.
    """

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.token = random.RandomPassword(self.child("cache-token"), length=64, special=False, opts=self.options())
        self.group = self._replication_group(self._subnets(), self._security_group())
        self.endpoint = self.group.primary_endpoint_address
        self.port = PORT
        self.url = self._url()
        self.secret_arn = self._secret()
        self.register_outputs({"endpoint": self.endpoint, "port": self.port, "url": self.url, "secret_arn": self.secret_arn})

    def _subnets(self) -> elasticache.SubnetGroup:
        return elasticache.SubnetGroup(
            self.child("cache"),
            description="The subnets of the cache",
            subnet_ids=list(self.args.subnet_ids),
            tags=self.named("cache"),
            opts=self.options(),
        )

    def _security_group(self) -> ec2.SecurityGroup:
        """Lets the clients in, and nothing out: a cache calls nobody."""
        return ec2.SecurityGroup(
            self.child("cache"),
            vpc_id=self.args.vpc_id,
            description="Valkey, for its clients alone",
            ingress=[
                {
                    "protocol": "tcp",
                    "from_port": PORT,
                    "to_port": PORT,
                    "security_groups": list(self.args.client_security_group_ids),
                    "description": "the clients",
                }
            ],
            egress=[],
            tags=self.named("cache"),
            opts=self.options(),
        )

    def _replication_group(
        self, subnets: elasticache.SubnetGroup, security_group: ec2.SecurityGroup
    ) -> elasticache.ReplicationGroup:
        args = self.args
        return elasticache.ReplicationGroup(
            fitted(self.child("cache"), "aws:elasticache/replicationGroup:ReplicationGroup"),
            description=f"The cache of {self.name}",
            engine="valkey",
            engine_version=args.engine_version,
            node_type=args.node_type,
            num_cache_clusters=1 + args.replicas,
            automatic_failover_enabled=args.replicas > 0,
            multi_az_enabled=args.replicas > 0,
            port=PORT,
            subnet_group_name=subnets.name,
            security_group_ids=[security_group.id],
            at_rest_encryption_enabled=True,
            kms_key_id=args.key_arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=self.token.result,
            tags=self.named("cache"),
            opts=self.options(),
        )

    def _url(self) -> pulumi.Output[str]:
        url = pulumi.Output.concat("rediss://:", self.token.result, "@", self.endpoint, f":{PORT}")
        return pulumi.Output.secret(url)

    def _secret(self) -> pulumi.Output[str]:
        secret = secretsmanager.Secret(
            self.child("cache-url"),
            description="The URL of the cache, with its token",
            kms_key_id=self.args.key_arn,
            tags=self.named("cache-url"),
            opts=self.options(),
        )
        version = secretsmanager.SecretVersion(
            self.child("cache-url"),
            secret_id=secret.id,
            secret_string=self.url,
            opts=self.options(deleted_with=secret),
        )
        # The secret's own ARN, known when it has a value: no task starts before.
        return version.secret_arn
