"""What the tests run on: a database, a bucket and a queue of their own, which go when they end.

They are made beside those that the environment names, whose data stay untouched: ``isostack play run -- make -C examples/shop
test``. Elsewhere a local cloud is started for them, where isostack is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row

from shop.app import create_app
from shop.settings import Settings

ROOT = Path(__file__).parent.parent
REGION = "eu-west-1"
# Without an endpoint, boto3 would go to whatever AWS account the developer is logged in to.
NAMED = ("DATABASE_URL", "ASSET_BUCKET", "JOB_QUEUE_URL", "AWS_REGION", "AWS_ENDPOINT_URL")
Environment = Mapping[str, str]


def run_module(environment: Environment, *command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A Python module with its arguments, run to its end as ``make`` runs it."""
    return subprocess.run(  # noqa: S603 - this interpreter and modules of ours
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_module``, for the tests."""
    return run_module


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """What the shop finds in its environment; the database is migrated, and a message that is received comes again at once."""
    named = {name: os.environ[name] for name in NAMED if os.environ.get(name)}
    cloud = nullcontext(named) if len(named) == len(NAMED) else _local_cloud(tmp_path_factory.mktemp("cloud"))
    with cloud as around, _own_database(around["DATABASE_URL"]) as url, _own_bucket_and_queue(around) as own:
        made = {**around, **own, "DATABASE_URL": url}
        done = run_module(made, "alembic", "upgrade", "head")
        assert done.returncode == 0, done.stderr
        yield made


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    """The URL of a new database on the server at a URL, with nothing in it."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield urlsplit(url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _own_bucket_and_queue(around: Environment) -> Iterator[Environment]:
    session = _session(around)
    name = f"test-{uuid.uuid4().hex}"
    bucket = session.resource("s3", endpoint_url=around["AWS_ENDPOINT_URL"]).Bucket(name)
    here: Any = {"LocationConstraint": around["AWS_REGION"]}
    bucket.create(
        **{"CreateBucketConfiguration": here} if around["AWS_REGION"] != "us-east-1" else {}
    )  # S3 refuses to be told that one
    sqs = session.client("sqs", endpoint_url=around["AWS_ENDPOINT_URL"])
    queue_url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    yield {"ASSET_BUCKET": name, "JOB_QUEUE_URL": queue_url}
    sqs.delete_queue(QueueUrl=queue_url)
    bucket.objects.delete()
    bucket.delete()


def _session(environment: Environment) -> boto3.session.Session:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return boto3.session.Session(*(environment.get(name) for name in names), region_name=environment["AWS_REGION"])


@contextmanager
def _local_cloud(home: Path) -> Iterator[Environment]:
    """A simulated AWS with a PostgreSQL instance, new."""
    database_server = pytest.importorskip(
        "isostack.localcloud.database_server",
        reason=f"neither {', '.join(NAMED)} nor isostack are here; run: isostack play run -- make -C examples/shop test",
    )
    if reason := database_server.available():
        pytest.skip(f"no PostgreSQL here: {reason}")
    from isostack.localcloud.server import LocalCloud

    cloud = LocalCloud(home)
    environment = {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.ensure().url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    try:
        yield {**environment, "DATABASE_URL": _database_instance(environment)}
    finally:
        cloud.stop()


def _database_instance(environment: Environment) -> str:
    """The URL of a new PostgreSQL on RDS."""
    rds = _session(environment).client("rds", endpoint_url=environment["AWS_ENDPOINT_URL"])
    password = uuid.uuid4().hex
    rds.create_db_instance(
        DBInstanceIdentifier="shop",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName="shop",
        MasterUsername="shop",
        MasterUserPassword=password,
    )
    waiting = {"Delay": 0.05, "MaxAttempts": 400}
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="shop", WaiterConfig=waiting)
    at = rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["Endpoint"]
    return f"postgresql://shop:{password}@{at['Address']}:{at['Port']}/shop"


@pytest.fixture(scope="module", autouse=True)
def _reach_the_cloud(environment: Environment) -> Iterator[None]:
    """boto3 looks into the process's own environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def settings(environment: Environment) -> Settings:
    """As the environment says."""
    return Settings.read({**environment, "RELEASE": "under-test"})


@pytest.fixture(scope="module")
def http(settings: Settings) -> Iterator[TestClient]:
    """The shop, answering."""
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def database(environment: Environment) -> Iterator[Connection[DictRow]]:
    """A connection of the test's own, each statement a transaction."""
    with Connection[DictRow].connect(environment["DATABASE_URL"], autocommit=True, row_factory=dict_row) as connection:
        yield connection


@dataclass(frozen=True)
class Product:
    """A product that a test has to itself."""

    id: int
    name: str


@pytest.fixture
def product(http: TestClient) -> Callable[..., Product]:
    """Makes products under names that nobody else has."""

    def make(stock: int = 10, price_cents: int = 250) -> Product:
        name = f"test-{uuid.uuid4().hex}"
        answer = http.post("/products", json={"name": name, "price_cents": price_cents, "stock": stock})
        assert answer.status_code == 201, answer.text
        return Product(answer.json()["id"], name)

    return make


@pytest.fixture
def cart(http: TestClient) -> Callable[..., str]:
    """Makes carts with so many of each product."""

    def make(lines: Mapping[Product, int]) -> str:
        cart_id: str = http.post("/carts").json()["id"]
        for product, quantity in lines.items():
            answer = http.put(f"/carts/{cart_id}/lines/{product.id}", json={"quantity": quantity})
            assert answer.status_code == 200, answer.text
        return cart_id

    return make


@pytest.fixture
def empty_database(environment: Environment) -> Iterator[str]:
    """The URL of a new database with nothing in it."""
    with _own_database(environment["DATABASE_URL"]) as url:
        yield url
