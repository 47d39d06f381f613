"""The provider over Pulumi's plugin protocol: through the generated stub, and on the official CLI where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from isostack.engine.provider import CreatedPartially, Resource
from isostack.engine.values import UNKNOWN, PropertyMap, Secret
from isostack.engine.wire import from_struct, to_struct
from isostack.localcloud import plugin
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudHost, LocalCloudProvider
from isostack.localcloud.resource_types import all_rows
from isostack.localcloud.server import LocalCloud

QUEUE = "aws:sqs/queue:Queue"
URN = f"urn:pulumi:dev::project::{QUEUE}::jobs"


class Stub:
    """The CLI's end of a connection, with property maps in place of protobuf's."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.calls = provider_pb2_grpc.ResourceProviderStub(channel)

    def configure(self, config: PropertyMap) -> Any:
        self.calls.Handshake(provider_pb2.ProviderHandshakeRequest())
        args = to_struct(config)
        checked = self.calls.CheckConfig(provider_pb2.CheckRequest(news=args))
        return self.calls.Configure(provider_pb2.ConfigureRequest(args=checked.inputs))

    def check(self, inputs: PropertyMap, type_: str = QUEUE, seed: bytes = b"") -> Any:
        return self.calls.Check(provider_pb2.CheckRequest(type=type_, urn=URN, news=to_struct(inputs), randomSeed=seed))

    def create(self, inputs: PropertyMap, *, type_: str = QUEUE, preview: bool = False) -> Any:
        request = provider_pb2.CreateRequest(type=type_, urn=URN, properties=to_struct(inputs), preview=preview)
        return self.calls.Create(request)

    def read(self, id_: str, state: PropertyMap, inputs: PropertyMap | None = None) -> Any:
        known = None if inputs is None else to_struct(inputs)
        request = provider_pb2.ReadRequest(type=QUEUE, urn=URN, id=id_, properties=to_struct(state), inputs=known)
        return self.calls.Read(request)


@contextmanager
def connected(port: int) -> Iterator[Stub]:
    # Channels to one address share a connection otherwise, and the CLI's do not.
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield Stub(channel)


@pytest.fixture
def port(local_cloud: LocalCloud) -> Iterator[int]:
    server, port = plugin.serve("aws", LocalCloudHost(local_cloud))
    yield port
    server.stop(grace=None).wait()


@pytest.fixture
def config(cloud: Cloud) -> PropertyMap:
    """A provider's configuration in an account of its own, as the SDK writes it."""
    return {"assumeRoles": json.dumps([{"roleArn": f"arn:aws:iam::{cloud.account_id}:role/tests"}])}


def test_an_automatic_name_ends_as_the_seed_says_because_a_plan_is_held_to_it(port: int, config: PropertyMap) -> None:
    with connected(port) as cli:
        cli.configure(config)
        names = [cli.check({}, seed=seed).inputs["name"] for seed in (b"one", b"one", b"another", b"", b"")]
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_a_queue_lives_its_life(port: int, config: PropertyMap, cloud: Cloud) -> None:
    with connected(port) as stub:
        assert stub.configure(config).supportsPreview
        inputs = from_struct(stub.check({"tags": {"team": "a"}}).inputs)
        assert inputs["name"].startswith("jobs-")

        planned = from_struct(stub.create(inputs, preview=True).properties)
        assert (planned["name"], planned["arn"]) == (inputs["name"], UNKNOWN)
        assert "QueueUrls" not in cloud.client("sqs").list_queues()

        made = stub.create(inputs)
        outputs = from_struct(made.properties)
        assert cloud.client("sqs").list_queues()["QueueUrls"] == [made.id]
        assert outputs["arn"].endswith(f":{cloud.account_id}:{inputs['name']}")

        changed = {**inputs, "visibilityTimeoutSeconds": 90}
        states = {"olds": made.properties, "old_inputs": to_struct(inputs), "news": to_struct(changed)}
        diff = stub.calls.Diff(provider_pb2.DiffRequest(type=QUEUE, urn=URN, id=made.id, **states))
        assert (diff.changes, list(diff.diffs), list(diff.replaces)) == (
            provider_pb2.DiffResponse.DIFF_SOME,
            ["visibilityTimeoutSeconds"],
            [],
        )
        update = provider_pb2.UpdateRequest(type=QUEUE, urn=URN, id=made.id, **states)
        updated = from_struct(stub.calls.Update(update).properties)
        assert updated["visibilityTimeoutSeconds"] == 90

        found = stub.read(made.id, updated, changed)
        assert from_struct(found.properties) == updated
        assert from_struct(found.inputs) == changed

        stub.calls.Delete(provider_pb2.DeleteRequest(type=QUEUE, urn=URN, id=made.id, properties=to_struct(updated)))
        assert stub.read(made.id, updated, changed).id == ""
        assert "QueueUrls" not in cloud.client("sqs").list_queues()


