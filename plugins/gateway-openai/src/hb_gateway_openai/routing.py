"""RoutingGateway: the base of gateways that stand between caller and provider and speak the OpenAI wire themselves."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hb_gateway_openai.gateway import OpenAIGateway
from heavenbase.errors import MissingPackage

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec


class RoutingGateway(OpenAIGateway):
    """The openai gateway at another place. `defaults` name that place, its key, and `routes`."""

    batches = None  # type: ignore[assignment]  # what is in the middle has none, or others

    def anthropic_url(self, spec: LLMSpec) -> str | None:
        """Where this gateway serves Anthropic's wire."""
        return spec.base_url

    def to_anthropic_client(self, spec: LLMSpec) -> Any:
        """An `anthropic.Anthropic` that goes through this gateway; needs hb-gateway-anthropic."""
        return self._anthropic_client(spec, is_async=False)

    def to_anthropic_aclient(self, spec: LLMSpec) -> Any:
        """An `anthropic.AsyncAnthropic` that goes through this gateway, on the running event loop."""
        return self._anthropic_client(spec, is_async=True)

    def _anthropic_client(self, spec: LLMSpec, *, is_async: bool) -> Any:
        try:
            from hb_gateway_anthropic.client import client_of
        except ImportError as error:
            raise MissingPackage(
                f"a client of Anthropic's for gateway {self.name!r} needs hb-gateway-anthropic: "
                "pip install hb-gateway-anthropic"
            ) from error
        from heavenbase.secrets import Secret

        there = replace(
            spec,
            base_url=self.anthropic_url(spec),
            api_key=Secret(self.credential(spec)),
            headers=MappingProxyType(dict(self.headers(spec))),
            # A gateway reads the credential where the OpenAI wire has it.
            provider_record=MappingProxyType({**spec.provider_record, "auth_mode": "bearer"}),
        )
        return client_of(there, self.services, self.connections(), is_async=is_async)
