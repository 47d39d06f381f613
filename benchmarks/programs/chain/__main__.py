"""``count`` parameters, of which each holds the ARN of the one before it, so that none can be made beside another."""

import pulumi
import pulumi_aws as aws

previous: pulumi.Input[str] = "the first"
for number in range(pulumi.Config().require_int("count")):
    previous = aws.ssm.Parameter(f"parameter-{number}", type="String", value=previous).arn

pulumi.export("last", previous)
