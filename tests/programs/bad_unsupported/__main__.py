"""Asks for much that the embedded engine does not do, among things that it does."""

from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Greeter(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("hello", {"greeting": "hello"})


class Greeting(Resource):
    def __init__(self, name: str) -> None:
        super().__init__(Greeter(), name, {"greeting": None})


def tell(args: pulumi.ResourceHookArgs) -> None:
    pulumi.info(f"created {args.urn}")


hook = pulumi.ResourceHook("tell", tell)
queue = aws.sqs.Queue("fine", opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[hook])))
notebook = aws.sagemaker.NotebookInstance("notebook", instance_type="ml.t3.medium", role_arn="arn:aws:iam::1:role/none")
stream = aws.kinesis.Stream("stream", shard_count=1)
aws.sagemaker.NotebookInstanceLifecycleConfiguration("after", name=stream.name, on_start=notebook.url)
Greeting("greeting")
