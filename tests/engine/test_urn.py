"""URNs are made and taken apart as Pulumi does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isostack.engine import urn as urns
from isostack.errors import BadInput

part = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: "::" not in text and not text.endswith(":")
)
type_token = part.filter(lambda text: "$" not in text)


@given(stack=part, project=part, parents=st.lists(type_token, max_size=3), type_=type_token, name=st.text())
def test_what_is_made_is_parsed_back_into_the_same_parts(
    stack: str, project: str, parents: list[str], type_: str, name: str
) -> None:
    text = urns.make(stack, project, "$".join(parents), type_, name)

    parsed = urns.parse(text)

    assert (parsed.stack, parsed.project, parsed.type, parsed.name) == (stack, project, type_, name)
    assert parsed.qualified_type.split("$")[:-1] == parents
    assert str(parsed) == text


def test_a_child_carries_the_whole_chain_of_its_parents_types() -> None:
    outer = urns.make("dev", "shop", urns.ROOT_STACK_TYPE, "my:index:Outer", "o")
    inner = urns.make("dev", "shop", urns.qualified_type(outer), "my:index:Inner", "i")
    leaf = urns.make("dev", "shop", urns.qualified_type(inner), "aws:sqs/queue:Queue", "q")

    assert leaf == "urn:pulumi:dev::shop::my:index:Outer$my:index:Inner$aws:sqs/queue:Queue::q"
    assert urns.type_of(leaf) == "aws:sqs/queue:Queue"
    assert urns.name_of(leaf) == "q"


def test_the_root_stack_is_no_part_of_its_childrens_types() -> None:
    assert urns.make("dev", "shop", urns.ROOT_STACK_TYPE, "a:b:C", "x") == urns.make("dev", "shop", "", "a:b:C", "x")


def test_the_root_stack_itself_has_its_own_type() -> None:
    assert urns.make("dev", "shop", "", urns.ROOT_STACK_TYPE, "shop-dev") == (
        "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"
    )


@pytest.mark.parametrize("name", ["with space", "a::b", "::", "", ":a", "$x", "ünï/code\n"])
def test_a_name_may_contain_anything(name: str) -> None:
    assert urns.name_of(urns.make("dev", "shop", "", "a:b:C", name)) == name


@pytest.mark.parametrize("text", ["", "dev", "urn:aws:dev::shop::a:b:C::x", "urn:pulumi:dev::shop::a:b:C", "urn:pulumi:"])
def test_what_is_no_urn_is_refused_and_named(text: str) -> None:
    with pytest.raises(BadInput, match="is not a URN"):
        urns.parse(text)


@pytest.mark.parametrize(("stack", "project", "type_"), [("a::b", "p", "t:t:T"), ("s", "p:", "t:t:T"), ("s", "p", "aws::Thing")])
def test_a_part_that_could_not_be_told_from_the_next_is_refused(stack: str, project: str, type_: str) -> None:
    with pytest.raises(BadInput, match="cannot stand in a URN"):
        urns.make(stack, project, "", type_, "x")
