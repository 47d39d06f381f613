"""``isostack policy …``, ``--policy-pack`` and a project's own pack, through the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isostack.localcloud.server import LocalCloud
from tests.command_line import CommandLine, Ran, project
from tests.policy_packs.packs import write

PROGRAM = """
import pulumi
import pulumi_aws as aws

aws.sqs.Queue("fast", visibility_timeout_seconds=7)
aws.sqs.Queue(
    "slow",
    visibility_timeout_seconds=700,
    tags={"password": pulumi.Output.secret("hunter22")},
)
pulumi.export("password", pulumi.Output.secret("hunter22"))
"""
# A pack whose policies are made of values, as the project's own has them.
PACK = """
from dataclasses import dataclass
from enum import Enum
from pulumi_policy import *

class Area(Enum):
    QUEUES = "queues"

@dataclass
class Levels:
    dev: EnforcementLevel
    production: EnforcementLevel

@dataclass
class Given:
    type: str
    name: str
    props: dict

@dataclass
class Example:
    wrong: tuple
    mended: tuple

@dataclass
class Rule:
    name: str
    area: Area
    severity: Severity
    levels: Levels
    ids: tuple
    title: str
    why: str
    mend: str
    example: Example

QUEUE = "aws:sqs/queue:Queue"
RULES = (
    Rule("queue-timeout", Area.QUEUES, Severity.HIGH,
         Levels(EnforcementLevel.ADVISORY, EnforcementLevel.MANDATORY), ("X 1", "Y 2"),
         "Queues wait at most a minute", "Because.", "Wait less.",
         Example((Given(QUEUE, "jobs", {"visibilityTimeoutSeconds": 90, "policy": '{"Statement": []}'}),),
                 (Given(QUEUE, "jobs", {"visibilityTimeoutSeconds": 9}),))),
)

def timeout(args, report):
    if args.resource_type == QUEUE and args.props["visibilityTimeoutSeconds"] > 60:
        report(f"{args.name} waits {args.props['visibilityTimeoutSeconds']} s and says {dict(args.props.get('tags', {}))}")

def stack(args, report):
    report(f"{sum(r.resource_type == QUEUE for r in args.resources)} queues")

PolicyPack("own", [
    ResourceValidationPolicy("queue-timeout", RULES[0].title, timeout, LEVEL, severity=RULES[0].severity),
    StackValidationPolicy("count", "Queues are counted", stack),
])
"""


@pytest.fixture(scope="module")
def run(local_cloud: LocalCloud) -> CommandLine:
    return CommandLine(local_cloud.home)


def judged(folder: Path, level: str = "EnforcementLevel.MANDATORY", name: str = "judged") -> Path:
    """A project with a pack of its own, whose first policy has this level; the rules are in a module."""
    made = project(folder / name, PROGRAM, name=name, dev="config:\n  aws:region: eu-west-1\n")
    source = PACK.replace("LEVEL,", f"{level},", 1)
    rules, _, rest = source.partition("def timeout")
    pack = write(folder, f"from queue_rules_{name} import *\ndef timeout{rest}")
    (pack / f"queue_rules_{name}.py").write_text(rules)
    pack.rename(made / "policies")
    return made


@pytest.fixture(scope="module")
def refused(run: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judged(tmp_path_factory.mktemp("refused"), name="refused")


@pytest.fixture(scope="module")
def advised(run: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project that is up, although its pack finds something."""
    folder = judged(tmp_path_factory.mktemp("advised"), "EnforcementLevel.ADVISORY", "advised")
    ran = run("up", "dev", cwd=folder)
    assert ran.code == 0, ran.out + ran.err
    yield folder
    run("destroy", "dev", "--yes", cwd=folder)


def told(ran: Ran) -> list[tuple[str, str, str]]:
    return sorted((v["policy"], v["level"], v["urn"].rpartition("::")[2]) for v in ran.json["policy"])


@pytest.mark.parametrize("verb", ["preview", "up"])
def test_a_mandatory_violation_ends_with_3_and_is_shown_in_full_and_last(run: CommandLine, refused: Path, verb: str) -> None:
    ran = run(verb, "dev", cwd=refused)
    assert ran.code == 3
    assert ran.err == "error: dev: 1 violation of mandatory policies (queue-timeout); nothing was changed\n"
    found = ran.out[ran.out.index("Policies:") :].splitlines()
    assert found[:7] == [
        "Policies:",
        "    ❌ own@v1.2.3",
        "        - [advisory]  count  (pulumi:pulumi:Stack: refused-dev)",
        "          Queues are counted",
        "          2 queues",
        "        - [mandatory] [severity: high]  queue-timeout  (aws:sqs:Queue: slow)",
        "          Queues wait at most a minute",
    ]
    assert "slow waits 700.0 s and says {'password': '[secret]'}" in ran.out
    assert "hunter22" not in ran.out + ran.err
    assert ("+  aws:sqs:Queue fast create" in ran.out) is (verb == "preview")
    assert run("outputs", "dev", cwd=refused).code == 2  # there is no state


