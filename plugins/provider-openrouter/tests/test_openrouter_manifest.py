"""The OpenRouter endpoint as data."""

from __future__ import annotations

import tomllib
from pathlib import Path

import hb_provider_openrouter
from heavenbase.discovery.manifest import check_manifest, read_manifest

RECORD = read_manifest("hb_provider_openrouter").provider


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_provider_openrouter.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_the_plugin_answers_for_its_own_name_only() -> None:
    record = hb_provider_openrouter.plugin.resolve("openrouter", "openai", "openai/gpt-4o")
    assert record is not None
    assert record["base_url"] == "https://openrouter.ai/api/v1"
    assert hb_provider_openrouter.plugin.resolve("openai", "openai", "gpt-4o") is None


def test_images_are_made_by_chat_and_vectors_come_as_floats() -> None:
    assert RECORD["image_endpoint"] == "chat"
    assert RECORD["capabilities"]["embeddings"] is True
    assert RECORD["capabilities"]["embedding_base64"] is False


def test_no_name_without_a_provider_is_claimed() -> None:
    assert RECORD["prefixes"] == []
    assert RECORD["allow_unknown_models"] is True
