"""BifrostGateway: the OpenAI wire to a Bifrost gateway, which finds the provider by the head of the model's name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_openai.routing import RoutingGateway
from heavenbase.errors import ImageGenerationNotSupported
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call, WireRequest
    from heavenbase.spec import LLMSpec

LOCAL = "http://localhost:8080/v1"
VIRTUAL_KEY = "x-bf-vk"
KEYLESS = "bifrost"
"""What goes out as a bearer token where nobody gives a key, as Bifrost holds the providers; the SDK wants one."""


class BifrostGateway(RoutingGateway):
    """Routing by a Bifrost gateway of one's own."""

    name = "bifrost"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "routes": True,
            "base_url": LOCAL,
            "base_url_env": "BIFROST_BASE_URL",
            "api_key_env": ["BIFROST_API_KEY"],
        }
    )

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call; ImageGenerationNotSupported for images, which Bifrost does not route."""
        if call.verb == "imagen":
            raise ImageGenerationNotSupported(
                'Bifrost generates no images; use gateway="openai" or gateway="portkey" for '
                f"provider {call.spec.provider!r}",
                provider=call.spec.provider,
            )
        return super().prepare(call)

    def model_id(self, spec: LLMSpec) -> str:
        """The provider's id behind Bifrost's name for the provider."""
        head = f"{spec.provider_backend()}/"
        return spec.model_id if spec.model_id.startswith(head) else head + spec.model_id

    def headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """The provider's and the caller's headers, and Bifrost's own key."""
        if spec.gateway_key is None or any(name.lower() == VIRTUAL_KEY for name in spec.headers):
            return spec.headers
        return {VIRTUAL_KEY: spec.gateway_key.reveal(), **spec.headers}

    def credential(self, spec: LLMSpec) -> str:
        """The provider's key for a Bifrost that takes keys from callers, else Bifrost's own."""
        for key, name in ((spec.api_key, f"the key of provider {spec.provider!r}"), (spec.gateway_key, "gateway_key")):
            if key is not None and key:
                return Secret.check(key, name).reveal()
        return KEYLESS

    def anthropic_url(self, spec: LLMSpec) -> str | None:
        """Bifrost serves Anthropic's wire under /anthropic, beside /v1."""
        return f"{(spec.base_url or '').removesuffix('/v1')}/anthropic"
