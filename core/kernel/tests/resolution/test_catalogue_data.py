"""The packaged catalogue, row by row against the tables that it carries."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import heavenbase
from heavenbase.discovery.manifest import check_catalog

DATA = Path(heavenbase.__file__).parent / "data"
MODELS: dict[str, Any] = tomllib.loads((DATA / "models.toml").read_text(encoding="utf-8"))["models"]
PRESETS: dict[str, Any] = tomllib.loads((DATA / "presets.toml").read_text(encoding="utf-8"))["presets"]

# canonical name | aliases | default provider | native ids | default arguments and other fields
ROWS = """
deepseek-v4-flash | ds-flash, deepseek-flash, deepseek-chat | openrouter | openrouter: deepseek/deepseek-v4-flash; deepseek: deepseek-v4-flash | think=False
deepseek-reasoner | ds-flash-thinking, deepseek-flash-thinking | openrouter | openrouter: deepseek/deepseek-v4-flash; deepseek: deepseek-reasoner | think=True
deepseek-v4-pro | ds, ds-pro, dsv4, dsv4-pro, deepseek, deepseek-v4, deepseek-pro | openrouter | openrouter: deepseek/deepseek-v4-pro; deepseek: deepseek-v4-pro |
gpt-5.6-luna | gpt-nano, gpt-luna, 5.6-luna, luna | openrouter | openrouter: openai/gpt-5.6-luna; openai: gpt-5.6-luna | reasoning_effort=high
gpt-5.6-terra | gpt-mini, gpt-terra, 5.6-terra, terra | openrouter | openrouter: openai/gpt-5.6-terra; openai: gpt-5.6-terra | reasoning_effort=high
gpt-5.6-sol | gpt, gpt-sol, 5.6, 5.6-sol, sol | openrouter | openrouter: openai/gpt-5.6-sol; openai: gpt-5.6-sol | reasoning_effort=medium
claude-haiku-4-5 | haiku, haiku-4.5 | openrouter | openrouter: anthropic/claude-haiku-4.5; anthropic: claude-haiku-4-5 |
claude-sonnet-5 | sonnet, sonnet-5 | openrouter | openrouter: anthropic/claude-sonnet-5; anthropic: claude-sonnet-5 | temperature=None, seed=None
claude-sonnet-4-6 | sonnet-4.6 | openrouter | openrouter: anthropic/claude-sonnet-4.6; anthropic: claude-sonnet-4-6 |
claude-opus-5 | opus, opus-5 | openrouter | openrouter: anthropic/claude-opus-5; anthropic: claude-opus-5 |
claude-fable-5 | fable, fable-5 | openrouter | openrouter: anthropic/claude-fable-5; anthropic: claude-fable-5 | temperature=None, seed=None
grok-4.5 | grok | openrouter | openrouter: x-ai/grok-4.5; grok: grok-4.5 |
gemini-3.5-flash-lite | gemini-flash-lite, gemini-lite | openrouter | openrouter: google/gemini-3.5-flash-lite; gemini: gemini-3.5-flash-lite | temperature=None, seed=None
gemini-3.6-flash | gemini-flash | openrouter | openrouter: google/gemini-3.6-flash; gemini: gemini-3.6-flash | temperature=None, seed=None
gemini-3.1-pro-preview | gemini-pro | openrouter | openrouter: google/gemini-3.1-pro-preview; gemini: gemini-3.1-pro-preview | temperature=None, seed=None
kimi-k2.6 | kimi, k2.6 | openrouter | openrouter: moonshotai/kimi-k2.6; moonshot: kimi-k2.6 | structured_stream=False
kimi-k3 | k3 | openrouter | openrouter: moonshotai/kimi-k3; moonshot: kimi-k3 | structured_stream=False
glm-5.2 | glm | openrouter | openrouter: z-ai/glm-5.2; zai: glm-5.2; zai-zh: glm-5.2 |
glm-4.7-flash | glm-flash, glm-4.7 | openrouter | openrouter: z-ai/glm-4.7-flash; zai: glm-4.7-flash; zai-zh: glm-4.7-flash |
gemma-4-26b-a4b-it | gemma4, gemma4-26b, gemma4-26b-a4b, gemma4-26b-a4b-it, gemma, gemma-26b, gemma-26b-a4b, gemma-26b-a4b-it | openrouter | openrouter: google/gemma-4-26b-a4b-it; lmstudio: gemma-4-26b-a4b; ollama: gemma4:26b |
qwen3.6-flash | qwen3.6, qwen3.6-flash, qwen3.6-35b, qwen3.6-35b-a3b, qwen, qwen-flash, qwen-35b, qwen-35b-a3b | openrouter | openrouter: qwen/qwen3.6-flash; lmstudio: qwen3.6-35b-a3b; ollama: qwen3.6; omlx: qwen3.6-flash; vllm: Qwen/Qwen3.6-35B-A3B |
qwen3.7-max | qwen-max, qwen3.7max | dashscope | dashscope: qwen3.7-max |
qwen3.7-plus | qwen-plus, qwen3.7plus | dashscope | dashscope: qwen3.7-plus |
embeddinggemma | embeddinggemma-300m | lmstudio | lmstudio: text-embedding-embeddinggemma-300m; ollama: embeddinggemma; omlx: embeddinggemma | dim=768
text-embedding-3-small | gpt-embedding, gpt-embedding-small, text-embedding-small | openrouter | openrouter: openai/text-embedding-3-small; openai: text-embedding-3-small | dim=1536
embed-v4.0 | cohere, cohere-embedding, cohere-embedding-v4, embed-v4 | cohere | cohere: embed-v4.0 | dim=1536
voyage-4-lite | voyage, voyage-lite | voyage | voyage: voyage-4-lite | dim=1024
gpt-5-image-mini | gpt-image-mini, image-mini | openrouter | openrouter: openai/gpt-5-image-mini; openai: gpt-5-image-mini | max_tokens=1024, temperature=None, seed=None
gpt-5.4-image-2 | gpt-image, gpt-image-2, image-2 | openrouter | openrouter: openai/gpt-5.4-image-2; openai: gpt-5.4-image-2 | max_tokens=1024, temperature=None, seed=None
z-image-turbo | z-image, image-local, imagen-local | ollama | ollama: x/z-image-turbo | max_tokens=None, temperature=None, seed=None
glm-ocr | ocr | ollama | ollama: glm-ocr; omlx: glm-ocr |
custom | | custom | custom: custom |
gpt-5.4-nano | 5.4-nano | openrouter | openrouter: openai/gpt-5.4-nano; openai: gpt-5.4-nano |
gpt-5.4-mini | 5.4-mini | openrouter | openrouter: openai/gpt-5.4-mini; openai: gpt-5.4-mini |
gpt-5.5 | 5.5 | openrouter | openrouter: openai/gpt-5.5; openai: gpt-5.5 |
gpt-5.5-pro | gpt-pro, 5.5-pro | openrouter | openrouter: openai/gpt-5.5-pro; openai: gpt-5.5-pro |
claude-opus-4-8 | opus-4.8 | openrouter | openrouter: anthropic/claude-opus-4.8; anthropic: claude-opus-4-8 |
gemini-3.1-flash-lite | | openrouter | openrouter: google/gemini-3.1-flash-lite; gemini: gemini-3.1-flash-lite |
gemini-3.5-flash | | openrouter | openrouter: google/gemini-3.5-flash; gemini: gemini-3.5-flash |
"""  # noqa: E501 - a table is easier to compare in whole lines

# name | model | provider | gateway | default arguments
PRESET_ROWS = """
system | ds-flash | | | think=False
lmstudio | qwen3.6-flash | lmstudio | openai | think=False
tiny | gemma | | | think=False
chat | ds-flash | | | think=False
chat-pro | ds-pro | | | think=False
reason | ds-pro | | | think=True
reason-pro | gpt | | | think=True, reasoning_effort=max
worker | ds-flash | | | think=False
worker-local | qwen3.6-flash | lmstudio | openai | think=False
coder | sonnet | | | think=True
coder-pro | opus | | | think=True
embed | gpt-embedding-small | | openai |
embed-local | embeddinggemma | lmstudio | openai |
imagen | gpt-image-mini | | |
imagen-local | z-image-turbo | ollama | openai |
ocr-local | glm-ocr | ollama | openai | think=False
custom | custom | custom | openai |
"""


def fold(name: str) -> str:
    """Names as they are compared: lower case, without - _ . : and spaces."""
    return name.lower().translate(str.maketrans("", "", "-_.: "))


def pairs(text: str, mark: str) -> dict[str, str]:
    split = (item.strip().partition(mark) for item in text.split(";" if mark == ":" else ",") if item.strip())
    return {name.strip(): value.strip() for name, _, value in split}


def table(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")] for row in text.strip().splitlines()]


def arguments(record: dict[str, Any]) -> dict[str, str]:
    merged = {**record.get("default_args", {}), **dict.fromkeys(record.get("unset", ()))}
    if "dim" in record:
        merged["dim"] = record["dim"]
    return {name: str(value) for name, value in merged.items()}


def resolve(name: str) -> set[str]:
    """The models that a name means, by canonical name or alias."""
    return {key for key, record in MODELS.items() if fold(name) in map(fold, [key, *record.get("aliases", ())])}


def test_the_catalogue_is_well_formed() -> None:
    assert check_catalog(MODELS, PRESETS) == []


def test_every_model_and_preset_of_the_tables_is_there_and_no_other() -> None:
    assert set(MODELS) == {row[0] for row in table(ROWS)}
    assert set(PRESETS) == {row[0] for row in table(PRESET_ROWS)}
    # 33 and 7 models of two releases, of which `mock` comes with its gateway.
    assert (len(MODELS), len(PRESETS)) == (39, 17)


@pytest.mark.parametrize("row", table(ROWS), ids=lambda row: row[0])
def test_a_model_is_as_the_table_says(row: list[str]) -> None:
    name, aliases, default_provider, natives, args = row
    record = MODELS[name]
    assert record["default_provider"] == default_provider
    assert record["providers"] == pairs(natives, ":")
    assert arguments(record) == pairs(args, "=")
    for alias in filter(None, map(str.strip, aliases.split(","))):
        assert resolve(alias) == {name}


@pytest.mark.parametrize("row", table(PRESET_ROWS), ids=lambda row: row[0])
def test_a_preset_is_as_the_table_says_and_names_one_model(row: list[str]) -> None:
    name, model, provider, gateway, args = row
    record = PRESETS[name]
    assert record["model"] == model
    assert (record.get("provider", ""), record.get("gateway", "")) == (provider, gateway)
    assert arguments(record) == pairs(args, "=")
    (canonical,) = resolve(model)
    assert not provider or provider in MODELS[canonical]["providers"]


def test_no_name_means_two_models() -> None:
    names = [fold(n) for key, record in MODELS.items() for n in {key, *record.get("aliases", ())}]
    assert sorted(names) == sorted(set(names))


def test_no_alias_means_another_model_at_some_provider() -> None:
    for name, record in MODELS.items():
        for provider, native in record["providers"].items():
            assert resolve(native) <= {name}, f"{native} at {provider}"


def test_native_ids_are_unique_at_a_provider_but_for_the_two_modes_of_one_model() -> None:
    taken: dict[tuple[str, str], str] = {}
    shared = []
    for name, record in MODELS.items():
        for provider, native in record["providers"].items():
            first = taken.setdefault((provider, fold(native)), name)
            if first != name:
                shared.append((provider, first, name))
    assert shared == [("openrouter", "deepseek-v4-flash", "deepseek-reasoner")]


def test_every_model_is_offered_by_its_default_provider() -> None:
    assert [name for name, record in MODELS.items() if record["default_provider"] not in record["providers"]] == []


def test_only_gemma_is_said_to_have_no_steps_of_reasoning() -> None:
    assert {name: record["capabilities"] for name, record in MODELS.items() if "capabilities" in record} == {
        "gemma-4-26b-a4b-it": {"reasoning_efforts": False}
    }
