"""Images on their way to the wire: fetched where their bytes are needed, in the colour of the call, and guarded."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from heavenbase.call import Call
from heavenbase.errors import FetchBlocked, FetchTimeout, FetchTooLarge, HBError, ImageError, VisionNotSupported
from heavenbase.fetch.address import is_local
from heavenbase.fetch.fetcher import Fetched, Fetcher
from heavenbase.image.image import LLMImage
from heavenbase.image.pixels import make_png
from heavenbase.plugin import VisionFormat
from heavenbase.spec import LLMSpec

from ..support import CodeProvider, ScriptedGateway, both_colours, scripted

PNG = make_png(2, 3, (1, 2, 3))
URL = "https://example.com/a.png?sig=1"


class Parts(VisionFormat):
    """Carries URLs, or bytes alone where `needs` says so."""

    name = "parts"

    def __init__(self, *, needs: bool) -> None:
        self.needs = needs

    def needs_bytes(self, image: LLMImage, spec: LLMSpec) -> bool:
        return self.needs

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        if image.url is not None and not self.needs:
            return {"type": "link", "url": image.url}
        return {"type": "picture", "size": image.width, "data": image.data}


class Painter(ScriptedGateway):
    vision: ClassVar[str] = "parts"

    def needs_image_bytes(self, call: Call) -> bool:
        return True


class Fake(Fetcher):
    """Answers each fetch with a picture after so many turns of the loop, and notes it."""

    def __init__(self, turns: int = 0) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.running = self.most = 0
        self.turns = turns

    def fetch(self, url: str) -> Fetched:
        self.urls.append(url)
        return Fetched(PNG, "", url)

    async def afetch(self, url: str) -> Fetched:
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.running -= 1
        return self.fetch(url)


def setup(*, needs: bool = True, answer: Any = "seen", **options: Any) -> SimpleNamespace:
    record = options.pop("record", {})
    plugins = (Painter(answer), CodeProvider("acme", **record), Parts(needs=needs))
    return scripted(plugins=plugins, **options)


def sent(it: SimpleNamespace) -> list[dict[str, Any]]:
    """The image parts of the last request."""
    content = it.gateway.calls[-1].messages[-1]["content"]
    return [part for part in content if part["type"] != "text"]


@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
def test_a_url_is_fetched_where_the_wire_needs_bytes(colour: int) -> None:
    it, fake = setup(), Fake()
    image = LLMImage.from_url(URL, fetcher=fake)
    ask = both_colours(it.llm, "chat")[colour]
    assert ask("what is it?", images=image) == "seen"
    assert sent(it) == [{"type": "picture", "size": 2, "data": image.data}]
    ask("and now?", images=image)
    assert fake.urls == [URL]


def test_a_url_stays_one_where_the_wire_carries_it() -> None:
    it, fake = setup(needs=False), Fake()
    for ask in both_colours(it.llm, "chat"):
        ask("what is it?", images=LLMImage.from_url(URL, fetcher=fake))
        assert sent(it) == [{"type": "link", "url": URL}]
    assert fake.urls == []


def test_an_endpoint_that_takes_no_urls_gets_bytes() -> None:
    it, fake = setup(needs=False, record={"capabilities": {"image_urls": False}}), Fake()
    for ask in both_colours(it.llm, "chat"):
        ask("what is it?", images=[LLMImage.from_url(URL, fetcher=fake), LLMImage.from_bytes(PNG)])
        assert [part["type"] for part in sent(it)] == ["picture", "picture"]
    assert fake.urls == [URL, URL]


def test_several_urls_are_fetched_at_once_and_the_loop_goes_on() -> None:
    it, fake = setup(), Fake(turns=20)
    images = [LLMImage.from_url(f"https://example.com/{number}.png", fetcher=fake) for number in range(5)]
    turns: list[int] = []

    async def main() -> None:
        async def watch() -> None:
            while True:
                await asyncio.sleep(0)
                turns.append(fake.running)

        watching = asyncio.create_task(watch())
        await it.llm.achat("what are they?", images=[*images, images[0]])
        watching.cancel()

    asyncio.run(main())
    assert fake.most == 5
    assert len(fake.urls) == 5
    assert turns.count(5) > 5
    assert [part["type"] for part in sent(it)] == ["picture"] * 6


def test_a_failed_fetch_fails_the_call_before_anything_is_sent() -> None:
    class Broken(Fake):
        def fetch(self, url: str) -> Fetched:
            raise ImageError("'example.com' answered 404", status=404)

    for colour in (0, 1):
        it = setup()
        with pytest.raises(ImageError, match="404") as caught:
            both_colours(it.llm, "chat")[colour]("?", images=[LLMImage.from_url(URL, fetcher=Broken())] * 2)
        assert it.gateway.calls == []
        assert caught.value.attempts == ()


def test_references_of_an_image_generation_are_fetched_too() -> None:
    picture = LLMImage.from_bytes(PNG)
    it, fake = setup(answer=[picture]), Fake()
    for ask in both_colours(it.llm, "imagen"):
        assert ask("more like this", images=LLMImage.from_url(URL, fetcher=fake)) == picture
        [reference] = it.gateway.calls[-1].images
        assert reference.has_bytes
    assert fake.urls == [URL, URL]


def test_a_model_without_eyes_is_not_sent_a_fetched_image() -> None:
    it, fake = setup(record={"capabilities": {"vision": False}}), Fake()
    with pytest.raises(VisionNotSupported):
        it.llm.chat("?", images=LLMImage.from_url(URL, fetcher=fake))
    assert fake.urls == []


# Servers of our own


class Pictures(BaseHTTPRequestHandler):
    """Serves `data`, after `pause` seconds, and counts."""

    data: ClassVar[bytes] = PNG
    pause: ClassVar[float] = 0.0
    seen = 0

    def do_GET(self) -> None:
        type(self).seen += 1
        time.sleep(self.pause)
        self.send_response(200)
        self.end_headers()
        try:
            self.wfile.write(self.data)
        except OSError:
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


Serve = Callable[..., tuple[str, type[Pictures]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running = []

    def start(data: bytes = PNG, pause: float = 0.0) -> tuple[str, type[Pictures]]:
        handler = type("Handler", (Pictures,), {"data": data, "pause": pause})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/a.png", handler

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("needs", [True, False], ids=["bytes", "urls"])
@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
@pytest.mark.parametrize("way", ["text", "image", "part", "reference"])
def test_u1_an_address_that_is_not_public_is_blocked_in_calls(serve: Serve, needs: bool, colour: int, way: str) -> None:
    url, handler = serve()
    it = setup(needs=needs)
    chat, imagen = both_colours(it.llm, "chat")[colour], both_colours(it.llm, "imagen")[colour]
    ways: dict[str, Callable[[str], Any]] = {
        "text": lambda url: chat("what is it?", images=url),
        "image": lambda url: chat("what is it?", images=[LLMImage.from_url(url)]),
        "part": lambda url: chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}),
        "reference": lambda url: imagen("like this", images=url),
    }
    for host in (url, "http://169.254.169.254/latest/meta-data", "http://10.0.0.8/a.png", "http://2130706433/a.png"):
        with pytest.raises(FetchBlocked) as caught:
            ways[way](host)
        assert caught.value.attempts == ()
    for host in ("file:///etc/passwd", "ftp://example.com/a.png"):
        with pytest.raises(FetchBlocked):
            ways[way](host)
    assert (handler.seen, it.gateway.calls) == (0, [])


@pytest.mark.parametrize("needs", [True, False], ids=["bytes", "urls"])
def test_a_host_that_is_vouched_for_is_fetched_here_and_its_url_does_not_travel(serve: Serve, needs: bool) -> None:
    url, handler = serve()
    it = setup(needs=needs, config={"heavenbase.llm.image_allow_hosts": ["127.0.0.1"]})
    for ask in both_colours(it.llm, "chat"):
        ask("what is it?", images=url)
        assert sent(it)[0]["type"] == "picture"
    other = setup(needs=needs)
    other.llm.chat("what is it?", images=LLMImage.from_url(url, allow_hosts=["127.0.0.1"], detail="low"))
    assert sent(other)[0]["type"] == "picture"
    assert handler.seen == 3


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0" * 100


@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("data", "error"),
    [
        (png_header(50_000, 50_000), FetchTooLarge),
        (PNG[:-20], ImageError),
        (b"SIMPLE  =                    T" + b" " * 2850, ImageError),
        (b"<html>log in</html>", ImageError),
    ],
    ids=["bomb", "truncated", "fits", "page"],
)
def test_u2_bytes_that_are_no_sound_image_are_refused_in_calls(
    serve: Serve, colour: int, data: bytes, error: type[HBError]
) -> None:
    url, handler = serve(data)
    it = setup(config={"heavenbase.llm.image_allow_hosts": ["127.0.0.1"]})
    for images in (url, data):
        with pytest.raises(error):
            both_colours(it.llm, "chat")[colour]("what is it?", images=images)
    assert (handler.seen, it.gateway.calls) == (1, [])


@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
def test_the_fetch_ends_at_the_configured_time(serve: Serve, colour: int) -> None:
    url, _ = serve(pause=0.05)
    limits = {"heavenbase.llm.image_url_timeout": 0.02, "heavenbase.llm.image_allow_hosts": ["127.0.0.1"]}
    it = setup(config=limits)
    with pytest.raises(FetchTimeout):
        both_colours(it.llm, "chat")[colour]("what is it?", images=url)
    assert both_colours(it.llm, "chat")[colour]("what is it?", images=LLMImage.from_url(url, timeout=5)) == "seen"


@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
def test_the_fetch_ends_at_the_deadline_of_the_call(serve: Serve, colour: int) -> None:
    url, _ = serve(pause=0.05)
    it = setup(config={"heavenbase.llm.image_allow_hosts": ["127.0.0.1"]})
    with pytest.raises(FetchTimeout):
        both_colours(it.llm, "chat")[colour]("what is it?", images=url, timeout={"total": 0.02})


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://example.com/a.png", False),
        ("https://8.8.8.8/a.png", False),
        ("http://localhost/a.png", True),
        ("http://api.localhost/a.png", True),
        ("http://LOCALHOST.:80/a.png", True),
        ("http://nas/a.png", True),
        ("http://metadata.google.internal/", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]:80/", True),
        ("http://[::ffff:10.0.0.1]/", True),
        ("http://0x7f.1/", True),
        ("http://[bad/", True),
    ],
)
def test_hosts_that_only_this_machine_reaches_are_known_by_their_spelling(url: str, local: bool) -> None:
    assert is_local(url) is local
