"""The state that a plan of the CLI would leave: what gates look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isostack.engine.secrets import Keyring, Passphrase, PassphraseSecrets
from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.store import Store
from isostack.engine.values import UNKNOWN, UNKNOWN_STRING, Secret
from isostack.official.planned import after_deleting, after_plan, codec_of, codec_with, snapshot_of

QUEUE = "aws:sqs/queue:Queue"
URN = f"urn:pulumi:dev::small::{QUEUE}::jobs"


def goal(**more: Any) -> dict[str, Any]:
    return {"type": QUEUE, "name": "jobs", "custom": True, "inputDiff": {}, **more}


def plan(steps: list[str], urn: str = URN, **more: Any) -> dict[str, Any]:
    return {"resourcePlans": {urn: {"steps": steps, "state": None, **more}}}


def after(before: Snapshot, planned: dict[str, Any], tmp_path: Path) -> Snapshot:
    return after_plan(before, planned, codec_with("", Store(tmp_path)), "a plan")


def known(**more: Any) -> ResourceState:
    inputs = {"delay": 1, "name": "a", "tags": {"x": "y"}}
    return ResourceState(**{"urn": URN, "type": QUEUE, "custom": True, "id": "one", "inputs": inputs, **more})


def test_an_update_keeps_what_the_plan_does_not_name(tmp_path: Path) -> None:
    difference = {"updates": {"delay": 2}, "deletes": ["tags"], "adds": {"policy": UNKNOWN_STRING}}
    changed = after(Snapshot([known()]), plan(["update"], goal=goal(inputDiff=difference, protect=True)), tmp_path).get(URN)
    assert changed is not None
    assert (changed.id, changed.inputs, changed.protect) == ("one", {"delay": 2, "name": "a", "policy": UNKNOWN}, True)


def test_a_replacement_has_no_id_yet_and_the_old_copy_awaits_its_deletion(tmp_path: Path) -> None:
    steps = ["create-replacement", "replace", "delete-replaced"]
    result = after(Snapshot([known()]), plan(steps, goal=goal()), tmp_path)
    assert sorted((one.id, one.delete) for one in result.resources) == [("", False), ("one", True)]


def test_what_is_deleted_is_gone_and_what_is_not_in_the_plan_stays(tmp_path: Path) -> None:
    other = known(urn=URN.replace("jobs", "other"))
    before = Snapshot([known(), other])
    assert [one.urn for one in after(before, plan(["delete"]), tmp_path).resources] == [other.urn]
    assert [one.urn for one in after_deleting(before, {URN}).resources] == [other.urn]
    assert len(before) == 2


def test_a_renamed_resource_is_found_by_its_alias(tmp_path: Path) -> None:
    new = URN.replace("jobs", "work")
    result = after(Snapshot([known()]), plan(["same"], new, goal=goal(aliases=[URN])), tmp_path)
    assert [(one.urn, one.id, one.inputs["delay"]) for one in result.resources] == [(new, "one", 1)]


def test_secrets_of_an_export_and_of_its_plan_are_opened_by_the_same_passphrase(tmp_path: Path) -> None:
    store = Store(tmp_path, Keyring(tmp_path))
    (tmp_path / "passphrase").touch(0o600)
    (tmp_path / "passphrase").write_text("a passphrase")
    sealed = PassphraseSecrets.new(Passphrase("a passphrase", "the test"))
    resource = {
        "urn": URN,
        "type": QUEUE,
        "custom": True,
        "id": "one",
        "inputs": {"tags": sealed.encrypt_value("hush")},
        "taint": True,
    }
    secrets = {"type": "passphrase", "state": sealed.state}
    document = {"version": 3, "deployment": {"resources": [resource], "secrets_providers": secrets}}
    codec = codec_of(document, store)
    before = snapshot_of(document, codec, "an export")
    difference = {"updates": {"tags": sealed.encrypt_value("hush now")}}
    changed = after_plan(before, plan(["update"], goal=goal(inputDiff=difference)), codec, "a plan").get(URN)
    assert changed is not None
    assert [one.resources[0].inputs["tags"] for one in (before, Snapshot([changed]))] == [Secret("hush"), Secret("hush now")]
