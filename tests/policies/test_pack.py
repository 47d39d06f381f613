"""The pack around its rules: which environment it judges, how strictly, what it cannot tell yet, and what it excuses."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pulumi.runtime
import pulumi_policy as pp
import pytest
from pulumi.runtime.config import CONFIG
from pulumi.runtime.settings import SETTINGS
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE, unknown_checking_proxy

from policies.exceptions import Exemption, WrongExceptions, load
from policies.pack import Place, place, policies
from policies.resources import UNKNOWN, CannotTell, Resource, plain
from policies.rule import ADVISORY, DISABLED, EVERYWHERE, MANDATORY, Area, Example, Finding, Given, Rule, Settings
from policies.rules import RULES
from tests.policies.judging import judge, urn

ROOT = Path(__file__).parent.parent.parent
TODAY = date(2026, 6, 1)
QUEUE = "aws:sqs/queue:Queue"


# -- which environment -----------------------------------------------------------------------------------------------------


@pytest.fixture
def told() -> Iterator[Any]:
    """Tell the process what Pulumi tells a pack's: the stack's name and its configuration."""
    before = dict(CONFIG.get()), SETTINGS.stack

    def tell(stack: str, config: Mapping[str, str]) -> None:
        pulumi.runtime.set_all_config(dict(config))
        SETTINGS.stack = stack

    yield tell
    pulumi.runtime.set_all_config(before[0])
    SETTINGS.stack = before[1]


@pytest.mark.parametrize(
    ("stack", "config", "environment"),
    [
        ("dev", {}, "dev"),
        ("play-ada", {"isostack:environment": "dev"}, "dev"),
        ("dev", {"isostack:environment": "production"}, "production"),
        ("staging", {"other:environment": "dev"}, "staging"),
    ],
)
def test_the_environment_is_configured_or_the_stacks_name(
    told: Any, stack: str, config: dict[str, str], environment: str
) -> None:
    told(stack, config)
    assert place() == Place(environment=environment)


@pytest.mark.parametrize(
    ("stack", "config", "says"),
    [
        ("main", {}, "since the stack main does not say which environment it is"),
        ("dev", {"isostack:environment": "qa"}, "since isostack:environment is qa"),
    ],
)
def test_a_stack_that_does_not_say_is_judged_as_production_and_told_so(
    told: Any, stack: str, config: dict[str, str], says: str
) -> None:
    told(stack, config)
    where = place()
    assert where.environment == "production"
    assert says in (where.note or "")
    *_, note = policies()
    assert (note.name, note.enforcement_level) == ("environment-known", ADVISORY)
    reported: list[str] = []
    note.validate(pp.StackValidationArgs([]), lambda message, urn=None: reported.append(message))  # type: ignore[attr-defined]
    assert reported == [where.note]


def test_the_entry_point_gives_pulumi_the_policies_of_the_environment(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an engine loads it that collects policies instead of serving them."""
    given: list[Any] = []
    monkeypatch.setattr(pp, "PolicyPack", lambda name, policies, **more: given.append((name, policies, more)))
    levels = {}
    for environment in ("dev", "production"):
        told(environment, {})
        runpy.run_path(str(ROOT / "policies" / "__main__.py"), run_name="__main__")
        name, made, _ = given.pop()
        assert name == "isostack"
        levels[environment] = {policy.name: policy.enforcement_level for policy in made}
    assert levels["dev"].keys() == levels["production"].keys() >= {rule.name for rule in RULES}
    assert levels["dev"]["iam-no-star-resource"] is ADVISORY
    assert levels["production"]["iam-no-star-resource"] is MANDATORY


# -- a rule of its own ------------------------------------------------------------------------------------------------------


