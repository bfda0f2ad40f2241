"""Every code block of the two HeavenBase pages runs as its readers would run it.

The blocks are verbatim; endpoints and keys come from the environment, as they do for those readers. Only the dots of
`from_b64("...")`, which stand for the reader's own image, are filled in.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageShow

import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase import functions

PNG = hb.LLM("mock").imagen("a small blue square").to_bytes()


class Viewer(ImageShow.Viewer):
    """Takes the place of the program that shows images on a desktop."""

    shown: list[tuple[int, int]]

    def show(self, image: Image.Image, **options: Any) -> bool:
        self.shown.append(image.size)
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def reader(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A reader's machine: an own home and folder, keys and endpoints in the environment."""
    for name in ("OPENAI", "OPENROUTER", "DEEPSEEK", "ANTHROPIC", "PORTKEY"):
        monkeypatch.setenv(f"{name}_API_KEY", f"{name.lower()}-test-key")
    monkeypatch.setenv("OPENROUTER_BASE_URL", server.url("openrouter"))
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.url("openai"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    functions.set_default_kernel(None)
    server.clear()
    yield
    functions.default_kernel().close()
    functions.set_default_kernel(None)


def run(block: str, **names: Any) -> dict[str, Any]:
    """Run a block of a page; the names that it leaves, of which the next block of its section may make use."""
    exec(compile(block, "<page>", "exec"), names)  # noqa: S102  what the test is for
    return names


def sh(block: str) -> list[str]:
    """Run the lines of a shell block; what each printed."""
    printed = []
    for line in block.strip().splitlines():
        command = [sys.executable, "-m", "heavenbase", *shlex.split(line)[1:]]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        printed.append(done.stdout.strip())
    return printed


def test_1_gateways_in_depth_portkey() -> None:
    llm = run("""
import heavenbase as hb

llm = hb.LLM(model="ds-flash", provider="deepseek", gateway="portkey")
""")["llm"]
    assert (llm.spec.gateway, llm.spec.provider, llm.spec.model_id) == ("portkey", "deepseek", "deepseek-v4-flash")
    assert llm.spec.gateway_key.reveal() == "portkey-test-key"


def test_1_gateways_in_depth_other_gateway_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = hb.LLM(model="ds-flash", provider="deepseek", gateway="bifrost")
    assert llm.to_args()["model"] == "deepseek/deepseek-v4-flash"
    assert llm.spec.base_url == "http://localhost:8080/v1"
    monkeypatch.setenv("BIFROST_BASE_URL", "http://127.0.0.1:9999/v1")
    functions.set_default_kernel(None)
    assert hb.LLM(model="ds-flash", provider="deepseek", gateway="bifrost").spec.base_url == "http://127.0.0.1:9999/v1"


def test_1_gateways_in_depth_the_limits_are_said_before_any_request(server: LoopbackServer) -> None:
    with pytest.raises(NotImplementedError, match="gateway"):
        hb.LLM("embed", provider="openrouter", gateway="portkey").embed("text")
    with pytest.raises(NotImplementedError, match="gateway"):
        hb.LLM("imagen", gateway="bifrost").imagen("a mug")
    claude = hb.LLM(model="sonnet", provider="anthropic", gateway="anthropic")
    with pytest.raises(NotImplementedError):
        claude.embed("text")
    with pytest.raises(NotImplementedError):
        claude.imagen("a mug")
    assert server.requests == []


def test_2_response_caching(server: LoopbackServer) -> None:
    block = """
import heavenbase as hb

llm = hb.LLM(preset="chat", cache=False)
text = llm.chat("Reply with exactly: hb-ok")
"""
    assert run(block)["text"] == run(block)["text"] != ""
    assert len(server.requests) == 2


def test_2_response_caching_the_default_keeps_answers(server: LoopbackServer) -> None:
    llm = hb.LLM(preset="chat")
    assert llm.chat("hello") == llm.chat("hello")
    assert len(server.requests) == 1
    llm.chat("hello", cache=False)
    assert len(server.requests) == 2


def test_2_response_caching_namespaces() -> None:
    sh("""
hb cfg set heavenbase.llm.cache.namespaces.text.ttl_seconds 86400
hb cfg set heavenbase.llm.cache.namespaces.embedding.enabled true
""")
    assert sh("hb cfg get heavenbase.llm.cache.namespaces.text.ttl_seconds") == ["86400"]
    assert sh("hb cfg get heavenbase.llm.cache.namespaces.embedding.enabled") == ["true"]


def test_3_client_reuse() -> None:
    names = run("""
import heavenbase as hb

llm = hb.LLM(model="ds-flash", provider="deepseek")

spec_key = llm.spec.hash_key()
client_key = llm.spec.client_key()
""")
    again = hb.LLM(model="ds-flash", provider="deepseek", temperature=0.5)
    assert again.spec.hash_key() != names["spec_key"]
    assert again.spec.client_key() == names["client_key"]
    assert again.to_client() is names["llm"].to_client()


def test_3_sdk_exports() -> None:
    import openai

    names = run(
        """
llm = hb.LLM(preset="chat")
client = llm.to_client()       # openai.OpenAI
aclient = llm.to_aclient()     # openai.AsyncOpenAI

response = client.chat.completions.create(
    messages=[{"role": "user", "content": "Hello"}],
    **llm.to_args(),
)
""",
        hb=hb,
    )
    assert isinstance(names["client"], openai.OpenAI)
    assert isinstance(names["aclient"], openai.AsyncOpenAI)
    assert names["response"].choices[0].message.content


@pytest.mark.parametrize(
    "options",
    [
        {"model": "sonnet", "provider": "anthropic", "gateway": "anthropic"},
        {"preset": "mock"},
    ],
    ids=["anthropic", "mock"],  # and litellm, where that is installed: plugins/gateway-litellm
)
def test_3_sdk_exports_are_refused_where_there_is_no_openai_client(options: dict[str, str]) -> None:
    llm = hb.LLM(**options)
    for export in (llm.to_client, llm.to_aclient, llm.to_args):
        with pytest.raises(ValueError, match=llm.spec.gateway):
            export()


def test_3_sdk_exports_of_anthropic() -> None:
    import anthropic

    names = run(
        """
llm = hb.LLM(model="sonnet", provider="anthropic", gateway="anthropic")
client = llm.to_anthropic_client()
aclient = llm.to_anthropic_aclient()
""",
        hb=hb,
    )
    assert isinstance(names["client"], anthropic.Anthropic)
    assert isinstance(names["aclient"], anthropic.AsyncAnthropic)


def test_4_image_generation(tmp_path: Path) -> None:
    viewer = Viewer()
    viewer.shown = []
    ImageShow.register(viewer, order=0)
    image = run("""
import heavenbase as hb

image = hb.LLM(preset="imagen").imagen("A clean product render of a white ceramic mug")
image.save("mug.png")
image.to_pil().show()
""")["image"]
    assert (tmp_path / "mug.png").read_bytes() == image.to_bytes()
    assert viewer.shown == [image.to_pil().size]


def test_4_image_generation_with_a_named_model() -> None:
    image = run('image = hb.LLM(model="gpt-image-2").imagen("A small product icon for HB")', hb=hb)["image"]
    assert isinstance(image, hb.LLMImage)
    raw = hb.LLM(model="gpt-image-2").imagen("A small product icon for HB", include="raw")
    assert raw["choices"]


def test_4_image_generation_with_a_reference(server: LoopbackServer, tmp_path: Path) -> None:
    (tmp_path / "style-reference.png").write_bytes(PNG)
    names = run(
        """
reference = hb.LLMImage.from_any("./style-reference.png")
image = hb.LLM(preset="imagen").imagen("Apply this style to an HB mark", images=reference)
""",
        hb=hb,
    )
    assert isinstance(names["image"], hb.LLMImage)
    assert names["reference"].to_data_url() in server.requests[-1].body.decode()


def test_5_llmimage_api(tmp_path: Path, server: LoopbackServer) -> None:
    (tmp_path / "photo.png").write_bytes(PNG)
    block = """
from heavenbase.utils import LLMImage

img = LLMImage.from_any("./photo.png")
img = LLMImage.from_bytes(raw_bytes, format="png")
img = LLMImage.from_b64("...")
img = LLMImage.from_url("https://example.com/image.png")
img = LLMImage.from_provider_item(provider_response_item)
"""
    text = hb.LLMImage.from_bytes(PNG).to_b64()
    names = run(block.replace("...", text), raw_bytes=PNG, provider_response_item={"b64_json": text})
    run(
        """
img.to_bytes()
img.to_b64()
img.to_data_url()
img.to_dict()      # OpenAI-compatible image_url content part
img.to_pil()
img.save("out.png")
""",
        **names,
    )
    assert (tmp_path / "out.png").read_bytes() == PNG
    assert names["img"].to_dict()["type"] == "image_url"
    assert server.requests == []


def test_6_tool_call_repair() -> None:
    sh("""
hb cfg set heavenbase.llm.tool_call_repair.enabled true
hb cfg set heavenbase.llm.tool_call_repair.strict false
""")
    assert sh("hb cfg get heavenbase.llm.tool_call_repair.enabled") == ["true"]
    assert sh("hb cfg get heavenbase.llm.tool_call_repair.strict") == ["false"]


def test_7_custom_openai_compatible_providers() -> None:
    llm = run("""
import heavenbase as hb

llm = hb.LLM(
    preset="custom",
    base_url="http://localhost:9999/v1",
    model="third-party-model",
    api_key="optional-key",
)
""")["llm"]
    assert (llm.spec.provider, llm.spec.model_id) == ("custom", "third-party-model")
    assert llm.spec.base_url == "http://localhost:9999/v1"
    with pytest.raises(ValueError, match="base_url"):
        hb.LLM(preset="custom", model="third-party-model")
    with pytest.raises(ValueError, match="model"):
        hb.LLM(preset="custom", base_url="http://localhost:9999/v1")


def test_8_async_apis(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("""
import asyncio
import heavenbase as hb

llm = hb.LLM(preset="chat")

async def main():
    text = await llm.achat("hello")
    async for chunk in llm.astream("Count to three."):
        print(chunk, end="")
    vec = await llm.aembed("semantic text")
    img = await llm.aimagen("a blue square")

asyncio.run(main())
""")
    assert capsys.readouterr().out == names["llm"].chat("Count to three.")


def test_8_async_tools_need_achat() -> None:
    async def now() -> str:
        """The time."""
        return "12:00"

    with pytest.raises(TypeError, match="achat"):
        hb.LLM(preset="chat").chat("What time is it?", tools=[now])
