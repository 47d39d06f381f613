"""A local cloud that was killed: one that was quiet comes back as it was; one that was at work comes back empty, or as it was a
little earlier where that is asked for."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isostack.engine.provider import lineage
from isostack.localcloud.client import Cloud
from isostack.localcloud.database_server import DatabaseServers, available
from isostack.localcloud.server import LocalCloud, older
from isostack.playground.listings import survey
from tests.localcloud.kept import kept, needs_memory, wait_until_kept

pytestmark = needs_memory


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path / "state")
    cloud.ensure()
    yield cloud
    cloud.stop()


def kill(local: LocalCloud) -> None:
    pid = local.status().pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def aws(local: LocalCloud) -> Cloud:
    return Cloud(local.ensure().url, "eu-west-1", "111111111111")


def test_one_that_was_quiet_comes_back_as_it_was(local: LocalCloud) -> None:
    cloud = aws(local)
    url = cloud.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="first")
    cloud.client("s3").create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    cloud.client("s3").put_object(Bucket="files", Key="a", Body=b"content")
    key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sealed = cloud.client("kms").encrypt(KeyId=key, Plaintext=b"plain")["CiphertextBlob"]
    certificate = cloud.client("acm").request_certificate(DomainName="shop.example")["CertificateArn"]
    role = cloud.client("iam").create_role(RoleName="work", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    before = local.identity(), local.resources()
    wait_until_kept(local)
    kill(local)
    cloud = aws(local)
    assert (local.identity(), local.resources()) == before
    assert cloud.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "first"
    assert cloud.client("s3").get_object(Bucket="files", Key="a")["Body"].read() == b"content"
    assert cloud.client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"plain"
    assert cloud.client("acm").describe_certificate(CertificateArn=certificate)["Certificate"]["DomainName"] == "shop.example"
    assert cloud.client("iam").get_role(RoleName="work")["Role"]["Arn"] == role
    wait_until_kept(local)
    kill(local)
    local.ensure()
    assert local.identity() == before[0], "it comes back a second time"


def test_one_that_was_at_work_comes_back_empty(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="kept")
    file = wait_until_kept(local)
    identity = local.identity()
    aws(local).client("sqs").create_queue(QueueName="lost")
    assert not file.exists(), "what was kept is older than what there is"
    kill(local)
    local.ensure()
    assert local.identity() != identity
    assert local.resources() == {}


def test_one_that_was_at_work_comes_back_as_it_was_a_little_earlier_if_that_may_be(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="kept")
    wait_until_kept(local)
    identity = local.identity()
    aws(local).client("sqs").create_queue(QueueName="lost")
    kill(local)
    assert local.holds_nothing()
    local.or_older = True
    assert not local.holds_nothing()
    queues = aws(local).client("sqs").list_queues()["QueueUrls"]
    assert [url.rpartition("/")[2] for url in queues] == ["kept"]
    back = local.identity()
    assert back != identity
    assert lineage(back) == lineage(identity)
    wait_until_kept(local)
    kill(local)
    local.ensure()
    assert local.identity() == back, "what it came back with is kept as well"


def test_one_that_was_killed_twice_at_work_comes_back_as_it_was_before_both(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="kept")
    wait_until_kept(local)
    aws(local).client("sqs").create_queue(QueueName="lost")
    identities = {local.identity()}
    local.or_older = True
    for _ in range(2):
        kill(local)
        assert len(aws(local).client("sqs").list_queues()["QueueUrls"]) == 1
        identities.add(local.identity())
    assert len(identities) == 3


def test_a_reset_leaves_nothing_earlier(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="jobs")
    wait_until_kept(local)
    local.reset()
    kill(local)
    local.or_older = True
    local.ensure()
    assert local.resources() == {}


def test_one_at_work_is_kept_all_the_same(local: LocalCloud) -> None:
    sqs = aws(local).client("sqs")
    deadline = time.monotonic() + 60
    earlier = older(kept(local))
    while not earlier.exists():  # what was kept since, and is not true any more
        sqs.create_queue(QueueName="jobs")
        assert time.monotonic() < deadline, local.log.read_text()


def test_what_only_reads_leaves_what_is_kept(local: LocalCloud) -> None:
    cloud = aws(local)
    cloud.client("sqs").create_queue(QueueName="jobs")
    cloud.client("s3").list_buckets()
    cloud.client("ec2").describe_vpcs()
    file = wait_until_kept(local)
    before = file.stat().st_ino
    cloud.client("sqs").list_queues()  # JSON
    cloud.client("ec2").describe_vpcs()  # a form
    cloud.client("s3").list_buckets()  # a path
    assert file.stat().st_ino == before


def test_whatever_services_were_asked_is_not_in_its_way(local: LocalCloud) -> None:
    cloud = aws(local)
    for name in "abc":
        cloud.client("sqs").create_queue(QueueName=name, tags={"playground": "ana"})
    assert cloud.client("resourcegroupstaggingapi").get_resources(ResourcesPerPage=1)["PaginationToken"]
    cloud.client("ssm").put_parameter(Name="greeting", Value="hello", Type="String")
    assert len(survey(cloud, frozenset(), set()).found) == 3  # asks every service that isostack lists
    wait_until_kept(local)
    kill(local)
    cloud = aws(local)
    assert cloud.client("ssm").get_parameter(Name="greeting")["Parameter"]["Value"] == "hello"
    assert len(survey(cloud, frozenset(), set()).found) == 3


def test_only_the_owner_reads_it_and_a_stop_takes_it_away(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="jobs")
    file = wait_until_kept(local)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    local.stop()
    assert not file.exists()
    local.ensure()
    assert local.resources() == {}


def test_a_stop_of_one_that_was_killed_takes_it_away_too(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="jobs")
    file = wait_until_kept(local)
    kill(local)
    assert not local.holds_nothing()
    local.stop()
    assert not file.exists()
    assert local.holds_nothing()


def test_a_file_that_others_may_write_is_not_read(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="jobs")
    file = wait_until_kept(local)
    kill(local)
    file.chmod(0o666)
    half = file.with_name(f"{file.name}.draft")
    half.touch()
    local.ensure()
    assert local.resources() == {}
    assert not file.exists()
    assert not half.exists(), "and what was being written goes with it"


def test_a_damaged_file_makes_an_empty_cloud(local: LocalCloud) -> None:
    aws(local).client("sqs").create_queue(QueueName="jobs")
    file = wait_until_kept(local)
    kill(local)
    file.write_bytes(file.read_bytes()[:-100])
    local.ensure()
    assert local.resources() == {}
    assert "cannot be taken over" in local.log.read_text()
    aws(local).client("sqs").create_queue(QueueName="jobs")


@pytest.mark.skipif(bool(available()), reason=f"no PostgreSQL here: {available()}")
def test_its_databases_run_again_with_their_data_on_the_same_port(local: LocalCloud) -> None:
    rds = aws(local).client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="shop",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName="shop",
        MasterUsername="keeper",
        MasterUserPassword="secret-enough",
    )
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="shop", WaiterConfig={"Delay": 1})
    endpoint = rds.describe_db_instances()["DBInstances"][0]["Endpoint"]
    url = f"postgresql://keeper:secret-enough@{endpoint['Address']}:{endpoint['Port']}/shop"
    sql(local, url, "create table goods as select 42 as price")
    wait_until_kept(local)
    sql(local, url, "update goods set price = 43")  # no call of AWS's: the files have it
    kill(local)
    rds = aws(local).client("rds")
    assert rds.describe_db_instances()["DBInstances"][0]["Endpoint"] == endpoint
    arn = rds.describe_db_instances()["DBInstances"][0]["DBInstanceArn"]
    local.keep_database(arn, "settled")  # it runs when this is done
    assert sql(local, url, "select price from goods") == "43"


def sql(local: LocalCloud, url: str, statement: str) -> str:
    psql = DatabaseServers(local.home)._bin / "psql"
    done = subprocess.run(  # noqa: S603 - the package's own
        [psql, "-X", "-A", "-t", "-q", url, "-c", statement],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
