"""Break-glass: the role for emergencies, taken on with a second factor, a ticket and a reason, for an hour at most.

Its use is in the record before anybody has the session, and sets off the environment's alarm: in an account by the audit trail;
the local cloud has none that runs, so the line which CloudTrail would write and the alarm's state are written here.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from isostack.errors import BadInput, Refused
from isostack.gates.approvals import BREAK_GLASS
from isostack.gates.identity import SESSION_SECONDS, Session, login
from isostack.gates.record import Record

if TYPE_CHECKING:
    from isostack.parameters import Gates

LONGEST_REASON: Final = 500


def break_glass(
    endpoint: str, record: Record, project: str, stack: str, gates: Gates, person: str, code: str | None, ticket: str, reason: str
) -> tuple[Session, str | None]:
    """The session, and the alarm that it set off, or None where the environment has none.

    Raises BadInput without a ticket or a reason, Refused where the role is not to be had.
    """
    ticket, reason = _given(ticket, reason)
    if not gates.break_glass:
        raise Refused(f"{stack} has no role for emergencies")
    session = login(endpoint, stack, gates, gates.break_glass, person, code, ticket, reason)
    place = _Place(endpoint, gates.account, gates.region, gates.roles[gates.break_glass].name)
    alarm = place.alarm()
    _note(record, project, session, ticket, reason, alarm)
    if alarm is not None:
        place.set_off(session, alarm)
    return session, alarm


def note_emergency(record: Record, project: str, session: Session, ticket: str, reason: str) -> Session:
    """Record why somebody has taken on the role in an account, where the audit trail sets off the alarm; for an hour.

    Raises BadInput without a ticket or a reason.
    """
    ticket, reason = _given(ticket, reason)
    until = (datetime.now(UTC) + timedelta(seconds=SESSION_SECONDS)).isoformat(timespec="seconds")
    noted = replace(session, expires=until, ticket=ticket)
    _note(record, project, noted, ticket, reason, None)
    return noted


def ticket_of(record: Record, project: str, session: Session) -> str:
    """The ticket that the record has of this session, while it counts; else empty."""
    now = datetime.now(UTC)
    found = [
        str(entry.facts.get("ticket", ""))
        for entry in record.entries()
        if entry.kind == BREAK_GLASS
        and (entry.facts.get("project"), entry.facts.get("stack")) == (project, session.stack)
        and entry.facts.get("session") == _fingerprint(session)
        and datetime.fromisoformat(entry.facts["until"]) > now
    ]
    return found[-1] if found else ""


def _given(ticket: str, reason: str) -> tuple[str, str]:
    ticket, reason = ticket.strip(), " ".join(reason.split())
    if not re.fullmatch(r"[\w#/.:-]{2,100}", ticket):
        raise BadInput("--ticket takes the ticket's name, as INC-123: emergencies are told from anything else by it")
    if not 10 <= len(reason) <= LONGEST_REASON:
        raise BadInput(f"--reason takes a sentence of 10 to {LONGEST_REASON} characters, for those who read the record later")
    return ticket, reason


def _note(record: Record, project: str, session: Session, ticket: str, reason: str, alarm: str | None) -> None:
    facts = {"project": project, "stack": session.stack, "ticket": ticket, "reason": reason, "alarm": alarm}
    facts |= {"person": session.person, "arn": session.arn, "until": session.expires, "session": _fingerprint(session)}
    record.append(BREAK_GLASS, facts)


def _fingerprint(session: Session) -> str:
    """Of its key; in an account, where each call may have one of its own, of its ARN."""
    return hashlib.sha256((session.key or session.arn).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Place:
    """Where the role is, and what watches it."""

    endpoint: str
    account: str
    region: str
    role: str

    def client(self, service: str) -> Any:
        from isostack.localcloud.client import Cloud

        return Cloud(self.endpoint, self.region, self.account).client(service)

    def filters(self) -> list[dict[str, Any]]:
        """The metric filters of logs that look for the role."""
        pages = self.client("logs").get_paginator("describe_metric_filters").paginate()
        return [one for page in pages for one in page["metricFilters"] if f"role/{self.role}" in one.get("filterPattern", "")]

    def alarm(self) -> str | None:
        """The name of the alarm that watches a metric of such a filter."""
        cloudwatch = self.client("cloudwatch")
        for one in self.filters():
            for metric in one["metricTransformations"]:
                name, namespace = metric["metricName"], metric["metricNamespace"]
                alarms = cloudwatch.describe_alarms_for_metric(MetricName=name, Namespace=namespace)["MetricAlarms"]
                if alarms:
                    return str(alarms[0]["AlarmName"])
        return None

    def set_off(self, session: Session, alarm: str) -> None:
        """Write what CloudTrail would have written, and what CloudWatch would have made of it."""
        physical = session.arn.split("/")[1]
        event = {
            "eventName": "AssumeRole",
            "requestParameters": {"roleArn": f"arn:aws:iam::{self.account}:role/{physical}"},
            "userIdentity": {"arn": session.arn},
        }
        logs = self.client("logs")
        for one in self.filters():
            where = {"logGroupName": one["logGroupName"], "logStreamName": f"break-glass-{time.time_ns()}"}
            logs.create_log_stream(**where)
            logs.put_log_events(**where, logEvents=[{"timestamp": int(time.time() * 1000), "message": json.dumps(event)}])
        reason = f"{session.person} took on {physical} for {session.ticket}"
        self.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason=reason)
