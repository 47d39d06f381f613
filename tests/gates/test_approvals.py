"""A second person's approval: of exactly this change, by somebody else, until a time, once; and of a destroy also the name."""

from __future__ import annotations

import json
from typing import Any

from isostack.intents import digest_of
from tests.command_line import Ran
from tests.gates.small import Small


def test_a_change_that_widens_nothing_needs_nobody_else(small: Small) -> None:
    small.says(delay=3)
    small.login("alice")
    assert small.done("up", "staging")["widening"] == []
    assert small.delay() == 3


def test_a_wider_permission_is_told_exactly_and_waits_for_somebody_else(small: Small) -> None:
    small.login("alice")
    small.done("up", "staging")
    small.says(delay=7, actions=("s3:GetObject", "s3:DeleteObject"))
    new = "role small-operations may now s3:DeleteObject on *"
    assert [one["text"] for one in small.done("preview", "staging")["widening"]] == [new]
    text = small.refused("up", "staging")
    assert new in text and "isostack approve staging (somebody else, logged in as operations)" in text
    small.done("approve", "staging", "--yes")
    assert "somebody else has to approve" in small.refused("up", "staging"), "nobody approves his own"
    assert small.delay() != 7, "nothing was changed"
    small.login("bob")
    approval = small.done("approve", "staging", "--yes", "--for", "30m")
    assert approval["person"] == "bob"
    small.login("alice")
    small.says(delay=8, actions=("s3:GetObject", "s3:DeleteObject"))
    assert "what was approved is another change" in small.refused("up", "staging")
    small.says(delay=7, actions=("s3:GetObject", "s3:DeleteObject"))
    ran = small("up", "staging")
    assert (ran.code, "Lets in or allows anew:" in ran.out, new in ran.out) == (0, True, True)
    assert small.delay() == 7
    run = small.done("record")["entries"][-1]
    assert (run["kind"], run["person"], run["approvals"]) == ("run", "alice", [approval["number"]])
    small.says()
    small.done("up", "staging")  # narrower again: nobody is asked
    small.says(delay=7, actions=("s3:GetObject", "s3:DeleteObject"))
    assert "somebody else has to approve" in small.refused("up", "staging"), "an approval counts once"


def test_a_program_that_does_something_else_than_it_showed_is_stopped(small: Small) -> None:
    file = small.root / "__main__.py"
    text = file.read_text()
    small.login("alice")
    small.done("up", "staging")
    try:
        file.write_text(text.replace('said["actions"]', 'said["actions"] if pulumi.runtime.is_dry_run() else ["*"]'))
        ran = small("up", "staging", "--json")
    finally:
        file.write_text(text)
    assert (ran.code, ran.json["widening"]) == (1, [])
    assert "not what was looked at before this run: policy" in ran.json["diagnostics"][0]["message"]
    assert small.done("preview", "staging")["changes"]["update"] == 0, "it was not done"


def test_a_destroy_wants_the_name_typed_and_somebody_elses_approval_and_says_so_at_once(small: Small) -> None:
    text = small.refused("destroy", "staging", "--yes")
    for gate in ("identity:", "approval:", "name:"):
        assert gate in text
    for command in ("cloud login operations staging", "approve staging --destroy", "destroy staging --confirm staging"):
        assert f"isostack {command}" in text
    small.login("bob")
    small.done("approve", "staging", "--destroy", "--yes")
    small.login("alice")
    assert "name:" in small.refused("destroy", "staging", "--confirm", "production")
    assert small.delay() >= 0, "it is all there"
    assert small.done("destroy", "staging", "--confirm", "staging")["result"] == "succeeded"
    small.login("alice")
    assert small.done("up", "staging")["changes"]["create"] > 5
    small.login("alice")
    assert "approval:" in small.refused("destroy", "staging", "--confirm", "staging")


