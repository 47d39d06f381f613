"""The web service: containers behind a load balancer."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
from network import Network
from settings import Settings

PORT = 8080


class WebService(pulumi.ComponentResource):
    def __init__(
        self,
        name: str,
        network: Network,
        settings: Settings,
        environment: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("webshop:web:WebService", name, None, opts)
        # All that belongs to the web team is tagged by a provider of its own.
        provider = aws.Provider(
            "web-team",
            region="eu-west-1",
            default_tags={"tags": {"team": "web", "costs": "4711"}},
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        edge = aws.ec2.SecurityGroup(
            f"{name}-edge",
            vpc_id=network.vpc.id,
            ingress=[{"protocol": "tcp", "from_port": 80, "to_port": 80, "cidr_blocks": settings.office_networks}],
            egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}],
            opts=child,
        )
        inside = aws.ec2.SecurityGroup(
            f"{name}-inside",
            vpc_id=network.vpc.id,
            ingress=[{"protocol": "tcp", "from_port": PORT, "to_port": PORT, "security_groups": [edge.id]}],
            opts=child,
        )
        self.load_balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            subnets=[subnet.id for subnet in network.public],
            security_groups=[edge.id],
            opts=child,
        )
        targets = aws.lb.TargetGroup(
            name,
            port=PORT,
            protocol="HTTP",
            target_type="ip",
            vpc_id=network.vpc.id,
            health_check={"path": "/healthz", "matcher": "200-299"},
            opts=child,
        )
        listener = aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=self.load_balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=child,
        )
        cluster = aws.ecs.Cluster(name, opts=child)
        logs = aws.cloudwatch.LogGroup(name, retention_in_days=14, opts=child)
        role = aws.iam.Role(
            f"{name}-execution",
            assume_role_policy={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            opts=child,
        )
        task = aws.ecs.TaskDefinition(
            name,
            family=f"{pulumi.get_stack()}-{name}",
            cpu="256",
            memory="512",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=role.arn,
            container_definitions=pulumi.Output.json_dumps(
                [
                    {
                        "name": "web",
                        "image": "images.example/shop/web:1.4.2",
                        "portMappings": [{"containerPort": PORT}],
                        "environment": [{"name": key, "value": value} for key, value in environment.items()],
                        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": logs.name}},
                    }
                ]
            ),
            opts=child,
        )
        self.service = aws.ecs.Service(
            name,
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=settings.instances,
            launch_type="FARGATE",
            network_configuration={
                "subnets": [subnet.id for subnet in network.private],
                "security_groups": [inside.id],
            },
            load_balancers=[{"target_group_arn": targets.arn, "container_name": "web", "container_port": PORT}],
            opts=child.merge(pulumi.ResourceOptions(depends_on=[listener])),
        )
        self.dashboard = pulumi.Output.format("{0}/{1}", cluster.name, self.service.name)
        self.register_outputs({"address": self.load_balancer.dns_name})
