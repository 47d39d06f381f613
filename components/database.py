"""PostgreSQL on RDS, in the private subnets, with a generated password in Secrets Manager."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_aws import ec2, rds, secretsmanager

from components.base import Component


@dataclass(frozen=True)
class DatabaseArgs:
    """``storage_gb`` in gibibytes. The service's security group alone reaches the database."""

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_security_group_id: pulumi.Input[str]
    engine_version: str
    instance_class: str
    storage_gb: int
    backup_days: int
    multi_az: bool


class Database(Component):
    """Gives ``endpoint`` (host:port), ``url`` (secret) and ``secret_arn``."""

    def __init__(
        self, name: str, args: DatabaseArgs, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, tags, opts)
        password = random.RandomPassword(self.child("password"), length=32, special=False, opts=self.options())
        secret = secretsmanager.Secret(self.child("credentials"), tags=self.named("credentials"), opts=self.options())
        group = self._security_group(args)
        subnets = rds.SubnetGroup(
            self.child("subnets"), subnet_ids=list(args.subnet_ids), tags=self.named("subnets"), opts=self.options()
        )
        instance = rds.Instance(
            self.child("postgres"),
            engine="postgres",
            engine_version=args.engine_version,
            instance_class=args.instance_class,
            allocated_storage=args.storage_gb,
            db_name="shop",
            username="shop",
            password=password.result,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[group.id],
            storage_encrypted=True,
            iam_database_authentication_enabled=True,
            backup_retention_period=args.backup_days,
            multi_az=args.multi_az,
            skip_final_snapshot=True,
            tags=self.named("postgres"),
            opts=self.options(),
        )
        self.endpoint = instance.endpoint
        url = pulumi.Output.concat("postgresql://shop:", password.result, "@", instance.endpoint, "/shop")
        self.url: pulumi.Output[str] = pulumi.Output.secret(url)
        secretsmanager.SecretVersion(
            self.child("credentials"), secret_id=secret.id, secret_string=self.url, opts=self.options()
        )
        self.secret_arn = secret.arn
        self.register_outputs({"endpoint": self.endpoint, "secret_arn": self.secret_arn})

    def _security_group(self, args: DatabaseArgs) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self.child("postgres"),
            vpc_id=args.vpc_id,
            description="PostgreSQL, from the service alone",
            ingress=[
                {
                    "protocol": "tcp",
                    "from_port": 5432,
                    "to_port": 5432,
                    "security_groups": [args.client_security_group_id],
                    "description": "the service",
                }
            ],
            tags=self.named("postgres"),
            opts=self.options(),
        )