@pytest.mark.parametrize("verb", ["preview", "up"])
def test_the_document_of_a_refusal_has_each_violation(run: CommandLine, refused: Path, verb: str) -> None:
    ran = run(verb, "dev", "--json", cwd=refused)
    document: dict[str, Any] = ran.json
    assert (ran.code, document["exit_code"], document["result"], document["stack"]) == (3, 3, "refused", "dev")
    assert told(ran) == [("count", "advisory", "refused-dev"), ("queue-timeout", "mandatory", "slow")]
    (violation,) = (v for v in document["policy"] if v["level"] == "mandatory")
    assert violation["urn"] == "urn:pulumi:dev::refused::aws:sqs/queue:Queue::slow"
    assert (violation["pack"], violation["version"], violation["severity"]) == ("own", "1.2.3", "high")
    assert "1 violation of mandatory policies" in document["diagnostics"][-1]["message"]
    assert document["changes"]["create"] == (3 if verb == "preview" else 0)


def test_a_playground_is_judged_as_well(run: CommandLine, refused: Path) -> None:
    ran = run("play", "up", "mine", "--json", cwd=refused)
    assert (ran.code, ran.json["result"], ran.json["exit_code"]) == (3, "refused", 3)
    assert [(name, level) for name, level, _ in told(ran)] == [("count", "advisory"), ("queue-timeout", "mandatory")]
    assert "1 violation of mandatory policies" in ran.json["diagnostics"][-1]["message"]


def test_advice_stops_nothing(run: CommandLine, advised: Path) -> None:
    ran = run("preview", "dev", "--json", cwd=advised)
    assert (ran.code, ran.json["result"]) == (0, "succeeded")
    assert told(ran) == [("count", "advisory", "advised-dev"), ("queue-timeout", "advisory", "slow")]
    shown = run("preview", "dev", cwd=advised).out
    assert shown.index("⚠️") < shown.index("[advisory]") < shown.index("no changes")


def test_any_pack_can_be_attached_beside_the_projects_own(run: CommandLine, advised: Path, tmp_path: Path) -> None:
    source = (
        "from pulumi_policy import *\n"
        "never = StackValidationPolicy('never', 'Never', lambda args, report: report(''), EnforcementLevel.MANDATORY)\n"
        "PolicyPack('other', [never])\n"
    )
    pack = write(tmp_path, source)
    ran = run("preview", "dev", "--policy-pack", pack, "--json", cwd=advised)
    assert (ran.code, [name for name, _, _ in told(ran)]) == (3, ["count", "never", "queue-timeout"])
    config = tmp_path / "config.json"
    config.write_text('{"never": "disabled"}')
    ran = run("preview", "dev", "--policy-pack", pack, "--policy-pack-config", config, "--json", cwd=advised)
    assert (ran.code, [name for name, _, _ in told(ran)]) == (0, ["count", "queue-timeout"])


def test_the_list_has_what_the_rules_tell(run: CommandLine, refused: Path) -> None:
    lines = [line.split() for line in run("policy", "list", cwd=refused).out.splitlines()]
    assert lines == [
        ["policy", "area", "severity", "dev", "production", "ids"],
        ["queue-timeout", "queues", "high", "advisory", "mandatory", "X", "1,", "Y", "2"],
        ["count", "-", "-", "advisory", "advisory", "-"],
    ]
    rule, count = run("policy", "list", "--json", cwd=refused).json["policies"]
    assert (rule["levels"], rule["ids"], rule["why"]) == (
        {"dev": "advisory", "production": "mandatory"},
        ["X 1", "Y 2"],
        "Because.",
    )
    assert (count["title"], count["levels"]) == ("Queues are counted", {"": "advisory"})


def test_a_pack_without_rules_as_values_is_listed_all_the_same(run: CommandLine, tmp_path: Path) -> None:
    folder = project(tmp_path / "plain", PROGRAM, name="plain")
    assert "plain has no policy pack in policies/" in run("policy", "list", cwd=folder).err
    pack = write(
        tmp_path,
        "from pulumi_policy import *\n"
        "PolicyPack('p', [StackValidationPolicy('one', 'One', lambda args, report: None)], EnforcementLevel.MANDATORY)\n",
    )
    lines = run("policy", "list", "--policy-pack", pack, cwd=folder).out.splitlines()
    assert [line.split() for line in lines] == [
        ["policy", "area", "severity", "level", "ids"],
        ["one", "-", "-", "mandatory", "-"],
    ]


