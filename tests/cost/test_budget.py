"""Budgets: a run that would cost too much says so, or does not change anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isostack.cost.budget import Budget
from isostack.cost.estimate import Cost, Estimate
from tests.command_line import CommandLine, Ran, project

PROGRAM = """
import pulumi
import pulumi_aws as aws

for number in range(pulumi.Config("own").require_int("keys")):
    aws.kms.Key(f"key-{number}", deletion_window_in_days=7)
"""
# As much of a module of parameters as isostack asks for.
PARAMETERS = """
ENVIRONMENTS = ("dev", "free")


class ParameterSet:
    version = "1.0.0"
    tables = {}


def versions():
    return ["1.0.0"]


def load(version):
    return ParameterSet()


def budget(parameters, environment):
    return {"warn": 1, "refuse": 2} if environment == "dev" else {}
"""


def costs(dollars: float, *unpriced: str) -> Estimate:
    return Estimate((Cost("urn:pulumi:dev::own::aws:kms/key:Key::it", "it", dollars),), unpriced)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0, 100, "within"),
        (0, 100.01, "warn"),
        (0, 200, "warn"),
        (0, 200.01, "refuse"),
        (300, 300.01, "refuse"),
        (300, 300, "warn"),
        (300, 250, "warn"),
        (300, 50, "within"),
    ],
)
def test_beyond_a_budget_only_what_makes_it_no_dearer_goes_on(before: float, after: float, verdict: str) -> None:
    kind, message = Budget(100, 200).judge(costs(before), costs(after))
    assert kind == verdict
    assert bool(message) == (verdict != "within")


def test_a_limit_that_there_is_not_holds_nothing() -> None:
    assert Budget().judge(costs(0), costs(1e6)) == ("within", "")
    assert Budget(refuse=10).judge(costs(0), costs(5))[0] == "within"
    assert Budget(warn=10).judge(costs(0), costs(1e6))[0] == "warn"
    assert not Budget()


def test_a_message_says_that_something_without_a_price_comes_on_top() -> None:
    assert "$5.00 a month at least" in Budget(1).judge(costs(0), costs(5, "a database"))[1]
    assert "$5.00 a month, as estimated" in Budget(1).judge(costs(0), costs(5))[1]


class Own:
    """A project with a budget, and a state folder and a local cloud of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = project(folder / "own", PROGRAM, name="own")
        (self.root / "parameters.py").write_text(PARAMETERS)
        for name in ("dev", "free"):
            self.say(name, 0)
        self.run = CommandLine(folder / "home")

    def say(self, environment: str, keys: int) -> None:
        lines = (
            f"isostack:environment: {environment}",
            "isostack:parameters: 1.0.0",
            f"own:keys: {keys}",
            "aws:region: eu-west-1",
        )
        (self.root / f"Pulumi.{environment}.yaml").write_text("config:\n" + "".join(f"  {line}\n" for line in lines))

    def __call__(self, *arguments: str) -> Ran:
        return self.run(*arguments, cwd=self.root)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    made = Own(tmp_path_factory.mktemp("budget"))
    yield made
    made("cloud", "stop")


def test_up_warns_refuses_and_lets_through_what_gets_no_dearer(own: Own) -> None:
    own.say("dev", 2)
    warned = own("up", "dev")
    assert warned.code == 0, warned.err
    assert "warning: dev: it would cost $2.00 a month, as estimated, and its budget warns beyond $1" in warned.out + warned.err
    own.say("dev", 3)
    for arguments in (("up", "dev"), ("up", "dev", "--skip-preview"), ("preview", "dev")):
        refused = own(*arguments)
        assert refused.code == 3
        assert "dev: it would cost $3.00 a month, as estimated, and its budget is $2; make it smaller" in refused.err
        assert "nothing was changed" in refused.err
    document: dict[str, Any] = own("up", "dev", "--json").json
    assert (document["result"], document["exit_code"]) == ("refused", 3)
    assert document["cost"]["budget"]["verdict"] == "refuse"
    assert (document["cost"]["before"], document["cost"]["after"]) == (2, 3)
    assert own("cost", "dev", "--json").json["environments"]["dev"]["before"]["monthly"] == 2, "nothing was changed"
    own.say("dev", 1)
    assert own("up", "dev", "--json").json["cost"]["budget"]["verdict"] == "within"


def test_an_environment_without_a_budget_is_held_to_none(own: Own) -> None:
    own.say("free", 9)
    document = own("preview", "free", "--json").json
    assert (document["result"], document["cost"]) == ("succeeded", None)


def test_cost_tells_what_each_environment_costs_now_and_after_an_up_without_a_cloud(tmp_path: Path) -> None:
    alone = Own(tmp_path)
    alone.say("dev", 3)
    ran = alone("cost", "--all")
    assert ran.code == 0, ran.err
    assert "dev: $0.00 a month now, $3.00 after an up" in ran.out
    assert "free: $0.00 a month now, $0.00 after an up" in ran.out
    assert "budget: warn beyond $1, refuse beyond $2" in ran.out
    assert "refuse: it would cost $3.00 a month" in ran.out
    assert "This is an estimate: on-demand prices" in ran.out
    assert "requests to keys" in ran.out
    document = alone("cost", "dev", "--json").json
    (one,) = document["environments"].values()
    assert (one["difference"], one["after"]["components"]) == (3, {"outside of any component": 3})
    assert not (tmp_path / "home").exists() or alone("cloud", "status", "--json").json["running"] is False


def test_cost_wants_an_environment_or_all_and_one_that_is_there(tmp_path: Path) -> None:
    alone = Own(tmp_path)
    assert alone("cost").code == 2
    assert alone("cost", "dev", "--all").code == 2
    wrong = alone("cost", "nowhere")
    assert (wrong.code, wrong.err) == (2, "error: no environment 'nowhere' in own; there are dev, free\n")


def test_a_preview_of_all_shows_costs_and_what_the_budget_says(tmp_path: Path) -> None:
    alone = Own(tmp_path)
    alone.say("dev", 3)
    ran = alone("preview", "--all", "--json")
    dev, free = ran.json["environments"]
    assert ran.code == 3
    assert (dev["cost_before"], dev["cost_after"]) == (0, 3)
    (finding,) = dev["policies"]
    assert (finding["policy"], finding["level"]) == ("budget", "mandatory")
    assert free["policies"] == []
