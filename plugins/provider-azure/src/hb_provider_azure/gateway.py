"""The wires of OpenAI at an Azure resource: deployments in the path, a version in the query, keys or Entra tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from hb_gateway_openai.client import build
from hb_gateway_openai.gateway import OpenAIGateway
from hb_gateway_openai.responses_api import ResponsesGateway
from hb_provider_azure import entra, place
from hb_wire_openai import PARAMETERS, RESPONSES
from heavenbase.errors import ExportError

if TYPE_CHECKING:
    from hb_provider_azure.entra import TokenProvider
    from heavenbase.call import Call, WireRequest
    from heavenbase.spec import LLMSpec

OWN = ("api_version", "azure_ad_token_provider")
"""Arguments that are for the client and not for the body."""


class AzureGateway(OpenAIGateway):
    """Chat, streams, embeddings and images of the deployments of an Azure resource.

    `token_provider` gives Entra tokens, plainly or awaitably; a call may bring its own as `azure_ad_token_provider`.
    """

    name = "azure"
    auth: ClassVar[str] = "api-key"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS | frozenset(OWN)

    def __init__(self, token_provider: TokenProvider | None = None) -> None:
        super().__init__()
        self._token_provider = token_provider
        self._identity: TokenProvider | None = None

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, at the deployment that its model names."""
        own = {name: call.args[name] for name in OWN if call.args.get(name) is not None}
        if not call.args.keys() & OWN:
            return super().prepare(call)
        rest = {name: value for name, value in call.args.items() if name not in OWN}
        request = super().prepare(call.replace(args=rest, spec=call.spec.with_args(**own)))
        for name in own:
            call.context.report.renamed(name, "?api-version" if name == "api_version" else "Authorization")
        return request

    def request(self, call: Call, *given: Any, **named: Any) -> WireRequest:
        """A request of this call, at the version of the API that it names."""
        own = {name: call.args[name] for name in OWN if call.args.get(name) is not None}
        return super().request(call.replace(spec=call.spec.with_args(**own)) if own else call, *given, **named)

    def url(self, spec: LLMSpec, path: str) -> str:
        """The path of the deployment at the resource; that of the v1 API where the address is one of it."""
        root = place.root_of(spec)
        if place.is_v1(root):
            return f"{root}/{path}"
        if path.partition("/")[0] in ("files", "models"):  # of the resource, and of no deployment
            return f"{root}/openai/{path}?api-version={place.version_of(spec, spec.args)}"
        deployment = quote(self.model_id(spec), safe="")
        return f"{root}/openai/deployments/{deployment}/{path}?api-version={place.version_of(spec, spec.args)}"

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The `openai.AzureOpenAI` of a spec; `openai.OpenAI` for the v1 API, which is OpenAI's own."""
        root = place.root_of(spec)
        version = place.version_of(spec, args)
        given = args.get("azure_ad_token_provider") or self._token_provider
        provider = entra.checked(given) if given is not None else None
        key = f"hb_provider_azure:{self.name}:{spec.client_key()}:{version}:{id(provider) if provider else ''}"

        def built() -> Any:
            from hb_gateway_openai.client import sdk

            # Looked at before connections are lent, which nobody would give back.
            credential = entra.credential(spec, provider, self._default_identity, is_async=is_async)

            def make(options: dict[str, Any]) -> Any:
                openai = sdk().module
                if self._is_plain(root):
                    options |= {"api_key": next(iter(credential.values())), "base_url": self._base(root)}
                    return openai.AsyncOpenAI(**options) if is_async else openai.OpenAI(**options)
                options |= {"azure_endpoint": root, "api_version": version, **credential}
                return openai.AsyncAzureOpenAI(**options) if is_async else openai.AzureOpenAI(**options)

            return build(spec, self.services, self.connections(), dict(self.headers(spec)), make, is_async=is_async)

        return self.services.client(key, built, is_async)

    def _is_plain(self, root: str) -> bool:
        return place.is_v1(root)

    def _base(self, root: str) -> str:
        return root

    def _default_identity(self) -> TokenProvider | None:
        if self._identity is None and not self.services.environ.is_embedded:
            self._identity = entra.default_identity()
        return self._identity


class AzureResponsesGateway(AzureGateway, ResponsesGateway):
    """The Responses wire at an Azure resource, which has it in its v1 API alone."""

    name = "azure_responses"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS | RESPONSES | frozenset(OWN)
    auth: ClassVar[str] = "Authorization: Bearer"

    def url(self, spec: LLMSpec, path: str) -> str:
        """The path of the v1 API of the resource."""
        return f"{self._base(place.root_of(spec))}/{path}"

    def _is_plain(self, root: str) -> bool:
        return True

    def _base(self, root: str) -> str:
        return root if place.is_v1(root) else f"{root}/openai/v1"

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """None, as for the gateway `responses`."""
        raise ExportError("gateway 'azure_responses' exports its client, not its arguments; gateway='azure' has both")
