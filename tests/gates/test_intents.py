"""The normal form of what a run is about to do, and its digest: the same for the same change, another for any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from isostack.engine.run import Intent
from isostack.intents import digest, digest_of, normalised
from tests.engine.harness import Program, Thing, World, options


def one() -> None:
    a = Thing("a", size=1)
    Thing("b", options(depends_on=[a]), password=pulumi.Output.secret("hunter2"), arn_of_a=a.arn)


def two() -> None:
    a = Thing("a", size=2)
    Thing("b", options(depends_on=[a]), password=pulumi.Output.secret("hunter2"), arn_of_a=a.arn)


def other_secret() -> None:
    a = Thing("a", size=1)
    Thing("b", options(depends_on=[a]), password=pulumi.Output.secret("hunter3"), arn_of_a=a.arn)


def previewed(world: World, program: Program) -> Intent:
    seen: list[Intent] = []
    world.preview(program, gates=[seen.append])
    return seen[0]


@pytest.fixture
def elsewhere(tmp_path: Path) -> World:
    """The same project in another folder of another person, who has the same passphrase."""
    return World(tmp_path / "elsewhere")


def test_a_preview_and_the_up_that_it_foretells_have_one_digest(world: World) -> None:
    foretold = digest(previewed(world, one))
    seen: list[str] = []
    world.up_well(one, gates=[lambda intent: seen.append(digest(intent))])
    assert seen == [foretold]
    assert digest(previewed(world, one)) != foretold  # now there is nothing to do


def test_the_digest_does_not_depend_on_the_machine(world: World, elsewhere: World) -> None:
    assert digest(previewed(world, one)) == digest(previewed(elsewhere, one))
    world.up_well(one)
    elsewhere.up_well(one)
    assert digest(previewed(world, two)) == digest(previewed(elsewhere, two))


def test_any_other_change_has_another_digest(world: World) -> None:
    world.up_well(one)
    programs: list[Program] = [one, two, other_secret, lambda: None]
    assert len({digest(previewed(world, program)) for program in programs}) == len(programs)


def test_where_a_resource_is_and_what_becomes_of_it_are_part_of_the_change(world: World) -> None:
    """The provider is the account; one that is kept or taken over is another thing than one that is made or deleted."""

    def by(name: str, **fields: Any) -> Program:
        def program() -> None:
            providers = {one: pulumi.ProviderResource("aws", one, {}, options()) for one in ("here", "there")}
            Thing("a", options(provider=providers[name], **fields), size=1)

        return program

    world.up_well(by("here"))
    programs = [by("here"), by("there"), by("here", retain_on_delete=True)]
    assert len({digest(previewed(world, program)) for program in programs}) == len(programs)


def test_a_change_of_what_stays_as_it_is_has_another_digest_too(world: World) -> None:
    def after(size: int) -> Any:
        return lambda: (Thing("a", size=size), Thing("b", size=9))

    world.up_well(lambda: Thing("a", size=1))
    first = normalised(previewed(world, after(1)))
    world.up_well(lambda: Thing("a", size=2))
    second = normalised(previewed(world, after(2)))
    assert first["steps"] == second["steps"]
    assert digest_of(first) != digest_of(second)


def test_secrets_are_fingerprints_that_the_passphrase_keys_and_unknown_values_are_marked(
    world: World, elsewhere: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = normalised(previewed(world, one))
    (b,) = (step for step in document["steps"] if step["urn"].endswith("::b"))
    assert b["after"]["inputs"]["arn_of_a"] == {"isostack:unknown": True}
    assert len(b["after"]["inputs"]["password"]["isostack:secret"]) == 64
    assert "hunter2" not in json.dumps(document)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another one")
    assert digest(previewed(elsewhere, one)) != digest_of(document)


def test_a_document_that_was_written_down_keeps_its_digest(world: World) -> None:
    intent = previewed(world, one)
    assert digest_of(json.loads(json.dumps(normalised(intent), indent=2))) == digest(intent)
