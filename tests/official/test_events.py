"""What the CLI's engine tells, as steps, messages, violations and counts."""

from __future__ import annotations

from typing import Any

from isostack.engine.events import Diagnostic, Event, Op, StepDone, StepStarted, Violation
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN_STRING
from isostack.official.events import Events

QUEUE = "aws:sqs/queue:Queue"
URN = f"urn:pulumi:dev::small::{QUEUE}::jobs"
STACK = "urn:pulumi:dev::small::pulumi:pulumi:Stack::small-dev"
SECRET = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": "[secret]"}


def step(op: str, urn: str = URN, type_: str = QUEUE, **more: Any) -> dict[str, Any]:
    state = {"type": type_, "urn": urn, "custom": type_ == QUEUE, "parent": "", "inputs": {}, "outputs": {}}
    return {"metadata": {"op": op, "urn": urn, "type": type_, "old": None, "new": state, **more}}


def before(op: str, **more: Any) -> dict[str, Any]:
    return {"resourcePreEvent": step(op, **more)}


def after(op: str, **more: Any) -> dict[str, Any]:
    return {"resOutputsEvent": step(op, **more)}


def failed(op: str, **more: Any) -> dict[str, Any]:
    return {"resOpFailedEvent": step(op, **more)}


def message(severity: str, text: str, urn: str = "") -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": severity, "message": text, "urn": urn}}


def told(*events: dict[str, Any]) -> tuple[list[Event], Events]:
    """What a sink hears of them."""
    heard: list[Event] = []
    seen = Events(heard.append)
    for event in events:
        seen(event)
    seen.close()
    return heard, seen


def test_a_replacement_is_one_step_and_its_old_copy_goes_uncounted() -> None:
    heard, seen = told(
        before("create-replacement"), after("create-replacement"), before("replace"), after("replace"),
        before("delete-replaced"), after("delete-replaced"),
    )  # fmt: skip
    assert [(one.op, one.note) for one in heard if isinstance(one, StepStarted)] == [(Op.REPLACE, ""), (Op.DELETE, "replaced")]
    assert {key: count for key, count in seen.tally.as_dict().items() if count} == {"replace": 1}


def test_one_that_is_deleted_first_says_so() -> None:
    heard, _ = told(
        before("delete-replaced"), after("delete-replaced"), before("create-replacement"), after("create-replacement")
    )
    assert [one.note for one in heard if isinstance(one, StepStarted)] == ["replaced", "delete before replace"]


def test_a_failure_has_the_message_that_came_before_it_and_the_summary_is_not_told_again() -> None:
    heard, seen = told(
        before("create"), message("error", "no such key\n", URN), failed("create"), message("error", "update failed", STACK)
    )
    ended = [(one.status, one.message) for one in heard if isinstance(one, StepDone)]
    assert (ended, seen.tally.create) == ([("failed", "no such key")], 0)
    assert [one for one in heard if isinstance(one, Diagnostic)] == []


def test_a_summary_that_is_all_there_is_is_told() -> None:
    heard, _ = told(message("error", "update failed", STACK))
    assert heard == [Diagnostic("error", "update failed")]


def test_default_providers_are_not_told_of() -> None:
    kind = "pulumi:providers:aws"
    urn = f"urn:pulumi:dev::small::{kind}::default_7_51_1"
    heard, seen = told(before("create", urn=urn, type_=kind), after("create", urn=urn, type_=kind))
    assert (heard, seen.tally.changes) == ([], 0)


def test_changes_show_no_secret_and_say_what_is_not_known_yet() -> None:
    old = {"type": QUEUE, "urn": URN, "custom": True, "inputs": {"delay": 1, "tags": SECRET, "name": "a"}}
    new = {**old, "inputs": {"delay": 2, "tags": SECRET, "name": UNKNOWN_STRING}}
    heard, _ = told(before("update", old=old, new=new, diffs=["delay", "tags", "name"]))
    (started,) = heard
    assert isinstance(started, StepStarted)
    shown = {change.path: (change.old, str(change.new)) for change in started.changes}
    assert shown == {"delay": (1, "2"), "tags": ("[secret]", "[secret]"), "name": ("a", "UNKNOWN")}


def test_what_is_not_as_it_was_planned_is_named_without_the_values_that_the_cli_shows() -> None:
    text = (
        f"resource {URN} violates plan: properties changed: ++tags[{{map[password:{{&{{{{hunter22, ++no[x}}}}}}]}}!={{map[]}}], "
        "=-delay[{1}], +=name[{a}]"
    )
    heard, _ = told(before("update"), message("error", text, URN))
    assert [one.message for one in heard if isinstance(one, StepDone)] == [
        "not done, because it is not what was looked at before this run: tags, delay, name; preview it again"
    ]


def test_the_traceback_of_a_program_that_the_cli_has_stopped_is_not_told_and_others_are() -> None:
    stopped = "Traceback (most recent call last):\n  File x, line 1\nKeyboardInterrupt\n"
    own = "Traceback (most recent call last):\n  File y, line 2\nValueError: mine\n"
    heard, _ = told(message("info", stopped), message("info#err", own))
    assert [one.message for one in heard if isinstance(one, Diagnostic)] == own.strip().split("\n")


def test_a_violation_keeps_its_severity_and_what_cannot_be_told_yet_is_undecided() -> None:
    found = {"policyPackName": "p", "policyPackVersionTag": "1.0.0", "policyName": "n", "resourceUrn": URN, "severity": "high"}
    heard, _ = told(
        {"policyEvent": {**found, "enforcementLevel": "mandatory", "message": "<{%reset%}>No\nreally<{%reset%}>\n"}},
        {"policyEvent": {**found, "enforcementLevel": "advisory", "message": "can't run policy 'n' from p during preview: x"}},
    )
    assert heard == [
        Violation("p", "1.0.0", "n", "mandatory", "high", URN, "No\nreally"),
        Violation("p", "1.0.0", "n", "advisory", "high", URN, "can't run policy 'n' from p during preview: x", undecided=True),
    ]


def test_a_refresh_before_an_up_is_not_counted_and_one_alone_is() -> None:
    refreshed = (before("refresh"), after("update", old={"inputs": {"delay": 1}}, new={"custom": True, "inputs": {"delay": 2}}))
    _, alone = told(*refreshed)
    _, first = told(*refreshed, before("create"), after("create"))
    assert (alone.tally.update, first.tally.update, first.tally.create) == (1, 0, 1)
