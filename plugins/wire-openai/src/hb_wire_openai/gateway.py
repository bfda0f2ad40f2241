"""WireGateway: the base of gateways that speak the OpenAI wire, over whatever library takes them to the endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_wire_openai.messages import wire_messages
from hb_wire_openai.names import PARAMETERS
from hb_wire_openai.parameters import chat_fields, stream_fields
from heavenbase.call import WireRequest
from heavenbase.http import HTTPGateway, as_object, configured_url, needed_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_wire_openai.attempt import Files, WireAttempt
    from hb_wire_openai.files import WireFiles
    from heavenbase.call import Call
    from heavenbase.operations import FileUpload, Listing, ModelInfo, Ranking, TokenCount
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding, ImageResult

KEYLESS = "openai"
"""What goes out as a key where an endpoint needs none, as libraries want one."""


class WireGateway(HTTPGateway["WireAttempt"]):
    """Chat, streams, embeddings and images on the OpenAI wire. A gateway adds `client`, and how an attempt is sent."""

    wire: ClassVar[str] = "openai"
    vision: ClassVar[str] = "openai"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    options: ClassVar[frozenset[str]] = frozenset({"reasoning_replay", "marked_prompts", "file_purpose"})
    auth: ClassVar[str] = "Authorization: Bearer"
    """Where the credential goes, for people to read."""
    bytes_per_input: ClassVar[int] = 128 * 1024  # 4,096 numbers written out

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent. Images of an edit are named here, and sent as files."""
        if call.verb == "complete":
            return self.chat_request(call)
        if call.verb == "embed":
            from hb_wire_openai.embeddings import embedding_fields

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

    # What a gateway may have otherwise

    def chat_request(self, call: Call) -> WireRequest:
        """The request of a chat."""
        fields = chat_fields(call.spec, call.args, call.explicit, call.context.report)
        body = {"model": self.model_id(call.spec), "messages": wire_messages(call, fields), **fields}
        if "prompt_caching" in call.args:
            from hb_wire_openai.caching import mark

            mark(call, body)
        if "response_format" in call.args:
            _fit_format(call, body)
        if call.stream:
            stream_fields(call.spec, body)
        return self.request(call, "chat/completions", body)

    def attempt_class(self) -> type[WireAttempt]:
        """What sends requests and reads answers."""
        raise NotImplementedError

    def url(self, spec: LLMSpec, path: str) -> str:
        """Where a request of this spec goes."""
        return f"{configured_url(spec)}/{path}"

    def model_id(self, spec: LLMSpec) -> str:
        """The name of the model on the wire."""
        return spec.model_id

    def headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """The headers of every request of this spec."""
        return spec.headers

    def credential(self, spec: LLMSpec) -> str:
        """The bearer token. MissingCredential names where it could come from, CredentialFormatError what is wrong."""
        return needed_key(spec, KEYLESS)

    def needs_image_bytes(self, call: Call) -> bool:
        """Edits take files; chats take URLs too."""
        from hb_wire_openai import images

        return not images.by_chat(call)

    # Verbs

    def attempt(self, call: Call, extra_bytes: int = 0, files: Files = ()) -> WireAttempt:
        """A fresh attempt of a call."""
        from hb_wire_openai.answers import thinking_of

        return self.attempt_class()(call, thinking_of(call), self.services.wall, extra_bytes, files)

    def embedding(self, attempt: WireAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        from hb_wire_openai.embeddings import embedding

        return embedding(attempt.call, decoded)

    def images(self, attempt: WireAttempt, decoded: Any) -> ImageResult:
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

    # Operations

    async def count_tokens(self, call: Call) -> TokenCount:
        """How many input tokens a chat would have, at the endpoint that `capabilities.count_tokens` names."""
        from hb_wire_openai.counting import count_request
        from heavenbase.operations import counted

        request, field = count_request(self, call)
        *outer, inner = field.split(".")

        def read(_: Any, found: Any) -> TokenCount:
            for name in outer:
                found = as_object(call, found, "the answer").get(name)
            return counted(call, found, inner)

        return await self.exchange(call, request, read)

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The models that the endpoint lists."""
        from hb_wire_openai.lists import model_page
        from heavenbase.operations import listed

        def page(cursor: str | None) -> WireRequest:
            return self.request(call, "models", {}, "GET", {"after": cursor} if cursor else {})

        return await listed(self, call, page, model_page)

    async def rerank(self, call: Call) -> Ranking:
        """Documents by how well they answer a query, at the path that servers of this wire have for it."""
        from heavenbase.operations import number_of, ranking, rerank_body
        from heavenbase.wires import object_or_empty

        def read(_: Any, found: Any) -> Ranking:
            usage = object_or_empty(object_or_empty(found).get("usage"))
            return ranking(call, found, number_of(usage, "prompt_tokens", "total_tokens"))

        body = {"model": self.model_id(call.spec), **rerank_body(call)}
        return await self.exchange(call, self.request(call, "rerank", body), read)

    @property
    def files(self) -> WireFiles:
        """The operations on files."""
        from hb_wire_openai.files import WireFiles

        return WireFiles(self)

    # Shared

    def request(
        self,
        call: Call,
        path: str,
        body: dict[str, Any],
        method: str = "POST",
        asked: Mapping[str, Any] | None = None,
        file: FileUpload | None = None,
    ) -> WireRequest:
        """A request of this call to a path of its endpoint; `asked` is its query, `file` goes with it as a form."""
        return self.request_to(
            call,
            self.url(call.spec, path),
            body,
            self.auth,
            method=method,
            asked=asked,
            file=file,
            is_form=path == "images/edits",
        )


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
