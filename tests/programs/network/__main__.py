"""A network that other projects refer to."""

import pulumi
import pulumi_aws as aws
import pulumi_random as random


def part(block: str, index: int) -> str:
    first, second, *_ = block.split(".")
    return f"{first}.{second}.{index}.0/24"


config = pulumi.Config()
vpc = aws.ec2.Vpc("main", cidr_block=config.require("cidr"))
subnets = [
    aws.ec2.Subnet(f"main-{i}", vpc_id=vpc.id, cidr_block=vpc.cidr_block.apply(lambda block, i=i: part(block, i)))
    for i in range(2)
]
token = random.RandomPassword("peering-token", length=20, special=False)

pulumi.export("vpc_id", vpc.id)
pulumi.export("subnet_ids", [subnet.id for subnet in subnets])
pulumi.export("peering_token", token.result)
