"""A provider's batches, asked by the operations of its gateway, in one colour.

The request of a row is made by what makes that of a live call, and its answer read by what reads that of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from hb_batch.requests import content_of
from heavenbase.call import Call
from heavenbase.errors import InputError, StructuredOutputError, UnsupportedError
from heavenbase.llm import LLM
from heavenbase.messages import to_messages
from heavenbase.operations import BatchJob, BatchPart, ask
from heavenbase.options import CONNECTION, PROMPTED, conceal, with_effort
from heavenbase.spec import LLMSpec
from heavenbase.types import Completion, Embedding, ImageResult

_NAMES = {"complete": "chats", "embed": "embeddings", "imagen": "images"}
UNLIMITED = {"timeout": {"total": None}}
"""A file of hundreds of megabytes takes its time; each of its pieces has a limit all the same."""


class Endpoint:
    """The batches of one target: `llm` says provider, gateway, address and credential."""

    def __init__(self, llm: LLM, *, is_async: bool) -> None:
        self.llm, self.spec, self.kernel, self._is_async = llm, llm.spec, llm.kernel, is_async
        spec = self.spec
        if spec.route is not None:
            raise UnsupportedError(
                "a native batch goes to one model, and not along a route; give one, or use mode sync"
            )
        if not spec.capability("batches"):
            raise UnsupportedError(
                f"nothing says that provider {spec.provider!r} answers batches over gateway {spec.gateway!r}; use mode "
                f"sync, or say heavenbase.llm.providers.{spec.provider}.capabilities.batches = true",
                provider=spec.provider,
            )
        batches: Any = getattr(self.kernel.gateway(spec), "batches", None)
        if batches is None:
            raise UnsupportedError(f"gateway {spec.gateway!r} has no batches; use mode sync", provider=spec.provider)
        self.verbs: Collection[str] = getattr(batches, "verbs", ("complete",))
        self.most_requests: int = batches.most_requests
        self.most_inputs: int | None = getattr(batches, "most_inputs", None)
        self.most_bytes: int = batches.most_bytes
        self.has_metadata: bool = batches.has_metadata
        self.has_mixed_models: bool = batches.has_mixed_models
        self.has_uploads = callable(getattr(batches, "upload", None))
        self.can_delete = callable(getattr(batches, "delete", None))

    @property
    def place(self) -> dict[str, Any]:
        """Where its jobs belong, without anything secret; `account` tells one credential from another."""
        url = urlsplit(self.spec.base_url or "")
        where = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        facts = {"provider": self.spec.provider, "gateway": self.spec.gateway, "base_url": where}
        return {**facts, "account": self.spec.target_key()[:16]}

    def call(self, verb: str, content: Any, options: Mapping[str, Any]) -> Call:
        """The call that a request would be alone; an InputError says what is wrong with it."""
        if verb not in self.verbs:
            others = " and ".join(_NAMES[it] for it in self.verbs)
            raise UnsupportedError(
                f"a batch of provider {self.spec.provider!r} over gateway {self.spec.gateway!r} has {others}, and no "
                f"{_NAMES[verb]}; mode sync answers them",
                provider=self.spec.provider,
            )
        given = dict(options)
        conceal(given)
        if moved := sorted(CONNECTION & given.keys()):
            raise InputError(f"{moved[0]} is for the batch as a whole, whose requests go to one place")
        if verb != "complete":
            about = content_of(verb, content, given)
            if about.get("images") or given.get("mask") is not None:
                raise UnsupportedError("a native batch makes images and edits none; mode sync does")
            if verb == "embed":
                _check_inputs(self.spec, about["inputs"])
            return self.kernel.call(verb, self.spec, with_effort(given), is_async=self._is_async, **about)
        system, images = given.pop("system", None), given.pop("images", None)
        if PROMPTED.isdisjoint(given) and PROMPTED.isdisjoint(self.spec.args):
            messages = to_messages(content, system=system, images=images)
        else:
            from heavenbase.prompts import prompted

            messages = prompted(self.kernel.config, self.spec, content, given, system, images)
        call = self.kernel.call("complete", self.spec, with_effort(given), is_async=self._is_async, messages=messages)
        if call.tools:
            raise UnsupportedError(f"hb runs no tools in a native batch ({', '.join(call.tools)}); give their schemas")
        return call

    async def entry(self, call: Call, custom_id: str) -> BatchPart:
        """The request of a call as a line of a batch. Sends nothing."""
        return await self._on("batches.entry", _once_each(call), custom_id)  # type: ignore[no-any-return]

    async def answer(self, call: Call, line: bytes) -> Completion | Embedding | ImageResult:
        """The answer in a line of results; its error, raised."""
        # Its images were encoded when it was sent, and need not be fetched again.
        messages = [{**it, "content": ""} if isinstance(it.get("content"), list) else it for it in call.messages]
        asked = _once_each(call).replace(messages=messages, format=None)
        answer = await self._on("batches.answer", asked, line)
        if len(asked.inputs) < len(call.inputs):
            vectors = dict(zip(asked.inputs, answer.vectors, strict=True))
            answer.vectors = [vectors[text] for text in call.inputs]
        if call.format is not None:
            try:
                answer.structured = call.format.value_of(answer)
            except StructuredOutputError as error:
                error.partial = answer
                raise
        return answer  # type: ignore[no-any-return]

    async def upload(self, lines: Sequence[bytes], part: BatchPart, metadata: Mapping[str, str]) -> str:
        """Upload lines, of which a job is made later; the id of their file."""
        whole = replace(part, lines=lines, metadata=metadata)
        found = await ask(self.llm, "batches.upload", UNLIMITED, is_async=self._is_async, subject=whole)
        return found.id  # type: ignore[no-any-return]

    async def submit(
        self, lines: Sequence[bytes], part: BatchPart, metadata: Mapping[str, str], file: str | None = None
    ) -> BatchJob:
        """Have lines, or a file of them, answered; sent once, unless it is certain that they were not heard."""
        call = self.kernel.call("batches.submit", self.spec, UNLIMITED, is_async=self._is_async)
        whole = replace(part, lines=lines, metadata=metadata, file=file)
        controls = {**call.controls, "billed_repeats": 0}
        return await self.kernel.answer_once(call.replace(subject=whole, controls=controls))  # type: ignore[no-any-return]

    async def get(self, job: str) -> BatchJob:
        """A job as it is now."""
        return await ask(self.llm, "batches.get", {}, is_async=self._is_async, subject=job)  # type: ignore[no-any-return]

    async def list(self, limit: int) -> Any:
        """The newest jobs of the account."""
        return await ask(self.llm, "batches.list", {}, is_async=self._is_async, subject=limit)

    async def cancel(self, job: str) -> BatchJob:
        """Have a job stopped."""
        return await ask(self.llm, "batches.cancel", {}, is_async=self._is_async, subject=job)  # type: ignore[no-any-return]

    async def delete(self, job: str | None, file: str | None) -> None:
        """Delete what the provider keeps of a job that has ended, and a file that was uploaded."""
        await ask(self.llm, "batches.delete", {}, is_async=self._is_async, subject=(job, file))

    async def results(self, job: BatchJob, sink: Callable[[bytes], Any]) -> None:
        """The lines of results as they come, into `sink`; begun once, as a sink cannot take back what it has."""
        options = {**UNLIMITED, "max_retries": 0}
        await ask(self.llm, "batches.results", options, is_async=self._is_async, subject=(job, sink))

    async def sleep(self, seconds: float) -> None:
        """Wait by the kernel's clock."""
        call = self.kernel.call("batches.get", self.spec, UNLIMITED, is_async=self._is_async)
        await self.kernel.services.sleep(call, seconds)

    async def _on(self, operation: str, call: Call, subject: Any) -> Any:
        controls = {**call.controls, "max_retries": 0}
        explicit = call.explicit | {"max_retries"}
        asked = call.replace(verb=operation, subject=subject, tools={}, controls=controls, explicit=explicit)
        return await self.kernel.answer_once(asked)


def _once_each(call: Call) -> Call:
    """A call that embeds equal texts once, as a live one does."""
    return call.replace(inputs=list(dict.fromkeys(call.inputs))) if call.inputs else call


def _check_inputs(spec: LLMSpec, inputs: Collection[str]) -> None:
    """InputError for an embedding that is not one request, as a live one would be sent in several."""
    if not inputs:
        raise InputError("the request has no text to embed")
    inputs = set(inputs)
    if (most := spec.batch_size(len(inputs))) < len(inputs):
        raise InputError(f"the request has {len(inputs)} texts to embed, and {spec.provider} takes {most} at once")
