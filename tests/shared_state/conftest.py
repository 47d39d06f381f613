"""Two runs of one stack in a bucket, one of which is overtaken at a moment of the test's choice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isostack.engine import secrets as secrets_module
from isostack.engine.store import Store
from isostack.shared_state.bucket import Bucket
from isostack.shared_state.objects import Found, Objects
from tests.shared_state.memory import MemoryBucket

CALLS = ("get_object", "put_object", "delete_objects", "get_paginator")


class Watched:
    """boto3's client, which calls somebody before and after each request, by its number from 1."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.count = 0
        self.before: Callable[[int, str], None] = lambda number, name: None
        self.after: Callable[[int, str], None] = lambda number, name: None
        self.between: Callable[[], None] = lambda: None
        self.twice = 0
        """The number of a write that is done twice, as when its first answer was lost; ``between`` is called then."""

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in CALLS:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            number = self.count
            self.before(number, name)
            if number == self.twice and name == "put_object":
                real(*arguments, **named)
                self.between()
            answer = real(*arguments, **named)
            self.after(number, name)
            return answer

        return call


class Later(Objects):
    """The bucket an hour later: whoever gave no sign of life since then is taken for dead."""

    def get(self, key: str, version: str = "") -> Found | None:
        found = super().get(key, version)
        return found and replace(found, age=found.age + 3600)


class Bench:
    """A bucket in memory, and stores on it."""

    address = "s3://state/team"

    def __init__(self, home: Path) -> None:
        self.home = home
        self.s3 = MemoryBucket()

    def store(self, kind: type[Objects] = Objects, client: Any = None) -> Store:
        return Store(self.home, backend=Bucket(kind(lambda: client or self.s3, self.address)))

    def anew(self) -> None:
        """Empty it."""
        self.s3 = MemoryBucket()

    def keys(self, part: str) -> list[str]:
        """The keys of the stack that have this part in them."""
        found = self.s3.list_objects_v2(Bucket="state", Prefix="team/stacks/shop/dev/")
        return [item["Key"] for item in found["Contents"] if part in item["Key"]]

    def named(self) -> list[str]:
        """The keys of the states that the head names."""
        head = json.loads(self.s3.get_object("state", self.keys("head.json")[0])["Body"].read())
        return [f"team/{one['key']}" for one in (head["state"], *head["history"])]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(secrets_module, "ROUNDS", 3)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    return Bench(tmp_path / "home")
