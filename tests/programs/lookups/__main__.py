"""Looks things up, reads what others own, and takes over what exists."""

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
identity = aws.get_caller_identity()
region = aws.get_region()
zones = aws.get_availability_zones_output(state="available")
partition = aws.get_partition_output()

bucket = aws.s3.Bucket("notes", tags={"purpose": "notes"})
seen = aws.s3.Bucket.get("seen", bucket.id)
found = aws.s3.get_bucket_output(bucket=bucket.bucket)

vpc = aws.ec2.Vpc("own", cidr_block="10.60.0.0/16", tags={"Name": "own"})
same = aws.ec2.get_vpc_output(id=vpc.id)

adopted = aws.sqs.Queue(
    "adopted",
    name=config.require("adopted"),
    opts=pulumi.ResourceOptions(
        import_=f"{config.require('endpoint')}/{identity.account_id}/{config.require('adopted')}", retain_on_delete=True
    ),
)

pulumi.export("account", identity.account_id)
pulumi.export("region", region.region)
pulumi.export("zones", zones.names)
pulumi.export("partition", partition.partition)
pulumi.export("seen_arn", seen.arn)
pulumi.export("found_arn", found.arn)
pulumi.export("own_block", same.cidr_block)
pulumi.export("adopted_arn", adopted.arn)
