"""A version as a whole: its environments, a forced column, what changed, and where a value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from stacks.parameters import ENVIRONMENTS, EditedVersion, ParameterError, ParameterSet, diff, explain, load
from tests.parameters.sets import edited, line_of, loaded


@pytest.fixture
def parameters(tmp_path: Path) -> ParameterSet:
    return loaded(tmp_path)


def test_what_is_the_same_everywhere_is_the_sets_own(parameters: ParameterSet) -> None:
    assert (parameters.version, parameters.name, parameters.region, parameters.zones) == (
        "1.0.0",
        "shop",
        "eu-west-1",
        ("a", "b"),
    )
    assert {parameters.of(environment).owner for environment in ENVIRONMENTS} == {parameters.owner}


def test_each_environment_has_its_own_column(parameters: ParameterSet) -> None:
    assert len({parameters.of(environment).account for environment in ENVIRONMENTS}) == 4
    assert parameters.of("dev").services["backend-blue"].values()["memory_mb"] == 512
    assert parameters.of("production").services["backend-blue"].values()["memory_mb"] == 2048


def test_nothing_in_an_environment_can_be_changed(parameters: ParameterSet) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parameters.of("dev").database.multi_az = True


def test_an_unknown_environment_is_refused_with_the_one_that_was_meant(parameters: ParameterSet) -> None:
    with pytest.raises(ParameterError, match=r"no environment 'prodction'; did you mean production\?"):
        parameters.of("prodction")


def test_a_forced_column_makes_all_environments_the_same(parameters: ParameterSet) -> None:
    forced = parameters.forced("production")
    assert [forced.of(environment) for environment in ENVIRONMENTS] == [parameters.of("production")] * 4
    assert parameters.of("dev") != parameters.of("production"), "the set itself stays as it is"


def test_a_column_can_be_forced_on_some_tables_alone(parameters: ParameterSet) -> None:
    forced = parameters.forced({"database.backup": "production"}).of("dev")
    assert forced.database.backup == parameters.of("production").database.backup
    rest = {"network", "services", "access", "account"}
    assert all(getattr(forced, name) == getattr(parameters.of("dev"), name) for name in rest)
    assert forced.database.multi_az == parameters.of("dev").database.multi_az


def test_one_table_can_be_taken_from_another_environment_than_all_others(parameters: ParameterSet) -> None:
    forced = parameters.forced({"*": "production", "services.backend-blue.cpu": "dev"}).of("staging")
    blue, own = forced.services["backend-blue"], parameters.of("production").services["backend-blue"]
    assert (blue.cpu, blue.memory) == (256, own.memory), "though Fargate would not take the two together"
    assert forced.account == parameters.of("production").account


@pytest.mark.parametrize(("columns", "said"), [
    ({"database.backpu": "dev"}, "no table 'database.backpu' in parameter set 1.0.0; did you mean database.backup"),
    ({"region": "dev"}, "no table 'region'"),
    ({"*": "prod"}, "no environment 'prod'; did you mean production"),
    ("everywhere", "no environment 'everywhere'"),
])  # fmt: skip
def test_a_column_that_is_not_there_cannot_be_forced(parameters: ParameterSet, columns: object, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parameters.forced(columns)  # type: ignore[arg-type]  # one of the cases is wrong by its type as well


def test_forcing_needs_no_further_reading_of_the_document(parameters: ParameterSet, tmp_path: Path) -> None:
    (tmp_path / "1.0.0.yaml").unlink()
    assert parameters.forced("dev").forced("production").of("dev") == parameters.of("production")


def test_a_value_is_explained_with_its_meaning_its_line_and_its_table(parameters: ParameterSet, tmp_path: Path) -> None:
    found = explain(parameters, "dev", "ingress.domain")
    assert (found.value, found.file) == ("api.dev.shop.example", "1.0.0.yaml")
    assert found.line == line_of(tmp_path, "dev: api.dev.shop.example")
    assert found.meaning == "The name under which the environment is called."
    assert found.table is not None
    assert found.table.values["production"] == "api.shop.example"
    same = explain(parameters, "dev", "zones")
    assert (same.value, same.table, same.line) == (["a", "b"], None, line_of(tmp_path, "zones:"))


def test_every_value_of_every_environment_can_be_explained(parameters: ParameterSet) -> None:
    for environment in ENVIRONMENTS:
        for path in _paths(parameters.plain(environment)):
            found = explain(parameters, environment, path)
            assert found.meaning
            assert found.line > 1


def _paths(value: dict[str, object], before: str = "") -> list[str]:
    nested = [_paths(v, f"{before}{k}.") if isinstance(v, dict) and v else [f"{before}{k}"] for k, v in value.items()]
    return [path for paths in nested for path in paths]


@pytest.mark.parametrize(("path", "said"), [
    ("database.bakcup", "did you mean database.backup?"),
    ("min_count", "did you mean services.backend-blue.min_count or services.backend-green.min_count?"),
    ("queue", "queue is an area; name one of queue.visibility_timeout, queue.retention, queue.max_receives"),
    ("", "no parameter ''"),
])  # fmt: skip
def test_a_path_that_leads_nowhere_is_answered_with_those_that_were_meant(parameters: ParameterSet, path: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        explain(parameters, "dev", path)
    assert said in str(caught.value)


def test_a_set_differs_from_itself_in_nothing(parameters: ParameterSet) -> None:
    assert diff(parameters, parameters) == []


def test_what_changes_is_told_for_each_environment(parameters: ParameterSet, tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    later = loaded(
        tmp_path / "later",
        ("backup: {dev: 1d", "backup: {dev: 3d"),
        ("max_receives: 5", "max_receives: 6"),
        ('random_page_cost: "1.1"', 'work_mem: "4096"'),
    )
    changes = [(c.path, c.environment, c.kind, c.before, c.after) for c in diff(parameters, later)]
    assert changes == [
        *(("queue.max_receives", environment, "changed", 5, 6) for environment in ENVIRONMENTS),
        ("database.backup", "dev", "changed", "1d", "3d"),
        *(("database.parameters.work_mem", environment, "added", None, "4096") for environment in ENVIRONMENTS),
        *(("database.parameters.random_page_cost", environment, "removed", "1.1", None) for environment in ENVIRONMENTS),
    ]


def test_a_field_that_becomes_a_table_of_the_same_values_changes_nothing(parameters: ParameterSet, tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    table = "{dev: operate, integration: operate, staging: operate, production: operate}"
    later = loaded(tmp_path / "later", ("operations: operate", f"operations: {table}"))
    assert diff(parameters, later) == []
    assert later.tables.keys() - parameters.tables.keys() == {"access.matrix.operations"}


def test_plain_values_are_json(parameters: ParameterSet) -> None:
    assert json.loads(json.dumps(parameters.plain("dev")))["database"]["backup"] == "1d"


def test_the_digest_is_of_the_content_whatever_the_line_endings(parameters: ParameterSet, tmp_path: Path) -> None:
    file = tmp_path / "1.0.0.yaml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert load("1.0.0", tmp_path).digest() == parameters.digest()
    file.write_bytes(file.read_bytes() + b"# a word more\r\n")
    assert load("1.0.0", tmp_path).digest() != parameters.digest()


def test_a_published_version_that_was_edited_is_never_used(tmp_path: Path) -> None:
    from stacks.parameters import publish

    edited(tmp_path)
    publish("1.0.0", tmp_path)
    assert load("1.0.0", tmp_path).version == "1.0.0"
    edited(tmp_path, ("max_receives: 5", "max_receives: 6"))
    with pytest.raises(EditedVersion, match=r"1\.0\.0 is published.*isostack parameters new 1\.1\.0"):
        load("1.0.0", tmp_path)
