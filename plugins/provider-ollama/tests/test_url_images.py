"""Images by URL: hb fetches them, in the colour of the call, before the request is made; G13 and G14."""

from __future__ import annotations

from typing import cast

import pytest

from hb_testing.conformance.samples import IMAGES
from heavenbase import errors
from heavenbase.fetch.fetcher import Fetched, Fetcher
from heavenbase.image.image import LLMImage

from .support import Replay, answering, ask, saying

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])


class Pictures:
    """A fetcher that has one picture, and notes the colour it was asked in."""

    def __init__(self, data: bytes | None = IMAGES["png"]) -> None:
        self.data = data
        self.asked: list[str] = []

    def fetch(self, url: str) -> Fetched:
        self.asked.append("sync")
        return self._found(url)

    async def afetch(self, url: str) -> Fetched:
        self.asked.append("async")
        return self._found(url)

    def _found(self, url: str) -> Fetched:
        if self.data is None:
            raise errors.ImageError("the URL answered 404")
        return Fetched(self.data, "image/png", url)


def asked_with(mode: str, pictures: Pictures) -> Replay:
    replay = Replay(answering(saying("a picture")))
    image = LLMImage.from_url("https://images.example.com/a.png", fetcher=cast("Fetcher", pictures))
    ask(
        mode,
        replay,
        [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image", "image": image}]}],
        model="llama3.2-vision",
    )
    return replay


@MODES
def test_g13_a_url_travels_as_bytes(mode: str) -> None:
    pictures = Pictures()
    body = asked_with(mode, pictures).sent[0].body
    assert LLMImage.from_bytes(IMAGES["png"]).to_b64().encode() in body
    assert b"images.example.com" not in body
    assert pictures.asked == ["async" if mode.startswith("a") else "sync"]


@MODES
def test_g14_a_url_that_cannot_be_fetched_is_an_error_of_hb_and_nothing_is_sent(mode: str) -> None:
    with pytest.raises(errors.ImageError):
        asked_with(mode, Pictures(None))
