"""What the official CLI gets to run on the local cloud; none of it needs the CLI."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from isostack.engine.secrets import find_passphrase
from isostack.localcloud import launchers
from isostack.localcloud.server import LocalCloud


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_launchers_are_their_owners_alone_and_are_written_once(tmp_path: Path) -> None:
    folder = launchers.install(tmp_path / "bin", tmp_path / "home")
    found = sorted(folder.iterdir())
    assert [path.name for path in found] == [f"pulumi-resource-{package}" for package in ("aws", "docker", "random")]
    assert {mode(folder), *map(mode, found)} == {0o700}
    before = [path.stat().st_ino for path in found]
    launchers.install(folder, tmp_path / "home")
    assert [path.stat().st_ino for path in found] == before
    launchers.install(folder, tmp_path / "elsewhere")
    assert str(tmp_path / "elsewhere") in found[0].read_text()


def test_a_folder_that_others_may_write_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(0o777)
    assert mode(launchers.install(tmp_path / "bin", tmp_path / "home")) == 0o700


def test_a_launcher_starts_a_provider_that_ends_with_whoever_started_it(tmp_path: Path) -> None:
    home = tmp_path / "it's home"
    folder = launchers.install(tmp_path / "a folder", home)
    # A shell in between, which is killed: nobody tells the provider.
    script = f'"{folder}/pulumi-resource-random" 127.0.0.1:1 -v=9 & wait'
    environment = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with subprocess.Popen(["/bin/sh", "-c", script], env=environment, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603
        assert running.stdout is not None
        port = int(running.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
        running.kill()
        assert running.stdout.read() == ""  # at the end of the provider, which holds the pipe as well


def test_a_launcher_refuses_a_shell_that_does_not_lead_to_the_local_cloud(tmp_path: Path) -> None:
    folder = launchers.install(tmp_path / "bin", tmp_path / "home")
    environment = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    done = subprocess.run([folder / "pulumi-resource-aws"], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (done.returncode, done.stdout) == (2, "")
    assert "isostack cloud env" in done.stderr


@pytest.fixture
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith(("AWS_", "PULUMI_")):
            monkeypatch.delenv(name)
    return monkeypatch


def test_the_cli_stays_on_the_local_cloud(nothing_chosen: pytest.MonkeyPatch, local_cloud: LocalCloud) -> None:
    variables = launchers.environment_for_cli(local_cloud.home)
    folder = variables["PATH"].split(os.pathsep)[0]
    assert os.access(Path(folder) / "pulumi-resource-aws", os.X_OK)
    assert variables["AWS_ENDPOINT_URL"] == local_cloud.ensure().url
    assert variables["AWS_SHARED_CREDENTIALS_FILE"] == variables["AWS_CONFIG_FILE"] == os.devnull
    assert variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert variables["PULUMI_BACKEND_URL"].startswith(f"file://{local_cloud.home.resolve()}")
    assert Path(variables["PULUMI_BACKEND_URL"].removeprefix("file://")).is_dir()
    # Where the passphrase is, and not the passphrase itself.
    passphrase = find_passphrase(local_cloud.home).text
    assert Path(variables["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text().strip() == passphrase
    assert passphrase not in " ".join(variables.values())

    nothing_chosen.setenv("PATH", variables["PATH"])
    assert launchers.environment_for_cli(local_cloud.home) == variables  # a second time in the same shell


def test_what_a_person_has_chosen_stays_and_what_leads_astray_goes(
    nothing_chosen: pytest.MonkeyPatch, local_cloud: LocalCloud
) -> None:
    nothing_chosen.setenv("PULUMI_BACKEND_URL", "s3://theirs")
    nothing_chosen.setenv("PULUMI_CONFIG_PASSPHRASE", "theirs")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        nothing_chosen.setenv(name, "theirs")
    variables = launchers.environment_for_cli(local_cloud.home)
    assert variables["PULUMI_BACKEND_URL"] == "s3://theirs"
    assert not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & variables.keys()
    assert launchers.unwanted() == ["AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN"]
