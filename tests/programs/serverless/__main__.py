"""A Python Pulumi program"""

import json

import pulumi
from pulumi_aws import iam, lambda_, s3, sqs

# Create an AWS resource (S3 Bucket)
bucket = s3.Bucket("my-bucket")

role = iam.Role(
    "lambda-role",
    assume_role_policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}],
        }
    ),
)
queue = sqs.Queue("jobs", fifo_queue=True, visibility_timeout_seconds=45)
function = lambda_.Function(
    "handler",
    runtime="python3.12",
    handler="index.handler",
    role=role.arn,
    code=pulumi.FileArchive("./app"),
)
lambda_.EventSourceMapping("jobs-to-handler", event_source_arn=queue.arn, function_name=function.arn)

print("deploying to", pulumi.get_stack())
pulumi.info("the bucket is private", resource=bucket)
pulumi.warn("the function has no dead-letter queue", resource=function)

# Export the name of the bucket
pulumi.export("bucket_name", bucket.id)
pulumi.export("function_arn", function.arn)
pulumi.export("queue_url", queue.url)
