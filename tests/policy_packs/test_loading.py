"""Loading packs, and what configures them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel

from isostack.engine.project import StackConfig, load_project
from isostack.errors import BadInput, Refused
from isostack.policy.attach import attach
from isostack.policy.configuration import Held
from isostack.policy.pack import Surroundings, load
from tests.policy_packs.packs import attached, one, write

HERE = Surroundings("shop", "dev", {"shop:key": "value"})
THREE = """
from pulumi_policy import *

def nothing(args, report): ...

schema = PolicyConfigSchema({"most": {"type": "integer", "default": 3}, "names": {"type": "array"}}, ["most"])
PolicyPack("three", [
    ResourceValidationPolicy("own-level", "Own", nothing, EnforcementLevel.DISABLED),
    ResourceValidationPolicy("configured", "Configured", nothing, config_schema=schema),
    StackValidationPolicy("whole", "Whole", nothing),
], EnforcementLevel.MANDATORY, {"whole": EnforcementLevel.ADVISORY, "configured": {"most": 5}})
"""


def held(tmp_path: Path, config: dict[str, Any] | None = None, source: str = THREE) -> dict[str, Held]:
    policies = attached(tmp_path, write(tmp_path, source), config=config)
    return {one.policy.name: one for one in policies.packs[0].held}


def test_a_pack_is_what_its_program_gives_to_policypack(tmp_path: Path) -> None:
    pack = load(write(tmp_path, THREE, "runtime: python\nversion: 4.5.6\ndescription: of the file\n"), HERE)
    assert (pack.title, pack.description) == ("three@v4.5.6", "of the file")
    assert [policy.name for policy in pack.policies] == ["own-level", "configured", "whole"]
    assert pack.level is EnforcementLevel.MANDATORY


def test_a_pack_may_be_spread_over_modules_and_a_class_of_its_own(tmp_path: Path) -> None:
    folder = write(tmp_path, "", "runtime:\n  name: python\n  options: {virtualenv: venv}\nmain: src\n")
    (folder / "src").mkdir()
    (folder / "src/__main__.py").write_text("import spread_over_modules\n")
    (folder / "src/spread_over_modules.py").write_text(
        "import pulumi_policy.policy\n"
        "from pulumi_policy import ResourceValidationPolicy\n"
        "class Mine(pulumi_policy.policy.PolicyPack):\n"
        "    def __init__(self):\n"
        "        super().__init__(name='mine', policies=[ResourceValidationPolicy('p', 'P', lambda args, report: None)])\n"
        "Mine()\n"
        "raise RuntimeError('the real one never returns')\n"
    )
    pack = load(folder, HERE)
    assert (pack.name, pack.version, pack.level) == ("mine", "0.0.1", EnforcementLevel.ADVISORY)


def test_packs_and_programs_may_have_modules_of_one_name(tmp_path: Path) -> None:
    for name in ("first", "second"):
        pack = write(tmp_path, "from of_one_name.inner import policies\nfrom pulumi_policy import *\nPolicyPack('p', policies)\n")
        (pack / "of_one_name").mkdir()
        (pack / "of_one_name/__init__.py").write_text("")
        (pack / "of_one_name/inner.py").write_text(
            f"from pulumi_policy import *\npolicies = [StackValidationPolicy('{name}', 'P', lambda args, report: None)]\n"
        )
        assert [policy.name for policy in load(pack, HERE).policies] == [name]
    assert [module for module in sys.modules if module.startswith("of_one_name")] == []


def test_a_pack_knows_the_stack_when_it_builds_its_policies(tmp_path: Path) -> None:
    source = """
    import os, pulumi
    from pulumi_policy import *
    here = os.path.basename(os.getcwd())[:4]
    said = f"{pulumi.get_stack()}-{pulumi.Config('shop').require('key')}-{os.environ['PULUMI_PROJECT']}-{here}"
    PolicyPack("knows", [StackValidationPolicy(said, "Said", lambda args, report: None)])
    """
    assert load(write(tmp_path, source), HERE).policies[0].name == "dev-value-shop-pack"


@pytest.mark.parametrize(
    ("source", "file", "error", "message"),
    [
        ("", "runtime: nodejs\n", Refused, "runtime 'nodejs'; the embedded engine runs policy packs in Python alone"),
        ("", "runtime: python\nmain: src\n", BadInput, r"there is no program .*src; write it, or set 'main'"),
        ("", "runtime: python\n", BadInput, "ran to its end and built no PolicyPack"),
        ("x = 1\nraise ValueError('oh\\nno')", "runtime: python\n", BadInput, "__main__.py:2: ValueError: oh no"),
        ("import not_here_at_all", "runtime: python\n", BadInput, "pip install not-here-at-all"),
        ("import sys; sys.exit(3)", "runtime: python\n", BadInput, "SystemExit: 3"),
        ("from pulumi_policy import *\nPolicyPack('p', [])", "runtime: python\n", BadInput, "the policies of p are no list"),
    ],
)
def test_a_broken_pack_is_one_error(tmp_path: Path, source: str, file: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load(write(tmp_path, source, file), HERE)


def test_a_folder_without_a_pack_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no PulumiPolicy\.yaml in it"):
        attached(tmp_path, tmp_path)
    with pytest.raises(BadInput, match="no such directory"):
        attached(tmp_path, tmp_path / "nowhere")


def test_the_level_is_the_packs_the_policys_or_the_configurations(tmp_path: Path) -> None:
    as_it_is = held(tmp_path)
    assert {name: one.level.value for name, one in as_it_is.items()} == {
        "own-level": "disabled",
        "configured": "mandatory",
        "whole": "advisory",
    }
    assert as_it_is["configured"].properties == {"most": 5}
    given = held(tmp_path, {"all": "disabled", "configured": {"enforcementLevel": "advisory", "most": 7, "names": ["a"]}})
    assert [one.level.value for one in given.values()] == ["disabled", "advisory", "disabled"]
    assert given["configured"].properties == {"most": 7, "names": ["a"]}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"configured": {"most": "many"}}, "three: configured: most: 'many' is not of type 'integer'"),
        ({"own-level": "sometimes"}, "own-level: 'sometimes' is no level; there are advisory, mandatory, remediate, disabled"),
        ({"own-level": 3}, "own-level is 3; write a level, or an object"),
        ({"own-levle": "advisory"}, "three has no policy own-levle; isostack policy list shows them"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        held(tmp_path, config)


def test_remediation_is_refused_by_name_and_only_where_it_would_happen(tmp_path: Path) -> None:
    source = """
    from pulumi_policy import *
    PolicyPack("mends", [
        ResourceValidationPolicy("mends-things", "Mends", remediate=lambda args: None),
        ResourceValidationPolicy("looks", "Looks", lambda args, report: None),
    ])
    """
    assert [one.level.value for one in held(tmp_path, {}, source).values()] == ["advisory", "advisory"]
    assert held(tmp_path, {"looks": "remediate"}, source)["looks"].level is EnforcementLevel.MANDATORY
    with pytest.raises(Refused, match="policy mends-things of mends would change resources"):
        held(tmp_path, {"mends-things": "remediate"}, source)


# -- which packs judge ---------------------------------------------------------------------------------------------------


def project(tmp_path: Path, *, own: bool) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    if own:
        one(folder, "report('')").rename(folder / "policies")
    return folder


def of_environment(folder: Path, environment: str, *packs: Path, files: tuple[Path, ...] = ()) -> list[str]:
    loaded = load_project(folder)
    config = StackConfig("here", loaded.stack_file("here"), {"isostack:environment": environment} if environment else {})
    policies = attach(loaded, config, packs, files)
    return [attached.pack.folder.name for attached in policies.packs] if policies else []


def test_a_projects_own_pack_is_always_attached_and_once(tmp_path: Path) -> None:
    folder, other = project(tmp_path, own=True), one(tmp_path, "report('')")
    for environment in ("", "dev", "production"):
        assert of_environment(folder, environment) == ["policies"]
        assert of_environment(folder, environment, other) == ["policies", other.name]
        assert of_environment(folder, environment, folder / "policies") == ["policies"]


def test_staging_and_production_are_refused_without_a_pack(tmp_path: Path) -> None:
    folder, other = project(tmp_path, own=False), one(tmp_path, "report('')")
    for environment in ("staging", "production"):
        with pytest.raises(Refused, match=f"here: there is no policy pack to judge {environment} with"):
            of_environment(folder, environment)
        assert of_environment(folder, environment, other) == [other.name]
    assert of_environment(folder, "dev") == of_environment(folder, "") == []


def test_a_configuration_goes_with_its_pack(tmp_path: Path) -> None:
    folder, other = project(tmp_path, own=True), one(tmp_path, "report('')")
    file = tmp_path / "config.json"
    file.write_text('{"one": "disabled"}')
    loaded = load_project(folder)
    config = StackConfig("dev", loaded.stack_file("dev"), {})
    for packs, expected in (((), ["disabled"]), ((other,), ["mandatory", "disabled"])):
        policies = attach(loaded, config, packs, [file])
        assert policies is not None
        assert [attached.held[0].level.value for attached in policies.packs] == expected
    with pytest.raises(BadInput, match="2 of them for 1 of --policy-pack"):
        attach(loaded, config, [other], [file, file])


def test_without_a_pack_pulumi_policy_is_not_imported(tmp_path: Path) -> None:
    folder = project(tmp_path, own=False)
    source = (
        "import sys\nfrom pathlib import Path\nfrom isostack.engine.project import StackConfig, load_project\n"
        "import isostack.cli\nfrom isostack.policy.attach import attach\n"
        f"project = load_project(Path({str(folder)!r}))\n"
        "assert attach(project, StackConfig('dev', project.stack_file('dev'), {})) is None\n"
        "assert 'pulumi_policy' not in sys.modules and 'pulumi' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", source], check=True)  # noqa: S603 - this interpreter
