"""``isostack parameters …`` as people and scripts meet it, on a copy of the project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from isostack.engine.project import load_project
from isostack.errors import BadInput
from isostack.parameters import parameters_of
from tests.command_line import CommandLine, project

ROOT = Path(__file__).parent.parent.parent
SETS = Path("stacks/parameter_sets")


@pytest.fixture
def isostack(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what these commands read, its stacks all pinned to 1.0.0."""
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    for file in (folder / "stacks").glob("Pulumi.*.yaml"):
        environment = file.name.split(".")[1]
        file.write_text(f"config:\n  isostack:environment: {environment}\n  isostack:parameters: 1.0.0\n")
    return folder


def edit(copy: Path, version: str, old: str, new: str) -> None:
    file = copy / SETS / f"{version}.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


def test_list_shows_every_version_and_who_pins_it(isostack: CommandLine, copy: Path) -> None:
    shown = isostack("parameters", "list", cwd=copy)
    assert shown.code == 0
    assert shown.out.splitlines()[0].split() == ["version", "digest", "state", "pinned", "by"]
    assert "dev, integration, production, staging" in shown.out
    document = isostack("parameters", "list", "--json", cwd=copy).json
    first = document["versions"][0]
    assert (document["project"], first["version"], first["published"]) == ("isostack", "1.0.0", True)
    assert first["pinned_by"] == ["dev", "integration", "production", "staging"]
    assert len(first["digest"]) == 64


def test_show_prints_all_environments_or_one(isostack: CommandLine, copy: Path) -> None:
    every = isostack("parameters", "show", "1.0.0", cwd=copy).out
    assert ["database.multi_az", "dev,", "integration", "false"] in [line.split() for line in every.splitlines()]
    assert ["queue.max_receives", "all", "5"] in [line.split() for line in every.splitlines()]
    one = isostack("parameters", "show", "1.0.0", "--environment", "dev", cwd=copy).out
    assert "  instance_class: db.t4g.micro\n" in one
    assert "db.m7g.large" not in one
    machine = isostack("parameters", "show", "1.0.0", "--environment", "dev", "--json", cwd=copy).json
    assert machine["database"]["instance_class"] == "db.t4g.micro"
    assert set(isostack("parameters", "show", "1.0.0", "--json", cwd=copy).json) == {
        "dev",
        "integration",
        "staging",
        "production",
    }


def test_diff_says_what_changes_in_each_environment(isostack: CommandLine, copy: Path) -> None:
    lines = [line.split() for line in isostack("parameters", "diff", "1.0.0", "1.1.0", cwd=copy).out.splitlines()]
    assert ["database.instance_class", "staging,", "production", "db.m7g.large", "db.m7g.xlarge"] in lines
    assert ["services.worker.target", "all", "-", "null"] in lines
    changes = isostack("parameters", "diff", "1.1.0", "1.0.0", "--json", cwd=copy).json["changes"]
    assert {"path": "playground.max_ttl", "environment": "dev", "kind": "changed", "before": "4d", "after": "72h"} in changes
    assert {change["kind"] for change in changes if change["path"].startswith("services.worker")} == {"removed"}
    assert isostack("parameters", "diff", "1.0.0", "1.0.0", cwd=copy).out == "1.0.0 and 1.0.0 say the same\n"


def test_explain_goes_by_the_version_that_the_environment_pins(isostack: CommandLine, copy: Path) -> None:
    explained = isostack("parameters", "explain", "staging", "ingress.internal", cwd=copy).out.splitlines()
    assert explained[0] == "ingress.internal in staging: true"
    assert explained[2].startswith("from 1.0.0.yaml:")
    assert explained[-1] == "staging may differ from production: reached by operations alone until the switch of traffic"
    machine = isostack("parameters", "explain", "dev", "release", "--version", "1.1.0", "--json", cwd=copy).json
    assert (machine["value"], machine["version"], machine["table"]) == ("2025.12.0", "1.1.0", None)
    wrong = isostack("parameters", "explain", "dev", "releas", cwd=copy)
    assert (wrong.code, wrong.err) == (2, "error: no parameter 'releas' in 1.0.0; did you mean release?\n")


