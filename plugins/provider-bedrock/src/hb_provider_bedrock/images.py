"""Image generation through InvokeModel: Titan Image and Nova Canvas, Stability's models, and the older SDXL. Pure.

With reference images, Amazon's models vary them and Stability's change the first of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.client import PLACES
from hb_provider_bedrock.models import traits_of
from heavenbase.errors import ContentFiltered, HBError, ImageGenerationNotSupported, InputError
from heavenbase.http import EXTRAS, apply_rules, kind_of, merge_extra, shape_error
from heavenbase.options import KNOWN
from heavenbase.types import ImageResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.call import Call
    from heavenbase.image import LLMImage

_SIZE = re.compile(r"(\d{2,5})\s*[xX×]\s*(\d{2,5})")
_AMAZON = "imageGenerationConfig"
_NAMES: Mapping[str, Mapping[str, str]] = {
    "amazon": {
        "n": f"{_AMAZON}.numberOfImages",
        "seed": f"{_AMAZON}.seed",
        "cfg_scale": f"{_AMAZON}.cfgScale",
        "width": f"{_AMAZON}.width",
        "height": f"{_AMAZON}.height",
    },
    "stability": dict.fromkeys(("seed", "aspect_ratio", "output_format", "negative_prompt", "strength", "mode"), ""),
    "sdxl": dict.fromkeys(("seed", "cfg_scale", "steps", "style_preset", "width", "height", "sampler"), ""),
}
_RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
_QUALITIES = {"standard": "standard", "low": "standard", "medium": "standard", "hd": "premium", "high": "premium"}
_QUALITIES |= {"premium": "premium"}


def image_body(call: Call) -> dict[str, Any]:
    """The body for a call's prompt and reference images."""
    family = traits_of(call.spec).family
    if traits_of(call.spec).kind != "image" or family not in _BASES:
        raise ImageGenerationNotSupported(
            f"{call.target} generates no images that hb knows how to ask for; use amazon.nova-canvas-v1:0, "
            "amazon.titan-image-generator-v2:0 or a model of Stability",
            provider=call.spec.provider,
            model=call.spec.model_id,
        )
    body = _BASES[family](call)
    report = call.context.report
    named = {name: value for name, value in call.args.items() if name not in EXTRAS}
    apply_rules(call.spec, named, report)
    for name, value in named.items():
        if name in PLACES:
            report.emulated(name, "chooses where the request goes, and as whom")
        elif name in ("size", "quality", "negative_prompt", "n") and _special(family, name, value, body, call):
            continue
        elif name == "seed" and name not in call.explicit:
            report.dropped(name, "hb's default for chats is none for images")
        elif name in _NAMES[family]:
            _put(body, _NAMES[family][name] or name, value)
            report.renamed(name, _NAMES[family][name] or name)
        elif name in call.explicit and name not in KNOWN:
            body[name] = value
            report.sent(name)
        else:
            report.dropped(name, "the model has no such parameter")
    merge_extra(body, call.args, call.context.report)
    return body


