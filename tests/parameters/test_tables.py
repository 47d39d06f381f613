"""One value for all, or a table with one for each environment: which fields may be tables, and what they must hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.parameters import ENVIRONMENTS, diff
from tests.parameters.sets import complaints, line_of, loaded

BACKUP = "backup: {dev: 1d, integration: 7d, staging: 30d, production: 30d}"


def test_a_declared_field_may_be_a_table_or_one_value(tmp_path: Path) -> None:
    as_table = loaded(tmp_path)
    assert [as_table.of(environment).database.backup.days for environment in ENVIRONMENTS] == [1, 7, 30, 30]
    as_value = loaded(tmp_path, (BACKUP, "backup: 7d"))
    assert [as_value.of(environment).database.backup.days for environment in ENVIRONMENTS] == [7, 7, 7, 7]
    assert as_table.tables.keys() - as_value.tables.keys() == {"database.backup"}


def test_a_table_knows_its_line_its_values_and_why_staging_may_differ(tmp_path: Path) -> None:
    tables = loaded(tmp_path).tables
    backup, internal = tables["database.backup"], tables["ingress.internal"]
    assert backup.values == {"dev": "1d", "integration": "7d", "staging": "30d", "production": "30d"}
    assert backup.line == line_of(tmp_path, BACKUP)
    assert backup.marker.reason == ""
    assert internal.marker.reason == "reached by operations alone until the switch of traffic"


@pytest.mark.parametrize(
    ("old", "path"),
    [
        ("region: eu-west-1", "region"),
        ("nat_gateways: 1", "network.nat_gateways"),
        ("max_receives: 5", "queue.max_receives"),
        ("target: blue", "services.backend-blue.target"),
        ('random_page_cost: "1.1"', "database.parameters.random_page_cost"),
        ("backup_window: 02:00-03:00", "database.backup_window"),
    ],
)
def test_no_other_field_may_be_a_table(tmp_path: Path, old: str, path: str) -> None:
    name, value = old.split(": ")
    table = f"{name}: {{dev: {value}, integration: {value}, staging: {value}, production: {value}}}"
    (line,) = complaints(tmp_path, (old, table))
    assert line == (
        f"1.0.0.yaml:{line_of(tmp_path, table)}: {path}: differs by environment, and only fields that the model declares so may; "
        "write one value for all environments"
    )


def test_a_whole_area_is_no_table(tmp_path: Path) -> None:
    area = "keys:\n  deletion: {dev: 7d, integration: 7d, staging: 30d, production: 30d}"
    complained = complaints(tmp_path, (area, "keys:\n  dev: {deletion: 7d}"))
    assert complained[0].startswith(f"1.0.0.yaml:{line_of(tmp_path, 'keys:')}: keys: differs by environment")


def test_a_table_needs_every_environment(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, (BACKUP, "backup: {dev: 1d, production: 30d}"))
    where = f"1.0.0.yaml:{line_of(tmp_path, 'backup: {')}: database.backup"
    assert line == f"{where}: the table has no integration and no staging; give each a value"


def test_a_table_has_no_other_environments(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, (BACKUP, BACKUP.replace("}", ", stagin: 1d}")))
    assert line.endswith("database.backup.stagin: is no environment; did you mean staging?")


def test_staging_has_what_production_has(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, (BACKUP, BACKUP.replace("staging: 30d", "staging: 7d")))
    assert line == (
        f"1.0.0.yaml:{line_of(tmp_path, 'staging: 7d')}: database.backup.staging: staging has '7d', and production '30d'; "
        "give both the same, for staging is production in all but name"
    )


WEIGHTS = """blue: {dev: 100, integration: 100, staging: 0, production: 100}
    green: {dev: 0, integration: 0, staging: 100, production: 0}"""


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        (
            "integration: true, staging: true, production",
            "integration: true, staging: false, production",
            ["flags.switches.new-checkout"],
        ),
        ("staging: [10.30.0.0/16]", "staging: [198.51.100.0/24]", ["ingress.public_cidrs"]),
        ("blue: 100\n    green: 0", WEIGHTS, ["ingress.weights.blue", "ingress.weights.green"]),
        ("staging: staging-alarms@", "staging: other-alarms@", ["observability.alarm_endpoint"]),
    ],
)
def test_staging_may_differ_where_the_model_says_why(tmp_path: Path, old: str, new: str, paths: list[str]) -> None:
    changes = diff(loaded(tmp_path), loaded(tmp_path, (old, new)))
    assert [(change.path, change.environment) for change in changes] == [(path, "staging") for path in paths]


def test_a_value_that_is_wrong_in_one_column_is_named_with_its_environment(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, ("instance_class: {dev: db.t4g.micro", "instance_class: {dev: db.t4g.mega"))
    assert line == (
        f"1.0.0.yaml:{line_of(tmp_path, 'db.t4g.mega')}: database.instance_class.dev: 'db.t4g.mega' is not an instance class "
        "that RDS has for postgres; did you mean db.t4g.medium?"
    )


def test_a_table_that_is_a_block_points_to_the_column(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, ("staging: api.staging.shop.example", "staging: -nothing-"))
    assert line.startswith(f"1.0.0.yaml:{line_of(tmp_path, '-nothing-')}: ingress.domain.staging: ")