def test_a_diff_names_what_differs_by_its_path(port: int, config: PropertyMap) -> None:
    kinds = provider_pb2.PropertyDiff
    with connected(port) as stub:
        stub.configure(config)
        old = {"name": "jobs", "delaySeconds": 1, "tags": {"team": "a", "with.dot": "x"}}
        new = {"name": "other", "fifoQueue": True, "tags": {"team": "b", "with.dot": "y"}}
        states = {"olds": to_struct(old), "old_inputs": to_struct(old), "news": to_struct(new)}
        diff = stub.calls.Diff(provider_pb2.DiffRequest(type=QUEUE, urn=URN, id="u", **states))
    assert diff.hasDetailedDiff
    assert {path: (one.kind, one.inputDiff) for path, one in diff.detailedDiff.items()} == {
        "name": (kinds.UPDATE_REPLACE, True),
        "fifoQueue": (kinds.ADD_REPLACE, True),
        "delaySeconds": (kinds.DELETE, True),
        "tags.team": (kinds.UPDATE, True),
        'tags["with.dot"]': (kinds.UPDATE, True),
    }


def test_a_preview_of_an_update_changes_nothing(port: int, config: PropertyMap, cloud: Cloud) -> None:
    with connected(port) as stub:
        stub.configure(config)
        inputs = from_struct(stub.check({}).inputs)
        made = stub.create(inputs)
        news = to_struct({**inputs, "delaySeconds": UNKNOWN})
        planned = stub.calls.Update(
            provider_pb2.UpdateRequest(
                type=QUEUE, urn=URN, id=made.id, olds=made.properties, old_inputs=to_struct(inputs), news=news, preview=True
            )
        )
        assert from_struct(planned.properties)["delaySeconds"] is UNKNOWN
        attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=made.id, AttributeNames=["DelaySeconds"])
        assert attributes["Attributes"] == {"DelaySeconds": "0"}


@pytest.mark.parametrize("as_the_cli_does_for", ["import", "get"])
def test_what_exists_is_read_without_inputs(port: int, config: PropertyMap, cloud: Cloud, as_the_cli_does_for: str) -> None:
    url = cloud.client("sqs").create_queue(QueueName="here", Attributes={"DelaySeconds": "7"})["QueueUrl"]
    with connected(port) as stub:
        stub.configure(config)
        found = stub.read(url, {}, {} if as_the_cli_does_for == "get" else None)
    assert found.id == url
    assert from_struct(found.inputs)["delaySeconds"] == 7
    assert from_struct(found.properties)["arn"].endswith(":here")


def test_each_connection_has_its_own_configuration(port: int, config: PropertyMap) -> None:
    with connected(port) as irish, connected(port) as german:
        irish.configure({**config, "region": "eu-west-1"})
        german.configure({**config, "region": "eu-central-1"})
        for stub, region in ((irish, "eu-west-1"), (german, "eu-central-1")):
            inputs = from_struct(stub.check({}).inputs)
            assert f":{region}:" in from_struct(stub.create(inputs).properties)["arn"]