def test_what_a_program_prints_is_no_part_of_the_approvals_document(small: Small) -> None:
    small.login("bob")
    files = {name: (small.root / name).read_text() for name in ("__main__.py", "parameters.py")}
    try:
        for name, text in files.items():
            (small.root / name).write_text(f"import os\nos.system('echo loud')\nprint('loud')\n{text}".replace(
                "import os\nos.system('echo loud')\nprint('loud')\nfrom __future__", "from __future__"
            ))  # fmt: skip
        assert small.done("approve", "staging", "--yes")["person"] == "bob"
        assert small.done("cloud", "login", "operations", "staging", "--as", "bob", "--mfa", "123456")["person"] == "bob"
        assert small("destroy", "staging", "--json").json["result"] == "refused"
        (small.root / "state.json").write_text("{}")
        assert small("import", "staging", "state.json", "--json").json["result"] == "refused"
    finally:
        for name, text in files.items():
            (small.root / name).write_text(text)


def test_a_state_that_says_that_more_is_allowed_already_is_not_imported_by_one_person(small: Small) -> None:
    """What is let in anew is told from the state: whoever could put his own in its place would need nobody."""
    file = small.root / "state.json"
    document = small.done("export", "staging")
    file.write_text(json.dumps(document).replace("s3:GetObject", "s3:*"))
    small.login("alice")
    assert "nobody else has approved this state of staging" in small.refused("import", "staging", "state.json")
    file.write_text(json.dumps(document))
    small.login("bob")
    approval = small.done("approve", "staging", "--import", "state.json", "--yes")
    assert "nobody else has approved this state" in small.refused("import", "staging", "state.json"), "it is bob's own approval"
    small.login("alice")
    file.write_text(json.dumps(document, indent=2))
    assert "isostack approve staging --import FILE" in small.refused("import", "staging", "state.json"), "it is another text"
    file.write_text(json.dumps(document))
    assert small.done("import", "staging", "state.json")["result"] == "succeeded"
    assert small.done("record")["entries"][-1]["approvals"] == [approval["number"]]
    assert "nobody else has approved" in small.refused("import", "staging", "state.json"), "an approval counts once"


def test_only_those_who_may_approve_do_and_only_what_wants_it(small: Small) -> None:
    assert "nobody is logged in to staging, and only operations may approve" in small.refused("approve", "staging", "--yes")
    small.login("pipeline", "deployer", None)
    assert "only operations may approve" in small.refused("approve", "staging", "--yes")
    for arguments in (["dev", "--yes"], ["staging"], ["staging", "--yes", "--for", "9d"]):
        assert small("approve", *arguments).code == 2, arguments


def test_a_saved_plan_is_approved_by_its_digest(small: Small) -> None:
    small.login("bob")
    intent = {"format": 1, "project": "small", "stack": "staging", "operation": "up", "steps": [], "unchanged": {}}
    file = small.root / "plan.json"

    def approve(environment: str, intent: dict[str, Any], whole: bool = True) -> Ran:
        plan = {environment: {"digest": digest_of(intent) if whole else digest, "made_from": {}, "intent": intent}}
        file.write_text(json.dumps({"format": 1, "project": "small", "environments": plan}))
        return small("approve", "staging", "--plan", str(file), "--yes", "--json")

    digest = digest_of(intent)
    assert approve("staging", intent).json["digest"] == digest
    for environment, changed, whole, what in (
        ("dev", intent, True, "there is no plan for staging in it, only for dev"),
        ("staging", {**intent, "stack": "dev"}, True, "the plan is one for dev of small, not for staging of small"),
        ("staging", {**intent, "project": "large"}, True, "the plan is one for staging of large"),
        ("staging", {**intent, "steps": [1]}, False, "it was edited since it was saved"),
    ):
        ran = approve(environment, changed, whole)
        assert (ran.code, what in ran.out) == (2, True), ran.out
    file.write_text("[]")
    ran = small("approve", "staging", "--plan", str(file), "--yes")
    assert (ran.code, "this is no plan; isostack preview staging --save FILE makes one" in ran.err) == (2, True)
