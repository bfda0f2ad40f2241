"""The programs that load hb run; what they measure is for a quiet machine and larger numbers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_loads_through_routes_run_and_tell_a_line_for_each_goal() -> None:
    small = ("--calls", "60", "--storm", "20", "--outage", "0.1", "--faults", "0.03")
    command = [sys.executable, "-m", "bench.load_routes", *small]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode in (0, 1), found.stderr) == (True, ""), found.stdout
    lines = found.stdout.splitlines()
    assert [line[7:9] for line in lines] == ["S5", "L7", "E2", "E2", "L5", "L5"], found.stdout
    assert "'FallbackExhausted (overloaded)': 20" in lines[0]
    assert all(line.startswith("ok") for line in lines[2:4])
    assert re.search(r"tasks \+0, ", lines[4])


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("redis-server", "valkey-server"))), reason="needs a Redis server")
def test_the_load_on_limits_runs_and_keeps_them() -> None:
    command = [sys.executable, "-m", "bench.load_limits", "--processes", "2", "--seconds", "1"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode in (0, 1), found.stderr) == (True, ""), found.stdout
    told = re.search(r"L8: 2 processes, 100 a second for 1 s, .*: at most (\d+) in any second", found.stdout)
    assert told is not None, found.stdout
    assert int(told[1]) <= 101


@pytest.mark.slow
def test_the_loads_of_batches_run_and_tell_a_line_for_each_goal() -> None:
    small = ("--items", "60", "--kills", "1", "--concurrency", "8", "--memory", "60")
    command = [sys.executable, "-m", "bench.load_batch", *small]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode in (0, 1), found.stderr) == (True, ""), found.stdout
    kills, journal, memory = found.stdout.splitlines()
    assert "0 lost, 0 doubled, 0 wrong" in kills
    assert journal[7:].startswith("journal: 60 items")
    assert "60 rows" in memory