def test_a_function_is_called(port: int, config: PropertyMap, cloud: Cloud) -> None:
    with connected(port) as stub:
        stub.configure(config)
        cloud.client("ssm").put_parameter(Name="greeting", Type="String", Value="hello")
        request = provider_pb2.InvokeRequest(tok="aws:ssm/getParameter:getParameter", args=to_struct({"name": "greeting"}))
        answer = stub.calls.Invoke(request)
    assert from_struct(getattr(answer, "return"))["value"] == "hello"


def test_a_changed_configuration_is_shown_and_replaces_nothing(port: int) -> None:
    with connected(port) as stub:
        olds = to_struct({"region": "eu-west-1", "version": "1"})
        news = to_struct({"region": "eu-central-1", "version": "2"})
        diff = stub.calls.DiffConfig(provider_pb2.DiffRequest(old_inputs=olds, news=news))
        assert (list(diff.diffs), list(diff.replaces)) == (["region"], [])
        same = stub.calls.DiffConfig(provider_pb2.DiffRequest(old_inputs=olds, news=olds))
        assert same.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_it_says_what_it_is(port: int, local_cloud: LocalCloud) -> None:
    version = LocalCloudHost(local_cloud).version("aws")
    with connected(port) as stub:
        assert stub.calls.GetPluginInfo(empty_pb2.Empty()).version == version
        schema = json.loads(stub.calls.GetSchema(provider_pb2.GetSchemaRequest()).schema)
        stub.calls.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"))
        stub.calls.Cancel(empty_pb2.Empty())
    assert (schema["name"], schema["version"]) == ("aws", version)
    assert schema["resources"].keys() == {row.token for row in all_rows()[0] if row.token.startswith("aws:")}
    queue = schema["resources"][QUEUE]["inputProperties"]
    assert (queue["delaySeconds"], queue["tags"]["additionalProperties"]) == ({"type": "integer"}, {"type": "string"})
    group = schema["resources"]["aws:ec2/securityGroup:SecurityGroup"]["inputProperties"]["ingress"]["items"]
    assert schema["types"][group["$ref"].removeprefix("#/types/")]["properties"]["fromPort"] == {"type": "integer"}


def test_it_says_what_it_can(port: int) -> None:
    with connected(port) as stub:
        shaken = stub.calls.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
        configured = stub.calls.Configure(provider_pb2.ConfigureRequest(acceptSecrets=True, acceptResources=True))
        assert not stub.calls.GetMapping(provider_pb2.GetMappingRequest(key="terraform")).data
        assert not stub.calls.GetMappings(provider_pb2.GetMappingsRequest(key="terraform")).providers
        with pytest.raises(grpc.RpcError) as caught:
            stub.calls.Construct(provider_pb2.ConstructRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert configured.supportsPreview
    assert (shaken.accept_secrets, shaken.accept_resources, shaken.accept_outputs) == (True, False, False)
    assert (configured.acceptSecrets, configured.acceptResources, configured.acceptOutputs) == (True, False, False)


def test_secrets_come_back_marked_and_so_does_what_is_always_one(port: int, config: PropertyMap, cloud: Cloud) -> None:
    with connected(port) as stub:
        stub.configure({**config, "region": Secret("eu-west-1")})
        checked = from_struct(stub.check({"tags": {"token": Secret("hunter22"), "team": "a"}}).inputs)
        assert checked["tags"] == checked["tagsAll"] == {"token": Secret("hunter22"), "team": "a"}
        made = stub.create(checked)
        assert from_struct(made.properties)["tags"] == {"token": Secret("hunter22"), "team": "a"}
        found = stub.read(made.id, from_struct(made.properties), checked)
        assert from_struct(found.inputs)["tags"] == {"token": Secret("hunter22"), "team": "a"}

        cloud.client("ssm").put_parameter(Name="/found", Type="SecureString", Value="hunter33")
        imported = stub.calls.Read(provider_pb2.ReadRequest(type="aws:ssm/parameter:Parameter", urn=URN, id="/found"))
    for values in (from_struct(imported.properties), from_struct(imported.inputs)):
        assert values["value"] == Secret("hunter33")


def test_what_is_not_there_is_read_as_nothing_and_deleted_without_a_word(port: int, config: PropertyMap, cloud: Cloud) -> None:
    url = f"{cloud.endpoint}/{cloud.account_id}/nowhere"
    with connected(port) as stub:
        stub.configure(config)
        found = stub.read(url, {"name": "nowhere"}, {"name": "nowhere"})
        assert (found.id, len(found.properties.fields)) == ("", 0)
        stub.calls.Delete(provider_pb2.DeleteRequest(type=QUEUE, urn=URN, id=url))


def test_a_look_up_that_finds_nothing_fails_in_the_clouds_words(port: int, config: PropertyMap) -> None:
    with connected(port) as stub:
        stub.configure(config)
        for token, message in (("aws:ssm/getParameter:getParameter", "ParameterNotFound"), ("aws:no/thing:thing", "not served")):
            with pytest.raises(grpc.RpcError) as caught:
                stub.calls.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_struct({"name": "/nowhere"})))
            assert message in caught.value.details()


