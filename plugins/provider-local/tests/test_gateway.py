"""The gateway inside a kernel, as callers use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_provider_local import weights
from hb_provider_local.engine import Engine
from heavenbase.errors import (
    ConfigError,
    ContextOverflow,
    FirstTokenTimeout,
    ImageGenerationNotSupported,
    InputError,
    LossyRequestError,
    PluginLoadError,
    VisionNotSupported,
)
from heavenbase.kernel import Kernel

# The demo model often does not know when to stop.
pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.TruncatedAnswerWarning")

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def settings(model: Path | None, **options: Any) -> dict[str, Any]:
    return {
        "heavenbase.llm.cache.enabled": False,
        "heavenbase.local.model": str(model) if model is not None else None,
        "heavenbase.llm.gateways.local.options": {"context": 512, **options},
    }


@pytest.fixture(scope="module")
def kernel(model_path: Path) -> Iterator[Kernel]:
    with Kernel(settings(model_path)) as kernel:
        yield kernel


@pytest.fixture
def llm(kernel: Kernel) -> hb.LLM:
    return hb.LLM(preset="local", kernel=kernel)


def loaded(kernel: Kernel) -> list[Engine]:
    return list(kernel.registry.load("gateways", "local")._engines.values())


def test_a_chat_says_what_came_and_what_it_took(llm: hb.LLM) -> None:
    answer = llm.complete("hello", max_tokens=5)
    assert answer.text
    assert (answer.finish_reason, answer.raw_finish_reason) == ("length", "length")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5
    assert answer.usage.prompt_tokens == (answer.usage.input or 0) + (answer.usage.cache_read or 0) > 5
    assert (answer.provider, answer.gateway, answer.model) == ("local", "local", "SmolLM2-135M-Instruct.Q4_1")
    assert answer.report is not None
    assert {"temperature", "seed", "max_tokens"} <= set(answer.report.names("sent"))


def test_a_stream_brings_the_same_text_live(llm: hb.LLM) -> None:
    pieces = list(llm.stream("hello", max_tokens=6))
    assert len(pieces) > 4
    assert "".join(pieces) == llm.chat("hello", max_tokens=6)


def test_the_async_colour_says_the_same(llm: hb.LLM) -> None:
    async def run() -> tuple[str, str]:
        streamed = [piece async for piece in llm.astream("hello", max_tokens=6)]
        return await llm.achat("hello", max_tokens=6), "".join(streamed)

    assert set(asyncio.run(run())) == {llm.chat("hello", max_tokens=6)}


def test_vectors_have_the_length_that_the_catalogue_says(llm: hb.LLM) -> None:
    vectors = llm.embed(["a cat", "a dog", "a cat"])
    assert [len(vector) for vector in vectors] == [llm.dim] * 3 == [576] * 3
    assert asyncio.run(llm.aembed("a cat")) == pytest.approx(vectors[0], abs=1e-4)


def test_a_response_format_is_kept(llm: hb.LLM) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(llm.chat("A number?", response_format=wanted, max_tokens=40))["n"] <= 9


def test_any_model_file_can_be_named(kernel: Kernel, model_path: Path) -> None:
    llm = hb.LLM(model=str(model_path), provider="local", kernel=kernel)
    assert llm.chat("hello", max_tokens=3)
    assert hb.LLM(model=f"local/{model_path}", kernel=kernel).spec.model_id == str(model_path)


def test_the_address_names_the_file_so_that_caches_keep_models_apart(llm: hb.LLM, model_path: Path) -> None:
    assert llm.spec.base_url == weights.Weights(model_path, "argument", 0).url


def test_tools_are_a_guarantee_that_the_demo_model_cannot_give(llm: hb.LLM) -> None:
    with pytest.raises(LossyRequestError, match="no tools"):
        llm.chat("hello", tools=[TOOL])
    assert llm.chat("hello", tools=[TOOL], on_lossy="allow", max_tokens=2)


def test_a_pattern_that_cannot_be_kept_is_told(llm: hb.LLM) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": ".*"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(LossyRequestError, match="#/properties/a/pattern"):
        llm.chat("hello", response_format=wanted)


@pytest.mark.filterwarnings("ignore::heavenbase.errors.LossyRequestWarning")
def test_every_argument_ends_in_the_report(llm: hb.LLM) -> None:
    answer = llm.complete("hello", max_completion_tokens=2, n=1, think=True, verbosity="low")
    report = answer.report
    assert report is not None
    assert set(report.names("renamed")) == {"max_completion_tokens", "think"}
    assert "verbosity" in report.names("dropped")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2


def test_what_is_too_long_or_no_text_is_a_typed_error(llm: hb.LLM) -> None:
    with pytest.raises(ContextOverflow):
        llm.chat("word " * 600)
    with pytest.raises(VisionNotSupported):
        llm.chat("What is this?", images=PIXEL)
    with pytest.raises(InputError):
        llm.chat([])
    with pytest.raises(ImageGenerationNotSupported):
        llm.imagen("a cat")


def test_the_clock_for_the_first_token_is_kept(llm: hb.LLM) -> None:
    with pytest.raises(FirstTokenTimeout):
        llm.chat("word " * 400, timeout={"first_token": 0.01}, max_retries=0)


def test_a_closed_kernel_frees_the_model(model_path: Path) -> None:
    with Kernel(settings(model_path, parallel=2)) as kernel:
        hb.LLM(preset="local", kernel=kernel).chat("hello", max_tokens=1)
        (engine,) = loaded(kernel)
        assert engine.is_loaded
    assert not engine.is_loaded


def test_kernels_that_run_the_same_file_share_the_memory(model_path: Path) -> None:
    with Kernel(settings(model_path, context=300)) as first, Kernel(settings(model_path, context=300)) as second:
        for kernel in (first, second):
            hb.LLM(preset="local", kernel=kernel).chat("hello", max_tokens=1)
        (engine,) = loaded(first)
        assert loaded(second) == [engine]
        first.close()
        assert engine.is_loaded
        assert hb.LLM(preset="local", kernel=second).chat("hello", max_tokens=1)


def test_without_a_model_the_error_names_the_command_that_fetches_one() -> None:
    with Kernel(settings(None)) as kernel:
        llm = hb.LLM(preset="local", kernel=kernel)
        with pytest.raises(PluginLoadError, match="hb local pull") as caught:
            llm.chat("hello")
        assert caught.value.code == "no_model"
        with pytest.raises(PluginLoadError, match="hb local pull"):
            kernel.gateway(llm.spec).ensure(llm.spec)
        assert "hb local pull" in kernel.gateway(llm.spec).status()["problem"]


def test_a_path_that_is_no_model_is_an_input_error(tmp_path: Path) -> None:
    with Kernel(settings(None)) as kernel:
        llm = hb.LLM(model=str(tmp_path / "none.gguf"), provider="local", kernel=kernel)
        with pytest.raises(InputError, match="does not exist"):
            llm.chat("hello")


def test_an_unknown_option_names_the_known_ones(model_path: Path) -> None:
    with Kernel(settings(model_path, contxt=1)) as kernel, pytest.raises(ConfigError, match="embedding_context"):
        hb.LLM(preset="local", kernel=kernel).chat("hello")