def test_a_rule_is_explained(run: CommandLine, refused: Path) -> None:
    text = run("policy", "explain", "queue-timeout", cwd=refused).out
    parts = (
        "Queues wait at most a minute",
        "mandatory in production",
        "X 1, Y 2",
        "Because.",
        "Wait less.",
        '"visibilityTimeoutSeconds": 9\n',
    )
    assert all(part in text for part in parts)
    assert '"Statement": []' in text  # the document that is JSON in a text, as what it says
    example = run("policy", "explain", "queue-timeout", "--json", cwd=refused).json["example"]
    assert example["mended"] == [{"type": "aws:sqs/queue:Queue", "name": "jobs", "props": {"visibilityTimeoutSeconds": 9}}]
    ran = run("policy", "explain", "queue-timeuot", cwd=refused)
    assert (ran.code, ran.err) == (
        2,
        "error: no policy queue-timeuot; did you mean queue-timeout?; isostack policy list shows them\n",
    )


def test_a_state_is_judged_without_running_the_program(run: CommandLine, advised: Path) -> None:
    source = (advised / "__main__.py").read_text()
    (advised / "__main__.py").write_text("raise SystemExit('not to be run')")
    try:
        ran = run("policy", "check", "dev", "--json", cwd=advised)
        shown = run("policy", "check", "dev", cwd=advised)
    finally:
        (advised / "__main__.py").write_text(source)
    assert (ran.code, ran.json["judged"], ran.json["result"]) == (0, "state", "succeeded")
    assert told(ran) == [("count", "advisory", "advised-dev"), ("queue-timeout", "advisory", "slow")]
    assert shown.out.splitlines()[-1] == "dev: what is there, judged by own@v1.2.3: 2 advisory violations"
    assert "hunter22" not in shown.out + ran.out


def test_a_preview_is_judged_without_a_state(run: CommandLine, refused: Path) -> None:
    assert run("policy", "check", "dev", cwd=refused).err == (
        "error: dev has no state to judge; bring it up first, or judge what that would make: --preview\n"
    )
    ran = run("policy", "check", "dev", "--preview", "--json", cwd=refused)
    assert (ran.code, ran.json["result"], ran.json["judged"]) == (3, "refused", "preview")
    assert told(ran) == [("count", "advisory", "refused-dev"), ("queue-timeout", "mandatory", "slow")]


def test_sarif_points_to_where_a_resource_is_registered(run: CommandLine, refused: Path) -> None:
    ran = run("policy", "check", "dev", "--preview", "--sarif", cwd=refused)
    assert ran.code == 3
    document = ran.json
    _has_what_the_schema_requires(document)
    (one_run,) = document["runs"]
    rules = {rule["id"]: rule for rule in one_run["tool"]["driver"]["rules"]}
    assert rules["own/queue-timeout"]["properties"] == {"tags": ["security", "queues", "X 1", "Y 2"], "security-severity": "8.0"}
    places = {}
    for result in one_run["results"]:
        place = result["locations"][0]["physicalLocation"]
        places[result["ruleId"]] = result["level"], place["artifactLocation"]["uri"], place["region"]["startLine"]
    line = PROGRAM.splitlines().index('    "slow",')
    assert places == {"own/queue-timeout": ("error", "__main__.py", line), "own/count": ("warning", "__main__.py", 1)}
    assert "hunter22" not in ran.out
    again = run("policy", "check", "dev", "--preview", "--sarif", cwd=refused).json
    assert again == document  # fingerprints and all


def _has_what_the_schema_requires(document: dict[str, Any]) -> None:
    """The required properties of sarif-schema-2.1.0.json for the objects that are used, and what they may hold."""
    assert {"version", "runs"} <= document.keys() and document["version"] == "2.1.0"
    for one in document["runs"]:
        assert "tool" in one and "driver" in one["tool"] and one["tool"]["driver"]["name"]
        ids = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
        assert len(ids) == len(set(ids))
        for rule in one["tool"]["driver"]["rules"]:
            assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
            assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        for result in one["results"]:
            assert result["message"]["text"] and ids[result["ruleIndex"]] == result["ruleId"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
            for location in result["locations"]:
                assert location["physicalLocation"]["region"]["startLine"] >= 1
                assert not location["physicalLocation"]["artifactLocation"]["uri"].startswith("/")


def test_what_cannot_be_asked_is_bad_usage(run: CommandLine, advised: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("policy", "check", "dev", "--json", "--sarif"), "--json and --sarif are two documents"),
        (("policy", "check", "nowhere"), "no environment 'nowhere' in advised; there are dev"),
        (("preview", "dev", "--policy-pack", "nowhere"), "--policy-pack nowhere: no such directory"),
        (("preview", "dev", "--policy-pack-config", "nowhere.json"), "nowhere.json: No such file or directory"),
    ):
        ran = run(*arguments, cwd=advised)
        assert (ran.code, message in ran.out + ran.err) == (2, True), ran.out + ran.err
        assert "Traceback" not in ran.err
    assert json.loads(run("preview", "dev", "--policy-pack", tmp_path, "--json", cwd=advised).out)["exit_code"] == 2
