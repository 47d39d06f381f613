"""What tests of all kinds share: temporary files in memory, a local cloud per test process, an account of it for each test."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from tests.containers.engine import Docker, NoEngine, docker_engine

# In a child that Python forks to set its limits, gRPC would start threads anew, which abort when their files are closed.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there
_ENOUGH = 4 * 2**30
_in_memory = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Temporary files are in memory, unless TMPDIR says where: the data directories of databases come and go by the hundred,
    and ext4 without a journal looks through all inodes of the last minutes before it makes one."""
    if "TMPDIR" in os.environ or not _MEMORY.is_dir():  # the processes of xdist have their parent's
        return
    place = os.statvfs(_MEMORY)
    if place.f_bavail * place.f_frsize < _ENOUGH or place.f_flag & os.ST_NOEXEC:
        return
    folder = config.stash[_in_memory] = Path(tempfile.mkdtemp(prefix="tests-", dir=_MEMORY))
    folder.chmod(0o711)  # where root runs the tests, databases are another account's
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None


def pytest_unconfigure(config: pytest.Config) -> None:
    if _in_memory in config.stash:
        del os.environ["TMPDIR"]
        shutil.rmtree(config.stash[_in_memory], ignore_errors=True)


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A running local cloud. Tests share it: none may reset or stop it."""
    local = LocalCloud(tmp_path_factory.mktemp("local-cloud"))
    local.ensure()
    yield local
    local.stop()


@pytest.fixture
def cloud(local_cloud: LocalCloud) -> Cloud:
    """An account of its own in the local cloud, so that no test sees what another makes."""
    return new_account(local_cloud)


def new_account(local_cloud: LocalCloud) -> Cloud:
    """An account that nobody has used."""
    return Cloud(local_cloud.ensure().url, account_id=str(random.SystemRandom().randrange(10**11, 10**12)))


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """A Docker engine. Others may use it at the same time: what a test makes there has a name of its own."""
    try:
        context = docker_engine()
        engine = context.__enter__()
    except NoEngine as error:
        pytest.skip(f"no Docker engine: {error}")
    yield engine
    context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def state_bucket(local_cloud: LocalCloud) -> Cloud:
    """The local cloud, with a bucket ``state`` that is fit for shared state. Tests take a prefix of their own."""
    cloud = Cloud(local_cloud.ensure().url)
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": cloud.region})
    s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket="state", ServerSideEncryptionConfiguration={"Rules": [rule]})
    return cloud
