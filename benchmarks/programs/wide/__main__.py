"""A VPC with ``count`` subnets, and as many queues and buckets beside it: 3 * count + 1 resources, and the stack."""

import ipaddress

import pulumi
import pulumi_aws as aws

count = pulumi.Config().require_int("count")

vpc = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16")
blocks = ipaddress.ip_network("10.0.0.0/16").subnets(new_prefix=26)
subnets = [
    aws.ec2.Subnet(f"subnet-{number}", vpc_id=vpc.id, cidr_block=str(next(blocks)), tags={"number": str(number)})
    for number in range(count)
]
queues = [aws.sqs.Queue(f"queue-{number}", visibility_timeout_seconds=60) for number in range(count)]
buckets = [aws.s3.Bucket(f"bucket-{number}", tags={"number": str(number)}) for number in range(count)]

pulumi.export("subnets", [subnet.id for subnet in subnets])
pulumi.export("queues", [queue.url for queue in queues])
pulumi.export("buckets", [bucket.arn for bucket in buckets])
