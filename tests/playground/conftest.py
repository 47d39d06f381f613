"""A small project with one of everything that holds data, and playgrounds of it on a local cloud of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isostack.engine.project import load_project
from isostack.engine.store import Store
from isostack.localcloud.client import DEFAULT_ACCOUNT, Cloud
from isostack.localcloud.database_server import DatabaseServers, available
from isostack.localcloud.server import LocalCloud
from isostack.playground.lifecycle import Playgrounds

PROGRAM = """
import pulumi
import pulumi_aws as aws
import pulumi_random as random

play = pulumi.Config("isostack").get_object("playground") or {"name": "none", "owner": "nobody", "expires": "never"}
provider = aws.Provider(
    "account",
    region="eu-west-1",
    assume_roles=[{"role_arn": "arn:aws:iam::111111111111:role/entry"}],
    default_tags={"tags": {"playground": play["name"], "owner": play["owner"], "expires": play["expires"]}},
)
options = pulumi.ResourceOptions(provider=provider)
bucket = aws.s3.Bucket("files", force_destroy=True, opts=options)
aws.s3.BucketVersioning("files", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=options)
queue = aws.sqs.Queue("jobs", opts=options)
password = random.RandomPassword("password", length=20, special=False)
database = aws.rds.Instance(
    "db",
    engine="postgres",
    instance_class="db.t4g.micro",
    allocated_storage=20,
    db_name="shop",
    username="keeper",
    password=password.result,
    skip_final_snapshot=True,
    opts=options,
)
secret = aws.secretsmanager.Secret("token", opts=options)
own_value = pulumi.ResourceOptions(provider=provider, ignore_changes=["value"])
parameter = aws.ssm.Parameter("greeting", type="String", value="hello", opts=own_value)
table = aws.dynamodb.Table(
    "carts", billing_mode="PAY_PER_REQUEST", hash_key="id", attributes=[{"name": "id", "type": "S"}], opts=options
)
url = pulumi.Output.concat("postgresql://keeper:", password.result, "@", database.endpoint, "/shop")
pulumi.export("service_environment", pulumi.Output.secret({"DATABASE_URL": url, "BUCKET": bucket.id, "QUEUE_URL": queue.url}))
pulumi.export("secret", secret.id)
pulumi.export("parameter", parameter.name)
pulumi.export("table", table.name)
"""


LIGHT = """
import json
import pulumi
import pulumi_aws as aws

play = pulumi.Config("isostack").get_object("playground") or {"name": "none", "owner": "nobody", "expires": "never"}
tags = {"playground": play["name"], "owner": play["owner"], "expires": play["expires"]} if play["name"] != "none" else {}
provider = aws.Provider("account", region="eu-west-1", default_tags={"tags": tags})
options = pulumi.ResourceOptions(provider=provider)
bucket = aws.s3.Bucket("files", opts=options)
queue = aws.sqs.Queue("jobs", opts=options)
trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
role = aws.iam.Role("work", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}), opts=options)
allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": queue.arn}
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [allowed]})
aws.iam.RolePolicy("work", role=role.name, policy=policy, opts=options)
table = aws.dynamodb.Table(
    "carts", billing_mode="PAY_PER_REQUEST", hash_key="id", attributes=[{"name": "id", "type": "S"}], opts=options
)
aws.cloudwatch.Dashboard("board", dashboard_name=f"small-{play['name']}-board", dashboard_body='{"widgets": []}', opts=options)
pulumi.export("table", table.name)
pulumi.export("bucket", bucket.id)
"""


class Yard:
    """A project, its playgrounds, and hands to put data into them."""

    def __init__(self, folder: Path, program: str = PROGRAM) -> None:
        root = folder / "project"
        root.mkdir()
        (root / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (root / "Pulumi.dev.yaml").write_text("config: {}\n")
        (root / "__main__.py").write_text(program)
        self.root = root
        self.account = "111111111111" if "111111111111" in program else DEFAULT_ACCOUNT
        self.home = folder / "home"
        self.local_cloud = LocalCloud(self.home)
        self.psql = DatabaseServers(self.home)._bin / "psql"

    @property
    def playgrounds(self) -> Playgrounds:
        """As a new command would have them."""
        return Playgrounds(load_project(self.root), Store(self.home), LocalCloud(self.home))

    def outputs(self, name: str) -> dict[str, Any]:
        from isostack.engine.deployment import STACK_TYPE
        from isostack.engine.values import plain

        snapshot = Store(self.home).load("small", f"play-{name}").snapshot
        found: dict[str, Any] = next(plain(r.outputs) for r in snapshot.resources if r.type == STACK_TYPE)
        return found

    def client(self, service: str) -> Any:
        return Cloud(self.local_cloud.ensure().url, "eu-west-1", self.account).client(service)

    def sql(self, name: str, statement: str) -> str:
        return self.query(self.playgrounds.environment(name)["DATABASE_URL"], statement)

    def query(self, url: str, statement: str) -> str:
        done = subprocess.run(  # noqa: S603 - the package's own psql
            [self.psql, "-X", "-A", "-t", "-q", url, "-c", statement],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    if available():
        pytest.skip(f"no PostgreSQL here: {available()}")
    yard = Yard(tmp_path_factory.mktemp("yard"))
    yield yard
    yard.local_cloud.stop()


@pytest.fixture
def own_yard(tmp_path: Path) -> Iterator[Yard]:
    """One that the test may break."""
    if available():
        pytest.skip(f"no PostgreSQL here: {available()}")
    yard = Yard(tmp_path)
    yield yard
    yard.local_cloud.stop()


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """One without a database: playgrounds come and go fast."""
    yard = Yard(tmp_path_factory.mktemp("light"), LIGHT)
    yield yard
    yard.local_cloud.stop()
