"""Images on every native wire: by URL, as a data URL and as bytes; what is fetched here, and who sees nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.conformance.samples import IMAGES
from hb_testing.server import Action, LoopbackServer, Pause, Step, response
from heavenbase.errors import FetchBlocked, FetchTooLarge, ImageError, VisionNotSupported
from heavenbase.fetch.fetcher import Fetcher
from heavenbase.image.image import LLMImage
from tests.matrix import EVERY, INSTALLED, WAYS, Bench

URL = "https://images.example.com/a.png"
PNG = b64encode(IMAGES["png"]).decode()
DATA_URL = f"data:image/png;base64,{PNG}"
FETCHING = ("gemini", "bedrock", "ollama")
"""Providers whose wires want bytes."""
BLIND = {"cohere": "command-a-03-2025", "groq": "llama-3.1-8b-instant", "ollama": "llama3.2"}
MODELS = {
    "cohere": "command-a-vision-07-2025",
    "groq": "meta-llama/llama-4-scout-17b-16e-instruct",
    "mistral": "pixtral-12b-latest",
    "ollama": "llama3.2-vision",
}
"""Models that see, where the row's own does not."""


def rows(*names: str) -> pytest.MarkDecorator:
    """The installed ones of these."""
    return pytest.mark.parametrize("row", [row for row in INSTALLED if row.name in names], ids=lambda row: row.name)


