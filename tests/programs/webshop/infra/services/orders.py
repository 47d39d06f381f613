"""Orders come in by a queue, are worked off by a function, and are announced on a topic."""

from pathlib import Path

import pulumi
import pulumi_aws as aws
from data import ReceiptStore

WORKER = Path(__file__).parent.parent / "worker"


class OrderPipeline(pulumi.ComponentResource):
    def __init__(
        self,
        name: str,
        receipts: ReceiptStore,
        payment_key: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("webshop:orders:OrderPipeline", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.dead_letters = aws.sqs.Queue(f"{name}-dead", message_retention_seconds=1209600, opts=child)
        self.queue = aws.sqs.Queue(
            f"{name}-queue",
            visibility_timeout_seconds=60,
            redrive_policy=pulumi.Output.json_dumps({"deadLetterTargetArn": self.dead_letters.arn, "maxReceiveCount": 5}),
            tags={"purpose": "orders"},
            opts=child,
        )
        self.topic = aws.sns.Topic(f"{name}-events", display_name="Orders", opts=child)
        aws.sns.TopicSubscription(
            f"{name}-audit",
            topic=self.topic.arn,
            protocol="sqs",
            endpoint=self.dead_letters.arn,
            opts=pulumi.ResourceOptions(parent=self.topic),
        )
        self.table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key="customer",
            range_key="placed",
            attributes=[{"name": "customer", "type": "S"}, {"name": "placed", "type": "S"}],
            opts=child.merge(pulumi.ResourceOptions(aliases=[pulumi.Alias(name=f"{name}-orders")])),
        )
        role = aws.iam.Role(f"{name}-worker", assume_role_policy=_trust("lambda.amazonaws.com"), opts=child)
        aws.iam.RolePolicyAttachment(
            f"{name}-logs",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
            opts=pulumi.ResourceOptions(parent=role),
        )
        permissions = aws.iam.get_policy_document_output(
            statements=[
                {
                    "sid": "Work",
                    "actions": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                    "resources": [self.queue.arn],
                },
                {"sid": "Receipts", "actions": ["s3:PutObject"], "resources": [receipts.bucket.arn.apply(_inside)]},
            ]
        )
        aws.iam.RolePolicy(f"{name}-worker", role=role.id, policy=permissions.json, opts=pulumi.ResourceOptions(parent=role))
        self.function = aws.lambda_.Function(
            f"{name}-worker",
            role=role.arn,
            runtime="python3.12",
            handler="worker.handle",
            timeout=30,
            code=pulumi.AssetArchive(
                {
                    "worker.py": pulumi.FileAsset(str(WORKER / "worker.py")),
                    "version.txt": pulumi.StringAsset("1\n"),
                }
            ),
            environment={"variables": {"TABLE": self.table.name, "PAYMENT_KEY": payment_key}},
            opts=child,
        )
        self.register_outputs({"queue": self.queue.url, "function": self.function.arn})


def _inside(arn: str) -> str:
    return f"{arn}/receipts/*"


def _trust(service: str) -> str:
    return aws.iam.get_policy_document(
        statements=[
            aws.iam.GetPolicyDocumentStatementArgs(
                actions=["sts:AssumeRole"],
                principals=[aws.iam.GetPolicyDocumentStatementPrincipalArgs(type="Service", identifiers=[service])],
            )
        ]
    ).json
