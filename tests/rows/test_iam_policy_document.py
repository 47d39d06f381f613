"""``aws.iam.get_policy_document`` through the provider's ``invoke``, against what Terraform prints."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from isostack.engine.provider import ProviderError
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider


def _document(**arguments: Any) -> dict[str, Any]:
    """The function's result. It makes no call, so there is nothing behind this endpoint."""
    provider = LocalCloudProvider(Cloud("http://127.0.0.1:9"), {})
    return provider.invoke("aws:iam/getPolicyDocument:getPolicyDocument", arguments)


def _statements(**arguments: Any) -> list[dict[str, Any]]:
    return list(json.loads(_document(**arguments)["json"]).get("Statement", []))


def _text(*statements: dict[str, Any], **rest: Any) -> str:
    return json.dumps({"Statement": list(statements), **rest})


def test_a_document_is_indented_by_two_with_keys_in_the_order_of_the_policy_language() -> None:
    result = _document(
        policyId="mine",
        statements=[
            {
                "resources": ["arn:aws:s3:::b"],
                "actions": ["s3:GetObject"],
                "sid": "Read",
                "conditions": [{"test": "Bool", "variable": "aws:SecureTransport", "values": ["true"]}],
                "principals": [{"type": "Service", "identifiers": ["ec2.amazonaws.com"]}],
            }
        ],
    )
    assert result["json"] == (
        "{\n"
        '  "Version": "2012-10-17",\n'
        '  "Id": "mine",\n'
        '  "Statement": [\n'
        "    {\n"
        '      "Sid": "Read",\n'
        '      "Effect": "Allow",\n'
        '      "Action": "s3:GetObject",\n'
        '      "Resource": "arn:aws:s3:::b",\n'
        '      "Principal": {\n'
        '        "Service": "ec2.amazonaws.com"\n'
        "      },\n"
        '      "Condition": {\n'
        '        "Bool": {\n'
        '          "aws:SecureTransport": "true"\n'
        "        }\n"
        "      }\n"
        "    }\n"
        "  ]\n"
        "}"
    )
    assert json.loads(result["minifiedJson"]) == json.loads(result["json"])
    assert " " not in result["minifiedJson"] and "\n" not in result["minifiedJson"]
    assert result["id"] == str(zlib.crc32(result["json"].encode()))


def test_several_values_of_a_set_are_listed_backwards_and_once() -> None:
    (statement,) = _statements(
        statements=[
            {
                "actions": ["s3:Get*", "s3:List*", "ec2:*", "s3:Get*"],
                "notResources": ["a", "b"],
                "notPrincipals": [{"type": "AWS", "identifiers": ["1", "2"]}],
            }
        ]
    )
    assert statement["Action"] == ["s3:List*", "s3:Get*", "ec2:*"]
    assert statement["NotResource"] == ["b", "a"]
    assert statement["NotPrincipal"] == {"AWS": ["2", "1"]}
    assert list(statement) == ["Effect", "Action", "NotResource", "NotPrincipal"]


def test_condition_values_keep_their_order_and_the_same_variable_gathers_them() -> None:
    (statement,) = _statements(
        statements=[
            {
                "actions": ["*"],
                "conditions": [
                    {"test": "StringLike", "variable": "z", "values": ["b", "a"]},
                    {"test": "StringLike", "variable": "y", "values": ["c"]},
                    {"test": "ArnLike", "variable": "x", "values": ["one"]},
                    {"test": "ArnLike", "variable": "x", "values": ["two"]},
                ],
            }
        ]
    )
    assert statement["Condition"] == {"ArnLike": {"x": ["one", "two"]}, "StringLike": {"y": "c", "z": ["b", "a"]}}
    assert [list(variables) for variables in statement["Condition"].values()] == [["x"], ["y", "z"]]


@pytest.mark.parametrize(
    ("principals", "written"),
    [
        ([{"type": "*", "identifiers": ["*"]}], "*"),
        ([{"type": "AWS", "identifiers": ["*"]}], {"AWS": "*"}),
        (
            [{"type": "Service", "identifiers": ["b"]}, {"type": "AWS", "identifiers": ["x", "y"]}],
            {"AWS": ["y", "x"], "Service": "b"},
        ),
        ([{"type": "AWS", "identifiers": ["a"]}, {"type": "AWS", "identifiers": ["b"]}], {"AWS": ["a", "b"]}),
    ],
)
def test_principals_are_written_by_type_and_everybody_as_a_star(principals: Any, written: Any) -> None:
    (statement,) = _statements(statements=[{"actions": ["*"], "principals": principals}])
    assert statement["Principal"] == written