def _by_url(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": url}


def _of_claude(source: dict[str, Any]) -> dict[str, Any]:
    return {"type": "image", "source": source}


_BYTES = {"type": "base64", "media_type": "image/png", "data": PNG}
_DETAILED = [_by_url({"url": URL, "detail": "high"}), *[_by_url({"url": DATA_URL})] * 2]
_PLAIN = [_by_url({"url": URL}), *[_by_url({"url": DATA_URL})] * 2]
WIRES: dict[str, list[Any]] = {
    "openai": _DETAILED,
    "azure": _DETAILED,
    "groq": _PLAIN,
    "cohere": _DETAILED,
    "mistral": [_DETAILED[0], *[_by_url(DATA_URL)] * 2],
    "anthropic": [_of_claude({"type": "url", "url": URL}), *[_of_claude(_BYTES)] * 2],
    "gemini": [{"inlineData": {"data": PNG, "mimeType": "image/png"}}] * 3,
    "bedrock": [{"image": {"format": "png", "source": {"bytes": PNG}}}] * 3,
    "ollama": [PNG] * 3,
}
"""A URL with detail, a data URL and bytes, as each wire has them."""


def images_in(bench: Bench) -> list[Any]:
    """The images of the last message, as they were sent."""
    if bench.row.family == "gemini":
        return [part for part in bench.sent["contents"][-1]["parts"] if "text" not in part]
    message = bench.sent["messages"][-1]
    if bench.row.family == "ollama":
        assert message["content"] == "What?"
        return list(message["images"])
    return [part for part in message["content"] if "text" not in part]


@pytest.fixture
def files() -> Iterator[LoopbackServer]:
    """A server of files."""
    with LoopbackServer() as running:
        running.script(lambda request: [response(200, IMAGES["png"], "image/png"), Action.KEEP_OPEN])
        yield running


def fetched(files: LoopbackServer, **options: Any) -> LLMImage:
    """An image at that server, which may be asked."""
    return LLMImage.from_url(f"{files.origin}/a.png", **(options or {"allow_hosts": "127.0.0.1"}))


@EVERY
@WAYS
def test_g13_images_look_as_the_wire_wants_them(bench: Bench, way: str, files: LoopbackServer) -> None:
    by_url: Any = _by_url({"url": URL, "detail": "high"})
    if bench.row.name in FETCHING:
        by_url = fetched(files, allow_hosts="127.0.0.1", detail="high")
    raw = {"type": "image_bytes", "image_bytes": {"data": PNG, "mime_type": "image/png"}}
    content = [{"type": "text", "text": "What?"}, by_url, _by_url({"url": DATA_URL}), raw]
    bench.ask(way, [{"role": "user", "content": content}], model=MODELS.get(bench.row.name, ""))
    assert images_in(bench) == WIRES[bench.row.name]
    assert len(files.requests) == (1 if bench.row.name in FETCHING else 0)


@rows("openai", "azure", "groq", "anthropic", "mistral", "cohere")
def test_g13_the_caller_may_give_bytes_files_and_urls_beside_the_messages(bench: Bench) -> None:
    image = LLMImage.from_bytes(IMAGES["png"], detail="low")
    bench.complete("What?", images=[image, URL], model=MODELS.get(bench.row.name, ""))
    written = json.dumps(images_in(bench))
    assert PNG in written
    assert URL in written
    assert ('"detail": "low"' in written) == (bench.row.name in ("openai", "azure", "cohere", "mistral"))


@rows(*BLIND)
@WAYS
def test_g14_a_model_that_sees_nothing_refuses_images_and_takes_parts_of_text(bench: Bench, way: str) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    with pytest.raises(VisionNotSupported, match=BLIND[bench.row.name]):
        bench.ask(way, [{"role": "user", "content": [*parts, _by_url({"url": DATA_URL})]}])
    assert bench.server.requests == []
    assert bench.ask(way, [{"role": "user", "content": parts}]).text
    written = json.dumps(bench.sent["messages"])
    assert "one" in written
    assert "two" in written


@EVERY
def test_g14_parts_of_text_alone_are_fine_everywhere(bench: Bench) -> None:
    bench.complete([{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}])
    written = json.dumps(bench.sent)
    assert "one" in written
    assert "two" in written


@rows(*FETCHING)
def test_g14_a_download_leaves_the_event_loop_to_others(bench: Bench, files: LoopbackServer) -> None:
    release = threading.Event()

    def slowly() -> Iterator[Step]:
        while not release.is_set():
            yield Pause(0.001)
        yield response(200, IMAGES["png"], "image/png")
        yield Action.KEEP_OPEN

    async def main() -> tuple[int, str]:
        llm = bench.llm(model=MODELS.get(bench.row.name, ""))
        task = asyncio.ensure_future(llm.achat("What?", images=fetched(files)))
        # Were the loop held, nobody would release the download.
        await files.await_for(lambda server: server.requests)
        turns = 0
        while turns < 50:
            await asyncio.sleep(0)
            turns += 1
        assert not task.done()
        release.set()
        return turns, await task

    files.script(lambda request: slowly())
    if bench.colour.name == "sync":
        release.set()
        assert bench.llm(model=MODELS.get(bench.row.name, "")).chat("What?", images=fetched(files))
    else:
        turns, text = bench.colour.run(lambda: None, main)
        assert (turns, bool(text)) == (50, True)


@rows(*FETCHING)
@WAYS
def test_g14_a_download_that_fails_is_an_error_of_hb_and_nothing_is_sent(
    bench: Bench, way: str, files: LoopbackServer
) -> None:
    cases: list[tuple[Any, type[Exception]]] = [
        (fetched(files, fetcher=Fetcher(max_bytes=20, allow_hosts=["127.0.0.1"])), FetchTooLarge),
        (LLMImage.from_url(f"{files.origin}/a.png"), FetchBlocked),
        (LLMImage.from_url("http://169.254.169.254/latest"), FetchBlocked),
    ]
    model = MODELS.get(bench.row.name, "")
    for image, error in cases:
        with pytest.raises(error):
            bench.ask(way, "What?", images=image, model=model)
    files.script(lambda request: [response(404, b"gone"), Action.KEEP_OPEN])
    with pytest.raises(ImageError, match="404"):
        bench.ask(way, "What?", images=fetched(files), model=model)
    assert bench.server.requests == []
