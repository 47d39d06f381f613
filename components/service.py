"""The backend on ECS Fargate, with roles that allow it what it uses and no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2, ecs, iam

from components.base import Component

EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


@dataclass(frozen=True)
class ServiceArgs:
    """``cpu`` in units of 1/1024 of a core, ``memory`` in MiB. Secrets travel by their ARN, never by value."""

    region: str
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group: ec2.SecurityGroup
    target_group_arn: pulumi.Input[str]
    listener: pulumi.Resource
    image: str
    cpu: int
    memory: int
    count: int
    port: int
    log_days: int
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    queue_url: pulumi.Input[str]
    queue_arn: pulumi.Input[str]
    database_secret_arn: pulumi.Input[str]


class Service(Component):
    """Gives ``cluster_arn``, ``service_name`` and ``task_role_arn``."""

    def __init__(
        self, name: str, args: ServiceArgs, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, tags, opts)
        self.args = args
        logs = cloudwatch.LogGroup(
            self.child("backend"), retention_in_days=args.log_days, tags=self.named("backend"), opts=self.options()
        )
        cluster = ecs.Cluster(
            self.child("cluster"),
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=self.named("cluster"),
            opts=self.options(),
        )
        execution_role = self._execution_role()
        task_role = self._task_role()
        task = ecs.TaskDefinition(
            self.child("backend"),
            family=self.child("backend"),
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.cpu),
            memory=str(args.memory),
            execution_role_arn=execution_role.arn,
            task_role_arn=task_role.arn,
            container_definitions=self._containers(logs),
            tags=self.named("backend"),
            opts=self.options(),
        )
        service = ecs.Service(
            self.child("backend"),
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=args.count,
            launch_type="FARGATE",
            network_configuration={
                "subnets": list(args.subnet_ids),
                "security_groups": [args.security_group.id],
            },
            load_balancers=[
                {
                    "target_group_arn": args.target_group_arn,
                    "container_name": "backend",
                    "container_port": args.port,
                }
            ],
            tags=self.named("backend"),
            # AWS refuses a service whose target group no listener uses yet.
            opts=self.options(depends_on=[args.listener]),
        )
        self.cluster_arn = cluster.arn
        self.service_name = service.name
        self.task_role_arn = task_role.arn
        self.register_outputs(
            {"cluster_arn": self.cluster_arn, "service_name": self.service_name, "task_role_arn": self.task_role_arn}
        )

    def _role(self, role: str) -> iam.Role:
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        return iam.Role(
            self.child(role), assume_role_policy=_policy([trust]), tags=self.named(role), opts=self.options()
        )

    def _execution_role(self) -> iam.Role:
        role = self._role("execution")
        iam.RolePolicyAttachment(
            self.child("execution"), role=role.name, policy_arn=EXECUTION_POLICY, opts=self.options()
        )
        iam.RolePolicy(
            self.child("execution-secrets"),
            role=role.name,
            policy=pulumi.Output.from_input(self.args.database_secret_arn).apply(
                lambda arn: _policy([{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}])
            ),
            opts=self.options(),
        )
        return role

    def _task_role(self) -> iam.Role:
        role = self._role("task")
        iam.RolePolicy(
            self.child("task"),
            role=role.name,
            policy=pulumi.Output.all(self.args.bucket_arn, self.args.queue_arn).apply(
                lambda arns: _policy(
                    [
                        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{arns[0]}/*"},
                        {
                            "Effect": "Allow",
                            "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
                            "Resource": arns[1],
                        },
                    ]
                )
            ),
            opts=self.options(),
        )
        return role

    def _containers(self, logs: cloudwatch.LogGroup) -> pulumi.Output[str]:
        args = self.args

        def definition(values: dict[str, Any]) -> str:
            container = {
                "name": "backend",
                "image": args.image,
                "essential": True,
                "portMappings": [{"containerPort": args.port, "protocol": "tcp"}],
                "environment": [
                    {"name": "ASSET_BUCKET", "value": values["bucket"]},
                    {"name": "JOB_QUEUE_URL", "value": values["queue"]},
                ],
                "secrets": [{"name": "DATABASE_URL", "valueFrom": values["secret"]}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": values["logs"],
                        "awslogs-region": args.region,
                        "awslogs-stream-prefix": "backend",
                    },
                },
            }
            return json.dumps([container])

        return pulumi.Output.all(
            bucket=args.bucket_name, queue=args.queue_url, secret=args.database_secret_arn, logs=logs.name
        ).apply(definition)


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
