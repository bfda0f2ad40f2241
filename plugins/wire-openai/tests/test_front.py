"""The front: every name is there, and none is loaded before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hb_wire_openai

PLUGINS = Path(__file__).parents[2]


def test_every_name_is_there() -> None:
    assert dir(hb_wire_openai) == sorted(dir(hb_wire_openai))
    for name in dir(hb_wire_openai):
        assert getattr(hb_wire_openai, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'complete'"):
        hb_wire_openai.complete  # noqa: B018


def test_importing_it_loads_nothing_but_what_a_front_is_made_with() -> None:
    code = "import sys; import hb_wire_openai; print(*(n for n in sys.modules if n.startswith(('hb_', 'heavenbase'))))"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {"hb_wire_openai", "heavenbase", "heavenbase._lazy", "heavenbase.utils"}


def test_other_plugins_import_the_front_alone() -> None:
    sources = [path for path in PLUGINS.glob("*/src/**/*.py") if "hb_wire_openai" not in path.parts]
    assert {path.name for path in sources if "hb_wire_openai." in path.read_text(encoding="utf-8")} <= {"_moved.py"}
