"""What every image format must do, as tests to inherit.

class TestAcme(VisionContract):
    format = "acme"
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.checks_plugin import PluginChecks
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.samples import IMAGES, URL, words_of
from hb_testing.conformance.sandbox import no_network
from heavenbase.errors import HBError
from heavenbase.image.image import LLMImage
from heavenbase.spec import LLMSpec

if TYPE_CHECKING:
    from heavenbase.kernel import Kernel

__all__ = ["VisionContract"]

FORMATS = pytest.mark.parametrize("form", sorted(IMAGES))


class VisionContract(PluginChecks):
    """Inherit it in a class named Test…, and set `format`."""

    kind = "vision"
    named_by = "format"

    format: ClassVar[str] = ""
    """The format's name."""
    formats: ClassVar[frozenset[str]] = frozenset(IMAGES)
    """The file formats that the wire takes, of png, jpeg, gif and webp."""
    urls: ClassVar[bool] = True
    """Whether the wire carries https URLs; otherwise hb fetches them before."""

    def spec(self) -> LLMSpec:
        """The target that parts are made for."""
        return LLMSpec(None, "m", "m", "conformance", "conformance", requested_gateway="conformance")

    def part(self, kernel: Kernel, image: LLMImage) -> dict[str, Any]:
        """The part for an image, made without a network."""
        with no_network() as tried:
            part: dict[str, Any] = self.loaded(kernel).part(image, self.spec())
        assert not tried, f"part() does {', '.join(tried)}; a URL that the wire cannot carry was fetched before"
        assert isinstance(part, dict)
        return part

    @FORMATS
    @only_if(lambda contract, given: "" if given["form"] in contract.formats else f"the wire takes no {given['form']}")
    def test_bytes_of_each_format_are_carried(self, kernel: Kernel, form: str) -> None:
        """With their true media type, whatever was claimed."""
        image = LLMImage.from_bytes(IMAGES[form], format="png")
        part = self.part(kernel, image)
        carried = [word for word in words_of(part) if image.to_b64() in word]
        assert carried or IMAGES[form] in _bytes_of(part), "the bytes of the image are not in the part"
        assert any(form in word.partition(",")[0] for word in words_of(part)), (
            f"the part does not say that it is {form}"
        )

    @FORMATS
    @only_if(lambda contract, given: f"the wire takes {given['form']}" if given["form"] in contract.formats else "")
    def test_a_format_that_the_wire_lacks_is_refused(self, kernel: Kernel, form: str) -> None:
        with pytest.raises(HBError):
            self.part(kernel, LLMImage.from_bytes(IMAGES[form]))

    def test_a_data_url_is_carried_as_its_bytes(self, kernel: Kernel) -> None:
        image = LLMImage.from_bytes(IMAGES["png"])
        assert self.part(kernel, LLMImage.from_any(image.to_data_url())) == self.part(kernel, image)

    def test_a_url_stays_a_url(self, kernel: Kernel) -> None:
        """Signature and all, and is not fetched, unless `needs_bytes` says that hb must do that before."""
        image = LLMImage.from_url(URL)
        fetched = self.loaded(kernel).needs_bytes(image, self.spec())
        assert fetched or self.urls, "needs_bytes() is False, so nobody fetches a URL that the wire cannot carry"
        if not fetched:
            assert URL in words_of(self.part(kernel, image))

    @pytest.mark.parametrize("detail", ["low", "high", "auto"])
    def test_the_detail_hint_is_carried_or_left_out(self, kernel: Kernel, detail: str) -> None:
        hinted = self.part(kernel, LLMImage.from_bytes(IMAGES["png"], detail=detail))
        plain = self.part(kernel, LLMImage.from_bytes(IMAGES["png"]))
        assert detail in words_of(hinted) or hinted == plain

    def test_different_images_make_different_parts(self, kernel: Kernel) -> None:
        one, other = (LLMImage.from_bytes(IMAGES[form]) for form in sorted(self.formats)[:2])
        assert self.part(kernel, one) != self.part(kernel, other)

    def test_part_is_pure(self, kernel: Kernel) -> None:
        """The same part each time, of its own, as plain data; the image is as it was."""
        image = LLMImage.from_bytes(IMAGES["png"], detail="low")
        digest = image.digest()
        first = self.part(kernel, image)
        kept = copy.deepcopy(first)
        first.clear()
        assert self.part(kernel, image) == kept, "a caller that changes one part changes the next"
        assert image.digest() == digest
        json.dumps(kept, default=_only_bytes)

    def ask_for_another(self, kernel: Kernel, plugin: Any) -> Any:
        """What the format answers when another one is asked for."""
        return plugin.encode(LLMImage.from_bytes(IMAGES["png"]), "somebody-else", self.spec())


def _bytes_of(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for item in nested for found in _bytes_of(item)]


def _only_bytes(value: object) -> str:
    assert isinstance(value, bytes), f"a part holds {type(value).__name__}, which no wire carries"
    return ""