def slow(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if resource.get("delaySeconds", 0) > settings.options["most"]:
        yield f"delaySeconds is {resource.get('delaySeconds')}"


RULE = Rule(
    number=1,
    name="queue-slow",
    area=Area.DATA,
    severity=pp.Severity.LOW,
    levels=replace(EVERYWHERE, dev=DISABLED),
    ids=("CKV_AWS_1", "CIS 1.1"),
    title="Queues are quick",
    why="They wait.",
    mend="Set delaySeconds to most or less.",
    types=frozenset({QUEUE}),
    check=slow,
    schema={"most": {"type": "integer", "default": 10}},
    example=Example(wrong=(Given(type=QUEUE, props={"delaySeconds": 20}),), mended=(Given(type=QUEUE, props={}),)),
)
LATE = Given(type=QUEUE, props={"delaySeconds": 20}, name="jobs")


def test_a_message_names_the_resource_says_what_is_wrong_and_how_to_mend_it() -> None:
    assert judge(RULE, LATE).reported == [
        (urn(LATE), "jobs (aws:sqs/queue:Queue): delaySeconds is 20. Set delaySeconds to most or less.")
    ]
    assert judge(RULE, replace(LATE, type="aws:sns/topic:Topic")).reported == []


def test_options_have_defaults_that_pulumis_configuration_overrides() -> None:
    assert judge(RULE, LATE, options={"most": 30}).messages == []
    (policy, *_) = policies(Place(environment="production"), [RULE], ())
    assert policy.config_schema is not None
    assert policy.config_schema.properties == {"most": {"type": "integer", "default": 10}}


def test_a_policy_has_what_pulumi_shows_of_one() -> None:
    (policy, *_) = policies(Place(environment="production"), [RULE], ())
    assert (policy.name, policy.description, policy.enforcement_level) == ("queue-slow", "Queues are quick", MANDATORY)
    assert (policy.severity, policy.remediation_steps) == (pp.Severity.LOW, "Set delaySeconds to most or less.")
    assert policy.tags == ["data", "CKV_AWS_1", "CIS 1.1"]
    assert policy.framework is not None
    assert (policy.framework.version, policy.framework.reference) == ("7.0", "1.1")
    (policy, *_) = policies(Place(environment="dev"), [RULE], ())
    assert policy.enforcement_level is DISABLED


def test_a_rule_is_built_whole() -> None:
    with pytest.raises(ValueError, match="one of them"):
        replace(RULE, check_stack=lambda resources, settings: iter(()))
    with pytest.raises(ValueError, match="which types"):
        replace(RULE, types=frozenset())
    with pytest.raises(ValueError, match="a default to most"):
        replace(RULE, schema={"most": {"type": "integer"}})


# -- unknown values ---------------------------------------------------------------------------------------------------------


def test_an_unknown_value_that_a_rule_needs_is_left_to_the_update() -> None:
    verdict = judge(RULE, replace(LATE, props={"delaySeconds": UNKNOWN_NUMBER_VALUE}))
    assert verdict.messages == []
    assert verdict.unsure == "cannot tell yet, decides at the update: jobs (aws:sqs/queue:Queue): delaySeconds is not known"


def test_a_stack_with_much_that_is_unknown_names_some_of_it() -> None:
    def unsure(resources: Any, settings: Settings) -> Iterator[Finding]:
        for resource in resources:
            yield Finding(what="x is not known", resource=resource, unsure=True)
        yield Finding(what="two is wrong", resource=resources[1])

    rule = replace(RULE, check=None, types=frozenset(), check_stack=unsure)
    verdict = judge(rule, *(replace(LATE, name=f"q{number}") for number in range(7)))
    assert [about for about, _ in verdict.reported] == [urn(replace(LATE, name="q1"))]
    assert (verdict.unsure or "").count("x is not known") == 5
    assert (verdict.unsure or "").endswith(", and 2 more")


def test_proxies_become_plain_values_and_unknown_ones_say_so_when_they_are_used() -> None:
    props = {"a": {"b": [1, UNKNOWN_NUMBER_VALUE]}, "c": UNKNOWN_NUMBER_VALUE, "d": None, "e": "text"}
    for given in (props, unknown_checking_proxy(props)):
        seen = plain(given)
        assert seen["a"]["b"][0] == 1
        assert seen["a"]["b"][1] is UNKNOWN
        assert (seen["c"] is UNKNOWN, seen["d"], seen["e"]) == (True, None, "text")
    resource = Resource(type="t", name="n", urn="u", props=plain(props))
    assert (resource.get("a.b.0"), resource.get("x.y", 5), resource.get("d", 6)) == (1, 5, 6)
    assert resource.peek("c.deeper") is UNKNOWN
    for path in ("c", "a.b.1", "c.deeper"):
        with pytest.raises(CannotTell, match=path):
            resource.get(path)
    for use in (bool, list, len, str.__len__, lambda one: one == 1, lambda one: 1 in [one], lambda one: one > 1):
        with pytest.raises((CannotTell, TypeError)):
            use(UNKNOWN)
    with pytest.raises(CannotTell):
        assert UNKNOWN != "text"


# -- exceptions -------------------------------------------------------------------------------------------------------------

EXCUSED = Exemption(
    rule="queue-slow",
    resource=f"{QUEUE}::jobs",
    environments=("production",),
    reason="The partner's limit",
    ticket="OPS-1",
    approved_by="Ada",
    until=date(2026, 12, 31),
)


def test_an_exception_excuses_one_rule_at_one_resource() -> None:
    for resource in (EXCUSED.resource, urn(LATE)):
        one = replace(EXCUSED, resource=resource)
        assert judge(RULE, LATE, exemptions=[one]).messages == []
        assert len(judge(RULE, replace(LATE, name="mail"), exemptions=[one]).messages) == 1
    assert len(judge(RULE, LATE, exemptions=[replace(EXCUSED, rule="other")]).messages) == 1
    assert len(judge(RULE, LATE, environment="staging", exemptions=[EXCUSED]).messages) == 1
    wild = replace(EXCUSED, environments=("dev",), resource=f"{QUEUE}::j*")
    assert judge(RULE, LATE, environment="dev", exemptions=[wild]).messages == []


def reports(name: str, exemptions: list[Exemption], given: Given, today: date = TODAY) -> list[str]:
    made = policies(Place(environment="production"), [RULE], exemptions, today)
    (policy,) = (one for one in made if one.name == name)
    options = pp.PolicyResourceOptions(False, [], None, [], pp.PolicyCustomTimeouts(0, 0, 0), [])
    resource = pp.PolicyResource(given.type, dict(given.props), urn(given), given.name, options, None, None, [], {})
    reported: list[str] = []
    args: Any = pp.StackValidationArgs([resource])
    if isinstance(policy, pp.ResourceValidationPolicy):
        args = pp.ResourceValidationArgs(given.type, dict(given.props), urn(given), given.name, options, None)
    policy.validate(args, lambda message, urn=None: reported.append(message))  # type: ignore[attr-defined]
    return reported


def test_an_expired_exception_excuses_nothing_and_fails_by_itself() -> None:
    last, after = date(2026, 12, 31), date(2027, 1, 1)
    assert reports("queue-slow", [EXCUSED], LATE, last) == []
    assert reports("exceptions-in-force", [EXCUSED], LATE, last) == []
    assert len(reports("queue-slow", [EXCUSED], LATE, after)) == 1
    (message,) = reports("exceptions-in-force", [EXCUSED], LATE, after)
    assert message.startswith(
        f"The exception to queue-slow for {EXCUSED.resource} (OPS-1, approved by Ada) ran out on 2026-12-31."
    )
    (policy,) = (one for one in policies(Place(environment="dev"), [RULE], []) if one.name == "exceptions-in-force")
    assert policy.enforcement_level is MANDATORY


def test_an_exception_that_excuses_nothing_is_reported() -> None:
    assert reports("exceptions-used", [EXCUSED], LATE) == []
    for given in (replace(LATE, props={}), replace(LATE, name="mail")):
        (message,) = reports("exceptions-used", [EXCUSED], given)
        assert "excuses nothing any more" in message


def written(folder: Path, text: str) -> Path:
    file = folder / "exceptions.yaml"
    file.write_text(text)
    return file


GOOD = """
- rule: queue-slow
  resource: aws:sqs/queue:Queue::jobs
  environments: [production]
  reason: The partner's limit
  ticket: OPS-1
  approved_by: Ada
  until: 2026-12-31
"""


def test_exceptions_are_read_from_their_file(tmp_path: Path) -> None:
    assert load([RULE], TODAY, written(tmp_path, GOOD)) == (EXCUSED,)
    assert load([RULE], TODAY, tmp_path / "none.yaml") == ()
    assert load([RULE], TODAY, written(tmp_path, "# none\n")) == ()


def test_all_mistakes_of_the_file_are_said_at_once(tmp_path: Path) -> None:
    wrong = """
- rule: no-such-rule
  resource: jobs
  environments: [production, qa]
  reason: ''
  approved_by: Ada
  until: 2028-12-31
  owner: me
- just a text
"""
    with pytest.raises(WrongExceptions) as error:
        load([RULE], TODAY, written(tmp_path, wrong))
    lines = str(error.value).splitlines()
    assert all(line.startswith("exceptions.yaml: exception ") for line in lines)
    for says in (
        "1: owner is no property",
        "1: write its reason",
        "1: write its ticket",
        "1: there is no rule no-such-rule",
        "1: it holds until 2028-12-31, more than a year from now",
        "1: write in which environments it holds",
        "2: write its rule, resource",
    ):
        assert any(says in line for line in lines), says
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("::jobs", "::*"), "has a wildcard, which production refuse"),
        (("Queue::jobs", "Queue"), "is no resource"),
        (("2026-12-31", "soon"), "write until when it holds"),
        ((GOOD, "rule: queue-slow\n"), "write a list of exceptions"),
        (("- rule: queue-slow", "- rule: [unclosed"), "this is no YAML"),
    ],
)
def test_a_mistake_says_how_to_mend_it(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(WrongExceptions, match=says):
        load([RULE], TODAY, written(tmp_path, GOOD.replace(*change)))


def test_wildcards_are_for_early_environments(tmp_path: Path) -> None:
    text = GOOD.replace("::jobs", "::*-jobs").replace("[production]", "[dev, integration]")
    (one,) = load([RULE], TODAY, written(tmp_path, text))
    assert one.resource.endswith("::*-jobs")


def test_the_file_of_this_project_has_no_mistakes() -> None:
    load(RULES, date.today())  # noqa: DTZ011 - the day here is as good as any other
