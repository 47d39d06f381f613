"""PostgreSQL on RDS: the instance, its groups, its password, and the secret with the URL by which programs reach it.

Owns what keeps the data: encryption, backups, logs and the last snapshot. Schemas and database users are the programs' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_aws import ec2, iam, rds, secretsmanager

from components.base import Component
from components.documents import trust
from components.naming import fitted

PORT = 5432
MONITORING_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
LOGGED = {"log_statement": "ddl", "log_min_duration_statement": "1000"}
# Parameters that PostgreSQL reads when it starts: RDS refuses to apply them at once.
READ_AT_START = frozenset(
    {
        "autovacuum_freeze_max_age",
        "autovacuum_max_workers",
        "autovacuum_multixact_freeze_max_age",
        "huge_pages",
        "max_connections",
        "max_locks_per_transaction",
        "max_logical_replication_workers",
        "max_pred_locks_per_transaction",
        "max_prepared_transactions",
        "max_replication_slots",
        "max_wal_senders",
        "max_worker_processes",
        "rds.logical_replication",
        "shared_buffers",
        "shared_preload_libraries",
        "track_activity_query_size",
        "track_commit_timestamp",
        "wal_buffers",
    }
)


@dataclass(frozen=True, kw_only=True)
class DatabaseValues:
    """``storage_gb`` and ``max_storage_gb`` in gibibytes: what it starts with, and how far it may grow by itself.

    ``engine_version`` as RDS writes it (``17.5``). Windows in UTC: ``backup_window`` as ``02:00-03:00``, ``maintenance_window``
    as ``sun:03:30-sun:04:30``. ``snapshot`` is the snapshot to restore from, by its identifier; it must be encrypted with the
    key of the arguments. To give one to a running database replaces the database. ``parameters`` are PostgreSQL's, by name; those
    that it reads when it starts take effect at the next reboot, the others at once.
    """

    engine_version: str
    instance_class: str
    storage_gb: int
    max_storage_gb: int
    backup_days: int
    backup_window: str
    maintenance_window: str
    multi_az: bool
    deletion_protection: bool
    skip_final_snapshot: bool
    snapshot: str | None
    parameters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs(DatabaseValues):
    """The subnets lie in two zones or more. Only the clients' security groups reach the database.

    ``database_name`` is also the name of the master user: a letter, then letters, digits and underscores.
    """

    tags: Mapping[str, str]
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_security_group_ids: Sequence[pulumi.Input[str]]
    key_arn: pulumi.Input[str]
    database_name: str
    permissions_boundary_arn: pulumi.Input[str] | None = None


class Database(Component):
    """Gives ``endpoint`` (host:port), ``address``, ``port``, ``instance_id``, ``resource_id`` (for IAM logins) and ``arn``.

    ``url`` is secret; the secret at ``secret_arn`` holds the same.
    """

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.password = random.RandomPassword(self.child("database-password"), length=32, special=False, opts=self.options())
        self.security_group = self._security_group()
        self.instance = self._instance(self._subnets(), self._parameters(), self._monitoring())
        self.endpoint = self.instance.endpoint
        self.address = self.instance.address
        self.port = self.instance.port
        self.instance_id = self.instance.identifier
        self.resource_id = self.instance.resource_id
        self.arn = self.instance.arn
        self.url = self._url()
        self.secret_arn = self._secret()
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "address": self.address,
                "port": self.port,
                "instance_id": self.instance_id,
                "resource_id": self.resource_id,
                "arn": self.arn,
                "url": self.url,
                "secret_arn": self.secret_arn,
            }
        )

    def _security_group(self) -> ec2.SecurityGroup:
        """Lets the clients in, and nothing out: a database calls nobody."""
        return ec2.SecurityGroup(
            self.child("database"),
            vpc_id=self.args.vpc_id,
            description="PostgreSQL, for its clients alone",
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
            tags=self.named("database"),
            opts=self.options(),
        )

    def _subnets(self) -> rds.SubnetGroup:
        return rds.SubnetGroup(
            self.child("database"),
            description="The subnets of the database",
            subnet_ids=list(self.args.subnet_ids),
            tags=self.named("database"),
            opts=self.options(),
        )

    def _parameters(self) -> rds.ParameterGroup:
        """What is logged may be overridden; that connections are encrypted may not."""
        parameters = {**LOGGED, **self.args.parameters, "rds.force_ssl": "1"}
        return rds.ParameterGroup(
            self.child("database"),
            description="PostgreSQL as the environment wants it",
            family=f"postgres{self.args.engine_version.partition('.')[0]}",
            parameters=[
                {
                    "name": name,
                    "value": value,
                    "apply_method": "pending-reboot" if name in READ_AT_START else "immediate",
                }
                for name, value in sorted(parameters.items())
            ],
            tags=self.named("database"),
            opts=self.options(),
        )

    def _monitoring(self) -> iam.Role:
        """The role by which RDS writes the operating system's metrics."""
        return iam.Role(
            fitted(self.child("database-monitoring"), "aws:iam/role:Role"),
            assume_role_policy=trust("monitoring.rds.amazonaws.com"),
            permissions_boundary=self.args.permissions_boundary_arn,
            tags=self.named("database-monitoring"),
            opts=self.options(),
        )

    def _instance(self, subnets: rds.SubnetGroup, parameters: rds.ParameterGroup, monitoring: iam.Role) -> rds.Instance:
        args = self.args
        permission = iam.RolePolicyAttachment(
            self.child("database-monitoring"),
            role=monitoring.name,
            policy_arn=MONITORING_POLICY,
            opts=self.options(),
        )
        return rds.Instance(
            fitted(self.child("database"), "aws:rds/instance:Instance"),
            engine="postgres",
            engine_version=args.engine_version,
            # The version is part of the parameter set: nothing but a new set changes it.
            auto_minor_version_upgrade=False,
            instance_class=args.instance_class,
            multi_az=args.multi_az,
            db_name=args.database_name,
            username=args.database_name,
            password=self.password.result,
            iam_database_authentication_enabled=True,
            port=PORT,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[self.security_group.id],
            publicly_accessible=False,
            parameter_group_name=parameters.name,
            allocated_storage=args.storage_gb,
            max_allocated_storage=args.max_storage_gb,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            snapshot_identifier=args.snapshot,
            backup_retention_period=args.backup_days,
            backup_window=args.backup_window,
            maintenance_window=args.maintenance_window,
            copy_tags_to_snapshot=True,
            deletion_protection=args.deletion_protection,
            skip_final_snapshot=args.skip_final_snapshot,
            final_snapshot_identifier=self._final_snapshot(),
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.key_arn,
            monitoring_interval=60,
            monitoring_role_arn=monitoring.arn,
            tags=self.named("database"),
            # RDS tries the role when it makes the instance. What AWS would not delete, a run does not even begin to.
            opts=self.options(depends_on=[permission], protect=args.deletion_protection),
        )

    def _final_snapshot(self) -> pulumi.Output[str]:
        """The name of the snapshot that is left behind: another one for every instance, since snapshots outlive them."""
        suffix = random.RandomId(
            self.child("database-final-snapshot"),
            byte_length=4,
            keepers={"snapshot": self.args.snapshot or "", "database_name": self.args.database_name},
            opts=self.options(),
        )
        return pulumi.Output.concat(self.child("database-final"), "-", suffix.hex)

    def _url(self) -> pulumi.Output[str]:
        user = self.args.database_name
        url = pulumi.Output.concat("postgresql://", user, ":", self.password.result, "@", self.endpoint, "/", user)
        return pulumi.Output.secret(url)

    def _secret(self) -> pulumi.Output[str]:
        secret = secretsmanager.Secret(
            self.child("database-url"),
            description="The URL of the database, with user and password",
            kms_key_id=self.args.key_arn,
            tags=self.named("database-url"),
            opts=self.options(),
        )
        version = secretsmanager.SecretVersion(
            self.child("database-url"),
            secret_id=secret.id,
            secret_string=self.url,
            opts=self.options(deleted_with=secret),
        )
        # The secret's own ARN, known when it has a value: no task starts before.
        return version.secret_arn