class Slow:
    """A create that lasts until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        monkeypatch.setattr(LocalCloudProvider, "create", lambda _, type_, inputs: self.create(inputs))

    def create(self, inputs: PropertyMap) -> Resource:
        self.began.set()
        assert self.may_end.wait(60)
        return Resource("made", inputs, inputs)


def test_cancel_lets_what_is_under_way_end_and_begins_nothing_more(
    port: int, config: PropertyMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    with connected(port) as stub, ThreadPoolExecutor(1) as pool:
        stub.configure(config)
        creating = pool.submit(stub.create, {"name": "n"})
        assert slow.began.wait(60)
        stub.calls.Cancel(empty_pb2.Empty())
        stub.calls.Cancel(empty_pb2.Empty())
        with pytest.raises(grpc.RpcError) as caught:
            stub.read("n", {})
        assert caught.value.code() is grpc.StatusCode.CANCELLED  # which Pulumi takes for: nothing has happened
        slow.may_end.set()
        assert creating.result().id == "made"
        with connected(port) as other:  # another run, of a provider that is attached to
            other.configure(config)
            assert other.create({"name": "n"}).id == "made"


def test_cancel_gives_up_what_does_not_end(port: int, config: PropertyMap, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    monkeypatch.setattr(plugin, "_GRACE_SECONDS", 0.1)
    with connected(port) as stub, ThreadPoolExecutor(1) as pool:
        stub.configure(config)
        creating = pool.submit(stub.create, {"name": "n"})
        assert slow.began.wait(60)
        stub.calls.Cancel(empty_pb2.Empty())
        with pytest.raises(grpc.RpcError) as caught:
            creating.result()
        slow.may_end.set()
    assert caught.value.code() is grpc.StatusCode.UNKNOWN  # which Pulumi takes for: it may have happened
    assert "cancelled while this was under way" in caught.value.details()


def test_a_missing_property_is_a_failed_check(port: int, config: PropertyMap) -> None:
    with connected(port) as stub:
        stub.configure(config)
        failures = stub.check({}, "aws:ssm/parameter:Parameter").failures
    assert [failure.reason for failure in failures] == ["missing required property 'type'"]


@pytest.mark.parametrize(
    ("type_", "inputs", "message"),
    [
        ("aws:nowhere/thing:Thing", {}, "aws:nowhere/thing:Thing is not served by the local cloud"),
        (QUEUE, {"name": "not a name!"}, "InvalidParameterValue"),
    ],
)
def test_a_failure_of_the_cloud_is_told_in_its_own_words(
    port: int, config: PropertyMap, type_: str, inputs: PropertyMap, message: str
) -> None:
    with connected(port) as stub:
        stub.configure(config)
        with pytest.raises(grpc.RpcError) as caught:
            stub.create(inputs, type_=type_)
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert message in caught.value.details()


def test_an_endpoint_that_is_no_loopback_address_is_refused(port: int) -> None:
    with connected(port) as stub, pytest.raises(grpc.RpcError) as caught:
        stub.configure({"endpoints": json.dumps([{"sqs": "https://sqs.eu-west-1.amazonaws.com"}])})
    assert "loopback" in caught.value.details()


def test_a_resource_is_refused_before_the_provider_is_configured(port: int) -> None:
    with connected(port) as stub, pytest.raises(grpc.RpcError) as caught:
        stub.create({})
    assert "package aws has not been configured" in caught.value.details()


def test_what_a_create_left_half_done_is_handed_over(port: int, config: PropertyMap, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(self: LocalCloudProvider, type_: str, inputs: PropertyMap) -> Resource:
        raise CreatedPartially("half done", Resource("made", inputs, {"arn": "a"}))

    monkeypatch.setattr(LocalCloudProvider, "create", create)
    with connected(port) as stub:
        stub.configure(config)
        with pytest.raises(grpc.RpcError) as caught:
            stub.create({"name": "n"})
    status = status_pb2.Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    half = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(half)
    assert (half.id, from_struct(half.properties), from_struct(half.inputs), list(half.reasons)) == (
        "made",
        {"arn": "a"},
        {"name": "n"},
        ["half done"],
    )


# -- as a process ------------------------------------------------------------------------------------------------------


@contextmanager
def process(package: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "isostack.cli", "cloud", "provider", package]
    environment = {**os.environ, "ISOSTACK_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - ours
        assert running.stdout is not None
        yield running, int(running.stdout.readline())
        running.terminate()


def test_it_runs_as_a_process_that_prints_its_port_and_can_be_ended(local_cloud: LocalCloud) -> None:
    with process("random", local_cloud.home) as (running, port):
        with connected(port) as stub:
            stub.configure({})
            made = stub.create({"length": 3}, type_="random:index/randomPet:RandomPet")
        assert made.id.count("-") == 2
    assert running.returncode == 0


PROGRAM = """
import pulumi
import pulumi_aws as aws

