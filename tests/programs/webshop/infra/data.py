"""What the shop keeps: a database, and a bucket of receipts."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_random as random
from network import Network
from settings import Settings


class Database(pulumi.ComponentResource):
    def __init__(self, name: str, network: Network, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("webshop:data:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.group = aws.ec2.SecurityGroup(
            f"{name}-database",
            vpc_id=network.vpc.id,
            description="PostgreSQL from inside the VPC",
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    protocol="tcp", from_port=5432, to_port=5432, cidr_blocks=[network.vpc.cidr_block]
                )
            ],
            opts=child,
        )
        subnets = aws.rds.SubnetGroup(f"{name}-database", subnet_ids=[subnet.id for subnet in network.private], opts=child)
        self.password = random.RandomPassword(f"{name}-database", length=24, special=False, opts=child)
        self.instance = aws.rds.Instance(
            f"{name}-database",
            engine="postgres",
            engine_version="16.3",
            instance_class=settings.database["class"],
            allocated_storage=settings.database["storage"],
            db_name="shop",
            username="shop",
            password=self.password.result,
            multi_az=settings.high_availability,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[self.group.id],
            skip_final_snapshot=True,
            opts=child.merge(pulumi.ResourceOptions(ignore_changes=["engineVersion"])),
        )
        self.connection_string = pulumi.Output.all(
            password=self.password.result, host=self.instance.address, port=self.instance.port
        ).apply(lambda a: f"postgresql://shop:{a['password']}@{a['host']}:{a['port']}/shop")
        self.register_outputs({"host": self.instance.address})


class ReceiptStore(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("webshop:data:ReceiptStore", name, None, opts)
        self.bucket = aws.s3.Bucket(f"{name}-bucket", force_destroy=True, opts=pulumi.ResourceOptions(parent=self))
        child = pulumi.ResourceOptions(parent=self.bucket)
        aws.s3.BucketVersioning(
            f"{name}-versions", bucket=self.bucket.id, versioning_configuration={"status": "Enabled"}, opts=child
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=self.bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketPolicy(
            f"{name}-tls-only",
            bucket=self.bucket.id,
            policy=self.bucket.arn.apply(_tls_only),
            opts=child.merge(pulumi.ResourceOptions(depends_on=[closed])),
        )
        self.register_outputs({"bucket": self.bucket.id})


def _tls_only(arn: str) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