def test_check_says_all_that_is_wrong_with_a_draft(isostack: CommandLine, copy: Path) -> None:
    assert isostack("parameters", "check", cwd=copy).out == "1.0.0, 1.1.0, 1.2.0: nothing is wrong\n"
    isostack("parameters", "new", "1.3.0", cwd=copy)
    edit(copy, "1.3.0", "max_receives: 3", "max_receives: 0")
    edit(copy, "1.3.0", "replicas: {dev: 0", "replicas: {dev: 9")
    ran = isostack("parameters", "check", cwd=copy)
    assert ran.code == 2
    assert [line.removeprefix("error: ").split(": ")[1] for line in ran.err.splitlines()] == [
        "queue.max_receives",
        "cache.replicas.dev",
    ]
    machine = isostack("parameters", "check", "1.3.0", "--json", cwd=copy)
    assert (machine.code, machine.json["result"], len(machine.json["diagnostics"])) == (2, "failed", 2)
    assert isostack("parameters", "publish", "1.3.0", cwd=copy).code == 2


def test_check_refuses_an_edit_of_a_published_version(isostack: CommandLine, copy: Path) -> None:
    edit(copy, "1.0.0", "owner: platform-team", "owner: somebody")
    ran = isostack("parameters", "check", cwd=copy)
    assert ran.code == 3
    assert "version 1.0.0 is published" in ran.err
    assert "isostack parameters new 1.3.0" in ran.err
    machine = isostack("parameters", "check", "--json", cwd=copy)
    assert (machine.code, machine.json["result"]) == (3, "refused")
    assert isostack("parameters", "show", "1.0.0", cwd=copy).code == 3


def test_check_misses_a_published_version_whose_document_is_gone(isostack: CommandLine, copy: Path) -> None:
    (copy / SETS / "1.1.0.yaml").unlink()
    ran = isostack("parameters", "check", cwd=copy)
    assert ran.code == 3
    assert "1.1.0.yaml" in ran.err


def test_a_version_goes_from_copy_to_draft_to_published(isostack: CommandLine, copy: Path) -> None:
    made = isostack("parameters", "new", "1.3.0", "--from", "1.0.0", "--json", cwd=copy).json
    assert made == {"version": "1.3.0", "file": str(SETS / "1.3.0.yaml")}
    assert (copy / SETS / "1.3.0.yaml").read_text() == (copy / SETS / "1.0.0.yaml").read_text()
    (copy / "stacks/Pulumi.dev.yaml").write_text("config:\n  isostack:parameters: 1.3.0\n")
    drafted = isostack("parameters", "check", cwd=copy)
    assert drafted.code == 2
    assert drafted.err == "error: dev pins version 1.3.0, which is not published; publish it: isostack parameters publish 1.3.0\n"
    published = isostack("parameters", "publish", "1.3.0", "--json", cwd=copy).json
    assert f"1.3.0  {published['digest']}\n" in (copy / SETS / "digests.lock").read_text()
    assert isostack("parameters", "check", cwd=copy).code == 0
    again = isostack("parameters", "new", "1.3.0", cwd=copy)
    assert (again.code, again.err) == (2, "error: version 1.3.0 exists already; choose a newer one, such as 1.4.0\n")


def test_schema_prints_the_schema_and_nothing_else(isostack: CommandLine, copy: Path) -> None:
    printed = isostack("parameters", "schema", cwd=copy).out
    assert printed == (copy / SETS / "schema.json").read_text()
    assert json.loads(printed)["title"] == "A parameter set"


def test_a_project_without_parameters_says_so_in_one_line(isostack: CommandLine, tmp_path: Path) -> None:
    folder = project(tmp_path / "plain", "", name="plain")
    for arguments in (("list",), ("check",), ("show", "1.0.0")):
        ran = isostack("parameters", *arguments, cwd=folder)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == "error: plain has no parameter sets; what they are, a module parameters.py would say\n"
    machine = isostack("parameters", "list", "--json", cwd=folder)
    assert (machine.code, machine.json["result"]) == (2, "failed")


def test_a_module_that_cannot_be_imported_is_named(isostack: CommandLine, tmp_path: Path) -> None:
    folder = project(tmp_path / "broken", "", name="broken")
    (folder / "parameters.py").write_text("import no_such_module\n")
    ran = isostack("parameters", "list", "--cwd", folder, cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith("error: parameters.py cannot be imported: ModuleNotFoundError: No module named 'no_such_module'")


def test_each_project_of_a_process_has_its_own_module(tmp_path: Path) -> None:
    modules = []
    for name in ("one", "two"):
        folder = project(tmp_path / name, "", name=name)
        (folder / "parameters.py").write_text(f"def versions():\n    return [{name!r}]\n")
        modules.append(parameters_of(load_project(folder)))
    assert [module.versions() for module in modules] == [["one"], ["two"]]
    with pytest.raises(BadInput, match="three has no parameter sets"):
        parameters_of(load_project(project(tmp_path / "three", "", name="three")))
