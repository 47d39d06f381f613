"""Policy documents, read as IAM reads them: in every way of writing them, and against a naive evaluator of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import Document, Kind, Unreadable, documents, parsed, unreadable
from policies.patterns import covers, every_action, every_of_kind, every_resource, matches, matches_action
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.rule import Given
from tests.policies.judging import judge

# -- the naive evaluator: characters and loops, no regular expressions, nothing of the pack's -------------------------------


def naive_match(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive_match(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive_match(pattern[1:], text[1:])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def naive_may(document: dict[str, Any], action: str, resource: str) -> bool:
    """Deny wins, where it holds whatever the request; then Allow, where some request fulfils its condition."""
    allowed = False
    for statement in as_list(document["Statement"]):
        if "Action" in statement:
            about = any(naive_match(one.lower(), action.lower()) for one in as_list(statement["Action"]))
        else:
            about = not any(naive_match(one.lower(), action.lower()) for one in as_list(statement["NotAction"]))
        if "Resource" in statement:
            about = about and any(naive_match(one, resource) for one in as_list(statement["Resource"]))
        else:
            about = about and not any(naive_match(one, resource) for one in as_list(statement["NotResource"]))
        if not about:
            continue
        if statement["Effect"] == "Deny" and not statement.get("Condition"):
            return False
        allowed = allowed or statement["Effect"] == "Allow"
    return allowed


ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:GetBucketPolicy", "iam:PassRole", "iam:PutRolePolicy", "sqs:SendMessage"]
RESOURCES = [
    "arn:aws:s3:::shop-assets",
    "arn:aws:s3:::shop-assets/a/b",
    "arn:aws:iam::111111111111:role/shop-worker",
    "arn:aws:iam::111111111111:role/other",
    "arn:aws:sqs:eu-west-1:111111111111:shop-jobs",
]


@st.composite
def patterns(draw: st.DrawFn, texts: list[str]) -> str:
    """A text, with some of it in another case or replaced by wildcards."""
    text = draw(st.sampled_from([*texts, "*"]))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        text = text[:start] + draw(st.sampled_from(["*", "?", "**"])) + text[end:]
    return text


def one_or_many(items: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return items | st.lists(items, min_size=1, max_size=3)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    actions = patterns(ACTIONS).map(lambda text: text.upper() if len(text) % 5 == 0 else text)
    made = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(one_or_many(actions)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(one_or_many(patterns(RESOURCES))),
    }
    if draw(st.integers(0, 3)) == 0:
        made["Condition"] = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    return made


policies = st.fixed_dictionaries({"Statement": statements() | st.lists(statements(), min_size=1, max_size=4)})


@given(document=policies, action=st.sampled_from(ACTIONS), resource=st.sampled_from(RESOURCES), as_text=st.booleans())
def test_random_documents_say_what_a_naive_evaluator_says(
    document: dict[str, Any], action: str, resource: str, as_text: bool
) -> None:
    read = Document("policy", Kind.IDENTITY, parsed(json.dumps(document) if as_text else document))
    assert read.may(action, resource) is naive_may(document, action, resource)


@given(document=policies, action=st.sampled_from(ACTIONS))
def test_what_a_statement_grants_is_never_what_is_denied_everywhere(document: dict[str, Any], action: str) -> None:
    """``grants`` is about a statement's resources, whichever they are: it says no only where no resource is left."""
    read = Document("policy", Kind.IDENTITY, parsed(document))
    for statement in read.allowing:
        if not read.grants(statement, action):
            assert not any(
                naive_may(document, action, resource)
                for resource in RESOURCES
                if statement.names(action) and statement.names_resource(resource) and len(list(read.allowing)) == 1
            )


UNNAMED = {
    "s3:GetObject": ("arn:aws:s3:::zzzz8888/zz", "iam-no-data-exfiltration"),
    "iam:PutRolePolicy": ("arn:aws:iam::111111111111:role/zzzz8888", "iam-no-privilege-escalation"),
}


@given(document=policies, action=st.sampled_from(sorted(UNNAMED)))
def test_what_a_document_gives_of_things_that_it_does_not_name_is_reported(document: dict[str, Any], action: str) -> None:
    """By the rule on the action, unless one on whole documents says it already. Conditions here narrow nothing."""
    arn, rule = UNNAMED[action]
    given_ = Given(type="aws:iam/rolePolicy:RolePolicy", props={"policy": json.dumps(document)})
    reported = {one for one in ("iam-no-full-access", "iam-no-star-action", rule) if judge(one, given_).messages}
    assert reported or not naive_may(document, action, arn)


