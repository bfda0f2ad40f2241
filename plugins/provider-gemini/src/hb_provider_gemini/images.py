"""Image generation: chats of models that answer with images, and the prediction endpoint of Imagen. Pure.

hb              image models (generationConfig)            Imagen (parameters)
n               said in the prompt                         sampleCount
size            imageConfig.aspectRatio, imageSize         aspectRatio, sampleImageSize
aspect_ratio    imageConfig.aspectRatio                    aspectRatio
output_format   -                                          outputOptions.mimeType
"""

from __future__ import annotations

import re
from math import log
from typing import TYPE_CHECKING, Any

from hb_provider_gemini.models import purpose_of
from hb_provider_gemini.parameters import camel, content_fields, merge_extra
from hb_provider_gemini.responses import candidates_of, finish_reason, parts_of, read_parts
from hb_provider_gemini.usage import content_usage
from heavenbase.call import REASONING
from heavenbase.errors import ContentFiltered, InputError, UnsupportedError
from heavenbase.http import EXTRAS, apply_rules, kind_of, shape_error, text_or_none
from heavenbase.types import ImageResult

if TYPE_CHECKING:
    from hb_provider_gemini.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_SIZE = re.compile(r"(\d{2,5})\s*[xX]\s*(\d{2,5})")
_STEPS = {"1K": 1024, "2K": 2048, "4K": 4096}
_FORMATS = {"png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg"}
_FIELDS = {
    "number_of_images": "sampleCount",
    "output_compression_quality": "outputOptions.compressionQuality",
    "output_gcs_uri": "storageUri",
    "output_mime_type": "outputOptions.mimeType",
    "safety_filter_level": "safetySetting",
}
"""Of Imagen's parameters those whose name in the SDK is another one."""
_NOT_THERE = ("quality", "style", "background", "moderation", "input_fidelity", "mask", "output_compression", "user")
_CHAT_ONLY = frozenset(
    {"temperature", "top_p", "top_k", "seed", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice"}
    | {"parallel_tool_calls", "presence_penalty", "frequency_penalty", "logprobs", "modalities"}
)


def by_prediction(call: Call) -> bool:
    """Whether the model is one of Imagen, which has an endpoint of its own."""
    return purpose_of(call.spec.model_id) == "images"


def chat_body(call: Call, traits: Traits) -> dict[str, Any]:
    """The body of a chat that is asked for images; the references go before the prompt."""
    report = call.context.report
    own = {name: call.args[name] for name in _OWN if call.args.get(name) is not None}
    left_out = {"response_format", *own, *(_CHAT_ONLY - call.explicit)}  # our own defaults for chats
    rest = {name: value for name, value in call.args.items() if name not in left_out}
    fields = content_fields(call.replace(args=rest), traits)
    image_config: dict[str, Any] = {}
    prompt = call.prompt
    if own.pop("n", 1) != 1:
        prompt = f"{prompt}\n\nMake {call.args['n']} separate images."
    if call.args.get("n") is not None:
        report.emulated("n", "the prompt asks for so many")
    _shape(own, image_config, report, ("imageConfig.aspectRatio", "imageConfig.imageSize"))
    for name in own:
        report.dropped(name, "image models have no such parameter; say it in the prompt")
    if call.args.get("response_format") is not None:
        report.emulated("response_format", "images come as bytes")
    config = {"responseModalities": ["TEXT", "IMAGE"], **fields.config}
    if image_config or "imageConfig" in config:
        config["imageConfig"] = {**image_config, **config.get("imageConfig", {})}
    parts: list[dict[str, Any]] = [
        {"inlineData": {"mimeType": image.media_type, "data": image.to_b64()}} for image in call.images
    ]
    contents = [{"role": "user", "parts": [*parts, {"text": prompt}]}]
    body: dict[str, Any] = {"contents": contents, **fields.top, "generationConfig": config}
    merge_extra(body, call.args, report)
    return body


def prediction_body(call: Call) -> dict[str, Any]:
    """The body for Imagen's endpoint. Our own defaults for chats are left out."""
    if call.images:
        raise UnsupportedError(
            f"{call.target} takes no reference images; use an image model such as gemini-2.5-flash-image",
            provider=call.spec.provider,
        )
    report = call.context.report
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    apply_rules(call.spec, named, report)
    wire: dict[str, Any] = {}
    _shape(named, wire, report, ("aspectRatio", "sampleImageSize"))
    if "imageSize" in wire:
        wire["sampleImageSize"] = wire.pop("imageSize")
    for name, value in named.items():
        if name == "n":
            wire["sampleCount"] = value
            report.renamed(name, "parameters.sampleCount")
        elif name == "response_format":
            report.emulated(name, "images come as bytes")
        elif name == "output_format" and str(value).lower() in _FORMATS:
            wire["outputOptions"] = {"mimeType": _FORMATS[str(value).lower()]}
            report.renamed(name, "parameters.outputOptions.mimeType")
        elif name == "seed" and name in call.explicit:
            wire[name] = value
            report.renamed(name, "parameters.seed")
        elif name in (*_NOT_THERE, "output_format") or name in REASONING or name in _CHAT_ONLY:
            report.dropped(name, "the endpoint for images has no such parameter")
        elif name in call.explicit:
            *outer, field = _FIELDS.get(name, camel(name)).split(".")
            (wire.setdefault(outer[0], {}) if outer else wire)[field] = value
            report.renamed(name, f"parameters.{'.'.join([*outer, field])}")
        else:
            report.dropped(name, "the endpoint for images has no such parameter")
    body: dict[str, Any] = {"instances": [{"prompt": call.prompt}], "parameters": wire}
    merge_extra(body, call.args, report)
    return body


def images_of_chat(call: Call, decoded: Any) -> ImageResult:
    """The images of a chat's answer; none is no error, as the model may have answered in words."""
    candidates = [candidate for _, candidate in candidates_of(call, decoded)]
    if not candidates:
        raise shape_error(call, "the answer has no candidate")
    found = [image for it in candidates for image in read_parts(call, parts_of(call, it)).images]
    candidate = candidates[0]
    reason = candidate.get("finishReason")
    if not found and finish_reason(reason, False) == "content_filter":
        raise _filtered(call, str(reason), text_or_none(candidate.get("finishMessage")))
    return ImageResult(
        found,
        usage=content_usage(decoded.get("usageMetadata")),
        model=text_or_none(decoded.get("modelVersion")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )


def images_of_prediction(call: Call, decoded: Any) -> ImageResult:
    """The images of Imagen's answer; ContentFiltered when its filter left none."""
    predictions = decoded.get("predictions") if isinstance(decoded, dict) else None
    if predictions is None and decoded == {}:
        predictions = []  # how a filter that lets nothing through answers
    if not isinstance(predictions, list):
        raise shape_error(call, f"`predictions` is {kind_of(predictions)}, not a list")
    from heavenbase.image import LLMImage

    found = []
    reasons = []
    for place, item in enumerate(predictions):
        if not isinstance(item, dict):
            raise shape_error(call, f"`predictions[{place}]` is {kind_of(item)}, not an object")
        data = item.get("bytesBase64Encoded")
        if isinstance(data, str) and data:
            try:
                found.append(LLMImage.from_b64(data, revised_prompt=text_or_none(item.get("prompt"))))
            except InputError as error:
                raise shape_error(call, f"image {place} of the answer cannot be read: {error}") from None
        elif item.get("raiFilteredReason"):
            reasons.append(str(item["raiFilteredReason"]))
    if not found:
        raise _filtered(call, "RAI", reasons[0] if reasons else None)
    return ImageResult(
        found,
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )


_OWN = ("n", "size", "aspect_ratio", "image_size", "output_format", *_NOT_THERE)


def _shape(named: dict[str, Any], wire: dict[str, Any], report: ParameterReport, names: tuple[str, str]) -> None:
    """Take size, aspect_ratio and image_size out of `named` and put their fields into `wire`."""
    ratio_name, size_name = names
    size, ratio, step = named.pop("size", None), named.pop("aspect_ratio", None), named.pop("image_size", None)
    match = _SIZE.fullmatch(str(size)) if size is not None else None
    if match is not None:
        width, height = int(match[1]), int(match[2])
        nearest = min(RATIOS, key=lambda known: abs(log(_quotient(known) * height / width)))
        wire["aspectRatio"] = nearest
        largest = max(width, height)
        if largest > 1536:
            wire["imageSize"] = min(_STEPS, key=lambda known: abs(_STEPS[known] - largest))
        report.renamed("size", ratio_name)
        if (width, height) != (1024, 1024):
            report.clamped("size", f"the wire has shapes and steps; {nearest} {wire.get('imageSize', '1K')} is sent")
    elif size in _STEPS:
        wire["imageSize"] = size
        report.renamed("size", size_name)
    elif size in RATIOS:
        wire["aspectRatio"] = size
        report.renamed("size", ratio_name)
    elif size is not None:
        report.dropped("size", "a size is WIDTHxHEIGHT, a ratio such as 16:9, or 1K, 2K, 4K")
    if ratio is not None:
        wire["aspectRatio"] = ratio
        report.renamed("aspect_ratio", ratio_name)
    if step is not None:
        wire["imageSize"] = step
        report.renamed("image_size", size_name)


def _quotient(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return int(width) / int(height)


def _filtered(call: Call, code: str, said: str | None) -> ContentFiltered:
    return ContentFiltered(
        f"{call.target}: the provider's filter refused the image ({code}){': ' + said if said else ''}",
        provider=call.spec.provider,
        model=call.spec.model_id,
        code=code,
    )
