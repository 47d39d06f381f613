"""botocore's data files, as botocore itself would give them but for the documentation."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import botocore
import pytest

from isostack.localcloud import service_models
from isostack.localcloud.service_models import DataFiles, Models

S3 = str(Path(botocore.__file__).parent / "data/s3/2006-03-01/service-2")


@pytest.fixture(autouse=True)
def _kept_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_models, "_kept", lambda path: tmp_path / f"{Path(path).name}.json")
    monkeypatch.setattr("sys.dont_write_bytecode", False)


def by_botocore(path: str) -> Any:
    with gzip.open(f"{path}.json.gz", "rb") as file:
        return json.load(file)


def test_a_model_is_the_same_without_documentation_and_the_same_again_from_what_was_kept(tmp_path: Path) -> None:
    first = DataFiles().load_file(S3)
    assert (tmp_path / "service-2.json").exists()
    again = DataFiles().load_file(S3)
    whole = by_botocore(S3)
    assert first == again
    assert {**first, "operations": 0, "shapes": 0} == {**whole, "operations": 0, "shapes": 0}
    assert first["operations"].keys() == whole["operations"].keys()
    bucket = dict(whole["shapes"]["CreateBucketRequest"])
    assert bucket.pop("documentation", "") == ""
    assert first["shapes"]["CreateBucketRequest"]["members"].keys() == bucket["members"].keys()
    assert "documentation" in first["clientContextParams"]["ForcePathStyle"]  # botocore reads it


@pytest.mark.parametrize("damage", ["", "{", "[1"])
def test_what_was_kept_and_cannot_be_read_is_made_anew(tmp_path: Path, damage: str) -> None:
    first = DataFiles().load_file(S3)
    (tmp_path / "service-2.json").write_text(damage)
    assert DataFiles().load_file(S3) == first
    assert json.loads((tmp_path / "service-2.json").read_text()) == first


def test_what_an_older_isostack_kept_is_made_anew(tmp_path: Path) -> None:
    first = DataFiles().load_file(S3)
    (tmp_path / "service-2.json").write_text("{}")
    os.utime(tmp_path / "service-2.json", (0, 0))
    assert DataFiles().load_file(S3) == first


def test_nothing_is_kept_where_python_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert DataFiles().load_file(S3)["metadata"]["serviceId"] == "S3"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_none_and_every_service_is_named() -> None:
    assert DataFiles().load_file(f"{S3}-nothing") is None
    assert {"s3", "ec2", "sqs"} <= set(Models().list_available_services("service-2"))