@given(pattern=patterns(RESOURCES), text=st.sampled_from(RESOURCES))
def test_a_pattern_matches_what_the_naive_matcher_matches(pattern: str, text: str) -> None:
    assert matches(pattern, text) is naive_match(pattern, text)
    assert matches_action(pattern.upper(), text) is naive_match(pattern.lower(), text.lower())


@given(wide=patterns(RESOURCES), narrow=patterns(RESOURCES), text=st.sampled_from(RESOURCES))
def test_a_pattern_that_covers_another_matches_all_that_it_matches(wide: str, narrow: str, text: str) -> None:
    if covers(wide, narrow) and naive_match(narrow, text):
        assert naive_match(wide, text)


@given(pattern=patterns(RESOURCES))
def test_a_pattern_of_every_resource_matches_every_one(pattern: str) -> None:
    if every_resource(pattern):
        assert all(naive_match(pattern, resource) for resource in RESOURCES)


@pytest.mark.parametrize("pattern", ["*", "**", "*?", "*:*", "*:**"])
def test_every_action_in_every_spelling(pattern: str) -> None:
    assert every_action(pattern)
    assert not every_action(f"s3{pattern}")


@pytest.mark.parametrize(
    ("pattern", "everything", "all_of_a_kind"),
    [
        ("*", True, True),
        ("arn:*", True, True),
        ("arn:aws:*", True, True),
        ("arn:aws:*:*:*:*", True, True),
        ("ar*", True, True),
        ("arn:aws*", True, True),
        ("arn:aws:*:eu-west-1:111111111111:*", True, True),
        ("arn:aws:s*", False, True),
        ("arn:aws:s3*", False, True),
        ("arn:aws:iam*role/*", False, True),
        ("arn:aws:iam::111111111111:role*", False, True),
        ("arn:aws:kms:eu-west-1:111111111111:k*", False, True),
        ("arn:aws:ecs:eu-west-1:111111111111:task/*", False, True),
        ("arn:aws:s3*shop", False, False),
        ("arn:aws:s3:::*", False, True),
        ("arn:aws:s3:::*/*", False, True),
        ("arn:aws:iam::*:role/*", False, True),
        ("arn:aws:iam::111111111111:*", False, True),
        ("arn:aws:logs:eu-west-1:111111111111:log-group:*", False, True),
        ("arn:aws:iam::111111111111:role/shop-*", False, False),
        ("arn:aws:iam::111111111111:role/aws-service-role/*", False, False),
        ("arn:aws:s3:::shop-assets/*", False, False),
        ("arn:aws:s3:::*-assets", False, False),
        ("arn:aws:sqs:eu-west-1:111111111111:jobs", False, False),
    ],
)
def test_how_much_a_resource_names(pattern: str, everything: bool, all_of_a_kind: bool) -> None:
    assert (every_resource(pattern), every_of_kind(pattern)) == (everything, all_of_a_kind)


