"""Image parts of messages, encoded as the gateway's wire wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import PluginContractError, VisionNotSupported

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.registry import Registry
    from heavenbase.types import Message


def has_images(messages: list[Message]) -> bool:
    """Whether any message holds an image part."""
    return any(
        part.get("type") == "image"
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


def encode_images(call: Call, registry: Registry) -> Call:
    """The call with every image part encoded by the vision plugin of its wire; VisionNotSupported where it has none."""
    spec = call.spec
    if spec.capability("vision") is False:
        raise VisionNotSupported(f"{call.target} accepts no images", provider=spec.provider, model=spec.model_id)
    name = spec.provider_value("vision") or registry.load("gateways", spec.gateway).vision
    if not name:
        return call
    registry.load("vision", name)

    def encode(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("type") != "image":
            return part
        encoded = registry.hook.encode(image=part["image"], format=name, spec=spec)
        if encoded is None:
            raise PluginContractError(f"no vision plugin answers format {name!r}")
        return encoded  # type: ignore[no-any-return]

    messages = [
        {**message, "content": [encode(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in call.messages
    ]
    return call.replace(messages=messages)
