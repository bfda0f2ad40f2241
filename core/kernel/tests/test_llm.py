"""The facade: one object per target, with the methods, names and errors that its users expect."""

from __future__ import annotations

import asyncio
import copy
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heavenbase.errors import (
    ExportError,
    InputError,
    InputTypeError,
    TruncatedAnswerWarning,
    UnknownNameError,
    VisionNotSupported,
)
from heavenbase.image.image import LLMImage
from heavenbase.llm import LLM
from heavenbase.types import Completion, ImageResult

from .support import CodeProvider, ScriptedGateway, both_colours, make_kernel, scripted

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_hb01_the_names_work_in_a_fresh_home_without_a_set_up_step(tmp_path: Path) -> None:
    code = (
        "import heavenbase as hb\n"
        "from heavenbase.utils import LLMImage\n"
        "assert hb.LLMImage is LLMImage\n"
        "print(hb.LLM('mock').chat('hi'))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("HEAVENBASE", "HB_", "XDG_"))}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("mock response\n", "")


def test_hb06_a_call_is_a_chat() -> None:
    llm = scripted("mock response").llm
    assert llm.chat("x") == llm("x") == "mock response"
    assert isinstance(llm.complete("x"), Completion)


def test_repr_names_the_target_and_no_secret() -> None:
    llm = LLM(kernel=make_kernel(), api_key="sk-canary-123")
    assert repr(llm) == "LLM(preset='house', model='tiny', provider='acme', gateway='scripted')"
    assert "sk-canary-123" not in repr(llm.spec) + repr(vars(llm))


def test_every_sync_method_has_an_async_twin_with_the_same_parameters() -> None:
    for name in ("complete", "chat", "stream", "embed", "imagen", "to_client", "to_anthropic_client"):
        twin = {"to_client": "to_aclient", "to_anthropic_client": "to_anthropic_aclient"}.get(name, f"a{name}")
        sync, other = (inspect.signature(getattr(LLM, method)) for method in (name, twin))
        assert sync.parameters == other.parameters, name


def test_defaults_of_the_llm_are_laid_under_those_of_the_call() -> None:
    house = scripted()
    llm = LLM(kernel=house.kernel, temperature=0.5, seed=1)
    llm.chat("x", seed=2)
    call = house.gateway.calls[0]
    assert dict(call.args) == {"temperature": 0.5, "seed": 2}
    assert {"temperature", "seed"} <= call.explicit


def test_the_options_of_a_call_do_not_stay() -> None:
    house = scripted()
    house.llm.chat("x", seed=7, timeout=3)
    house.llm.chat("x")
    first, second = house.gateway.calls
    assert (first.args["seed"], first.context.timeouts.total) == (7, 3)
    assert (second.args["seed"], second.context.timeouts.total) == (42, 600)


def test_imagen_gives_one_image_for_one_and_a_list_otherwise() -> None:
    image = LLMImage.from_b64(PIXEL)
    for images, wanted in (([image], image), ([image, image], [image, image]), ([], [])):
        for ask in both_colours(scripted(lambda call, found=images: list(found)).llm, "imagen"):
            assert ask("a cat") == wanted
    llm = scripted(lambda call: [image]).llm
    assert llm.imagen("a cat", reduce=False) == {"images": [image]}
    assert list(llm.imagen("a cat", include=["images", "elapsed"])) == ["images", "elapsed"]


@pytest.mark.parametrize(
    ("prompt", "error", "says"), [("", InputError, "empty"), (" \n", InputError, "empty"), (7, InputTypeError, "int")]
)
def test_a_wrong_prompt_is_refused_before_anything_is_sent(prompt: Any, error: type[Exception], says: str) -> None:
    house = scripted()
    for ask in both_colours(house.llm, "imagen"):
        with pytest.raises(error, match=says):
            ask(prompt)
    assert house.gateway.calls == []


def test_references_of_imagen_become_images() -> None:
    house = scripted(lambda call: [])
    house.llm.imagen("like this", images=PIXEL)
    [reference] = house.gateway.calls[0].images
    assert reference.to_b64() == PIXEL


@pytest.mark.parametrize(("wrong", "right"), [("temprature", "temperature"), ("max_retrys", "max_retries")])
def test_a_misspelt_option_of_exported_arguments_is_refused(wrong: str, right: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean {right!r}"):
        LLM(kernel=make_kernel()).to_args(**{wrong: 1})
    with pytest.raises(InputError, match="max_retries must be at least 0"):
        LLM(kernel=make_kernel()).to_args(max_retries=-1)


def test_hb34_a_gateway_without_an_sdk_client_exports_none() -> None:
    llm = scripted().llm
    for export in (llm.to_client, llm.to_aclient, llm.to_args, llm.to_anthropic_client, llm.to_anthropic_aclient):
        with pytest.raises(ValueError, match=r"gateway .scripted. has no (openai|anthropic) client") as caught:
            export()
        assert isinstance(caught.value, ExportError)


def test_images_for_a_model_that_sees_nothing_are_refused_before_anything_is_sent() -> None:
    gateway = ScriptedGateway()
    kernel = make_kernel(plugins=(gateway, CodeProvider(capabilities={"vision": False})))
    for ask in both_colours(LLM(kernel=kernel), "chat"):
        with pytest.raises(VisionNotSupported, match="acme/tiny accepts no images"):
            ask("look", images=PIXEL)
    assert gateway.calls == []


def test_errors_of_a_call_are_raised_when_it_is_asked_for_and_not_when_it_is_read() -> None:
    house = scripted()
    with pytest.raises(InputError, match="empty"):
        house.llm.stream([])
    with pytest.raises(InputError, match="empty"):
        house.llm.astream([])

    async def ask() -> None:
        await house.llm.achat([], stream=True)

    with pytest.raises(InputError, match="empty"):
        asyncio.run(ask())


def test_the_answer_of_imagen_knows_its_target() -> None:
    seen: list[ImageResult] = []

    async def look(call: Any, next: Any) -> Any:
        seen.append(await next(call))
        return seen[-1]

    house = scripted(lambda call: [], middleware=(look,))
    house.llm.imagen("x")
    assert (seen[0].provider, seen[0].model, seen[0].gateway) == ("acme", "tiny", "scripted")


def test_a_deep_copy_shares_the_kernel_and_answers() -> None:
    llm = scripted("one", "two").llm
    copied = copy.deepcopy({"llm": llm})["llm"]
    assert copied is not llm
    assert (copied.kernel, copied.spec) == (llm.kernel, llm.spec)
    assert [llm.chat("a"), copied.chat("b")] == ["one", "two"]


def test_c9_a_text_that_was_cut_at_its_limit_warns_in_both_colours() -> None:
    cut = {"text": "par", "finish_reason": "length"}
    llm = LLM("mock", mock=cut, kernel=make_kernel(discover_plugins=True))

    async def ask_async() -> Any:
        return await llm.achat("x")

    async def drain() -> list[Any]:
        return [text async for text in llm.astream("x")]

    for ask in (
        lambda: llm.chat("x"),
        lambda: llm.chat("x", temperature=0.5),
        lambda: "".join(llm.stream("x")),
        lambda: asyncio.run(ask_async()),
        lambda: "".join(asyncio.run(drain())),
    ):
        with pytest.warns(TruncatedAnswerWarning, match="cut off at its token limit; pass a larger") as found:
            assert ask() == "par"
        assert found[0].filename == __file__
    # Whoever sees the finish reason needs no warning.
    assert llm.complete("x").finish_reason == "length"
    assert llm.chat("x", include=("text", "finish_reason"))["finish_reason"] == "length"
    assert [item["finish_reason"] for item in llm.stream("x", ("text", "finish_reason"))][-1] == "length"
