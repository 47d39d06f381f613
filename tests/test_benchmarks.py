"""``python -m benchmarks`` runs, says what it lacks, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.engines import BenchmarkFailed, Measured, measure
from benchmarks.report import Table, comparison_table
from benchmarks.schedule import SMALL, TITLES, Samples

ROOT = Path(__file__).parent.parent
MEGABYTE = 1_000_000


def path_without_pulumi() -> str:
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not shutil.which("pulumi", path=folder))


def test_without_the_cli_the_embedded_engine_is_measured_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--repeat", "1", "--markdown"],
        cwd=ROOT,
        env={**os.environ, "PATH": path_without_pulumi(), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "PULUMI IS NOT ON THE PATH" in done.stderr
    assert "PULUMI IS NOT ON THE PATH" in done.stdout
    rows = {line.split("|")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("|")}
    assert {*TITLES, "isostack --help, beyond bare Python"} <= rows.keys()
    assert list(tmp_path.iterdir()) == []
    left = [process for process in psutil.process_iter(["environ"]) if f"{tmp_path}{os.sep}" in str(process.info["environ"])]
    assert left == []


def test_a_command_that_fails_is_shown_with_what_it_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with pytest.raises(BenchmarkFailed, match=r"(?s)exit code 3.*the reason"):
        measure(command, tmp_path, os.environ, tmp_path / "log")


def test_the_peak_is_that_of_the_command(tmp_path: Path) -> None:
    size = 400 * MEGABYTE
    # From a process that is small itself, as the benchmark is: this one has run many other tests.
    measuring = f"""
import os, sys
from pathlib import Path
from benchmarks.engines import measure
command = [sys.executable, "-c", "bytearray(b'x') * {size}"]
print(measure(command, Path.cwd(), os.environ, Path("log")).peak)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", measuring], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert size < int(done.stdout) < size * 1.2


def test_a_row_compares_medians_and_tells_whether_the_aim_is_met() -> None:
    samples = Samples()
    for seconds in (1.0, 9.0, 2.0):
        samples.add("embedded", Measured(seconds, int(seconds) * MEGABYTE))
        samples.add("Pulumi CLI", Measured(seconds * 4, 0))
    table = comparison_table(SMALL, {"up": samples})
    assert table.rows == [["up", "2.00 s", "8.00 s", "0.25", "≤ 0.3, met", "9 MB"]]
    samples.add("embedded", Measured(9.0, 0))
    samples.add("embedded", Measured(9.0, 0))
    assert comparison_table(SMALL, {"up": samples}).rows[0][3:5] == ["1.12", "≤ 0.3, missed"]


def test_markdown_has_a_row_for_each_row() -> None:
    table = Table("title", ("what", "value"), [["a", "1"], ["b", "2"]])
    assert table.markdown().splitlines() == ["| what | value |", "| --- | ---: |", "| a | 1 |", "| b | 2 |"]
