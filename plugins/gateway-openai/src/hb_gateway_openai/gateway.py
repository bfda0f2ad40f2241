"""OpenAIGateway: the verbs of hb over the openai SDK's own door for requests, `client.post`.

The SDK keeps what it is good for (authentication, headers, its HTTP client); bodies are made and answers read here,
which costs a fraction of its conversions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from hb_gateway_openai import client as clients
from hb_wire_openai import chat_fields, replay_fields, stream_fields, thinking_off, wire_messages
from heavenbase.call import WireRequest
from heavenbase.http.client import configured_url
from heavenbase.http.extras import extras
from heavenbase.http.gateway import HTTPGateway
from heavenbase.http.status import is_secret_header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_gateway_openai.attempt import Files, OpenAIAttempt
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding, ImageResult


class OpenAIGateway(HTTPGateway["OpenAIAttempt"]):
    """Chat, streams, embeddings and images on the OpenAI wire."""

    name = "openai"
    wire: ClassVar[str] = "openai"
    vision: ClassVar[str] = "openai"
    auth: ClassVar[str] = "Authorization: Bearer"
    """Where the credential goes, for people to read."""
    bytes_per_input: ClassVar[int] = 128 * 1024  # 4,096 numbers written out

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent. Images of an edit are named here, and sent as files."""
        if call.verb == "complete":
            return self.chat_request(call)
        if call.verb == "embed":
            from hb_wire_openai import embedding_fields

            body = {"model": self.model_id(call.spec), "input": call.inputs, **embedding_fields(call)}
            return self.request(call, "embeddings", body)
        from hb_wire_openai import images

        if images.by_chat(call):
            return self.request(call, "chat/completions", {**images.chat_body(call), "model": self.model_id(call.spec)})
        body = {"model": self.model_id(call.spec), "prompt": call.prompt, **images.image_fields(call)}
        files = images.files(call)
        for name, _ in files:
            body[name] = [repr(image) for field, image in files if field == name]
        return self.request(call, "images/edits" if files else "images/generations", body)

    # What a gateway that speaks this wire too may have otherwise

    def chat_request(self, call: Call) -> WireRequest:
        """The request of a chat."""
        body = {
            "model": self.model_id(call.spec),
            "messages": wire_messages(call),
            **chat_fields(call.spec, call.args, call.explicit, call.context.report),
        }
        if "response_format" in call.args:
            _fit_format(call, body)
        if call.stream:
            stream_fields(call.spec, body)
        return self.request(call, "chat/completions", body)

    def attempt_class(self) -> type[OpenAIAttempt]:
        """What reads the answers of a chat."""
        from hb_gateway_openai.attempt import ChatAttempt

        return ChatAttempt

    def url(self, spec: LLMSpec, path: str) -> str:
        """Where a request of this spec goes."""
        return f"{configured_url(spec)}/{path}"

    def model_id(self, spec: LLMSpec) -> str:
        """The name of the model on the wire."""
        return spec.model_id

    def headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """The headers of every request of this spec."""
        return spec.headers

    def shown_headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """Those of `headers` that hold no secret."""
        return {name: value for name, value in spec.headers.items() if not is_secret_header(name)}

    def credential(self, spec: LLMSpec) -> str:
        """The bearer token; MissingCredential when there is none."""
        return clients.credential(spec)

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec and the arguments of a call."""
        return clients.client_of(spec, self.services, self.connections(), self, is_async=is_async)

    def needs_image_bytes(self, call: Call) -> bool:
        """Edits take files; chats take URLs too."""
        from hb_wire_openai import images

        return not images.by_chat(call)

    # Verbs

    def attempt(self, call: Call, extra_bytes: int = 0, files: Files = ()) -> OpenAIAttempt:
        """A fresh attempt of a call."""
        from hb_wire_openai import Thinking

        hidden = thinking_off(call.args, call.explicit) or bool(call.args.get("reasoning_exclude"))
        thinking = Thinking(hidden, replay_fields(call.spec))
        return self.attempt_class()(call, thinking, self.services.wall, extra_bytes, files)

    def embedding(self, attempt: OpenAIAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        from hb_wire_openai import embedding

        return embedding(attempt.call, decoded)

    def images(self, attempt: OpenAIAttempt, decoded: Any) -> ImageResult:
        """The images in a decoded answer."""
        from hb_wire_openai import images

        reader = images.images_of_chat if images.by_chat(attempt.call) else images.images
        return reader(attempt.call, decoded)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The images for the prompt; those of an edit are sent as files."""
        from hb_wire_openai import images

        files = [(name, image, image.to_bytes()) for name, image in images.files(call)]
        return self.ask(self.attempt(call, files=files), request, self.images)

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        from hb_wire_openai import images

        files = [(name, image, await image.ato_bytes()) for name, image in images.files(call)]
        return await self.aask(self.attempt(call, files=files), request, self.images)

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `openai.OpenAI` that serves this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `openai.AsyncOpenAI` that serves this spec: on the running event loop, or where none runs on any."""
        return self.client(spec, spec.args, is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and arguments for `client.chat.completions.create`."""
        from hb_gateway_openai.exports import create_arguments

        return {**create_arguments(spec, overrides), "model": self.model_id(spec)}

    # Shared

    def request(self, call: Call, path: str, body: dict[str, Any]) -> WireRequest:
        """A request of this call to a path of its endpoint."""
        spec = call.spec
        headers, query = extras(call)
        url = self.url(spec, path)
        if query:
            url += f"{'&' if '?' in url else '?'}{urlencode(query, doseq=True)}"
        multipart = path == "images/edits"
        content_type = "multipart/form-data" if multipart else "application/json"
        shown = {"content-type": content_type, **self.shown_headers(spec), **headers}
        return WireRequest("POST", url, body, shown, self.auth)


def _fit_format(call: Call, body: dict[str, Any]) -> None:
    """Ask for the answer's form as far as the endpoint can keep to one, and tell the model the rest."""
    from heavenbase.structured import plan_format, with_instruction

    # What the provider's rules took away, the endpoint would not keep to.
    plan = plan_format(call, None if "response_format" in body else "none")
    body.pop("response_format", None)
    if plan.response_format is not None:
        body["response_format"] = plan.response_format
    body["messages"] = with_instruction(body["messages"], plan.instruction)
    plan.note(call.context.report)
