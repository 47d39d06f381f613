"""Assets and archives: what they hold, and the hash that tells whether they have changed."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from isostack.engine.provider import ProviderError
from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY, UNKNOWN
from isostack.localcloud.assets import content, hashed


def asset(**fields: Any) -> dict[str, Any]:
    return {SIGNATURE_KEY: ASSET_SIGNATURE, **fields}


def archive(**fields: Any) -> dict[str, Any]:
    return {SIGNATURE_KEY: ARCHIVE_SIGNATURE, **fields}


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_hashes_are_those_of_pulumis_engine() -> None:
    text = asset(text="a test asset")
    # From the tests of Pulumi's own SDK (sdk/go/common/resource/asset_test.go).
    assert hashed(text)["hash"] == "e34c74529110661faae4e121e57165ff4cb4dbdde1ef9770098aa3695e6b6704"
    whole = hashed(archive(assets={"foo": text}))
    assert whole["hash"] == "27ab4a14a617df10cff3e1cf4e30cf510302afe56bf4cc91f84041c9f7b62fd8"
    assert whole["assets"]["foo"] == hashed(text)


def test_a_changed_file_changes_the_hash_of_the_folder_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("one")
    before = hashed(archive(path=str(tmp_path)))
    assert hashed(archive(path=str(tmp_path))) == before
    (tmp_path / "deep" / "file").write_text("two")
    assert hashed(archive(path=str(tmp_path)))["hash"] != before["hash"]


def test_an_archive_is_zipped_the_same_way_each_time(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("2")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c").write_text("1")
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi" / "hidden").write_text("")
    given = archive(assets={"app": archive(path=str(tmp_path)), "note.txt": asset(text="n"), "app/b": asset(text="late")})
    zipped = content(given)
    assert zipped == content(given)
    assert unzipped(zipped) == {"app/a/c": b"1", "app/b": b"2", "note.txt": b"n"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_a_tar_file_becomes_a_zip_file(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("x")
    source = tmp_path / f"source{suffix}"
    with tarfile.open(source, "w" if suffix == ".tar" else "w:gz") as file:
        file.add(tmp_path / "file", "inner/file")
    assert unzipped(content(archive(path=str(source)))) == {"inner/file": b"x"}


def test_a_zip_file_is_taken_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "source.zip"
    with zipfile.ZipFile(source, "w") as file:
        file.writestr("inner", "x")
    assert content(archive(path=str(source))) == source.read_bytes()


def test_long_names_are_hashed_as_a_readable_tar_has_them() -> None:
    from isostack.localcloud.assets import _tar

    name = "/".join(["folder" * 6] * 5)
    with tarfile.open(fileobj=io.BytesIO(_tar(archive(assets={name: asset(text="x")})))) as file:
        assert [member.name for member in file] == [name]


def test_what_is_not_known_yet_has_no_hash() -> None:
    unknown = archive(assets={"a": asset(text=UNKNOWN)})
    assert hashed(unknown) is unknown


@pytest.mark.parametrize("value", [asset(uri="https://example.com/a"), archive(uri="https://example.com/a.zip")])
def test_nothing_is_fetched(value: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match=r"https://example\.com/a.*fetches nothing"):
        hashed(value)
    with pytest.raises(ProviderError, match="fetches nothing"):
        content(value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no-such-file"):
        hashed(asset(path=str(tmp_path / "no-such-file")))
    with pytest.raises(ProviderError, match="neither a directory"):
        hashed(archive(path=str(tmp_path / "no-such-folder")))
