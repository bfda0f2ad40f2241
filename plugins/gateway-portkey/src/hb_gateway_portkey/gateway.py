"""PortkeyGateway: the OpenAI wire to a Portkey gateway, which takes requests on to the provider."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_openai.routing import RoutingGateway
from hb_gateway_portkey.headers import KEY, ROUTED, is_hosted, names, told
from heavenbase.errors import EmbeddingsNotSupported, MissingCredential

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call, WireRequest
    from heavenbase.spec import LLMSpec

SERVICE = "https://api.portkey.ai/v1"
VARIABLE = "PORTKEY_API_KEY"
KEYLESS = "portkey"
"""What goes out as a bearer token where Portkey itself holds the provider's key; the SDK wants one."""
NO_EMBEDDINGS = frozenset({"openrouter"})
"""What Portkey has no embeddings for, by its own names."""


class PortkeyGateway(RoutingGateway):
    """Routing, observability and policy by Portkey: its service, or the open-source gateway."""

    name = "portkey"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"routes": True, "base_url": SERVICE, "base_url_env": "PORTKEY_BASE_URL", "api_key_env": [VARIABLE]}
    )

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call; EmbeddingsNotSupported where Portkey lacks them for the provider."""
        backend = call.spec.provider_backend()
        if call.verb == "embed" and backend in NO_EMBEDDINGS:
            raise EmbeddingsNotSupported(
                f'Portkey has no embeddings for {backend}; use gateway="openai", which asks {call.spec.provider} '
                "directly, or another provider of embeddings",
                provider=call.spec.provider,
            )
        return super().prepare(call)

    def headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """What Portkey is told, its key, and the provider's and the caller's headers."""
        key = (
            {KEY: spec.gateway_key.reveal()} if spec.gateway_key is not None and KEY not in names(spec.headers) else {}
        )
        return {**told(spec), **key, **spec.headers}

    def shown_headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """Those of `headers` that hold no secret."""
        return {**told(spec), **super().shown_headers(spec)}

    def credential(self, spec: LLMSpec) -> str:
        """The provider's key; MissingCredential when it or Portkey's own is wanted and not there."""
        given = names(spec.headers)
        if spec.gateway_key is None and KEY not in given and is_hosted(spec, SERVICE):
            raise MissingCredential(
                f"Portkey needs a key: set {VARIABLE}, or pass gateway_key=; a Portkey gateway of your own needs none: "
                "set PORTKEY_BASE_URL to it",
                provider=spec.provider,
            )
        if spec.api_key is None and given & ROUTED:
            return KEYLESS
        return super().credential(spec)
