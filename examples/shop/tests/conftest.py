"""Where the tests run: on the database, bucket and queue that the environment names, else on those of a local cloud of their own.

In a playground: ``isostack play run -- make -C examples/shop test``. What a test adds there goes when it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row

from shop.app import create_app
from shop.assets import key
from shop.settings import Settings

ROOT = Path(__file__).parent.parent
NAMED = ("DATABASE_URL", "ASSET_BUCKET", "JOB_QUEUE_URL", "AWS_REGION")
REGION = "eu-west-1"
Environment = Mapping[str, str]


def run_module(environment: Environment, *command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A Python module with its arguments, run to its end as ``make`` runs it."""
    return subprocess.run(  # noqa: S603 - this interpreter and modules of ours
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_module``, for the tests."""
    return run_module


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """What the shop finds in its environment; the database is migrated."""
    named = {name: os.environ[name] for name in NAMED if os.environ.get(name)}
    if len(named) == len(NAMED):
        _migrate(named)
        yield named
        return
    if "DATABASE_URL" in named:
        pytest.fail(f"DATABASE_URL is set, but not {', '.join(name for name in NAMED if name not in named)}", pytrace=False)
    with _local_cloud(tmp_path_factory.mktemp("cloud")) as made:
        _migrate(made)
        yield made


def _migrate(environment: Environment) -> None:
    done = run_module(environment, "alembic", "upgrade", "head")
    assert done.returncode == 0, done.stderr


@contextmanager
def _local_cloud(home: Path) -> Iterator[Environment]:
    """A simulated AWS with a PostgreSQL instance, a bucket and a queue, all new."""
    database_server = pytest.importorskip(
        "isostack.localcloud.database_server",
        reason=f"neither {', '.join(NAMED)} nor isostack are here; run: isostack play run -- make -C examples/shop test",
    )
    if reason := database_server.available():
        pytest.skip(f"no PostgreSQL here: {reason}")
    from isostack.localcloud.server import LocalCloud

    cloud = LocalCloud(home)
    try:
        endpoint = cloud.ensure().url
        session = boto3.session.Session("testing", "testing", "testing", region_name=REGION)
        rds, s3, sqs = (session.client(service, endpoint_url=endpoint) for service in ("rds", "s3", "sqs"))
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
        s3.create_bucket(Bucket="shop-assets", CreateBucketConfiguration={"LocationConstraint": REGION})
        queue_url = sqs.create_queue(QueueName="shop-jobs")["QueueUrl"]
        rds.get_waiter("db_instance_available").wait(
            DBInstanceIdentifier="shop", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        at = rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["Endpoint"]
        yield {
            "DATABASE_URL": f"postgresql://shop:{password}@{at['Address']}:{at['Port']}/shop",
            "ASSET_BUCKET": "shop-assets",
            "JOB_QUEUE_URL": queue_url,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
    finally:
        cloud.stop()


@pytest.fixture(scope="module", autouse=True)
def _reach_the_cloud(environment: Environment) -> Iterator[None]:
    """boto3 looks into the process's own environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def settings(environment: Environment, _reach_the_cloud: None) -> Iterator[Settings]:
    """As the environment says, but with a queue of the module's own, a message of which comes again at once.

    A worker that runs in the playground shall not hear of orders that are gone when the test ends.
    """
    client = boto3.session.Session(region_name=environment["AWS_REGION"]).client("sqs")
    url = client.create_queue(QueueName=f"test-{uuid.uuid4().hex}", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    yield Settings.read({**environment, "RELEASE": "under-test", "JOB_QUEUE_URL": url})
    client.delete_queue(QueueUrl=url)


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


@pytest.fixture(scope="module")
def bucket(settings: Settings) -> Any:
    """The asset bucket, as boto3 has it."""
    return boto3.session.Session(region_name=settings.aws_region).resource("s3").Bucket(settings.asset_bucket)


@pytest.fixture
def product(http: TestClient, database: Connection[DictRow], bucket: Any) -> Iterator[Callable[..., Product]]:
    """Makes products under names that nobody else has; they go, with their images, when the test ends."""
    made: list[int] = []

    def make(stock: int = 10, price_cents: int = 250) -> Product:
        name = f"test-{uuid.uuid4().hex}"
        answer = http.post("/products", json={"name": name, "price_cents": price_cents, "stock": stock})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        return Product(made[-1], name)

    yield make
    database.execute("DELETE FROM products WHERE id = ANY(%s)", [made])
    for product_id in made:
        bucket.Object(key(product_id)).delete()


@pytest.fixture
def cart(http: TestClient, database: Connection[DictRow], product: object) -> Iterator[Callable[..., str]]:
    """Makes carts with so many of each product; they go, with their orders, when the test ends, and before the products."""
    made: list[str] = []

    def make(lines: Mapping[Product, int]) -> str:
        cart_id: str = http.post("/carts").json()["id"]
        made.append(cart_id)
        for product, quantity in lines.items():
            answer = http.put(f"/carts/{cart_id}/lines/{product.id}", json={"quantity": quantity})
            assert answer.status_code == 200, answer.text
        return cart_id

    yield make
    database.execute("DELETE FROM orders WHERE cart_id = ANY(%s)", [made])
    database.execute("DELETE FROM carts WHERE id = ANY(%s)", [made])


@pytest.fixture
def empty_database(environment: Environment) -> Iterator[str]:
    """The URL of a new database on the same server, with nothing in it."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield environment["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
