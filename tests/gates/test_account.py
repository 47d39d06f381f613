"""Who somebody is in an account: what STS says of his own credentials, judged as on the local cloud; refused where nobody shares
the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError

from isostack.errors import Refused
from isostack.gates import account
from isostack.gates.account import AccountSts
from isostack.gates.admission import Guard
from isostack.gates.approvals import approve
from isostack.gates.emergency import note_emergency
from isostack.gates.record import FolderLines, Record
from isostack.localcloud.client import Cloud
from tests.command_line import CommandLine
from tests.gates.small import Small

TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}'
REASON = "the queue does not drain and nobody answers"


@dataclass(frozen=True)
class Role:
    name: str
    principals: Sequence[str] = ()
    subjects: Sequence[str] = ()
    issuer: str = ""
    mfa: bool = False


@dataclass(frozen=True)
class Gates:
    account: str
    region: str = "eu-west-1"
    entry_role: str = "entry"
    operators: Sequence[str] = ("operations", "deployer")
    approvers: Sequence[str] = ("operations",)
    break_glass: str = "break-glass"
    roles: Mapping[str, Role] = field(
        default_factory=lambda: {name: Role(f"small-{name}") for name in ("operations", "deployer", "developer", "break-glass")}
    )


@dataclass
class Account:
    """An account of the local cloud that stands for a real one, with the record that its people share."""

    cloud: Cloud
    record: Record

    def make(self, *roles: str) -> None:
        for role in roles:
            self.cloud.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)

    def guard(self, person: str, role: str, account_id: str = "") -> Guard:
        """What stands before the one who has taken on the role by a name."""
        where = account_id or self.cloud.account_id
        arn = f"arn:aws:iam::{where}:role/{role}"
        taken = self.cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName=person)["Credentials"]
        own = Cloud(self.cloud.endpoint, account_id=where)
        own.act_as(*(taken[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
        return self.asked(own.client)

    def asked(self, client: Callable[[str], Any]) -> Guard:
        gates = Gates(self.cloud.account_id)
        return Guard("small", "staging", gates, AccountSts("staging", gates, "", client), self.record, engine="pulumi")


@pytest.fixture
def there(cloud: Cloud, tmp_path: Path) -> Account:
    return Account(cloud, Record(FolderLines(tmp_path)))


def test_a_role_of_the_environment_lets_its_session_in_by_name_and_the_record_says_who(there: Account) -> None:
    there.make("small-operations-0a1b2c3")
    session = there.guard("alice", "small-operations-0a1b2c3").admit("refresh")
    assert (session.person, session.role, session.account) == ("alice", "operations", there.cloud.account_id)
    assert session.arn.endswith(":assumed-role/small-operations-0a1b2c3/alice")
    assert (session.key, session.secret, session.token) == ("", "", "")
    (run,) = there.record.entries()
    assert (run.facts["person"], run.facts["arn"], run.facts["engine"]) == ("alice", session.arn, "pulumi")


@pytest.mark.parametrize(
    ("person", "role", "account_id", "why"),
    [
        ("dave", "small-developer-0a1b2c3", "", "dave is developer in staging, and only operations or deployer may up"),
        ("dave", "small-operations-and-more", "", "dave is small-operations-and-more in staging, and only"),
        ("dave", "small-operations", "777777777777", "is of account 777777777777, and staging is account"),
        ("dave", "entry", "", "entry makes staging, and staging is there: only operations or deployer may up now"),
        ("botocore-session-1796", "small-operations", "", "has nobody's name; give the profile yours, as role_session_name"),
        ("dave", "small-break-glass-0a1b2c3", "", "without a ticket on record (isostack break-glass staging --engine pulumi"),
    ],
)
def test_anybody_else_is_refused_by_the_reason_and_told_what_to_type(
    there: Account, person: str, role: str, account_id: str, why: str
) -> None:
    there.make("small-operations-0a1b2c3")
    with pytest.raises(Refused) as refused:
        there.guard(person, role, account_id).admit("up")
    assert why in str(refused.value)
    profile = "AWS_PROFILE=… isostack up staging --engine pulumi (with a profile that takes on small-operations)"
    assert f"type: {profile}" in str(refused.value)
    assert "cloud login" not in str(refused.value)
    assert there.record.entries() == []


def test_the_entry_role_makes_an_environment_that_has_no_roles_yet(there: Account) -> None:
    guard = there.guard("alice", "entry")
    session = guard.admit("up")
    assert (session.role, guard.exempt(session)) == ("entry", True)


def test_credentials_that_are_no_sessions_or_not_to_be_had_are_nobody_and_are_not_shown(there: Account) -> None:
    def failing(error: Exception) -> Callable[[str], Any]:
        def client(service: str) -> Any:
            raise error

        return client

    program = CredentialRetrievalError(provider="custom-process", error_msg="token s3cret")
    for client, why in (
        (Cloud(there.cloud.endpoint).client, "is no session of a role; only operations may approve"),
        (failing(NoCredentialsError()), "Unable to locate credentials; only operations may approve"),
        (failing(program), "your credentials cannot be had from custom-process"),
        (
            failing(ClientError({"Error": {"Code": "ExpiredToken", "Message": "It\nhas ended"}}, "GetCallerIdentity")),
            "STS says ExpiredToken: It has ended; only operations may approve",
        ),
        (failing(EOFError()), "nobody is there to be asked for a second factor"),
    ):
        with pytest.raises(Refused) as refused:
            there.asked(client).approver()
        assert why in str(refused.value)
        assert "s3cret" not in str(refused.value)


def test_a_destroy_waits_for_somebody_else_who_is_another_session(there: Account) -> None:
    there.make("small-operations")
    alice, bob = (there.guard(person, "small-operations") for person in ("alice", "bob"))
    approve(there.record, "small", "staging", "destroy", "sha256:1", alice.approver())
    with pytest.raises(Refused, match="nobody else has approved that everything in staging goes"):
        alice.admit("destroy", "staging")
    assert bob.admit("destroy", "staging").person == "bob"


def test_break_glass_counts_once_its_reason_is_on_record_for_that_session_alone(there: Account) -> None:
    there.make("small-operations", "small-break-glass")
    carol = there.guard("carol", "small-break-glass")
    with pytest.raises(Refused, match="alice is operations in staging, and only break-glass may break-glass"):
        there.guard("alice", "small-operations").in_emergency()
    noted = note_emergency(there.record, "small", carol.in_emergency(), "INC-1", REASON)
    session = there.guard("carol", "small-break-glass").admit("refresh")  # by another key of the same session
    assert (session.ticket, carol.exempt(session), noted.ticket) == ("INC-1", True, "INC-1")
    assert there.record.entries()[-1].facts["ticket"] == "INC-1"
    with pytest.raises(Refused, match="without a ticket on record"):
        there.guard("mallory", "small-break-glass").admit("refresh")
    with pytest.raises(Refused, match="only operations or deployer may destroy"):
        carol.admit("destroy", "staging")


def test_what_a_local_cloud_says_is_not_taken_for_what_an_account_says(
    there: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "[profile mine]\naws_access_key_id = a\naws_secret_access_key = b\n"
        f"[profile local]\naws_access_key_id = a\naws_secret_access_key = b\nendpoint_url = {there.cloud.endpoint}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv(account.PROFILE, "mine")
    assert account.client_of("sts", "eu-west-1").meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"
    for name, value in ((account.PROFILE, "local"), ("AWS_ENDPOINT_URL_STS", "http://localhost:4566")):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            with pytest.raises(Refused, match="is a local cloud, and isostack:cloud is aws"):
                account.client_of("sts", "eu-west-1")


def test_without_a_record_that_is_shared_nobody_runs_an_environment_of_an_account(tmp_path: Path) -> None:
    small = Small(tmp_path)
    file = small.root / "Pulumi.staging.yaml"
    file.write_text(file.read_text() + "  isostack:cloud: aws\n")
    for command in (("up", "staging"), ("destroy", "staging"), ("approve", "staging", "--yes"), ("break-glass", "staging")):
        said = small.refused(*command, "--engine", "pulumi")
        assert "add to Pulumi.yaml: isostack: {state: s3://BUCKET/PREFIX}, or export ISOSTACK_HOME=s3://BUCKET/PREFIX" in said
    shared = CommandLine(small.home, {"ISOSTACK_HOME": "s3://state/team", "PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    ran = shared("up", "staging", "--engine", "pulumi", cwd=small.root)
    assert (ran.code, "export ISOSTACK_STATE_PROFILE=PROFILE" in ran.err) == (3, True), ran
    ran = shared("up", "staging", cwd=small.root)
    assert (ran.code, "add --engine pulumi" in ran.err) == (3, True), "the embedded engine never asks an account"
