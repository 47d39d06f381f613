"""A service on ECS Fargate: its task, its roles, its logs, and how many of it run.

Owns what one service may do and see. The cluster, the security group and the target groups are made by others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import appautoscaling, cloudwatch, ecs, iam

from components.base import Component
from components.documents import policy_document
from components.naming import fitted

CONTAINER = "app"
USER = "10001"  # any that is not root
SCRATCH = "/tmp"  # noqa: S108 - a path inside the container, and a volume of its task alone
ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)")


@dataclass(frozen=True, kw_only=True)
class ServiceValues:
    """``cpu`` in units of 1/1024 of a core; ``memory_mb`` in MiB; Fargate takes certain pairs of the two.

    ``image`` with its digest. It runs as user 10001 on a root filesystem that cannot be written; what it writes goes to ``/tmp``,
    which the image declares as a volume. ``target`` is the target group of the ingress that it joins, ``blue`` or ``green``; a
    service without one is reached by nobody. ``secrets`` are names out of the arguments' ``secret_arns``: variables that hold the
    secrets' values. Between ``min_count`` and ``max_count`` tasks run, so that they use ``target_cpu_percent`` of their CPU.
    """

    image: str
    cpu: int
    memory_mb: int
    min_count: int
    max_count: int
    target_cpu_percent: int
    port: int
    target: str | None
    environment: Mapping[str, str]
    secrets: tuple[str, ...]
    log_days: int


@dataclass(frozen=True, kw_only=True)
class ServiceArgs(ServiceValues):
    """``secret_arns`` are all secrets there are, by the variable that a service gets them in. ``release`` is told to the service.

    ``target_group_arn`` is needed where ``target`` is given; ``listeners`` are what must be there before the service joins it.
    """

    tags: Mapping[str, str]
    region: str
    release: str
    cluster_arn: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    target_group_arn: pulumi.Input[str] | None
    listeners: Sequence[pulumi.Resource]
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    queue_url: pulumi.Input[str]
    queue_arn: pulumi.Input[str]
    secret_arns: Mapping[str, pulumi.Input[str]]
    key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    permissions_boundary_arn: pulumi.Input[str] | None = None


class Service(Component):
    """Gives ``service_name``, ``log_group_name``, ``task_role_arn``, ``task_role_name``, ``execution_role_arn`` and
    ``environment``: the variables without the secrets.

    Beside what the values say, a service finds in its environment: ``ASSET_BUCKET``, ``JOB_QUEUE_URL``, ``PORT``, ``RELEASE`` and
    ``AWS_REGION``.
    """

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.environment = self._environment()
        self.log_group = self._log_group()
        self.execution_role = self._role("execution")
        self.task_role = self._role("task")
        permissions = [
            self._permissions("execution", self.execution_role, self._start_statements()),
            self._permissions("task", self.task_role, self._work_statements()),
        ]
        self.task = self._task()
        self.service = self._service(permissions)
        self._scaling()
        self.service_name = self.service.name
        self.log_group_name = self.log_group.name
        self.task_role_arn = self.task_role.arn
        self.task_role_name = self.task_role.name
        self.execution_role_arn = self.execution_role.arn
        self.register_outputs(
            {
                "service_name": self.service_name,
                "log_group_name": self.log_group_name,
                "task_role_arn": self.task_role_arn,
                "task_role_name": self.task_role_name,
                "execution_role_arn": self.execution_role_arn,
            }
        )

    def _log_group(self) -> cloudwatch.LogGroup:
        return cloudwatch.LogGroup(
            self.child("logs"),
            retention_in_days=self.args.log_days,
            kms_key_id=self.args.logs_key_arn,
            tags=self.named("logs"),
            opts=self.options(),
        )

    # -- what it may do --------------------------------------------------------------------------------------------------

    def _role(self, role: str) -> iam.Role:
        """A role that tasks of this account and region can have."""
        account = pulumi.Output.from_input(self.args.cluster_arn).apply(lambda arn: arn.split(":")[4])
        tasks = pulumi.Output.concat("arn:aws:ecs:", self.args.region, ":", account, ":*")
        return iam.Role(
            fitted(self.child(role), "aws:iam/role:Role"),
            assume_role_policy=policy_document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": account},
                        "ArnLike": {"aws:SourceArn": tasks},
                    },
                }
            ),
            permissions_boundary=self.args.permissions_boundary_arn,
            tags=self.named(role),
            opts=self.options(),
        )

    def _permissions(self, role: str, of: iam.Role, statements: Sequence[Mapping[str, Any]]) -> iam.RolePolicy:
        return iam.RolePolicy(self.child(role), role=of.name, policy=policy_document(*statements), opts=self.options())

    def _start_statements(self) -> list[Mapping[str, Any]]:
        """What ECS does to start a task: pull the image, read the secrets, open the log."""
        logs: Mapping[str, Any] = {
            "Sid": "Log",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": pulumi.Output.concat(self.log_group.arn, ":*"),
        }
        return [logs, *self._secret_statements(), *_pull_statements(self.args.image)]

    def _secret_statements(self) -> list[Mapping[str, Any]]:
        args = self.args
        secrets = [args.secret_arns[name] for name in args.secrets]
        if not secrets:
            return []
        return [
            {
                "Sid": "ReadSecrets",
                "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": secrets,
            },
            {
                "Sid": "DecryptSecrets",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": args.key_arn,
                "Condition": {
                    "StringEquals": {
                        "kms:ViaService": f"secretsmanager.{args.region}.amazonaws.com",
                        "kms:EncryptionContext:SecretARN": secrets,
                    }
                },
            },
        ]

    def _work_statements(self) -> list[Mapping[str, Any]]:
        """What the service itself does: keep assets, send and take jobs."""
        args = self.args
        return [
            {
                "Sid": "KeepAssets",
                "Effect": "Allow",
                "Action": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                "Resource": pulumi.Output.concat(args.bucket_arn, "/*"),
            },
            {
                "Sid": "ListAssets",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": args.bucket_arn,
            },
            {
                "Sid": "HandleJobs",
                "Effect": "Allow",
                "Action": [
                    "sqs:ChangeMessageVisibility",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ReceiveMessage",
                    "sqs:SendMessage",
                ],
                "Resource": args.queue_arn,
            },
            {
                "Sid": "UseTheKeyThroughThem",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": args.key_arn,
                "Condition": {
                    "StringEquals": {"kms:ViaService": [f"s3.{args.region}.amazonaws.com", f"sqs.{args.region}.amazonaws.com"]}
                },
            },
        ]

    # -- what runs -------------------------------------------------------------------------------------------------------

    def _task(self) -> ecs.TaskDefinition:
        args = self.args
        return ecs.TaskDefinition(
            self.child("task"),
            family=self.name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.cpu),
            memory=str(args.memory_mb),
            execution_role_arn=self.execution_role.arn,
            task_role_arn=self.task_role.arn,
            volumes=[{"name": "scratch"}],
            container_definitions=pulumi.Output.json_dumps([self._container()]),
            tags=self.named("task"),
            opts=self.options(),
        )

    def _environment(self) -> dict[str, pulumi.Input[str]]:
        args = self.args
        return {
            **args.environment,
            "ASSET_BUCKET": args.bucket_name,
            "JOB_QUEUE_URL": args.queue_url,
            "PORT": str(args.port),
            "RELEASE": args.release,
            "AWS_REGION": args.region,
        }

    def _container(self) -> dict[str, Any]:
        args = self.args
        return {
            "name": CONTAINER,
            "image": args.image,
            "essential": True,
            "user": USER,
            "readonlyRootFilesystem": True,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
            "mountPoints": [{"sourceVolume": "scratch", "containerPath": SCRATCH, "readOnly": False}],
            "portMappings": [{"containerPort": args.port, "protocol": "tcp"}],
            "environment": [{"name": name, "value": value} for name, value in sorted(self.environment.items())],
            "secrets": [{"name": name, "valueFrom": args.secret_arns[name]} for name in sorted(args.secrets)],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self.log_group.name,
                    "awslogs-region": args.region,
                    "awslogs-stream-prefix": CONTAINER,
                },
            },
        }

    def _service(self, permissions: Sequence[pulumi.Resource]) -> ecs.Service:
        args = self.args
        # AWS refuses a service whose target group no listener uses yet, and starts no task without the permissions.
        first = [*permissions, *(args.listeners if args.target else [])]
        return ecs.Service(
            self.child("service"),
            cluster=args.cluster_arn,
            task_definition=self.task.arn,
            desired_count=args.min_count,
            launch_type="FARGATE",
            network_configuration={
                "subnets": list(args.subnet_ids),
                "security_groups": [args.security_group_id],
                "assign_public_ip": False,
            },
            deployment_circuit_breaker={"enable": True, "rollback": True},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            wait_for_steady_state=True,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            tags=self.named("service"),
            # How many run is the scaling's, once it has begun.
            opts=self.options(depends_on=first, ignore_changes=["desiredCount"]),
            **self._target(),
        )

    def _target(self) -> dict[str, Any]:
        if not self.args.target:
            return {}
        target = {
            "target_group_arn": self.args.target_group_arn,
            "container_name": CONTAINER,
            "container_port": self.args.port,
        }
        return {"load_balancers": [target], "health_check_grace_period_seconds": 60}

    def _scaling(self) -> None:
        args = self.args
        target = appautoscaling.Target(
            self.child("scaling"),
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", args.cluster_name, "/", self.service.name),
            min_capacity=args.min_count,
            max_capacity=args.max_count,
            tags=self.named("scaling"),
            opts=self.options(),
        )
        appautoscaling.Policy(
            self.child("scaling"),
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration={
                "predefined_metric_specification": {"predefined_metric_type": "ECSServiceAverageCPUUtilization"},
                "target_value": float(args.target_cpu_percent),
                "scale_in_cooldown": 300,
                "scale_out_cooldown": 60,
            },
            opts=self.options(),
        )


def _pull_statements(image: str) -> list[Mapping[str, Any]]:
    """What pulling the image takes: nothing, if it is not in ECR."""
    match = ECR_IMAGE.match(image)
    if match is None:
        return []
    where = match.groupdict()
    return [
        {
            "Sid": "LogInToTheRegistry",
            "Effect": "Allow",
            "Action": "ecr:GetAuthorizationToken",
            "Resource": "*",  # the action takes no resource
        },
        {
            "Sid": "PullTheImage",
            "Effect": "Allow",
            "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Resource": f"arn:aws:ecr:{where['region']}:{where['account']}:repository/{where['repository']}",
        },
    ]
