"""IAM's wildcards: what a pattern of actions or ARNs matches, and how much of it is named at all. Pure."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str, one: str, flags: int) -> re.Pattern[str]:
    spelled = "".join(".*" if char == "*" else one if char == "?" else re.escape(char) for char in pattern)
    return re.compile(spelled, re.DOTALL | flags)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern of IAM's (``*`` any text, ``?`` one character) matches a text. Case counts."""
    return _compiled(pattern, ".", 0).fullmatch(text) is not None


def matches_action(pattern: str, action: str) -> bool:
    """The same for actions, whose case does not count."""
    return _compiled(pattern, ".", re.IGNORECASE).fullmatch(action) is not None


def covers(pattern: str, other: str) -> bool:
    """Whether a pattern matches all that another pattern matches; false in doubt."""
    return _compiled(pattern, "[^*]", 0).fullmatch(other) is not None


def all_wild(text: str) -> bool:
    """Whether nothing of a pattern is spelled out, and it matches texts of any length."""
    return "*" in text and not text.strip("*?")


# Names that nobody gives: what a pattern matches of these, it does not name. Wildcards of IAM's go across colons and slashes.
_NOBODYS = "zz8zz8zz8"
_NOBODYS_ACTION = f"{_NOBODYS}:{_NOBODYS}"
_NOBODYS_ARNS = (f"arn:aws:{_NOBODYS}:::{_NOBODYS}", f"arn:aws:{_NOBODYS}:::{_NOBODYS}/{_NOBODYS}")
_NOBODYS_OF_KINDS = tuple(
    f"arn:aws:{start}{_NOBODYS}"
    for start in (
        *(
            "dynamodb:::table/",
            "ec2:::instance/",
            "ecr:::repository/",
            "iam:::group/",
            "iam:::policy/",
            "iam:::role/",
            "iam:::user/",
        ),
        *("kinesis:::stream/", "kms:::alias/", "kms:::key/", "lambda:::function:", "logs:::log-group:", "rds-db:::dbuser:"),
        *("rds:::db:", "rds:::snapshot:", "s3:::", f"s3:::{_NOBODYS}/", "secretsmanager:::secret:", "sns:::", "sqs:::"),
        "ssm:::parameter/",
    )
)


def every_action(pattern: str) -> bool:
    """Whether a pattern matches every action: ``*``, ``*:*`` and the like."""
    return matches_action(pattern, _NOBODYS_ACTION)


@lru_cache(maxsize=4096)
def every_resource(pattern: str) -> bool:
    """Whether a pattern matches the resources of every service: ``*``, ``arn:aws:*:*:*:*`` and the like."""
    return all(matches(_anywhere(pattern), arn) for arn in _NOBODYS_ARNS)


@lru_cache(maxsize=4096)
def every_of_kind(pattern: str) -> bool:
    """Whether a pattern names no resource but all of a kind: ``*``, ``arn:aws:iam::1:role/*``, ``arn:aws:s3:::*``."""
    anywhere = _anywhere(pattern)
    if every_resource(pattern) or any(matches(anywhere, arn) for arn in _NOBODYS_OF_KINDS):
        return True
    *start, rest = anywhere.split(":", 5)
    names_first = len(start) == 5 and start[2] == "s3"  # a bucket's name, where others have what kind of thing it is
    return not names_first and re.fullmatch(r"(?:[A-Za-z0-9*?-]+[/:])?[*?/:]*\*[*?/:]*", rest) is not None


def _anywhere(pattern: str) -> str:
    """A pattern of ARNs without partition, region and account: all of a region are no fewer for it."""
    segments = pattern.split(":", 5)
    if len(segments) == 6 and segments[0] == "arn":
        segments[1] = segments[3] = segments[4] = "*"
    return ":".join(segments)
