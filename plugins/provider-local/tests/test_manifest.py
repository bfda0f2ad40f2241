"""The provider as data."""

from __future__ import annotations

import tomllib
from pathlib import Path

import hb_provider_local
from hb_provider_local import weights
from hb_provider_local.settings import Settings
from heavenbase.discovery.manifest import check_manifest, read_manifest
from heavenbase.resolution.catalog import fold

MANIFEST = read_manifest("hb_provider_local")


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_provider_local.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_every_name_of_the_demo_model_is_known_to_the_plugin() -> None:
    (name,) = MANIFEST.models
    names = [name, *MANIFEST.models[name]["aliases"]]
    assert {fold(name) for name in names} == weights.DEMO_NAMES


def test_the_preset_needs_no_key() -> None:
    assert MANIFEST.presets["local"]["provider"] == "local"
    assert MANIFEST.presets["local"]["model"] in MANIFEST.models
    assert not {"api_key_env", "base_url"} & MANIFEST.provider.keys()


def test_the_plugin_answers_for_its_own_name_only() -> None:
    assert hb_provider_local.plugin.resolve("local", "local", "smollm2") == MANIFEST.provider
    assert hb_provider_local.plugin.resolve("ollama", "openai", "smollm2") is None


def test_the_limit_of_answers_fits_into_the_context() -> None:
    (model,) = MANIFEST.models.values()
    assert model["default_args"]["max_tokens"] < Settings().context
