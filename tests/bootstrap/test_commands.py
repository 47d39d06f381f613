"""``isostack bootstrap``: a profile that was named, a plan before anything is done, and shared state in what it made."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from tests.command_line import CommandLine, project

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def isostack(local_cloud: LocalCloud) -> CommandLine:
    return CommandLine(local_cloud.home, {"PULUMI_CONFIG_PASSPHRASE": "correct horse"})


@pytest.fixture
def by_profile(local_cloud: LocalCloud, tmp_path: Path) -> dict[str, str]:
    """A profile that leads to the local cloud, as one leads to an account."""
    file = tmp_path / "config"
    keys = "aws_access_key_id = isostack\naws_secret_access_key = isostack\n"
    file.write_text(f"[profile tools]\nregion = eu-west-1\nendpoint_url = {local_cloud.ensure().url}\n{keys}")
    return {"AWS_CONFIG_FILE": str(file), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}


def test_a_bucket_is_planned_made_once_and_then_holds_shared_state(
    isostack: CommandLine, by_profile: dict[str, str], tmp_path: Path, local_cloud: LocalCloud
) -> None:
    name = f"acme-{uuid.uuid4().hex[:12]}"
    command = ("bootstrap", "state", f"s3://{name}", "--profile", "tools")
    folder = project(tmp_path / "team", "import pulumi\npulumi.export('a', 'b')\n", extra=f"isostack:\n  state: s3://{name}\n")
    plan = isostack(*command, cwd=folder, env=by_profile)
    assert plan.out.startswith("In account 123456789012, by profile tools, in eu-west-1:\n")
    assert f"  + bucket {name}\n" in plan.out
    assert "$1.00 a month for all of it, as estimated; left out: " in plan.out
    assert plan.out.endswith("nothing was changed; --yes does it\n")
    s3 = Cloud(local_cloud.ensure().url).client("s3")
    assert name not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    made = isostack(*command, "--yes", "--json", cwd=folder, env=by_profile).json
    assert (made["done"], {one["state"] for one in made["things"]}) == (True, {"make"})
    again = isostack(*command, "--yes", cwd=folder, env=by_profile)
    assert (again.code, again.out.splitlines()[-1]) == (0, "nothing to do")
    assert isostack("up", "dev", cwd=folder).code == 0
    assert isostack("outputs", "dev", "a", cwd=folder).out == "b\n"


def test_the_pipelines_roles_and_the_way_into_our_own_production(isostack: CommandLine, by_profile: dict[str, str]) -> None:
    bucket = f"acme-{uuid.uuid4().hex[:12]}"
    ran = isostack(
        "bootstrap", "pipeline", f"s3://{bucket}", "--repository", "acme/shop", "--profile", "tools", "--json",
        cwd=ROOT, env=by_profile,
    )  # fmt: skip
    roles = [one["name"].split()[1].rstrip(",") for one in ran.json["things"] if one["name"].startswith("role ")]
    assert roles == [f"isostack-pipeline-{name}" for name in (
        "dev", "integration", "production-plan", "production", "staging-plan", "staging")]  # fmt: skip
    assert ran.json["done"] is False
    assert ran.json["monthly"] == 0

    trust = ("--trust", "arn:aws:iam::123456789012:role/isostack-pipeline-production")
    elsewhere = isostack("bootstrap", "account", "production", *trust, "--profile", "tools", cwd=ROOT, env=by_profile)
    assert (elsewhere.code, elsewhere.err.count("\n")) == (3, 1)
    assert "profile tools leads to account 123456789012, and production is in 444444444444" in elsewhere.err
    plan = isostack("bootstrap", "account", "production", *trust, cwd=ROOT)
    assert "In account 444444444444 of the local cloud" in plan.out
    assert "role isostack-entry, for whoever builds the environment of this account\n" in plan.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("state", "acme"), "acme: write s3://BUCKET"),
        (("state", "s3://acme-state", "--profile", "none"), "--profile: The config profile (none) could not be found"),
        (("state", "s3://acme-state", "--region", "mars-1"), "--region mars-1: AWS has no such region"),
        (("pipeline", "s3://acme-state", "--repository", "acme"), "--repository acme: write OWNER/NAME"),
        (("pipeline", "s3://acme-state/shop", "--repository", "acme/shop"), "write s3://acme-state alone"),
        (
            ("pipeline", "s3://nobodys", "--repository", "acme/shop", "--yes"),
            "has no bucket nobodys; make it first: ",
        ),
        (("account", "dev", "--trust", "arn:aws:iam::*:role/x"), "name one role"),
        (("account", "nowhere", "--trust", "arn:aws:iam::123456789012:role/x"), "no environment 'nowhere' pins parameters"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    isostack: CommandLine, by_profile: dict[str, str], arguments: tuple[str, ...], complaint: str
) -> None:
    ran = isostack("bootstrap", *arguments, cwd=ROOT, env=by_profile)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran
    assert complaint in ran.err