queue = aws.sqs.Queue("jobs", delay_seconds=3)
pulumi.export("arn", queue.arn)
"""


@pytest.mark.skipif(not shutil.which("pulumi"), reason="pulumi is not on the path: the plugin is not tried on the CLI")
def test_the_official_cli_runs_a_program_through_it(local_cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: attached\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "backend").mkdir()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        done = subprocess.run(  # noqa: S603 - the official CLI
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with ExitStack() as stack:
        ports = {package: stack.enter_context(process(package, local_cloud.home))[1] for package in ("aws", "random")}
        environment["PULUMI_DEBUG_PROVIDERS"] = ",".join(f"{package}:{port}" for package, port in ports.items())
        pulumi("stack", "init", "dev")
        pulumi("up", "--yes")
        name = json.loads(pulumi("stack", "output", "--json"))["arn"].rpartition(":")[2]
        assert name.startswith("jobs-")
        assert "2 unchanged" in pulumi("up", "--yes", "--skip-preview")
        urls = Cloud(local_cloud.ensure().url).client("sqs").list_queues().get("QueueUrls", [])
        assert [url for url in urls if url.endswith(f"/{name}")]
        pulumi("destroy", "--yes", "--skip-preview")
        urls = Cloud(local_cloud.ensure().url).client("sqs").list_queues().get("QueueUrls", [])
        assert not [url for url in urls if url.endswith(f"/{name}")]
