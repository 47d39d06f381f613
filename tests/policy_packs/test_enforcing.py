"""Packs attached to the engine: what they are shown, when they are asked, and what a violation does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from isostack.engine.events import Op
from isostack.errors import Refused
from tests.engine.conftest import *  # noqa: F403 - the world of the engine's tests
from tests.engine.harness import THING, Group, Thing, World, options
from tests.policy_packs.packs import STACK, attached, one, write

NOT_KNOWN = "string value at .size can't be known during preview"
TOO_BIG = """
if args.props["size"] > 3:
    report(f"{args.name} is {args.props['size']}")
"""


def big_and_small() -> None:
    Thing("small", size=1)
    Thing("big", size=5)


def found(policy: Any) -> list[tuple[str, str, str]]:
    """Level, resource and message of each violation, sorted."""
    return sorted((v.level, v.urn.rpartition("::")[2], v.message) for v in policy)


def test_a_mandatory_violation_stops_before_anything_is_changed(world: World, tmp_path: Path) -> None:
    analyzer = attached(tmp_path, one(tmp_path, TOO_BIG))
    for operation in (world.preview, world.up):
        with pytest.raises(Refused, match=r"dev: 1 violation of mandatory policies \(one\); nothing was changed") as refused:
            operation(big_and_small, analyzer=analyzer, skip_preview=True)
        assert refused.value.result is not None
        assert refused.value.result.result == "refused"
        assert found(refused.value.result.policy) == [("mandatory", "big", "Things are as they should be\nbig is 5.0")]
    assert world.cloud.names() == []


def test_all_violations_are_collected(world: World, tmp_path: Path) -> None:
    def program() -> None:
        for name in "abc":
            Thing(name, size=9)

    second = one(tmp_path, "report('')", template=STACK)
    with pytest.raises(Refused, match=r"4 violations of mandatory policies \(one, whole\)") as refused:
        world.preview(program, analyzer=attached(tmp_path, one(tmp_path, TOO_BIG), second))
    assert refused.value.result is not None
    assert [urn for _, urn, _ in found(refused.value.result.policy)] == ["a", "b", "c", "shop-dev"]


def test_an_advisory_violation_is_told_and_stops_nothing(world: World, tmp_path: Path) -> None:
    analyzer = attached(tmp_path, one(tmp_path, TOO_BIG, level="ADVISORY"))
    for operation in (world.preview, world.up):
        outcome = operation(big_and_small, analyzer=analyzer)
        assert outcome.result.result == "succeeded"
        assert found(outcome.result.policy) == [("advisory", "big", "Things are as they should be\nbig is 5.0")]
    assert world.cloud.names() == ["big", "small"]


def chained() -> None:
    first = Thing("first")
    middle = Thing("middle", size=first.arn.apply(len))
    Thing("last", options(depends_on=[middle]))
    Thing("apart")


def test_what_a_preview_cannot_know_is_told_there_and_decided_at_up(world: World, tmp_path: Path) -> None:
    analyzer = attached(tmp_path, one(tmp_path, "if args.name == 'middle' and args.props['size'] > 3: report('too big')"))
    previewed = world.preview(chained, analyzer=analyzer).result
    assert previewed.result == "succeeded"
    assert found(previewed.policy) == [
        (
            "advisory",
            "middle",
            "can't run policy 'one' from policy pack 'small@v1.2.3' during preview: " + NOT_KNOWN,
        )
    ]
    outcome = world.up(chained, analyzer=analyzer)
    assert outcome.result.result == "refused"
    assert found(outcome.result.policy) == [("mandatory", "middle", "Things are as they should be\ntoo big")]
    assert [outcome.status(name) for name in ("first", "middle", "last", "apart")] == ["done", "failed", "skipped", "done"]
    assert "forbidden by policy one" in outcome.messages()
    assert world.names() == ["apart", "first"]


def test_an_update_and_a_replacement_are_decided_before_they_act(world: World, tmp_path: Path) -> None:
    def program(size: int, kind: str) -> None:
        rehearsal = pulumi.runtime.is_dry_run()  # what a preview sees need not be what is made
        Thing("updated", size=1 if rehearsal else size)
        Thing("replaced", fixed="a" if rehearsal else kind)

    world.up_well(lambda: program(1, "a"))
    body = "if args.props.get('size', 1) > 3 or args.props.get('fixed', 'a') != 'a': report('no')"
    outcome = world.up(lambda: program(9, "b"), analyzer=attached(tmp_path, one(tmp_path, body)))
    assert outcome.result.result == "refused"
    assert [name for _, name, _ in found(outcome.result.policy)] == ["replaced", "updated"]
    assert outcome.calls == []


def test_a_stack_policy_sees_outputs_parents_and_dependencies(world: World, tmp_path: Path) -> None:
    def program() -> None:
        group = Group("group")
        first = Thing("first", options(parent=group), size=2)
        Thing("second", options(parent=group, depends_on=[first]), label=first.arn)

    body = """
    by_name = {resource.name: resource for resource in args.resources}
    second = by_name["second"]
    by_label = [d.name for d in second.property_dependencies['label']]
    report(f"{second.parent.name} {[d.name for d in second.dependencies]} {by_label}"
           f" {second.props['label'] == by_name['first'].props['arn']} {by_name['first'].provider.name[:7]}", second.urn)
    """
    outcome = world.up(program, analyzer=attached(tmp_path, one(tmp_path, body, template=STACK, level="ADVISORY")))
    assert found(outcome.result.policy) == [
        ("advisory", "second", "The whole is as it should be\ngroup ['first'] ['first'] True default")
    ]


def test_a_stack_policy_that_could_not_tell_at_preview_is_asked_again_at_the_end_of_up(world: World, tmp_path: Path) -> None:
    pack = one(tmp_path, "for r in args.resources: r.name == 'a' and len(r.props['arn']) and report('made')", template=STACK)
    outcome = world.up(lambda: Thing("a"), analyzer=attached(tmp_path, pack))
    assert outcome.result.result == "refused"
    assert [level for level, _, _ in found(outcome.result.policy)] == ["mandatory"]
    assert "1 violation of mandatory policies (whole)" in outcome.messages()
    assert world.names() == ["a"]


def test_a_resource_policy_sees_all_that_pulumi_shows(world: World, tmp_path: Path) -> None:
    def program() -> None:
        group = Group("group", size=1)
        Thing(
            "a",
            pulumi.ResourceOptions(
                parent=group,
                protect=True,
                ignore_changes=["size"],
                delete_before_replace=True,
                additional_secret_outputs=["arn"],
                custom_timeouts=pulumi.CustomTimeouts(create="90s"),
            ),
            nested={"list": [1, {"deep": True}], "__internal": 1},
            asset=pulumi.StringAsset("text"),
        )

    body = """
    import pulumi
    o = args.opts
    report(repr((
        args.urn, args.resource_type, o.protect, o.ignore_changes, o.delete_before_replace, o.additional_secret_outputs,
        o.custom_timeouts.create_seconds, o.parent, list(args.props["nested"]), args.props["nested"]["list"][1]["deep"],
        args.props["nested"]["list"][0], args.props["asset"].text, args.provider.resource_type,
        pulumi.get_stack(), pulumi.get_project(), pulumi.Config("shop").get("key"), pulumi.runtime.is_dry_run(),
    )))
    """
    analyzer = attached(tmp_path, one(tmp_path, body, level="ADVISORY"), **{"shop:key": "value"})
    (violation,) = world.preview(program, analyzer=analyzer).result.policy
    assert eval(violation.message.partition("\n")[2]) == (  # noqa: S307 - what the pack above wrote
        f"urn:pulumi:dev::shop::test:index:Group${THING}::a",
        THING,
        True,
        ["size"],
        True,
        ["arn"],
        90.0,
        "urn:pulumi:dev::shop::test:index:Group::group",
        ["list"],
        True,
        1.0,
        "text",
        "pulumi:providers:aws",
        "dev",
        "shop",
        "value",
        True,
    )


def test_components_providers_and_the_stack_are_judged_as_well(world: World, tmp_path: Path) -> None:
    pack = write(
        tmp_path,
        """
        from pulumi_policy import *
        policy = ResourceValidationPolicy("types", "Types", lambda args, report: report(args.resource_type))
        PolicyPack("small", [policy])
        """,
    )
    outcome = world.preview(lambda: Thing("a", options(parent=Group("g"))), analyzer=attached(tmp_path, pack))
    types = sorted(violation.message.removeprefix("Types\n") for violation in outcome.result.policy)
    assert types == [THING, "pulumi:providers:aws", "pulumi:pulumi:Stack", "test:index:Group"]


def test_what_is_secret_stands_in_no_message(world: World, tmp_path: Path) -> None:
    def program() -> None:
        Thing("a", password=pulumi.Output.secret("hunter\n22"), inner={"more": pulumi.Output.secret(["s3cr3t"])})

    said = "report(f\"{args.props['password']} {args.props['password']!r} {args.props['inner']['more'][0]}\")"
    analyzer = attached(tmp_path, one(tmp_path, said, level="ADVISORY"))
    (violation,) = world.preview(program, analyzer=analyzer).result.policy
    assert violation.message == "Things are as they should be\n[secret] '[secret]' [secret]"
    raising = attached(tmp_path, one(tmp_path, "raise ValueError(args.props['inner']['more'][0])"))
    assert world.preview(program, analyzer=raising).messages().endswith("ValueError: [secret]")


def test_a_policy_that_raises_is_one_error_that_names_it(world: World, tmp_path: Path) -> None:
    analyzer = attached(tmp_path, one(tmp_path, "args.props['nowhere']"))
    for operation in (world.preview, world.up):
        outcome = operation(lambda: Thing("a"), analyzer=analyzer)
        assert outcome.result.result == "failed"
        assert outcome.messages() == f"policy one of small failed on a ({THING}): __main__.py:8: KeyError: 'nowhere'"
    assert world.cloud.names() == []


def test_policies_may_wait_and_may_not_apply(world: World, tmp_path: Path) -> None:
    pack = write(
        tmp_path,
        """
        import asyncio
        from pulumi_policy import *

        async def waits(args, report):
            await asyncio.sleep(0)
            report(f"waited for {args.name}")

        def not_here(args, report):
            args.not_applicable("not here")

        async def not_there(args, report):
            await asyncio.sleep(0)
            args.not_applicable()

        class Whole(StackValidationPolicy):
            async def validate(self, args, report):
                report(f"{len(args.resources)}")

        PolicyPack("small", [
            ResourceValidationPolicy("waits", "Waits", waits),
            ResourceValidationPolicy("not-here", "Not here", [not_here, not_there]),
            ResourceValidationPolicy("not-there", "Not there", not_there),
            Whole("whole", "Whole"),
        ])
        """,
    )
    outcome = world.preview(lambda: Thing("a"), analyzer=attached(tmp_path, pack))
    messages = sorted(violation.message for violation in outcome.result.policy)
    names = ("a", "default_1_2_3", "shop-dev")
    assert messages == [*(f"Waits\nwaited for {name}" for name in names), "Whole\n3"]


def test_what_is_as_it_was_is_judged_too(world: World, tmp_path: Path) -> None:
    world.up_well(big_and_small)
    with pytest.raises(Refused, match="1 violation"):
        world.up(big_and_small, analyzer=attached(tmp_path, one(tmp_path, TOO_BIG)))
    assert world.names() == ["big", "small"]


def test_the_intent_that_gates_see_comes_after_the_policies(world: World, tmp_path: Path) -> None:
    asked: list[Any] = []
    with pytest.raises(Refused, match="mandatory"):
        world.up(big_and_small, analyzer=attached(tmp_path, one(tmp_path, TOO_BIG)), gates=[asked.append])
    assert asked == []
    world.up_well(lambda: Thing("small", size=1), analyzer=attached(tmp_path, one(tmp_path, TOO_BIG)), gates=[asked.append])
    assert [step.name for step in asked[0].steps if step.op is Op.CREATE and not step.component] == ["small"]
