"""The parameter sets that are there: valid, locked, and what the components ask for."""

from __future__ import annotations

import importlib
import json
from dataclasses import fields
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from stacks.documents import read
from stacks.parameters import ENVIRONMENTS, FOLDER, ParameterSet, budget, diff, digest, load, published, schema, versions

VERSIONS = versions()
AREAS = [
    ("network", "network", "NetworkValues"),
    ("keys", "keys", "KeysValues"),
    ("storage", "storage", "StorageValues"),
    ("audit", "audit", "AuditValues"),
    ("queue", "queue", "QueueValues"),
    ("database", "database", "DatabaseValues"),
    ("cache", "cache", "CacheValues"),
    ("flags", "flags", "FlagsValues"),
    ("ingress", "ingress", "IngressValues"),
    ("access", "access", "AccessValues"),
    ("observability", "observability", "ObservabilityValues"),
]


@pytest.fixture(scope="module", params=VERSIONS)
def parameters(request: pytest.FixtureRequest) -> ParameterSet:
    return load(request.param)


def test_there_are_two_versions_or_more_and_all_are_published() -> None:
    assert len(VERSIONS) >= 2
    assert published() == {version: digest(version) for version in VERSIONS}


def test_no_environment_is_a_copy_of_another(parameters: ParameterSet) -> None:
    plain = [parameters.plain(environment) for environment in ENVIRONMENTS]
    assert all(one != other for index, one in enumerate(plain) for other in plain[:index])


@pytest.mark.parametrize(("area", "module", "values"), AREAS)
def test_an_area_gives_its_component_what_it_asks_for(parameters: ParameterSet, area: str, module: str, values: str) -> None:
    wanted = {field.name for field in fields(getattr(importlib.import_module(f"components.{module}"), values))}
    for environment in ENVIRONMENTS:
        assert set(getattr(parameters.of(environment), area).values()) == wanted - {"account_id"}


def test_each_service_gives_its_component_what_it_asks_for(parameters: ParameterSet) -> None:
    from components.service import ServiceValues

    for environment in ENVIRONMENTS:
        for service in parameters.of(environment).services.values():
            assert ServiceValues(**service.values()).image == service.image


def test_the_second_version_changes_something_in_each_area_and_adds_a_service_that_nobody_calls() -> None:
    first, second = load(VERSIONS[0]), load(VERSIONS[1])
    changed = {change.path.partition(".")[0] for change in diff(first, second)}
    assert changed >= {area for area, _, _ in AREAS} | {"services", "playground"}
    (added,) = second.of("dev").services.keys() - first.of("dev").services.keys()
    assert second.of("dev").services[added].target is None


def test_the_second_version_replaces_nothing_that_holds_data() -> None:
    kept = ("network.cidr", "zones", "database.engine_version", "database.storage", "database.snapshot", "name", "region")
    changes = diff(load(VERSIONS[0]), load(VERSIONS[1]))
    assert [change for change in changes if change.path in kept] == []


def test_the_schema_for_editors_is_the_models_own() -> None:
    assert (FOLDER / "schema.json").read_text() == schema(), "write it anew: isostack parameters schema"


@pytest.mark.parametrize("version", VERSIONS)
def test_editors_find_the_schema_and_a_valid_document_fits_it(version: str) -> None:
    document = read(FOLDER / f"{version}.yaml")
    assert document.text.splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    errors = Draft202012Validator(json.loads(schema())).iter_errors(document.value)
    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    ("area", "name", "value"),
    [
        ("database", "instance_class", "db.t4g.mega"),
        ("database", "backup_window", {"dev": "02:00-03:00"}),
        ("database", "backup", {"dev": "1d", "production": "30d"}),
        ("database", "no_such_field", 1),
        ("queue", "retention", 60),
        ("access", "mfa", "yes"),
    ],
)
def test_the_schema_tells_editors_what_is_wrong(area: str, name: str, value: object) -> None:
    document = read(Path(FOLDER / f"{VERSIONS[0]}.yaml")).value
    document[area][name] = value
    assert not Draft202012Validator(json.loads(schema())).is_valid(document)


def test_budgets_came_with_the_third_version_and_older_ones_are_held_to_none() -> None:
    assert [[budget(load(version), name) for name in ENVIRONMENTS] for version in VERSIONS[:2]] == [[{}] * 4] * 2
    for name in ENVIRONMENTS:
        limits = budget(load(VERSIONS[2]), name)
        assert 0 < limits["warn"] < limits["refuse"]
    changed = {change.path.partition(".")[0] for change in diff(load(VERSIONS[1]), load(VERSIONS[2]))}
    assert changed == {"budget"}
