"""Every row of the table of resource types, through its life on the local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from isostack.engine.values import has_unknown
from isostack.localcloud.provider import LocalCloudProvider, covers
from isostack.localcloud.resource_types import all_rows, resource_type
from isostack.localcloud.resource_types.row import ResourceType
from tests.conftest import new_account
from tests.rows import cases
from tests.rows.case import Case, resolve

CASES = [
    pytest.param(case, id=f"{module.name}-{case.label}")
    for module in iter_modules(cases.__path__)
    for case in import_module(f"{cases.__name__}.{module.name}").CASES
]
each_case = pytest.mark.parametrize("case", CASES)


def row_of(case: Case) -> ResourceType:
    row = resource_type(case.token)
    assert row is not None, f"{case.token} has no row"
    return row


class Life:
    """A resource of the local cloud, driven through the provider as the engine does it."""

    def __init__(self, provider: LocalCloudProvider, case: Case, references: dict[str, dict[str, Any]]) -> None:
        self.provider, self.case, self.references = provider, case, references
        self.type = case.token
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.id = ""

    def check(self, *layers: dict[str, Any], fresh: bool = False) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for layer in (self.case.inputs, *layers):
            given |= resolve(layer, self.references)
        given = {key: value for key, value in given.items() if value is not None}
        urn = f"urn:pulumi:test::test::{self.type}::subject"
        checked = self.provider.check(self.type, urn, None if fresh else self.inputs or None, given)
        assert checked.failures == ()
        return checked.inputs

    def create(self) -> Life:
        self.inputs = self.check()
        made = self.provider.create(self.type, self.inputs)
        self.id, self.outputs = made.id, made.outputs
        return self

    def diff(self, inputs: dict[str, Any]) -> Any:
        return self.provider.diff(self.type, self.inputs, self.outputs, inputs)

    def update(self, inputs: dict[str, Any]) -> None:
        changed = self.diff(inputs).changed
        self.outputs = self.provider.update(self.type, self.id, self.inputs, self.outputs, inputs, changed)
        self.inputs = inputs

    def read(self) -> Any:
        return self.provider.read(self.type, self.id, self.inputs, self.outputs)

    def delete(self) -> None:
        self.provider.delete(self.type, self.id, self.outputs)


class Surroundings:
    """What a case needs, in an account of its own (or a Docker engine, which is everybody's)."""

    def __init__(self, provider: LocalCloudProvider, case: Case, references: dict[str, dict[str, Any]]) -> None:
        self.provider, self.references = provider, references
        self.needs: list[Life] = []
        try:
            for name, need in case.needs.items():
                life = Life(provider, Case(token=need.type, inputs=need.inputs), references).create()
                self.needs.append(life)
                references[name] = {**life.outputs, "id": life.id}
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        for life in reversed(self.needs):
            life.delete()


@pytest.fixture(scope="module")
def kept() -> Iterator[dict[int, Surroundings]]:
    """Surroundings by case. The tests of a case find and leave them as they are, one after the other; those of several cases
    are there at once."""
    found: dict[int, Surroundings] = {}
    yield found
    for surroundings in found.values():
        surroundings.end()


@pytest.fixture
def live(request: pytest.FixtureRequest, kept: dict[int, Surroundings]) -> Any:
    def surround(case: Case) -> Surroundings:
        if case.token.startswith("docker:"):
            docker = request.getfixturevalue("docker")
            return Surroundings(LocalCloudProvider(docker.connect(), {}), case, {"engine": docker.references()})
        account = new_account(request.getfixturevalue("local_cloud"))
        return Surroundings(LocalCloudProvider(account, {}), case, {})

    @contextmanager
    def start(case: Case) -> Iterator[Life]:
        surroundings = kept.pop(id(case), None) or surround(case)
        try:
            yield Life(surroundings.provider, case, surroundings.references)
        except BaseException:  # nobody knows what is left in them
            surroundings.end()
            raise
        if case.needs:
            kept[id(case)] = surroundings

    return start


def test_every_row_has_a_case() -> None:
    missing = {row.token for row in all_rows()[0]} - {case.values[0].token for case in CASES}
    assert not missing


@each_case
def test_a_resource_is_created_with_what_was_asked_for_and_reads_back_the_same(case: Case, live: Any) -> None:
    with live(case) as life:
        life.create()
        for key, expected in case.expect.items():
            actual = life.outputs.get(key)
            if isinstance(expected, type):
                assert isinstance(actual, expected) and actual not in ("", [], {}), key
            else:
                assert actual == expected, key
        assert not has_unknown(life.outputs)
        read = life.read()
        assert read.id == life.id
        assert read.inputs == life.inputs, "what AWS gives back must mean what was asked for"
        assert read.outputs == life.outputs
        life.delete()


@each_case
def test_the_same_inputs_again_are_no_change(case: Case, live: Any) -> None:
    with live(case) as life:
        life.create()
        assert not life.diff(life.check())
        life.delete()


@each_case
def test_an_update_changes_the_resource_in_place(case: Case, live: Any) -> None:
    if not case.update:
        pytest.skip("every change replaces this type")
    with live(case) as life:
        life.create()
        inputs = life.check(case.update)
        diff = life.diff(inputs)
        assert diff.changed and not diff.replaces
        planned = life.provider.planned(life.type, inputs, life.outputs, diff.changed)
        life.update(inputs)
        for key, value in planned.items():
            if not has_unknown(value) and key in inputs:
                got = life.outputs.get(key, value)
                same = covers(row_of(case), key, got, value)
                assert same or not life.provider.diff(life.type, {key: value}, {}, {key: got}).changed, key
        read = life.read()
        assert read.inputs == life.inputs
        assert not life.diff(life.check(case.update))
        life.update(life.check())  # and back
        assert life.read().inputs == life.inputs
        life.delete()


@each_case
def test_what_cannot_be_changed_forces_a_replacement(case: Case, live: Any) -> None:
    if not case.replace:
        pytest.skip("nothing replaces this type")
    with live(case) as life:
        life.create()
        diff = life.diff(life.check(case.replace))
        assert diff.replaces
        life.delete()


@each_case
def test_a_deleted_resource_is_gone_and_deleting_again_is_no_error(case: Case, live: Any) -> None:
    with live(case) as life:
        life.create()
        life.delete()
        # A random value is nowhere but in the state.
        if not life.type.startswith("random:") and not case.outlives_delete:
            assert life.read() is None, "deleted behind our back must be seen"
        life.delete()


@each_case
def test_a_resource_can_be_imported_by_its_id(case: Case, live: Any) -> None:
    with live(case) as life:
        life.create()
        if life.type.startswith("random:"):
            pytest.skip("random values are not imported: the cloud does not know them")
        if not case.importable:
            pytest.skip("Terraform has no import of this type either")
        id_ = case.import_id.format(id=life.id, **life.outputs) if case.import_id else life.id
        imported = life.provider.read(life.type, id_, None, {})
        assert imported is not None
        assert imported.id == life.id
        life.delete()


@each_case
def test_what_a_crashed_create_left_behind_is_found(case: Case, live: Any) -> None:
    with live(case) as life:
        life.create()
        found = life.provider.find(life.type, life.inputs)
        assert found.ids == (() if row_of(case).adopts else (life.id,))
        assert found.advice
        life.delete()
        assert life.id not in life.provider.find(life.type, life.inputs).ids
