"""A playground's name is one that every AWS service takes, and two names stay two."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isostack.errors import BadInput
from isostack.playground import names

HOSTILE = [
    "my shop",
    "feature/cart",
    "feature/../../etc",
    "Größe",
    "日本",
    "-x",
    "--yes",
    "; rm -rf /",
    "a--b",
    "trailing-",
    "9lives",
    "UPPER",
    "tab\tand\nline",
    "n" * 200,
    "\udcff",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_aws_would_not_take_is_made_into_what_it_does(name: str) -> None:
    cleaned = names.cleaned(name)
    assert cleaned != name
    assert names.cleaned(cleaned) == cleaned


def test_hostile_names_stay_apart() -> None:
    assert len({names.cleaned(name) for name in HOSTILE}) == len(HOSTILE)


@given(st.text(min_size=1).filter(str.strip))
def test_every_name_becomes_small_letters_digits_and_hyphens(name: str) -> None:
    cleaned = names.cleaned(name)
    assert 0 < len(cleaned) <= names.LONGEST
    assert cleaned[0].isalpha()
    assert cleaned[-1] != "-"
    assert "--" not in cleaned
    assert all(letter in "abcdefghijklmnopqrstuvwxyz0123456789-" for letter in cleaned)


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_two_names_are_two_playgrounds(one: str, other: str) -> None:
    assert (names.cleaned(one) == names.cleaned(other)) == (
        one == other or names.cleaned(one) == other or one == names.cleaned(other)
    )


@pytest.mark.parametrize("name", ["a", "ana", "ana-cart2", "a" * names.LONGEST])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert names.cleaned(name) == name


def test_umlauts_can_be_read() -> None:
    assert names.cleaned("Grüße").startswith("gruesse-")


@pytest.mark.parametrize("name", ["", "   ", "\n"])
def test_no_name_at_all_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="needs a name"):
        names.cleaned(name)


def test_the_default_follows_user_and_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ana")
    without = names.default(tmp_path)
    assert without == "ana"
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q", "-b", "feature/cart"], check=True)  # noqa: S603 - in a folder of the test's own
    on_branch = names.default(tmp_path)
    assert on_branch.startswith("ana-feature-cart-")
    subprocess.run([*git, "symbolic-ref", "HEAD", "refs/heads/feature/other"], check=True)  # noqa: S603 - as above
    assert len({without, on_branch, names.default(tmp_path)}) == 3
    monkeypatch.setenv("LOGNAME", "bob")
    assert names.default(tmp_path).startswith("bob-feature-other-")