def _amazon(call: Call) -> dict[str, Any]:
    if call.images:
        params: dict[str, Any] = {"images": [image.to_b64() for image in call.images]}
        if call.prompt:
            params["text"] = call.prompt
        return {"taskType": "IMAGE_VARIATION", "imageVariationParams": params}
    return {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": call.prompt}}


def _stability(call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": call.prompt}
    if len(call.images) > 1:
        raise InputError(f"{call.target} takes one reference image, not {len(call.images)}")
    if call.images:
        body |= {"mode": "image-to-image", "image": call.images[0].to_b64(), "strength": 0.7}
    return body


def _sdxl(call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {"text_prompts": [{"text": call.prompt}]}
    if len(call.images) > 1:
        raise InputError(f"{call.target} takes one reference image, not {len(call.images)}")
    if call.images:
        body["init_image"] = call.images[0].to_b64()
    return body


_BASES: Mapping[str, Callable[[Call], dict[str, Any]]] = {"amazon": _amazon, "stability": _stability, "sdxl": _sdxl}


def _special(family: str, name: str, value: Any, body: dict[str, Any], call: Call) -> bool:
    """Options whose values change on their way; whether this was one."""
    report = call.context.report
    if name == "n":
        if family == "amazon":
            return False
        if value == 1:
            report.emulated(name, "the model makes one image")
        else:
            report.clamped(name, "the model makes one image a request")
        return True
    if name == "negative_prompt":
        if family == "stability":
            return False
        if family == "sdxl":
            body["text_prompts"].append({"text": value, "weight": -1})
            report.renamed(name, "text_prompts")
        else:
            params = next(place for place in body if place.endswith("Params"))
            body[params]["negativeText"] = value
            report.renamed(name, f"{params}.negativeText")
        return True
    if name == "quality":
        if family == "amazon" and value in _QUALITIES:
            _put(body, f"{_AMAZON}.quality", _QUALITIES[value])
            report.renamed(name, f"{_AMAZON}.quality")
        else:
            report.dropped(name, "the model has no such quality")
        return True
    _size(family, value, body, call)
    return True


def _size(family: str, value: Any, body: dict[str, Any], call: Call) -> None:
    report = call.context.report
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        if value == "auto":
            report.emulated("size", "the model's own size is the default")
            return
        raise InputError(f'size must be WIDTHxHEIGHT in pixels, such as "1024x1024", not {value!r}')
    width, height = int(match[1]), int(match[2])
    if family != "stability":
        place = f"{_AMAZON}." if family == "amazon" else ""
        _put(body, f"{place}width", width)
        _put(body, f"{place}height", height)
        report.renamed("size", f"{place}width")
        return
    ratio = next((name for name in _RATIOS if _ratio(name) == width / height), None)
    if ratio is None:
        ratio = min(_RATIOS, key=lambda name: abs(_ratio(name) - width / height))
    body["aspect_ratio"] = ratio
    report.clamped("size", f"the model knows ratios alone; {ratio} is sent")


def _ratio(name: str) -> float:
    width, _, height = name.partition(":")
    return int(width) / int(height)


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        body = body.setdefault(name, {})
    body[last] = value


def image_result(call: Call, decoded: Any) -> ImageResult:
    """The images of an answer; ContentFiltered where the provider refused them."""
    if not isinstance(decoded, dict):
        raise shape_error(call, f"the answer is {kind_of(decoded)}, not an object")
    artifacts = decoded.get("artifacts")
    data: Any = decoded.get("images")
    reasons: Any = decoded.get("finish_reasons") or ()
    if isinstance(artifacts, list):
        data = [item.get("base64") for item in artifacts if isinstance(item, dict)]
        reasons = [item.get("finishReason") for item in artifacts if isinstance(item, dict)]
    refused = decoded.get("error") or next((r for r in reasons if isinstance(r, str) and _is_filter(r)), None)
    if refused and not data:
        raise _filtered(call, refused)
    if not isinstance(data, list):
        raise shape_error(call, f"`images` is {kind_of(data)}, not a list")
    found = [_image(call, item) for item in data if item]
    if not found:
        if refused:
            raise _filtered(call, refused)
        raise shape_error(call, "the answer has no image")
    return ImageResult(
        found,
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )


def _is_filter(reason: str) -> bool:
    low = reason.lower()
    return "filter" in low or "error" in low


def _filtered(call: Call, reason: Any) -> ContentFiltered:
    return ContentFiltered(
        f"{call.target}: the provider refused the image: {str(reason)[:300]}",
        provider=call.spec.provider,
        model=call.spec.model_id,
        maybe_billed=True,
    )


def _image(call: Call, item: Any) -> LLMImage:
    from heavenbase.image import LLMImage

    if not isinstance(item, str):
        raise shape_error(call, f"an image is {kind_of(item)}, not base64")
    try:
        return LLMImage.from_b64(item)
    except HBError as error:
        failure = shape_error(call, f"an image cannot be read: {error}")
    raise failure
