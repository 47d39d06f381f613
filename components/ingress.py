"""The way in: a load balancer in the public subnets with one listener and a target group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, lb

from components.base import Component
from components.naming import fitted


@dataclass(frozen=True)
class IngressArgs:
    """``allowed_cidrs`` may reach the listener; ``health_path`` answers 200 where a target is well."""

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    allowed_cidrs: tuple[str, ...]
    port: int
    health_path: str


class Ingress(Component):
    """Gives ``url``, ``target_group_arn``, ``listener`` and ``security_group_id``."""

    def __init__(
        self, name: str, args: IngressArgs, tags: dict[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, tags, opts)
        group = ec2.SecurityGroup(
            self.child("balancer"),
            vpc_id=args.vpc_id,
            description="The load balancer",
            ingress=[
                {"protocol": "tcp", "from_port": 80, "to_port": 80, "cidr_blocks": list(args.allowed_cidrs)},
            ],
            egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}],
            tags=self.named("balancer"),
            opts=self.options(),
        )
        balancer = lb.LoadBalancer(
            fitted(self.child("balancer"), "aws:lb/loadBalancer:LoadBalancer"),
            load_balancer_type="application",
            security_groups=[group.id],
            subnets=list(args.subnet_ids),
            tags=self.named("balancer"),
            opts=self.options(),
        )
        targets = lb.TargetGroup(
            fitted(self.child("service"), "aws:lb/targetGroup:TargetGroup"),
            port=args.port,
            protocol="HTTP",
            target_type="ip",
            vpc_id=args.vpc_id,
            health_check={"path": args.health_path, "matcher": "200"},
            tags=self.named("service"),
            opts=self.options(),
        )
        self.listener = lb.Listener(
            self.child("http"),
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
            tags=self.named("http"),
            opts=self.options(),
        )
        self.url = pulumi.Output.concat("http://", balancer.dns_name)
        self.target_group_arn = targets.arn
        self.security_group_id = group.id
        self.register_outputs({"url": self.url, "target_group_arn": self.target_group_arn})
