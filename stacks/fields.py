"""The kinds of field that the areas are made of: text of a form, sizes that AWS has, addresses, principals, windows of time.

Each refuses what does not fit with two halves of a sentence: what is wrong, and how to mend it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from stacks.offers import LOG_DAYS, names, unknown_size
from stacks.units import Duration, Size, Unit


def wrong(what: str, mend: str) -> PydanticCustomError:
    """What a validator of a single field raises."""
    return PydanticCustomError("parameter", "{what}; {mend}", {"what": what, "mend": mend})


@dataclass(frozen=True)
class Check:
    """A validator of a field, and what it tells editors by the JSON schema."""

    check: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **self.schema}


def matching(pattern: str, kind: str, example: str) -> Check:
    """Refuses text that the whole of the pattern does not match."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise wrong(f"{text!r} is no {kind}", f"write it as in {example}")
        return text

    return Check(check, {"pattern": f"^({pattern})$"})


def offered(prefix: str, sizes: Mapping[str, str], kind: str) -> Check:
    """Refuses the name of a size that AWS does not have."""

    def check(name: str) -> str:
        if mend := unknown_size(name, prefix, sizes):
            raise wrong(f"{name!r} is not {kind}", mend)
        return name

    return Check(check, {"enum": list(names(prefix, sizes))})


def refusing(condition: Callable[[Any], object], what: str, mend: str) -> Check:
    """Refuses a value for which the condition holds."""

    def check(value: Any) -> Any:
        if condition(value):
            raise wrong(f"{value!r} {what}", mend)
        return value

    return Check(check)


def _network(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError:
        try:
            mend = f"the network is {IPv4Network(text, strict=False)}"
        except ValueError:
            mend = "write a network such as 10.0.0.0/16, or 203.0.113.7/32 for one address"
        raise wrong(f"{text!r} is no CIDR block", mend) from None
    return text


def repeated(values: tuple[str, ...]) -> str:
    """The values that stand there more than once."""
    return ", ".join(value for value, count in Counter(values).items() if count > 1)


Cidr = Annotated[str, Check(_network)]
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
Host = Annotated[str, matching(rf"({_LABEL}\.)+[a-z][a-z0-9-]*[a-z0-9]", "host name", "api.shop.example")]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[int, Field(ge=1, le=100)]
Account = Annotated[str, matching("[0-9]{12}", "account id", '"123456789012", twelve digits in quotes')]
Image = Annotated[
    str,
    refusing(lambda image: "@" not in image, "names no digest, and a tag may move", "write NAME@sha256:DIGEST"),
    matching(r"[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}", "image with a digest", "NAME@sha256: and 64 hexadecimal digits"),
]
LogDays = Annotated[Duration, Unit("days", "d", "1d", "3653d", choices=LOG_DAYS)]
Days = Annotated[Duration, Unit("days", "d", "1d", "3650d")]
StorageSize = Annotated[Size, Unit("gb", "GiB", "20GiB", "64TiB")]
Principal = Annotated[
    str,
    refusing(lambda arn: "*" in arn or "?" in arn, "has a wildcard", "name each principal in full"),
    refusing(lambda arn: arn.endswith(":root"), "is a whole account", "name the role or user"),
    matching(r"arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+", "ARN of a role or user",
             "arn:aws:iam::123456789012:role/team"),
]  # fmt: skip
Subject = Annotated[
    str,
    refusing(lambda subject: "*" in subject or "?" in subject, "has a wildcard", "name each subject in full"),
    refusing(lambda subject: subject.endswith(":pull_request"), "lets anybody's pull request in", "name an environment"),
    matching(r"repo:[\w.-]+/[\w.-]+:(environment:[\w.-]+|ref:refs/(heads|tags)/[\w./-]+)", "subject claim",
             "repo:OWNER/NAME:environment:NAME"),
]  # fmt: skip
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = f"({'|'.join(_DAYS)})"
DayWindow = Annotated[str, matching(f"{_CLOCK}-{_CLOCK}", "window of a day", "02:00-03:00, in UTC")]
WeekWindow = Annotated[str, matching(f"{_DAY}:{_CLOCK}-{_DAY}:{_CLOCK}", "window of a week", "sun:03:30-sun:04:30, in UTC")]


def minute(text: str) -> int:
    """The minute of the day (``02:30``) or of the week (``sun:02:30``)."""
    *day, hours, minutes = text.split(":")
    return (_DAYS.index(day[0]) * 24 * 60 if day else 0) + int(hours) * 60 + int(minutes)
