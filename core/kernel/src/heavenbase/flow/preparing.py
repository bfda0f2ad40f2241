"""What callers give in many forms, brought into the shape of the wire: tools, the form of the answer, images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.call import Call
from heavenbase.errors import PluginContractError, UnsupportedError, VisionNotSupported
from heavenbase.flow.unfolding import has_blocks, unfolded
from heavenbase.messages import ITEMS
from heavenbase.registry import Registry
from heavenbase.types import Message, ParameterReport

if TYPE_CHECKING:
    from heavenbase.image.image import FetchOptions, LLMImage
    from heavenbase.spec import LLMSpec

UNSEEN = {"type": "text", "text": "[an image, which this model cannot see]"}
FETCHES = 8
"""Images of one call that are fetched at once."""


def prepare(
    verb: str,
    spec: LLMSpec,
    args: dict[str, Any],
    controls: Mapping[str, Any],
    options: Mapping[str, Any],
    report: ParameterReport,
    *,
    is_async: bool,
) -> dict[str, Any]:
    """Bring these arguments into wire shape; returns the fields of the Call that they fill."""
    found: dict[str, Any] = {}
    if args.get("stop", True) in ([], "", ()):
        del args["stop"]
        report.emulated("stop", "none is asked for, and none is sent")
    if verb == "complete" and args.get("background") is not None:
        if args.pop("background") is True:
            raise UnsupportedError("background=True is for complete and chat, without a stream; see LLM.poll")
        report.emulated("background", "the answer is waited for")
    if "tools" in args or "tool_choice" in args:
        from heavenbase.tools.options import fitted_tools, prepare_tools

        found["tools"] = prepare_tools(verb, args, controls, report, is_async_call=is_async)
        if "tools" in args:
            args["tools"] = fitted_tools(args["tools"], spec, report)
        found["given"] = options
    if verb == "complete" and "response_format" in args:
        from heavenbase.structured.format import to_format

        wanted = found["format"] = to_format(args["response_format"])
        wanted.compile()
        args["response_format"] = wanted.wire
    return found


def has_images(call: Call) -> bool:
    """Whether any message holds an image part or a vendor's own block, or an image generation has references."""
    if call.images:
        return True
    for message in call.messages:
        is_told = type(message.get("content")) is list or ITEMS in message
        if is_told and (_shows(message) or has_blocks(message)):
            return True
    return False


def _shows(message: Message) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image" for part in content)


async def encode_images(call: Call, registry: Registry, setting: Callable[..., Any]) -> Call:
    """The call with its images as its wire wants them; VisionNotSupported where it has none.

    Those of a URL are fetched first, in the colour of the call, where vision plugin or gateway need their bytes, where
    the endpoint takes no URLs (capability `image_urls`), and where only this machine's network reaches them.
    """
    if call.verb == "imagen":
        gateway = registry.load("gateways", call.spec.gateway)
        needs_bytes = gateway.needs_image_bytes(call)
        found = await _here(call, call.images, lambda image: needs_bytes, setting)
        return call.replace(images=[found.get(id(image), image) for image in call.images])
    call, spec = unfolded(call, registry.load("gateways", call.spec.gateway).blocks), call.spec
    if not any(map(_shows, call.messages)):
        return call
    if spec.capability("vision") is False:
        shown = [message for message in call.messages if _shows(message)]
        if any(message["role"] != "tool" for message in shown):
            raise VisionNotSupported(f"{call.target} accepts no images", provider=spec.provider, model=spec.model_id)
        call.context.report.dropped("images", "the model accepts no images; it is told of those that tools gave")
        words = {id(m): [UNSEEN if part.get("type") == "image" else part for part in m["content"]] for m in shown}
        return call.replace(messages=[{**m, "content": words[id(m)]} if id(m) in words else m for m in call.messages])
    name = spec.provider_value("vision") or registry.load("gateways", spec.gateway).vision
    if not name:
        return call
    plugin = registry.load("vision", name)
    contents = [message["content"] for message in call.messages if isinstance(message.get("content"), list)]
    parts = [part for content in contents for part in content if part.get("type") == "image"]
    images = [part["image"] for part in parts]
    found = await _here(call, images, lambda image: plugin.needs_bytes(image, spec), setting)
    encoded: dict[int, dict[str, Any]] = {}
    for part, image in zip(parts, images, strict=True):
        encoded[id(part)] = registry.hook.encode(image=found.get(id(image), image), format=name, spec=spec)
        if encoded[id(part)] is None:
            raise PluginContractError(f"no vision plugin answers format {name!r}")
    messages = list(call.messages)
    for place, message in enumerate(messages):
        if isinstance(message.get("content"), list):
            content = list(message["content"])
            for number, part in enumerate(content):
                if id(part) in encoded:
                    made = encoded[id(part)]
                    told = any("detail" in held for held in made.values() if isinstance(held, dict))
                    if part["image"].detail is not None and not told:
                        lost = f"messages[{place}].content[{number}].detail"
                        call.context.report.dropped(lost, f"images of the format {name} have no hint about detail")
                    content[number] = {**made, **{key: part[key] for key in part.keys() - {"type", "image"}}}
            messages[place] = {**message, "content": content}
    return call.replace(messages=messages)


async def _here(
    call: Call, images: Iterable[LLMImage], needs_bytes: Callable[[LLMImage], bool], setting: Callable[..., Any]
) -> dict[int, LLMImage]:
    """Fetch what must be here as bytes; by identity, images without the URL for those whose URL must not travel."""
    linked = {id(image): image for image in images if image.url is not None}
    if not linked:
        return {}
    from heavenbase.fetch.address import is_local

    as_bytes = call.spec.capability("image_urls") is False
    bare = {key: image for key, image in linked.items() if as_bytes or is_local(str(image.url))}
    waiting = [
        image for key, image in linked.items() if not image.has_bytes and (key in bare or needs_bytes(image))
    ]  # fmt: skip
    if waiting:
        from heavenbase.colour.parallel import run_many

        hosts = setting("heavenbase.llm.image_allow_hosts") or ()

        async def fetch(image: LLMImage) -> None:
            limit = image.timeout or setting("heavenbase.llm.image_url_timeout")
            options: FetchOptions = {"timeout": call.context.within(limit), "allow_hosts": hosts}
            await image.ato_bytes(**options) if call.is_async else image.to_bytes(**options)

        await run_many(fetch, waiting, workers=FETCHES, is_async=call.is_async)
    return {key: image.without_url() for key, image in bare.items()}
