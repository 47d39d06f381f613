"""Break-glass, drilled: a second factor, a ticket, a reason, an alarm, a line in the record, and an end."""

from __future__ import annotations

import json

import pytest

from isostack.localcloud.client import Cloud
from isostack.localcloud.server import LocalCloud
from tests.gates.small import ACCOUNT, Small

REASON = "the queue does not drain and nobody of operations answers"


def test_it_is_not_to_be_had_without_ticket_reason_and_second_factor(small: Small) -> None:
    for arguments, code, what in (
        (["--reason", REASON, "--mfa", "123456"], 2, "--ticket"),
        (["--ticket", "INC-1", "--reason", "because", "--mfa", "123456"], 2, "--reason"),
        (["--ticket", "INC-1", "--reason", REASON], 3, "takes a second factor"),
    ):
        ran = small("break-glass", "staging", *arguments)
        assert (ran.code, what in ran.err) == (code, True), ran.err
    text = small.refused("cloud", "login", "break-glass", "staging", "--mfa", "123456")
    assert "isostack break-glass staging" in text
    assert "nobody is logged in" in small.refused("refresh", "staging")


def test_it_lets_somebody_in_for_an_hour_sets_off_the_alarm_and_is_recorded(small: Small) -> None:
    given = ["--ticket", "INC-42", "--reason", REASON, "--as", "carol", "--mfa", "123456"]
    session = small.done("break-glass", "staging", *given)
    small.says(delay=9, actions=("s3:GetObject", "s3:PutObject"))
    small.done("up", "staging")
    assert small.delay() == 9, "in an emergency nobody else is asked"
    entry, run = small.done("record")["entries"][-2:]
    assert (entry["kind"], entry["ticket"], entry["reason"], entry["person"]) == ("break-glass", "INC-42", REASON, "carol")
    assert (run["kind"], run["person"], run["ticket"]) == ("run", "carol", "INC-42")
    assert entry["until"] == session["expires"]
    cloud = Cloud(LocalCloud(small.home).ensure().url, account_id=ACCOUNT)
    (alarm,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=[session["alarm"]])["MetricAlarms"]
    assert (alarm["StateValue"], "carol" in alarm["StateReason"]) == ("ALARM", True)
    logs = cloud.client("logs")
    (group,) = logs.describe_log_groups()["logGroups"]
    (message, *_) = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    assert "small-break-glass" in json.loads(message["message"])["requestParameters"]["roleArn"]


def test_it_does_not_open_everything(small: Small) -> None:
    given = ["--ticket", "INC-43", "--reason", REASON, "--as", "carol", "--mfa", "123456"]
    small.done("break-glass", "staging", *given)
    assert "carol is break-glass" in small.refused("destroy", "staging", "--confirm", "staging")
    assert "carol is break-glass" in small.refused("approve", "staging", "--yes")


def test_a_session_of_which_the_record_knows_no_ticket_is_refused(small: Small) -> None:
    small.done("break-glass", "staging", "--ticket", "INC-44", "--reason", REASON, "--as", "carol", "--mfa", "123456")
    for name in ("record.jsonl", "record.head"):
        (small.home / name).unlink()
    assert "break-glass without a ticket on record" in small.refused("refresh", "staging")


def test_it_ends_by_itself(small: Small) -> None:
    small.done("break-glass", "staging", "--ticket", "INC-45", "--reason", REASON, "--as", "carol", "--mfa", "123456")
    file = small.home / "sessions.json"
    session = json.loads(file.read_text())["small/staging"]
    file.write_text(json.dumps({"small/staging": {**session, "expires": "2026-01-02T03:04:05+00:00"}}))
    assert "ended at 2026-01-02T03:04:05+00:00" in small.refused("refresh", "staging")


def test_sts_lets_no_session_outlive_its_end_or_the_hour(small: Small) -> None:
    from botocore.exceptions import ClientError

    url = LocalCloud(small.home).ensure().url
    people = Cloud(url, account_id="999999999999")
    own = people.client("sts").assume_role(RoleArn="arn:aws:iam::999999999999:role/people", RoleSessionName="carol")
    person = Cloud(url, account_id="999999999999")
    person.act_as(*(own["Credentials"][key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
    roles = Cloud(url, account_id=ACCOUNT).client("iam").list_roles()["Roles"]
    (arn,) = (role["Arn"] for role in roles if role["RoleName"].startswith("small-developer"))
    with pytest.raises(ClientError, match="exceeds the 3600 seconds"):
        person.client("sts").assume_role(RoleArn=arn, RoleSessionName="carol", DurationSeconds=7200)
    sts = person.client("sts")
    sts.meta.events.register("before-call.sts.AssumeRole", lambda params, **_: params["body"].update(DurationSeconds="0"))
    over = sts.assume_role(RoleArn=arn, RoleSessionName="carol")["Credentials"]
    gone = Cloud(url, account_id=ACCOUNT)
    gone.act_as(over["AccessKeyId"], over["SecretAccessKey"], over["SessionToken"])
    with pytest.raises(ClientError, match="is expired since"):
        gone.client("sts").get_caller_identity()
