"""A small playground without a database: what services have of their own, twelve resources with the provider and the stack."""

import json

import pulumi
import pulumi_aws as aws

play = pulumi.Config("isostack").get_object("playground") or {"name": "none", "owner": "none", "expires": "none"}
tags = {"playground": play["name"], "owner": play["owner"], "expires": play["expires"]}
provider = aws.Provider("account", region="eu-west-1", default_tags={"tags": tags})
options = pulumi.ResourceOptions(provider=provider)
bucket = aws.s3.Bucket("files", force_destroy=True, opts=options)
aws.s3.BucketVersioning("files", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=options)
dead = aws.sqs.Queue("dead-letters", opts=options)
redrive = dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}))
queue = aws.sqs.Queue("jobs", redrive_policy=redrive, opts=options)
trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
role = aws.iam.Role("work", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}), opts=options)
allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": queue.arn}
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [allowed]})
aws.iam.RolePolicy("work", role=role.name, policy=policy, opts=options)
attributes = [{"name": "id", "type": "S"}]
table = aws.dynamodb.Table("carts", billing_mode="PAY_PER_REQUEST", hash_key="id", attributes=attributes, opts=options)
aws.cloudwatch.LogGroup("work", retention_in_days=1, opts=options)
aws.secretsmanager.Secret("token", recovery_window_in_days=0, opts=options)
aws.ssm.Parameter("greeting", type="String", value="hello", opts=options)
pulumi.export("bucket", bucket.id)
pulumi.export("table", table.name)
