"""The clients of the local cloud reach it and nothing else, with credentials of nobody."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from isostack.errors import Refused
from isostack.localcloud import client as client_module
from isostack.localcloud.client import DEFAULT_ACCOUNT, Cloud, require_loopback
from isostack.localcloud.server import LocalCloud


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:5000", "http://127.8.9.1", "http://localhost:80", "http://[::1]:5000", "https://127.0.0.1"]
)
def test_a_loopback_endpoint_is_taken(endpoint: str) -> None:
    assert require_loopback(endpoint) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://sqs.eu-west-1.amazonaws.com",
        "http://0.0.0.0:5000",
        "http://[::]:5000",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://evil.example#127.0.0.1",
        "http://evil.example?127.0.0.1",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1:80@evil.example",
        "http://evil.example@127.0.0.1",
        "http://evil.example\\@127.0.0.1",
        "http://127.0.0.1\\.evil.example",
        "http://127.0.0.1 evil.example",
        "http://127.0.0.1\t.evil.example",
        "//127.0.0.1",
        "127.0.0.1:5000",
        "file://127.0.0.1/etc",
        "",
    ],
)
def test_any_other_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(Refused, match="loopback"):
        Cloud(endpoint)


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers every request with an empty list of queues, and keeps its headers."""

    seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(dict(self.headers))
        body = json.dumps({"QueueUrls": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    handler = type("_", (Recorder,), {"seen": seen})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


@pytest.fixture
def misleading_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / ".aws"
    settings.mkdir()
    text = "[default]\naws_access_key_id = FROMTHEFILE\naws_secret_access_key = y\nendpoint_url = http://192.0.2.1\n"
    (settings / "config").write_text(text)
    (settings / "credentials").write_text(text)
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "no-such-profile",
        "AWS_CONFIG_FILE": str(tmp_path),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "FROMTHEENVIRONMENT",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "FROMTHEENVIRONMENT",
        "AWS_REGION": "mars-north-1",
        "AWS_DEFAULT_REGION": "mars-north-1",
        "AWS_ENDPOINT_URL": "http://192.0.2.1",
        "AWS_ENDPOINT_URL_SQS": "http://192.0.2.1",
        "AWS_CA_BUNDLE": str(tmp_path / "no.pem"),
        "REQUESTS_CA_BUNDLE": str(tmp_path / "no.pem"),
        "AWS_MAX_ATTEMPTS": "99",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "HTTP_PROXY": "http://192.0.2.1:3128",
        "http_proxy": "http://192.0.2.1:3128",
        "HTTPS_PROXY": "http://192.0.2.1:3128",
        "ALL_PROXY": "http://192.0.2.1:3128",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client_module._session.cache_clear()


@pytest.mark.usefixtures("misleading_environment")
def test_the_environments_profile_credentials_endpoints_and_proxies_are_neither_used_nor_sent(
    recorder: tuple[str, list[dict[str, str]]],
) -> None:
    endpoint, seen = recorder
    Cloud(endpoint).client("sqs").list_queues()
    assert len(seen) == 1
    assert "Credential=isostack/" in seen[0]["Authorization"]
    assert "/eu-west-1/sqs/" in seen[0]["Authorization"]
    sent = json.dumps(seen[0])
    assert "FROMTHE" not in sent
    assert "mars" not in sent


@pytest.mark.usefixtures("misleading_environment")
def test_the_local_cloud_is_reached_whatever_the_environment_says(cloud: Cloud) -> None:
    cloud.client("s3").create_bucket(
        Bucket=f"a-{cloud.account_id}", CreateBucketConfiguration={"LocationConstraint": cloud.region}
    )
    assert cloud.client("sts").get_caller_identity()["Account"] == cloud.account_id


def test_a_request_that_botocore_directs_elsewhere_is_refused(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    elsewhere = "http://192.0.2.1/"
    sqs.meta.events.register("request-created", lambda request, **_: setattr(request, "url", elsewhere))
    with pytest.raises(Refused, match=elsewhere):
        sqs.list_queues()


def test_no_account_id_ends_up_in_the_host_name(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="NoSuchPublicAccessBlockConfiguration"):
        cloud.client("s3control").get_public_access_block(AccountId=cloud.account_id)


def test_what_one_account_makes_is_invisible_from_another(local_cloud: LocalCloud, cloud: Cloud) -> None:
    other = Cloud(cloud.endpoint, account_id=str((int(cloud.account_id) + 1) % 10**12).zfill(12))
    cloud.client("sqs").create_queue(QueueName="mine")
    name = f"mine-{cloud.account_id}"
    place = {"LocationConstraint": cloud.region}
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)
    assert "QueueUrls" not in other.client("sqs").list_queues()
    assert other.client("s3").list_buckets()["Buckets"] == []
    assert [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]] == [name]
    assert local_cloud.resources(other.account_id) == {}
    assert local_cloud.resources(cloud.account_id) == {"s3": 1, "sqs": 1}


def test_another_account_is_entered_by_assuming_a_role_there(cloud: Cloud) -> None:
    identity = cloud.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{cloud.account_id}:assumed-role/isostack/isostack"


def test_the_default_account_needs_no_role(local_cloud: LocalCloud) -> None:
    default = Cloud(local_cloud.ensure().url)
    assert default.client("sts").get_caller_identity()["Account"] == DEFAULT_ACCOUNT


def test_forgotten_credentials_do_not_lead_into_the_default_account(tmp_path: Path) -> None:
    local = LocalCloud(tmp_path)
    try:
        cloud = Cloud(local.ensure().url, account_id="210987654321")
        sqs = cloud.client("sqs")
        local.reset()
        assert "/210987654321/" in sqs.create_queue(QueueName="a")["QueueUrl"]
    finally:
        local.stop()


def test_a_client_is_made_once_per_service_and_region(cloud: Cloud) -> None:
    assert cloud.client("sqs") is cloud.client("sqs", cloud.region)
    assert cloud.client("sqs") is not cloud.client("sqs", "us-east-1")
    assert cloud.client("sqs", "us-east-1").meta.region_name == "us-east-1"


def test_clients_of_a_service_are_of_one_class_which_no_other_session_sees(cloud: Cloud) -> None:
    from botocore.session import Session

    here, there = cloud.client("sqs"), cloud.client("sqs", "us-east-1")
    assert type(here) is type(there)
    assert type(here) is not type(cloud.client("sns"))
    theirs = Session()
    theirs.register("creating-client-class.sqs", lambda class_attributes, **_: class_attributes.update(added=True))
    for _ in range(2):
        client = theirs.create_client("sqs", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
        assert client.added
        assert type(client) is not type(here)
    assert not hasattr(cloud.client("sqs", "eu-north-1"), "added")


def test_threads_that_ask_at_once_get_the_same_clients_and_one_role(cloud: Cloud) -> None:
    services = ["sqs", "s3", "iam", "sns"] * 8
    with ThreadPoolExecutor(len(services)) as pool:
        clients = list(pool.map(cloud.client, services))
    assert len({id(each) for each in clients}) == 4
    keys = {each._request_signer._credentials.access_key for each in clients}
    assert len(keys) == 1


def test_a_wrong_argument_is_named_before_anything_is_sent(cloud: Cloud) -> None:
    from botocore.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match="QueueName"):
        cloud.client("sqs").create_queue(QueueName=7)
