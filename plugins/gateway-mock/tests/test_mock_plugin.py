"""The mock as a plugin: its manifest, and what its import costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import hb_gateway_mock
from heavenbase.discovery.manifest import check_manifest, read_manifest


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_gateway_mock.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_the_provider_needs_no_key_and_brings_model_and_preset() -> None:
    record = hb_gateway_mock.provider.resolve("mock", "mock", "mock")
    assert record is not None
    assert record["api_key_optional"] is True
    assert record["allow_unknown_models"] is True
    assert "api_key_env" not in record
    manifest = read_manifest("hb_gateway_mock")
    assert manifest.models["mock"]["providers"] == {"mock": "mock"}
    assert manifest.presets["mock"] == {
        "model": "mock",
        "provider": "mock",
        "gateway": "mock",
        "description": "answers without a network",
    }


def test_scripted_answers_are_not_cached() -> None:
    assert read_manifest("hb_gateway_mock").provider["default_args"] == {"cache": False}


def test_the_import_loads_nothing_but_itself_and_parts_of_the_contract() -> None:
    code = (
        "import sys, dataclasses, threading, typing, heavenbase.plugin, heavenbase.call, heavenbase.types; "
        "known = set(sys.modules); import hb_gateway_mock; print(*sorted(set(sys.modules) - known))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["hb_gateway_mock"] + [
        f"hb_gateway_mock.{name}" for name in ("answers", "failures", "gateway", "options")
    ]
