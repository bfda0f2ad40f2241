"""Behaviours 18 and 21 to 24 of HeavenBase, proved through the installed plugins against loopback endpoints."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from hb_testing.server.multipart import parse_form
from heavenbase.errors import FetchTimeout
from heavenbase.fetch.fetcher import Fetched, Fetcher

COLOURS = pytest.mark.parametrize("colour", ["sync", "async"])


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def kernel(server: LoopbackServer) -> Iterator[hb.Kernel]:
    providers = {
        "openai": {"base_url": server.url("openai"), "api_key": "test-key"},
        "openrouter": {"base_url": server.url("openrouter"), "api_key": "test-key"},
    }
    with hb.Kernel({"heavenbase.llm.cache.enabled": False, "heavenbase.llm.providers": providers}) as made:
        yield made


def ask(llm: hb.LLM, verb: str, colour: str, *args: Any, **options: Any) -> Any:
    if colour == "sync":
        return getattr(llm, verb)(*args, **options)

    async def main() -> Any:
        async with llm.kernel:
            return await getattr(llm, f"a{verb}")(*args, **options)

    return asyncio.run(main())


@COLOURS
def test_hb18_json_object_gives_the_parsed_value(server: LoopbackServer, kernel: hb.Kernel, colour: str) -> None:
    server.reply('{"city": "Ulm", "people": 128000}')
    llm = hb.LLM("chat", kernel=kernel)
    form = {"type": "json_object"}
    found = ask(llm, "chat", colour, "A city, in JSON", response_format=form, include="structured")
    assert found == {"city": "Ulm", "people": 128000}
    assert server.requests[0].json["response_format"] == form


@COLOURS
def test_hb21_an_image_of_openrouter_is_an_image_of_ours(
    server: LoopbackServer, kernel: hb.Kernel, colour: str, tmp_path: Path
) -> None:
    llm = hb.LLM("imagen", kernel=kernel)
    reference = hb.LLMImage.from_bytes(hb.LLM("mock", kernel=kernel).imagen("style").to_bytes())
    answer = ask(llm, "imagen", colour, "A mug", include=["images", "raw"], images=reference)
    [image] = answer["images"]
    assert isinstance(image, hb.LLMImage)
    saved = image.save(tmp_path / "new" / "mug.png")
    assert saved.read_bytes() == image.to_bytes()
    assert answer["raw"]["choices"][0]["message"]["images"]
    sent = server.requests[0].json
    assert sent["modalities"] == ["image", "text"]
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "A mug"}, reference.to_dict()]


def test_hb22_image_models_resolve_to_their_ids(kernel: hb.Kernel) -> None:
    assert hb.LLM(model="gpt-image-2", kernel=kernel).spec.model_id == "openai/gpt-5.4-image-2"
    assert hb.LLM("imagen", kernel=kernel).spec.model_id == "openai/gpt-5-image-mini"


@COLOURS
def test_hb23_openai_gets_only_what_its_images_endpoint_knows(
    server: LoopbackServer, kernel: hb.Kernel, colour: str
) -> None:
    llm = hb.LLM("imagen", provider="openai", kernel=kernel)
    image = ask(llm, "imagen", colour, "A mug")
    assert isinstance(image, hb.LLMImage)
    assert server.requests[0].path.endswith("/images/generations")
    assert server.requests[0].json == {"model": llm.spec.model_id, "prompt": "A mug"}


@COLOURS
def test_hb23_reference_images_go_to_the_edits_of_openai(
    server: LoopbackServer, kernel: hb.Kernel, colour: str
) -> None:
    llm = hb.LLM("imagen", provider="openai", kernel=kernel)
    reference = hb.LLM("mock", kernel=kernel).imagen("style")
    image = ask(llm, "imagen", colour, "Apply this style", images=reference)
    assert isinstance(image, hb.LLMImage)
    [request] = server.requests
    assert request.path.endswith("/images/edits")
    files = [part for part in parse_form(request.headers["content-type"], request.body) if part.filename]
    assert [part.data for part in files] == [reference.to_bytes()]


class Counting(Fetcher):
    """Answers with a picture, and counts."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data, self.count = data, 0

    def fetch(self, url: str) -> Fetched:
        self.count += 1
        return Fetched(self.data, "image/png", url)


def test_hb24_factories_and_converters_of_the_page(tmp_path: Path) -> None:
    drawn = PIL.Image.new("RGB", (4, 3), "teal")
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    data, path = buffer.getvalue(), tmp_path / "photo.png"
    path.write_bytes(data)
    encoded = hb.LLMImage.from_bytes(data).to_b64()
    made = [
        hb.LLMImage.from_any(str(path)),
        hb.LLMImage.from_any(path),
        hb.LLMImage.from_any(drawn),
        hb.LLMImage.from_bytes(data, format="png"),
        hb.LLMImage.from_b64(encoded),
        hb.LLMImage.from_url(f"data:image/png;base64,{encoded}"),
        hb.LLMImage.from_provider_item({"b64_json": encoded}),
        hb.LLMImage.from_file(io.BytesIO(data)),
        hb.LLMImage.from_path(path),
        hb.LLMImage.from_pil(drawn),
        hb.LLMImage.from_array(np.asarray(drawn)),
    ]
    for image in made:
        assert image.to_bytes()[:4] == b"\x89PNG"
        assert hb.LLMImage.from_b64(image.to_b64()) == image
        assert image.to_data_url() == f"data:image/png;base64,{image.to_b64()}"
        assert image.to_dict() == {"type": "image_url", "image_url": {"url": image.to_data_url()}}
        assert image.to_pil().size == (4, 3)
        assert image.to_array().shape == (3, 4, 3)
        assert image.save(tmp_path / "out.png").read_bytes() == image.to_bytes()


@pytest.mark.parametrize("convert", ["to_bytes", "to_b64", "to_data_url", "save"])
def test_hb24_a_url_is_fetched_when_it_is_converted_and_then_once(convert: str, tmp_path: Path) -> None:
    fetcher = Counting(hb.LLM("mock").imagen("a dot").to_bytes())
    image = hb.LLMImage.from_url("https://example.com/image.png", fetcher=fetcher)
    assert image.to_dict()["image_url"] == {"url": "https://example.com/image.png"}
    assert fetcher.count == 0
    arguments = [tmp_path / "out.png"] if convert == "save" else []
    for _ in range(2):
        getattr(image, convert)(*arguments)
    assert fetcher.count == 1


def test_hb24_the_time_for_a_fetch_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path))
    monkeypatch.setenv("HEAVENBASE_LLM__IMAGE_URL_TIMEOUT", "0.02")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/image.png"
        image = hb.LLMImage.from_url(url, allow_hosts=["127.0.0.1"])
        with pytest.raises(FetchTimeout, match=r"0\.02"):
            image.to_bytes()
