"""Who may import whom: one table, held against every module."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ABOVE = ("isostack.cli", "isostack.composition", "isostack.operations")

OUTSIDE = (*ABOVE, "boto3", "botocore", "moto")

# A part of the tree, and the first names of modules that it must not import.
FORBIDDEN = {
    "isostack/engine": (*OUTSIDE, "isostack.localcloud", "isostack.official", "isostack.shared_state", "stacks", "pulumi_aws"),
    "isostack/engine/plan.py": ("pulumi", "grpc", "google"),
    "isostack/engine/state.py": ("pulumi", "grpc", "google"),
    "isostack/engine/journal.py": ("pulumi", "grpc", "google"),
    "isostack/engine/lock.py": ("pulumi", "grpc", "google"),
    "isostack/engine/store.py": ("pulumi", "grpc", "google"),
    "isostack/engine/project.py": ("pulumi", "grpc", "google"),
    "isostack/shared_state": (*ABOVE, "isostack.engine.run", "pulumi", "grpc", "google", "moto", "stacks", "components"),
    "isostack/localcloud": (*ABOVE, "isostack.display", "isostack.engine.run", "isostack.official", "stacks", "components"),
    "isostack/official": (*ABOVE, "isostack.display", "isostack.engine.run", "isostack.gates", "isostack.policy", "boto3"),
    "isostack/localcloud/resource_types": ("boto3", "pulumi", "pulumi_aws", "isostack.localcloud.provider"),
    "isostack": ("stacks", "components", "policies"),
    "isostack/cost/estimate.py": ("pulumi", "grpc", "google", "isostack.localcloud", "isostack.preview"),
    "components": ("isostack", "stacks", "boto3"),
    "stacks": ("isostack", "boto3"),
    "policies": ("isostack", "stacks", "components", "pulumi_aws"),
}


def _imports(path: Path) -> set[str]:
    """The modules that a file imports at its top level or inside functions, type-checking blocks apart."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("part", FORBIDDEN)
def test_nothing_imports_what_the_table_forbids(part: str) -> None:
    target = ROOT / part
    files = [target] if target.is_file() else sorted(target.rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(_imports(path))
        for forbidden in FORBIDDEN[part]
        if name == forbidden or name.startswith(f"{forbidden}.")
    ]
    assert files
    assert wrong == []


def test_the_policy_pack_imports_pulumis_packs_and_no_code_that_it_judges() -> None:
    allowed = {*sys.stdlib_module_names, "policies", "pulumi", "pulumi_policy", "yaml"}
    first = {name.partition(".")[0] for path in (ROOT / "policies").rglob("*.py") for name in _imports(path)}
    assert first - allowed == set()


def test_nothing_imports_the_command_line() -> None:
    files = [path for path in (ROOT / "isostack").rglob("*.py") if path.name != "cli.py"]
    assert [path for path in files if any(name.startswith("isostack.cli") for name in _imports(path))] == []


def test_the_entry_point_of_the_program_stays_short() -> None:
    assert len((ROOT / "stacks/__main__.py").read_text().splitlines()) <= 15
