"""The local cloud's process: how it starts, is found again, is asked, emptied and ended."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from isostack.errors import BadInput, OperationFailed
from isostack.localcloud import server
from isostack.localcloud.client import DEFAULT_ACCOUNT, Cloud
from isostack.localcloud.server import LocalCloud


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalCloud]:
    """A local cloud that does not run yet and that the test may do anything to."""
    cloud = LocalCloud(tmp_path / "state")
    yield cloud
    cloud.stop()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def record(local: LocalCloud) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((local.home / "cloud.json").read_text())
    return found


# -- starting and finding ---------------------------------------------------------------------------------------------


def test_it_starts_when_it_is_needed_and_is_found_again(local: LocalCloud) -> None:
    first = local.ensure()
    again = LocalCloud(local.home).ensure()
    assert again == first
    assert Cloud(first.url).client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_it_outlives_the_command_that_started_it_and_listens_on_loopback_only(local: LocalCloud) -> None:
    endpoint = local.ensure()
    pid = record(local)["pid"]
    assert os.getsid(pid) == pid
    addresses = {link.laddr for link in psutil.Process(pid).net_connections() if link.status == psutil.CONN_LISTEN}
    assert addresses == {("127.0.0.1", endpoint.port)}


def test_only_the_owner_may_read_its_files(local: LocalCloud) -> None:
    local.ensure()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in local.home.iterdir()}
    assert modes == {"cloud.json": 0o600, "cloud.log": 0o600, "cloud.lock": 0o600}


def test_the_file_says_which_process_where_and_since_when(local: LocalCloud) -> None:
    endpoint = local.ensure()
    found = record(local)
    assert (found["endpoint"], found["port"]) == (endpoint.url, endpoint.port)
    assert psutil.Process(found["pid"]).create_time() == pytest.approx(found["process_started"])
    assert found["started"].endswith("+00:00")


def test_two_that_need_it_at_once_start_one(local: LocalCloud) -> None:
    with ThreadPoolExecutor(4) as pool:
        endpoints = set(pool.map(lambda _: LocalCloud(local.home).ensure(), range(4)))
    assert len(endpoints) == 1
    assert local.status().pid == record(local)["pid"]


def test_it_comes_back_on_the_same_port(local: LocalCloud) -> None:
    before = local.ensure()
    assert local.stop()
    assert local.ensure() == before


def test_it_moves_and_says_so_where_its_port_was_taken_meanwhile(local: LocalCloud) -> None:
    before = local.ensure()
    local.stop()
    with socket.create_server(("127.0.0.1", before.port)):
        moved = local.ensure()
    assert moved.port != before.port
    assert str(before.port) in moved.notice
    assert str(moved.port) in moved.notice


def test_a_port_that_is_asked_for_is_used(local: LocalCloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert local.ensure(port=port).port == port
    assert local.ensure(port=port).port == port


def test_a_port_that_is_asked_for_and_taken_is_refused_by_number(local: LocalCloud, taken_port: int) -> None:
    with pytest.raises(BadInput, match=f"port {taken_port} "):
        local.ensure(port=taken_port)
    assert not local.status().running


def test_a_running_one_does_not_move_to_another_port(local: LocalCloud, taken_port: int) -> None:
    port = local.ensure().port
    with pytest.raises(BadInput, match=f"port {taken_port}: the local cloud runs on port {port}"):
        local.ensure(port=taken_port)


def test_a_start_that_fails_shows_what_the_process_printed(
    local: LocalCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no module named moto >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(OperationFailed, match="no module named moto"):
        local.ensure()
    assert not local.status().running


def test_the_environments_settings_do_not_reach_it(local: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "999999999999")
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(local.home))
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    cloud = Cloud(local.ensure().url)
    cloud.client("ec2").describe_vpcs()
    assert cloud.client("sts").get_caller_identity()["Account"] == DEFAULT_ACCOUNT


# -- a state folder that does not tell the truth ----------------------------------------------------------------------


def test_a_dead_process_is_replaced(local: LocalCloud) -> None:
    port = local.ensure().port
    pid = record(local)["pid"]
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait()
    assert not local.status().running
    assert local.ensure().port == port
    assert record(local)["pid"] != pid


def test_a_process_that_has_got_the_number_since_is_left_alone(local: LocalCloud) -> None:
    local.home.mkdir()
    stale = {"port": 0, "pid": os.getpid(), "process_started": 1.0, "started": "", "endpoint": ""}
    (local.home / "cloud.json").write_text(json.dumps(stale))
    assert not local.status().running
    assert not local.stop()
    local.ensure()
    assert record(local)["pid"] != os.getpid()


@pytest.mark.parametrize("text", ["", '{"port": 12', "[]", '{"port": 1, "colour": "blue"}'])
def test_an_unreadable_file_counts_as_none(local: LocalCloud, text: str) -> None:
    local.home.mkdir()
    (local.home / "cloud.json").write_text(text)
    assert not local.status().running
    assert local.ensure().notice == ""


def test_a_process_that_hangs_is_reported_and_can_be_ended(local: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    local.ensure()
    pid = record(local)["pid"]
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(server, "_ANSWER_SECONDS", 0.2)
    for ask in (local.ensure, local.status, local.identity, local.reset):
        with pytest.raises(OperationFailed, match=f"process {pid}.* does not answer"):
            ask()
    monkeypatch.setattr(server, "_STOP_SECONDS", 1)
    assert local.stop()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_port_answered_by_another_is_not_taken_for_ours(local: LocalCloud, local_cloud: LocalCloud) -> None:
    local.ensure()
    found = record(local)
    (local.home / "cloud.json").write_text(json.dumps(found | {"port": local_cloud.ensure().port}))
    with pytest.raises(OperationFailed, match="is not the local cloud of"):
        local.ensure()
    (local.home / "cloud.json").write_text(json.dumps(found))


def test_a_cloud_that_has_ended_is_told_from_one_that_was_stopped(local: LocalCloud) -> None:
    with pytest.raises(OperationFailed, match="does not run"):
        local.identity()
    local.ensure()
    pid = record(local)["pid"]
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait()
    with pytest.raises(OperationFailed, match="has ended"):
        local.identity()


# -- what it says of itself -------------------------------------------------------------------------------------------


def test_status_tells_what_runs_and_what_it_holds(local: LocalCloud) -> None:
    assert local.status() == server.Status(running=False)
    endpoint = local.ensure()
    Cloud(endpoint.url).client("sqs").create_queue(QueueName="a")
    Cloud(endpoint.url, account_id="210987654321").client("sqs", "us-east-1").create_queue(QueueName="b")
    status = local.status()
    assert status.running
    assert (status.endpoint, status.pid) == (endpoint.url, record(local)["pid"])
    assert status.uptime_seconds >= 0
    assert status.identity == local.identity()
    assert status.resources == {"sqs": 2}


def test_the_identity_lasts_as_long_as_the_content(local: LocalCloud) -> None:
    url = local.ensure().url
    first = local.identity()
    Cloud(url).client("sqs").create_queue(QueueName="a")
    assert local.identity() == first

    emptied = local.reset()
    assert emptied == local.identity() != first
    assert local.resources() == {}
    assert "QueueUrls" not in Cloud(url).client("sqs").list_queues()

    local.stop()
    local.ensure()
    assert local.identity() not in (first, emptied)


def test_a_reset_by_others_changes_the_identity_too(local: LocalCloud) -> None:
    port = local.ensure().port
    first = local.identity()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset")
    assert connection.getresponse().status == 200
    connection.close()
    assert local.identity() != first


# -- how it answers ---------------------------------------------------------------------------------------------------


def test_a_connection_stays_open_from_request_to_request(local_cloud: LocalCloud) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", local_cloud.ensure().port)
    ports = set()
    for path in ("/isostack/identity", "/isostack/nothing", "/no-such-bucket/key", "/isostack/identity"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is not None, f"closed after {path}"
        ports.add(connection.sock.getsockname())
    connection.close()
    assert len(ports) == 1


def test_bodies_of_every_kind_arrive(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    bucket = f"bodies-{cloud.account_id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.region})
    big = os.urandom(3_000_000)
    for key, body in {"empty": b"", "big": big, "späce and ümlaut": b"x"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)
    s3.delete_object(Bucket=bucket, Key="big")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="big")


def test_a_chunked_body_arrives(cloud: Cloud) -> None:
    host = cloud.endpoint.removeprefix("http://")
    bucket = f"chunked-{cloud.account_id}"
    connection = http.client.HTTPConnection(host)
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20250101/us-east-1/s3/aws4_request, Signature=0"}
    connection.request("PUT", f"/{bucket}", headers=signed)
    assert connection.getresponse().read() is not None
    connection.request("PUT", f"/{bucket}/key", body=iter([b"one ", b"two"]), headers=signed, encode_chunked=True)
    assert connection.getresponse().read() == b""
    connection.request("GET", f"/{bucket}/key", headers=signed)
    assert connection.getresponse().read() == b"one two"
    connection.close()


def test_threads_that_create_at_once_lose_nothing(local_cloud: LocalCloud, cloud: Cloud) -> None:
    ec2, sqs, iam = cloud.client("ec2"), cloud.client("sqs"), cloud.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def create(number: int) -> None:
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")
        sqs.create_queue(QueueName=f"queue-{number}")
        iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument="{}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, range(48)))
    assert local_cloud.resources(cloud.account_id) == {"ec2": 49, "sqs": 48, "iam": 48}


def test_a_receiver_that_waits_does_not_hold_up_the_sender(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="a")["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        assert [message["Body"] for message in waiting.result()["Messages"]] == ["hello"]


def test_an_operation_that_it_lacks_is_named(cloud: Cloud) -> None:
    lacking: dict[str, tuple[str, dict[str, str]]] = {
        "ec2": ("describe_fast_launch_images", {}),
        "sqs": ("list_message_move_tasks", {"SourceArn": "arn:aws:sqs:eu-west-1:1:a"}),
        "iam": ("list_service_specific_credentials", {}),
    }
    for service, (operation, arguments) in lacking.items():
        with pytest.raises(ClientError) as caught:
            getattr(cloud.client(service), operation)(**arguments)
        assert caught.value.response["Error"]["Code"] == "NotImplemented", service
        assert "the local cloud cannot do this" in str(caught.value)


class Subscriber(http.server.BaseHTTPRequestHandler):
    """Calls the cloud back before it answers, as a real subscriber may."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.cloud.client("sqs").list_queues()  # type: ignore[attr-defined]
        self.server.got.append(message["Message"])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.server.done.set()  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_message_reaches_a_subscriber_on_this_machine_and_none_elsewhere(local: LocalCloud) -> None:
    cloud = Cloud(local.ensure().url)
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="a")["TopicArn"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Subscriber) as subscriber:
        subscriber.cloud, subscriber.got, subscriber.done = cloud, [], threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=subscriber.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://192.0.2.1/hook")
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://hooks.example.com/hook")
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{subscriber.server_port}/hook")
        sns.publish(TopicArn=topic, Message="hello")
        assert subscriber.done.wait(30)  # type: ignore[attr-defined]
        subscriber.shutdown()
    assert subscriber.got == ["hello"]  # type: ignore[attr-defined]
    local.stop()
    for elsewhere in ("192.0.2.1", "hooks.example.com"):
        assert f"connects to nothing outside this machine ({elsewhere})" in local.log.read_text()