def test_a_policy_variable_is_written_with_a_dollar_except_in_actions() -> None:
    result = _document(
        statements=[
            {
                "actions": ["s3:&{x}"],
                "resources": ["arn:aws:s3:::home/&{aws:username}/*"],
                "conditions": [{"test": "StringEquals", "variable": "v", "values": ["&{aws:userid}"]}],
            }
        ]
    )
    (statement,) = json.loads(result["json"])["Statement"]
    assert statement["Resource"] == "arn:aws:s3:::home/${aws:username}/*"
    assert statement["Condition"]["StringEquals"]["v"] == "${aws:userid}"
    assert '"s3:\\u0026{x}"' in result["json"]


def test_a_policy_variable_is_refused_in_the_old_version() -> None:
    with pytest.raises(ProviderError, match="2008-10-17"):
        _document(version="2008-10-17", statements=[{"actions": ["*"], "resources": ["&{aws:username}"]}])


def test_angle_brackets_are_escaped_and_other_letters_are_not() -> None:
    text = _document(statements=[{"actions": ["<é>"]}])["json"]
    assert "\\u003cé\\u003e" in text


def test_own_statements_follow_the_sources_and_replace_those_of_the_same_sid() -> None:
    source = _text(
        {"Sid": "A", "Effect": "Allow", "Action": "a:*", "Resource": "*"},
        {"Effect": "Allow", "Action": ["b:*"], "Resource": ["z", "y"]},
        Version="2008-10-17",
        Id="source",
    )
    result = _document(
        sourcePolicyDocuments=[source],
        statements=[{"sid": "A", "effect": "Deny", "actions": ["a:*"], "resources": ["*"]}, {"actions": ["c:*"]}],
    )
    document = json.loads(result["json"])
    assert document["Version"] == "2012-10-17"
    assert document["Id"] == "source"
    assert [s["Effect"] for s in document["Statement"]] == ["Deny", "Allow", "Allow"]
    assert document["Statement"][1] == {"Effect": "Allow", "Action": ["b:*"], "Resource": ["z", "y"]}


def test_overrides_come_last_in_their_order() -> None:
    first = _text({"Sid": "A", "Effect": "Deny", "Action": "1"}, {"Sid": "B", "Effect": "Deny", "Action": "1"}, Id="over")
    second = _text({"Sid": "B", "Effect": "Allow", "Action": "2"})
    result = _document(policyId="own", overridePolicyDocuments=[first, second], statements=[{"sid": "A", "actions": ["0"]}])
    document = json.loads(result["json"])
    assert document["Id"] == "over"
    assert [(s["Sid"], s["Action"]) for s in document["Statement"]] == [("A", "1"), ("B", "2")]


def test_what_another_document_says_of_principals_and_conditions_is_kept() -> None:
    source = _text(
        {
            "Effect": "Deny",
            "Action": "*",
            "Principal": {"AWS": ["a", "b"], "Service": "s"},
            "Condition": {"Bool": {"flag": False}, "StringLike": {"v": ["b", "a"]}},
        },
        {"Effect": "Deny", "Action": "*", "NotPrincipal": "*"},
    )
    first, second = _statements(sourcePolicyDocuments=[source])
    assert first["Principal"] == {"AWS": ["b", "a"], "Service": "s"}
    assert first["Condition"] == {"Bool": {"flag": "false"}, "StringLike": {"v": ["b", "a"]}}
    assert second["NotPrincipal"] == "*"


@pytest.mark.parametrize(
    "arguments",
    [
        {"statements": [{"sid": "A", "actions": ["*"]}, {"sid": "A", "actions": ["*"]}]},
        {"statements": [{"sid": "not allowed", "actions": ["*"]}]},
        {"statements": [{"effect": "allow", "actions": ["*"]}]},
        {"version": "2020-01-01"},
        {"sourcePolicyDocuments": ["no json"]},
        {"sourcePolicyDocuments": [json.dumps({"Statement": {"Effect": "Allow"}})]},
        {"sourcePolicyDocuments": [_text({"Sid": "A"}), _text({"Sid": "A"})]},
        {"sourceJson": "{}"},
    ],
)
def test_what_terraform_refuses_is_refused_by_name(arguments: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match=r"^getPolicyDocument: "):
        _document(**arguments)


def test_a_document_without_statements_has_a_version_only() -> None:
    assert _document()["minifiedJson"] == '{"Version":"2012-10-17"}'
