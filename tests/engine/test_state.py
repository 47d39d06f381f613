"""A snapshot keeps its resources in order and sound, and is written as Pulumi writes one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from isostack.engine import state_file
from isostack.engine.secrets import Keyring
from isostack.engine.state import PendingOperation, ResourceState, Snapshot
from isostack.engine.state_file import Codec
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, Secret
from isostack.errors import BadInput
from tests.engine.states import PREFIX, PROVIDER, PROVIDER_URN, STACK, Reversed, codec, provider, queue, stack, urn

BY_PULUMI = Path(__file__).with_name("state_by_pulumi.json")
"""The state of a small program after ``pulumi up`` with Pulumi 3.260 and the passphrase ``x``."""


def names(snapshot: Snapshot) -> list[str]:
    return [r.urn.rpartition("::")[2] + ("-old" if r.delete else "") for r in snapshot.resources]


def read(text: str, chosen: Codec | None = None) -> Snapshot:
    document = state_file.parse(text, "a file")
    return state_file.to_snapshot(document, chosen or codec(), "a file")


def written(snapshot: Snapshot, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(state_file.to_text(snapshot, codec(), **options))
    return document


def deployment(*resources: dict[str, Any], **more: Any) -> str:
    return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": list(resources), **more}})


EVERY_FIELD = ResourceState(
    urn=urn("all"), type="aws:sqs/queue:Queue", custom=True, id="all-id", parent=STACK, provider=PROVIDER,
    inputs={"name": "all", "nothing": None, "list": [1, 2.5, {"deep": True}], "password": Secret({"a": ["b"]})},
    outputs={"later": UNKNOWN, "umlaut": "ü\ud800", "token": Secret("t")},
    dependencies=[urn("a")], property_dependencies={"name": [urn("a")], "list": []}, protect=True, external=True,
    delete=True, retain_on_delete=True, deleted_with=urn("a"), init_errors=["half made"],
    additional_secret_outputs=["token"], aliases=[urn("earlier")], pending_replacement=True, import_id="all-id",
    custom_timeouts={"create": 60.0}, ignore_changes=["tags"], replace_on_changes=["name"], replace_with=[urn("a")],
    source_position="project:///__main__.py#6", created="2026-01-02T03:04:05Z", modified="2026-01-02T03:04:06Z",
    others={"stackTrace": [{"sourcePosition": "project:///__main__.py#6"}, {}], "hideDiff": ["tags"]},
)  # fmt: skip


# -- the snapshot ------------------------------------------------------------------------------------------------------


def test_a_resource_is_found_by_its_urn_and_its_old_copy_is_not() -> None:
    snapshot = Snapshot([queue("a", id="old", delete=True), queue("a", id="new")])
    found = snapshot.get(urn("a"))
    assert found is not None
    assert found.id == "new"
    assert snapshot.get(urn("b")) is None


def test_what_a_resource_comes_to_depend_on_moves_before_it() -> None:
    snapshot = Snapshot([queue("a"), queue("b"), queue("c")])
    snapshot.put(queue("d"))
    snapshot.put(queue("b", "d"))
    assert names(snapshot) == ["a", "d", "b", "c"]
    snapshot.verify()


def test_a_replaced_resource_stays_before_its_dependents() -> None:
    old = queue("a", id="old")
    snapshot = Snapshot([old, queue("b", "a"), queue("c", "b")])
    snapshot.remove(old)
    snapshot.put(dataclasses.replace(old, delete=True))
    snapshot.put(queue("a", id="new"))
    assert names(snapshot) == ["a", "b", "c", "a-old"]
    snapshot.verify()


def test_a_provider_moves_before_what_it_provides() -> None:
    snapshot = Snapshot([queue("a")])
    snapshot.put(queue("a", provider=PROVIDER))
    snapshot.put(provider())
    assert names(snapshot) == ["default", "a"]
    snapshot.verify()


def test_a_chain_longer_than_pythons_stack_is_put_in_order() -> None:
    snapshot = Snapshot()
    for i in range(3000):
        snapshot.put(queue(f"q{i}", f"q{i + 1}"))
    snapshot.put(queue("q3000"))
    assert names(snapshot) == [f"q{i}" for i in range(3000, -1, -1)]


def test_removal_takes_the_copy_with_that_id_and_mark_only() -> None:
    snapshot = Snapshot([queue("a", id="1", delete=True), queue("a", id="2", delete=True), queue("a", id="3")])
    snapshot.remove(queue("a", id="1", delete=True))
    snapshot.remove(queue("a", id="other"))
    assert [(r.id, r.delete) for r in snapshot.resources] == [("2", True), ("3", False)]


def test_a_rename_reaches_every_reference() -> None:
    other = PREFIX + "pulumi:providers:aws::renamed"
    child = queue("c", "a", parent=urn("a"), deleted_with=urn("a"), property_dependencies={"x": [urn("a"), urn("b")]})
    snapshot = Snapshot([provider(), queue("a", provider=PROVIDER), queue("b"), child, queue("a", id="1", delete=True)])
    snapshot.pending_operations = [PendingOperation("creating", queue("d", "a"))]
    snapshot.rename(urn("a"), urn("z"))
    snapshot.rename(PROVIDER_URN, other)
    snapshot.verify()
    assert names(snapshot) == ["renamed", "z", "b", "c", "z-old"]
    renamed, child = snapshot.get(urn("z")), snapshot.get(urn("c")) or queue("none")
    assert renamed is not None
    assert renamed.provider == other + "::provider-id"
    assert (child.parent, child.deleted_with, child.dependencies) == (urn("z"), urn("z"), [urn("z")])
    assert child.property_dependencies == {"x": [urn("z"), urn("b")]}
    assert snapshot.pending_operations[0].resource.dependencies == [urn("z")]


def test_a_copy_does_not_follow_the_original() -> None:
    snapshot = Snapshot([queue("a")])
    copy = snapshot.copy()
    snapshot.put(queue("b"))
    snapshot.metadata.cloud = "another"
    snapshot.pending_operations.append(PendingOperation("creating", queue("c")))
    assert (names(copy), copy.metadata.cloud, copy.pending_operations) == (["a"], "", [])


def test_pruning_drops_references_to_what_is_gone_and_nothing_else() -> None:
    gone = queue("gone")
    kept = queue("b", "a", "gone", parent=urn("gone"), deleted_with=urn("gone"), property_dependencies={"x": [urn("gone")]})
    snapshot = Snapshot([queue("a"), gone, kept])
    snapshot.remove(gone)
    snapshot.prune()
    snapshot.verify()
    assert snapshot.get(urn("b")) == queue("b", "a", property_dependencies={"x": []})


@pytest.mark.parametrize(
    ("resources", "complaint"),
    [
        ([queue("a"), queue("a")], "a twice"),
        ([queue("b", "a"), queue("a")], "b has a dependency, .*::a, that comes after it"),
        ([queue("b", "a")], "b has a dependency, .*::a, that is not in the state"),
        ([queue("b", parent=urn("a"))], "b has a parent, .*::a, that is not in the state"),
        ([queue("b", deleted_with=urn("a"))], "b has a deletedWith, .*::a, that is not in the state"),
        ([queue("b", property_dependencies={"x": [urn("a")]})], "b has a dependency of property x, .*::a, that is not"),
        ([queue("b", provider=PROVIDER)], "b has a provider, .*, that does not come before it"),
        ([provider(id="other"), queue("b", provider=PROVIDER)], "b has a provider, .*, that does not come before it"),
        ([queue("b", provider="nonsense")], "b has a malformed provider reference"),
        ([provider(id="")], "default is a provider without an id"),
        ([stack(id="x")], "shop-dev is a component and has an id"),
        ([ResourceState("", "a:b:C", True)], "number 1 has no urn"),
        ([ResourceState(urn("a"), "", True)], "a has no type"),
    ],
)
def test_what_pulumi_would_not_take_is_named(resources: list[ResourceState], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        Snapshot(resources).verify()


def test_old_copies_may_share_a_urn_and_a_pending_replacement_may_lack_its_provider() -> None:
    Snapshot([queue("a"), queue("a", id="1", delete=True), queue("a", id="2", delete=True)]).verify()
    Snapshot([queue("a", provider=PROVIDER, pending_replacement=True)]).verify()


def test_a_circle_of_dependencies_is_told_and_not_followed_for_ever() -> None:
    snapshot = Snapshot()
    snapshot.put(queue("a", "b"))
    snapshot.put(queue("b", "a"))
    assert sorted(names(snapshot)) == ["a", "b"]
    with pytest.raises(BadInput, match="that comes after it"):
        snapshot.verify()


# -- Pulumi's format ---------------------------------------------------------------------------------------------------


def test_every_field_survives_being_written_and_read() -> None:
    given = Snapshot([stack(), provider(), queue("a"), EVERY_FIELD], [PendingOperation("updating", queue("a"))])
    given.metadata.cloud, given.metadata.serial = "cloud-1", 7
    back = read(state_file.to_text(given, codec()))
    assert back.resources == given.resources
    assert back.resources[-1].others == EVERY_FIELD.others
    assert back.pending_operations == given.pending_operations
    assert back.metadata == given.metadata
    assert back.secrets_state == {"salt": "salt of the test"}


def test_every_field_of_a_resource_has_a_name_in_the_file() -> None:
    fields = json.loads(codec().encode(EVERY_FIELD))
    ours = {f.name for f in dataclasses.fields(ResourceState)} - {"others", "text"}
    assert len(fields) == len(ours) + len(EVERY_FIELD.others)


def test_fields_that_say_nothing_are_left_out() -> None:
    assert json.loads(codec().encode(stack())) == {"urn": STACK, "custom": False, "type": "pulumi:pulumi:Stack"}


def test_the_magic_number_is_the_digest_of_the_engines_version() -> None:
    manifest = written(Snapshot())["deployment"]["manifest"]
    assert manifest["magic"] == hashlib.sha256(manifest["version"].encode()).hexdigest()


def test_an_export_has_nothing_that_pulumi_does_not_know() -> None:
    exported = written(Snapshot([stack()], [PendingOperation("creating", queue("a"))]), own=False)
    assert exported.keys() == {"version", "deployment"}
    assert exported["deployment"].keys() == {"manifest", "resources", "pending_operations", "metadata"}


def test_no_secret_stands_in_the_file_and_the_salt_comes_with_the_first_one() -> None:
    without, having = Snapshot([queue("a")]), Snapshot([queue("a", outputs={"p": [{"deep": Secret("hunter2")}]})])
    assert "secrets_providers" not in written(without)["deployment"]
    text = state_file.to_text(having, codec())
    assert "hunter2" not in text
    assert json.loads(text)["deployment"]["secrets_providers"] == {
        "type": "passphrase",
        "state": {"salt": "salt of the test"},
    }


def test_a_secret_is_opened_when_it_is_asked_for_and_written_back_as_it_was() -> None:
    secrets = Reversed()
    chosen = Codec(secrets)
    sealed = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": '  "a"  '}
    text = deployment({"urn": urn("a"), "type": "t", "custom": True, "inputs": {"p": sealed}})
    document = json.loads(text)
    document["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": "s"}}
    snapshot = read(json.dumps(document), chosen)
    again = json.loads(state_file.to_text(snapshot, chosen))["deployment"]["resources"][0]["inputs"]["p"]
    assert (again, secrets.opened) == (sealed, 0)
    assert snapshot.resources[0].inputs["p"] == Secret("a")
    assert snapshot.resources[0].inputs["p"].value == "a"
    assert secrets.opened == 1


def test_secrets_within_secrets_come_out_plain() -> None:
    inner = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": '"b"'}
    outer = {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": json.dumps({"a": [inner]})}
    snapshot = read(deployment({"urn": urn("a"), "type": "t", "custom": True, "inputs": {"p": outer}}))
    assert snapshot.resources[0].inputs["p"].value == {"a": ["b"]}


def test_what_was_exported_in_the_clear_is_sealed_when_it_is_written() -> None:
    clear = {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": '"hunter2"'}
    snapshot = read(deployment({"urn": urn("a"), "type": "t", "custom": True, "inputs": {"p": clear}}))
    assert "hunter2" not in state_file.to_text(snapshot, codec())


def test_numbers_that_json_lacks_are_written_as_pulumi_writes_them() -> None:
    given = queue("a", inputs={"x": math.inf, "y": [math.nan], "s": Secret(-math.inf)})
    text = codec().encode(given)
    assert '"7ff0000000000000"' in text
    back = codec().decode(json.loads(text), "a file").inputs
    assert back["x"] == math.inf
    assert math.isnan(back["y"][0])
    assert back["s"].value == -math.inf


def test_an_unknown_within_a_secret_survives() -> None:
    text = codec().encode(queue("a", outputs={"p": Secret([UNKNOWN])}))
    assert codec().decode(json.loads(text), "a file").outputs["p"].value == [UNKNOWN]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("taint", True), ("viewOf", urn("b")), ("resourceHooks", {"beforeCreate": ["h"]}),
        ("replacementTrigger", 1), ("refreshBeforeUpdate", True), ("snippetID", "1"), ("extensionRef", "e"),
    ],
)  # fmt: skip
def test_fields_that_change_the_meaning_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(BadInput, match=f"a file: resource {urn('a')} uses {field}"):
        read(deployment({"urn": urn("a"), "type": "t", "custom": True, field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("inputs", []), ("dependencies", [1]), ("dependencies", "x"), ("protect", "yes"), ("id", 5),
        ("propertyDependencies", {"a": [1]}), ("propertyDependencies", {"a": "b"}), ("custom", None), ("type", ""),
    ],
)  # fmt: skip
def test_malformed_fields_are_told(field: str, value: object) -> None:
    with pytest.raises(BadInput, match="a file: "):
        read(deployment({"urn": urn("a"), "type": "t", "custom": True, field: value}))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"version": 4, "features": ["taint"], "deployment": {}}', r"version 4 \(it uses taint\)"),
        ('{"version": 2, "deployment": {}}', "version 2"),
        ('{"deployment": {}}', "version None"),
        ('{"version": 3}', "no deployment object"),
        ('{"version": 3, "checkpoint": {}}', "pulumi stack export"),
        ("[]", "its JSON is no object"),
        ('{"version": 3, "deployment": {"resources": {}}}', "resources in the deployment is malformed"),
        ('{"version": 3, "deployment": {"snippets": [{}]}}', "has snippets"),
        (deployment(pending_operations=[{"type": "dancing"}]), "a pending operation is malformed: dancing"),
        (deployment(secrets_providers=[]), "secrets_providers in the deployment is malformed"),
        (deployment({"urn": urn("b"), "type": "t", "custom": True, "parent": urn("a")}), "a file: .* has a parent"),
    ],
)
def test_another_format_is_refused_with_one_line(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_secrets_of_another_service_are_refused_by_name_and_its_plain_values_are_not() -> None:
    service = {"secrets_providers": {"type": "awskms", "state": {}}}
    sealed = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": "x"}
    plain = {"urn": urn("a"), "type": "t", "custom": True, "inputs": {"p": 1}}
    assert names(read(deployment(plain, **service))) == ["a"]
    with pytest.raises(BadInput, match="'awskms'"):
        read(deployment({**plain, "inputs": {"p": sealed}}, **service))


def test_a_state_that_the_pulumi_cli_wrote_is_written_as_it_was() -> None:
    given = json.loads(BY_PULUMI.read_text())
    chosen = codec()
    ours = json.loads(state_file.to_text(read(BY_PULUMI.read_text(), chosen), chosen, own=False))
    del given["deployment"]["manifest"], ours["deployment"]["manifest"]
    assert ours == given


def test_the_secrets_that_the_pulumi_cli_sealed_are_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    document = state_file.parse(BY_PULUMI.read_text(), "a file")
    secrets = Keyring(tmp_path).open(state_file.secrets_state(document, "a file"))
    outputs = state_file.to_snapshot(document, Codec(secrets), "a file").resources[0].outputs
    assert outputs["nested_secret"] == {"hidden": [Secret({"a": 1.5})], "plain": 1}


def test_text_that_is_no_json_is_told_from_a_wrong_format() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        state_file.parse(b"{", "a file")