# -- ways of writing them --------------------------------------------------------------------------------------------------

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop-assets/*"}


@pytest.mark.parametrize(
    "value",
    [
        {"Statement": STATEMENT},
        {"Statement": [STATEMENT]},
        json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]}),
        {"statement": [{"effect": "Allow", "action": ["s3:GetObject"], "resource": ["arn:aws:s3:::shop-assets/*"]}]},
    ],
)
def test_one_meaning_in_several_spellings(value: Any) -> None:
    (statement,) = parsed(value)
    assert statement.names("S3:getobject")
    assert statement.names_resource("arn:aws:s3:::shop-assets/cat.png")
    assert not statement.names_resource("arn:aws:s3:::shop-assets")


def test_conditions_and_principals_may_be_single_values_lists_and_json_booleans() -> None:
    (statement,) = parsed(
        {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": ["a", "b"], "Service": "c"},
                "Action": "sts:AssumeRole",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": True}, "NumericLessThan": {"aws:MultiFactorAuthAge": 3600}},
            }
        }
    )
    assert [(one.kind, one.value) for one in statement.principals] == [("AWS", "a"), ("AWS", "b"), ("Service", "c")]
    assert {(one.key, one.values) for one in statement.conditions} == {
        ("aws:multifactorauthpresent", ("true",)),
        ("aws:multifactorauthage", ("3600",)),
    }


@pytest.mark.parametrize(
    ("operator", "values", "demands"),
    [
        ("StringEquals", "o-1", True),
        ("StringLike", "o-*", True),
        ("ForAnyValue:StringLike", ["o-1"], True),
        ("ArnLike", "arn:aws:iam::1:role/x", True),
        ("Bool", "true", True),
        ("Bool", "false", False),
        ("StringLike", "*", False),
        ("StringEqualsIfExists", "o-1", False),
        ("BoolIfExists", "true", False),
        ("ForAllValues:StringEquals", ["o-1"], False),
        ("StringNotEquals", "o-1", False),
        ("IpAddress", "0.0.0.0/0", False),
        ("Null", "false", False),
    ],
)
def test_a_condition_counts_where_it_demands_a_value(operator: str, values: Any, demands: bool) -> None:
    (statement,) = parsed({"Statement": {**STATEMENT, "Condition": {operator: {"aws:PrincipalOrgID": values}}}})
    assert statement.held_by("aws:principalorgid") is demands


@pytest.mark.parametrize(
    "value",
    [
        "no JSON",
        "[]",
        "{}",
        {"Statement": ["x"]},
        {"Statement": {"Action": "*", "Resource": "*"}},
        {"Statement": {"Effect": "allow", "Action": "*"}},
        {"Statement": {"Effect": "Allow", "Resource": "*"}},
        {"Statement": {**STATEMENT, "NotAction": "s3:*"}},
        {"Statement": {**STATEMENT, "Action": {"a": 1}}},
        {"Statement": {**STATEMENT, "Principal": 5}},
        {"Statement": {**STATEMENT, "Condition": {"StringEquals": "x"}}},
    ],
)
def test_what_is_no_document_is_said_to_be_none(value: Any) -> None:
    with pytest.raises(Unreadable):
        parsed(value)
    policy = Resource(type="aws:iam/policy:Policy", name="p", urn="u", props={"policy": value})
    assert list(documents(policy, Kind.IDENTITY)) == []
    (mistake,) = unreadable(policy, Kind.IDENTITY)
    assert mistake.startswith("policy is no policy document: ")


@pytest.mark.parametrize(
    "value",
    [
        UNKNOWN,
        {"Statement": [UNKNOWN]},
        {"Statement": {**STATEMENT, "Effect": UNKNOWN}},
        {"Statement": {**STATEMENT, "Action": ["s3:GetObject", UNKNOWN]}},
        {"Statement": {**STATEMENT, "Resource": UNKNOWN}},
        {"Statement": {**STATEMENT, "Principal": UNKNOWN}},
        {"Statement": {**STATEMENT, "Principal": {"AWS": UNKNOWN}}},
        {"Statement": {**STATEMENT, "Condition": UNKNOWN}},
        {"Statement": {**STATEMENT, "Condition": {"StringEquals": UNKNOWN}}},
        {"Statement": {**STATEMENT, "Condition": {"StringEquals": {"aws:SourceArn": UNKNOWN}}}},
    ],
)
def test_an_unknown_part_leaves_a_document_undecided(value: Any) -> None:
    with pytest.raises(CannotTell):
        parsed(value)


def test_the_known_documents_of_a_resource_come_before_the_unknown_ones() -> None:
    inline = [{"name": "a", "policy": UNKNOWN}, {"name": "b", "policy": json.dumps({"Statement": STATEMENT})}]
    role = Resource(type="aws:iam/role:Role", name="r", urn="u", props={"inlinePolicies": inline})
    found = documents(role, Kind.IDENTITY)
    assert next(found).where == "inlinePolicies[1].policy"
    with pytest.raises(CannotTell, match=r"inlinePolicies\[0\].policy"):
        next(found)


def test_a_policy_with_the_name_of_a_boundary_gives_nothing() -> None:
    props = {"name": "shop-boundary", "policy": json.dumps({"Statement": STATEMENT})}
    boundary = Resource(type="aws:iam/policy:Policy", name="shop-boundary", urn="u", props=props)
    automatic = Resource(type="aws:iam/policy:Policy", name="shop-boundary", urn="u", props={"policy": props["policy"]})
    assert [one.kind for one in documents(boundary, Kind.BOUNDARY)] == [Kind.BOUNDARY]
    assert list(documents(boundary, Kind.IDENTITY)) == []
    assert [one.kind for one in documents(automatic, Kind.IDENTITY)] == [Kind.IDENTITY]
