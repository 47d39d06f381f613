"""A queue, a database with a made-up password, and a bucket of somebody else's."""

import pulumi
import pulumi_aws as aws
import pulumi_random as random


class Store(pulumi.ComponentResource):
    def __init__(self, name: str, password: pulumi.Output[str], encrypted: bool) -> None:
        super().__init__("small:store:Store", name)
        options = pulumi.ResourceOptions(parent=self)
        self.database = aws.rds.Instance(
            f"{name}-database",
            engine="postgres",
            instance_class="db.t4g.micro",
            allocated_storage=20,
            username="small",
            password=password,
            storage_encrypted=encrypted,
            skip_final_snapshot=True,
            opts=options,
        )
        address = pulumi.Output.concat("postgresql://small:", password, "@", self.database.address)
        self.address = aws.ssm.Parameter(f"{name}-address", type="SecureString", value=address, opts=options)


config = pulumi.Config()
queue = aws.sqs.Queue(
    "jobs", visibility_timeout_seconds=config.require_int("timeout"), tags={"where": config.require("environment")}
)
password = random.RandomPassword("password", length=20, special=False)
store = Store("store", password.result, config.require_bool("encrypted"))
pulumi.export("queue", queue.url)
