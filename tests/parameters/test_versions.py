"""Versions in a folder: their order, new ones, and the lock that keeps published ones as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.documents import ParameterError
from stacks.versions import LOCK, EditedVersion, Versions, order

IN_ORDER = ["0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
            "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0"]  # fmt: skip


def folder_with(folder: Path, *versions: str) -> Versions:
    for version in versions:
        (folder / f"{version}.yaml").write_text(f"content: of {version}\n")
    return Versions(folder)


@given(st.permutations(IN_ORDER))
def test_versions_sort_as_semantic_versions_do(shuffled: list[str]) -> None:
    assert sorted(shuffled, key=order) == IN_ORDER


@pytest.mark.parametrize("name", ["1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "latest", "", "1.0.0+build", "../1.0.0"])
def test_what_is_no_version_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="is no version; write three numbers"):
        order(name)


def test_a_new_version_is_a_copy_of_the_newest(tmp_path: Path) -> None:
    versions = folder_with(tmp_path, "1.9.0", "1.10.0")
    assert versions.new("1.11.0").read_text() == "content: of 1.10.0\n"
    assert versions.new("2.0.0", "1.9.0").read_text() == "content: of 1.9.0\n"
    assert versions.all() == ["1.9.0", "1.10.0", "1.11.0", "2.0.0"]
    assert versions.published() == {}


@pytest.mark.parametrize(
    ("version", "source", "said"),
    [
        ("1.1.0", None, "version 1.1.0 exists already; choose a newer one, such as 1.2.0"),
        ("1.0.5", None, "version 1.0.5 is older than the newest, 1.1.0; choose a newer one, such as 1.2.0"),
        ("1.1.0-rc.1", None, "is older than the newest"),
        ("next", None, "'next' is no version"),
        ("1.2.0", "1.0.7", "no parameter set '1.0.7'"),
        ("1.2.0", "../1.0.0", "no parameter set '../1.0.0'"),
    ],
)
def test_a_version_that_cannot_be_made_is_refused_and_leaves_nothing(
    tmp_path: Path, version: str, source: str | None, said: str
) -> None:
    versions = folder_with(tmp_path, "1.0.0", "1.1.0")
    with pytest.raises(ParameterError) as caught:
        versions.new(version, source)
    assert said in str(caught.value)
    assert versions.all() == ["1.0.0", "1.1.0"]


def test_a_folder_without_versions_has_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no parameter set to copy"):
        Versions(tmp_path).new("1.0.0")


def test_publishing_locks_the_content_and_keeps_the_lock_in_order(tmp_path: Path) -> None:
    versions = folder_with(tmp_path, "1.2.0", "1.10.0")
    digests = {version: versions.publish(version) for version in ("1.10.0", "1.2.0")}
    assert list(versions.published().items()) == [("1.2.0", digests["1.2.0"]), ("1.10.0", digests["1.10.0"])]
    before = (tmp_path / LOCK).read_text()
    assert versions.publish("1.2.0") == digests["1.2.0"]
    assert (tmp_path / LOCK).read_text() == before


def test_an_edited_version_is_refused_by_everything_that_reads_it(tmp_path: Path) -> None:
    versions = folder_with(tmp_path, "1.0.0")
    versions.publish("1.0.0")
    (tmp_path / "1.0.0.yaml").write_text("content: another\n")
    for act in (versions.verify, versions.publish, lambda version: versions.new("1.1.0", version)):
        with pytest.raises(EditedVersion, match="has been changed since; put it back as it was") as caught:
            act("1.0.0")
        assert caught.value.exit_code == 3
    assert versions.all() == ["1.0.0"]


def test_a_published_version_that_is_gone_is_missed(tmp_path: Path) -> None:
    versions = folder_with(tmp_path, "1.0.0", "1.1.0")
    versions.publish("1.0.0")
    (tmp_path / "1.0.0.yaml").unlink()
    with pytest.raises(EditedVersion, match="its document is gone; put it back"):
        versions.verify("1.0.0")
    versions.verify("1.1.0")


@pytest.mark.parametrize("line", ["1.0.0", "1.0.0 abc", "1.0.0 " + "a" * 64 + " b", "1.1.0  " + "b" * 64])
def test_a_broken_lock_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    versions = folder_with(tmp_path, "1.1.0")
    versions.publish("1.1.0")
    with (tmp_path / LOCK).open("a") as file:
        file.write(f"# a remark\n{line}\n")
    with pytest.raises(ParameterError, match=r"digests\.lock:3: .*put the line back"):
        versions.published()
