"""Events of a streamed chat as chunks; one state machine for both colours. Pure.

A stream has ended well when a finish reason or `[DONE]` came. Thoughts that the provider wants back are collected and
leave with the finish reason, in one piece.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from hb_wire_openai.answers import (
    FAILED,
    FINISH,
    delta_thoughts,
    in_order,
    read_content,
    read_images,
    sound_format,
    sound_parts,
)
from hb_wire_openai.details import (
    BESIDE,
    SOURCES,
    audio_of,
    citations_of,
    context_of,
    filters_beside,
    filters_of,
    logprobs_of,
    sources_of,
)
from hb_wire_openai.events import WireStream
from hb_wire_openai.usage import chat_usage
from heavenbase.details import Details
from heavenbase.errors import ProviderError, ResponseShapeError
from heavenbase.http import as_list, as_object, name_or_none, shape_error, text_or_none, whole_or_none
from heavenbase.types import Audio, ChoiceDelta, Chunk, ToolCallDelta
from heavenbase.wires import arguments_text, finish_reason, merged_counts, object_or_empty, objects, reasoning_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_wire_openai.answers import Thinking
    from heavenbase.call import Call
    from heavenbase.errors import HBError

_BESIDE = BESIDE | {"x_groq"}
_MERGED = ("text", "summary", "data", "signature")


class ChatStream(WireStream):
    """What has come of one streamed chat."""

    __slots__ = (
        *("_counts", "_details", "_first", "_has_choice", "_has_ended", "_is_named", "_is_refused", "_others"),
        *("_nameless", "_pieces", "_sounds", "_sources", "_spoke", "_texts", "_tools", "_wanted"),
    )

    ending: ClassVar[str] = "a finish reason or [DONE]"

    def __init__(self, call: Call, thinking: Thinking, embedded: Callable[[Any], HBError]) -> None:
        super().__init__(call, thinking, embedded)
        self._has_choice = self._has_ended = False
        self._is_named = self._is_refused = False
        self._tools: set[Any] = set()
        """Numbers and ids of tool calls whose functions are known."""
        self._nameless: set[Any] = set()
        """Those of which only arguments have come."""
        self._pieces: list[str] = []
        self._details: list[dict[str, Any]] = []
        self._texts: list[dict[str, list[str]]] = []
        self._counts: Any = None
        """The usage, as far as the provider has told it."""
        extra = call.args.get("extra_body")
        asked = (extra or {}).get("n") or call.args.get("n")
        self._wanted = asked if isinstance(asked, int) else 1
        self._first = 0 if self._wanted > 1 else None
        """The number of the choice that is the answer: where one was asked for, the first that comes."""
        self._others: dict[int, ChatStream] = {}
        self._sources: dict[str, Any] | None = {}
        """Of a search, which some servers name in every event; None once they are told."""
        self._sounds: list[Audio] = []
        self._spoke = False
        """Whether text came that is no transcript."""

    def read(self, event: dict[str, Any]) -> Chunk:
        """The chunk for one event."""
        choices = event.get("choices")
        chunk = Chunk()
        if not self._is_named:
            # Some servers begin with an event that names neither, for verdicts of filters.
            chunk.id, chunk.model = text_or_none(event.get("id")), text_or_none(event.get("model"))
            self._is_named = chunk.id is not None or chunk.model is not None
        if choices:
            if not isinstance(choices, list):
                raise shape_error(self._call, "the `choices` of an event are no list")
            for choice in choices if len(choices) == 1 else in_order(choices):
                if not isinstance(choice, dict):
                    raise shape_error(self._call, "a choice of the stream is no object")
                index = choice.get("index", 0)
                if index == self._first:
                    self._choose(chunk, choice)
                elif self._first is None or whole_or_none(index) is None:
                    self._first = index
                    self._choose(chunk, choice)
                else:
                    self._choose_other(chunk, choice, index)
            if self._wanted > 1:
                self.is_finished = len(self._others) + 1 >= self._wanted and self._have_ended()
        usage = event.get("usage")
        if usage is None and chunk.finish_reason is not None:
            usage = next((it["usage"] for it in objects(choices) if it.get("usage")), None)  # in its own place
        if not _BESIDE.isdisjoint(event):
            if event.get("usage") is None:
                usage = object_or_empty(event.get("x_groq")).get("usage") or usage
            if self._sources is not None:
                self._sources.update({name: event[name] for name in SOURCES if event.get(name)})
            self._tell(chunk, filters=filters_beside(event))
        if self._sources and self._has_ended:
            self._tell(chunk, citations=sources_of(self._sources))
            self._sources = None
        if usage:
            self._counts = merged_counts(self._counts, usage)
            chunk.usage = chat_usage(self._counts, event.get("service_tier"))
        elif choices is None and not self._has_choice:  # else it is an event that hb does not know
            raise shape_error(self._call, "an event of the stream has no `choices`")
        return chunk

    def end(self) -> Chunk | None:
        """After the last byte: the closing chunk where one is due; StreamTruncated when the end was not proved."""
        if self._has_ended and (self.is_done or self._have_ended()):
            return None
        if self.is_done and self._has_choice:
            # The provider says that this is all, and not why: the reason is not known, so it is "other".
            self._check_names()
            chunk = self._close(Chunk(finish_reason="refusal" if self._is_refused else "other"))
            self._tell(chunk, citations=sources_of(self._sources or {}))
            return chunk
        return super().end()

    def unfinished(self) -> HBError:
        """The error for a stream whose end was not proved."""
        if self._has_event and not self._has_choice:
            return shape_error(self._call, "the stream has no answer in it")
        return super().unfinished()

    def _choose_other(self, chunk: Chunk, choice: dict[str, Any], index: int) -> None:
        """What an event says of another choice: it is read like the first, and stands beside it."""
        state = self._others.get(index)
        if state is None:
            state = self._others[index] = type(self)(self._call, self._thinking, self._embedded)
        piece = ChoiceDelta(index=index)
        state.is_fresh = False
        try:
            state._choose(piece, choice)
        except ProviderError as error:  # what failed is this one, and does not take the others along
            if isinstance(error, ResponseShapeError):
                raise
            reason = choice.get("finish_reason")
            piece.finish_reason, piece.raw_finish_reason = "other", reason if isinstance(reason, str) else error.kind
            state._has_ended = True
        state.showed = state.showed or state.is_fresh
        self._tell(chunk, others=[piece])
        self.is_fresh = self.is_fresh or state.is_fresh

    def _have_ended(self) -> bool:
        """Whether every choice that was asked for has, as far as any of it came."""
        return self._has_ended and (self._wanted <= 1 or all(other._has_ended for other in self._others.values()))

    def _tell(self, chunk: Chunk, **found: list[Any]) -> None:
        """Put what is more than text into a chunk."""
        details = Details.known(**found)
        if details is not None and chunk.details is not None:
            details = Details.merged([chunk.details, details], [*chunk.details.others, *details.others])
        chunk.details = details or chunk.details

    def _choose(self, chunk: Chunk, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if delta is None:
            delta = choice.get("message")  # of servers that answer at once, in the only event of their stream
        if isinstance(delta, dict):
            self._has_choice = True
            content = delta.get("content")
            if content:
                if isinstance(content, str):
                    chunk.text = content
                else:
                    chunk.text, chunk.reasoning, images = read_content(self._call, content)
                    chunk.images = images or None
                self.is_fresh = True
                self._spoke = True
            if len(delta) > 1 or not content:
                self._extend(chunk, delta)
        if len(choice) > 3:
            logprobs, verdicts = choice.get("logprobs"), choice.get("content_filter_results")
            if logprobs or verdicts:
                self._tell(chunk, logprobs=logprobs_of(logprobs), filters=filters_of(verdicts))
        reason = choice.get("finish_reason")
        if reason == "error" or choice.get("error"):
            raise self._embedded(choice.get("error") or FAILED)
        if reason:
            word = finish_reason(FINISH, reason)
            self._has_choice = self._has_ended = True
            self.finish(chunk, "refusal" if self._is_refused and word in ("stop", "other") else word, reason)
            self._check_names()
            self._close(chunk)

    def _extend(self, chunk: Chunk, delta: dict[str, Any]) -> None:
        """What a piece may hold beside text."""
        thoughts = delta_thoughts(delta)
        if thoughts:
            chunk.reasoning += thoughts
        details = delta.get("reasoning_details")
        fields = self._thinking.fields
        if fields and (thoughts or details):
            if isinstance(details, list) and "reasoning_details" in fields:
                self._keep(details)
            if thoughts:
                self._pieces.append(thoughts)
        if chunk.reasoning:
            self.is_fresh = True
            if self._is_hidden:
                chunk.reasoning, self._hid = "", True
        calls = delta.get("tool_calls")
        if calls is None and isinstance(delta.get("function_call"), dict):
            calls = [{"index": 0, "function": delta["function_call"]}]
        if calls:
            calls = as_list(self._call, calls, "the `tool_calls` of an event")
            chunk.tool_calls = [self._tool_call(item) for item in calls]
            self.is_fresh = True
        if delta.get("images"):
            chunk.images = [*(chunk.images or ()), *read_images(self._call, delta["images"])]
            self.is_fresh = True
        if delta.get("annotations") or delta.get("context"):
            self._tell(chunk, citations=[*citations_of(delta.get("annotations")), *context_of(delta)])
        if delta.get("audio"):
            self._hear(chunk, delta["audio"])
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            chunk.text += refusal
            self.is_fresh = self._is_refused = True

    def _hear(self, chunk: Chunk, audio: Any) -> None:
        """A piece of a sound; what is said in it is the text, where there is no other."""
        sounds = audio_of(audio, sound_format(self._call))
        self._tell(chunk, audio=sounds)
        self._sounds += [replace(sound, data=b"") for sound in sounds]
        if sounds and not self._spoke:
            chunk.text += "".join(sound.transcript for sound in sounds)
        self.is_fresh = self.is_fresh or bool(sounds)

    def _tool_call(self, item: Any) -> ToolCallDelta:
        as_object(self._call, item, "a tool call of the stream")
        said = item.get("function") or item.get("custom") or {}
        function = as_object(self._call, said, "the function of a tool call")
        made = ToolCallDelta(
            whole_or_none(item.get("index")),
            name_or_none(self._call, item.get("id"), "the `id` of a tool call"),
            text_or_none(function.get("name")),
            arguments_text(function.get("arguments", function.get("input"))),
            "custom" if item.get("custom") else None,
        )
        known = {key for key in (made.index, made.id) if key is not None}
        first = made.index if made.index is not None else made.id
        if made.name:
            self._tools |= known or {None}
            self._nameless.discard(first)
        elif self._tools.isdisjoint(known) if known else not self._tools:
            self._nameless.add(first)
        return made

    def _check_names(self) -> None:
        if self._nameless:
            raise shape_error(self._call, "a tool call of the stream names no function")

    def _keep(self, details: list[Any]) -> None:
        """Join the pieces of one detail, which the provider wants back whole."""
        for piece in details:
            if not isinstance(piece, dict):
                continue
            last = self._details[-1] if self._details else None
            if last is not None and all(last.get(name) == piece.get(name) for name in ("type", "index")):
                texts = self._texts[-1]
                for name, value in piece.items():
                    if name in _MERGED and isinstance(value, str) and isinstance(last.get(name), str):
                        texts.setdefault(name, [last[name]]).append(value)
                    elif value is not None:
                        last[name] = value
                        texts.pop(name, None)
            else:
                self._details.append(dict(piece))
                self._texts.append({})

    def _close(self, chunk: Chunk) -> Chunk:
        text_field = next((name for name in reversed(self._thinking.fields) if name != "reasoning_details"), None)
        if self._details:
            for detail, texts in zip(self._details, self._texts, strict=True):
                detail.update({name: "".join(pieces) for name, pieces in texts.items()})
            chunk.reasoning_parts = [reasoning_part(self._call.spec, "reasoning_details", self._details)]
            self._details, self._texts = [], []
        elif self._pieces and text_field is not None:
            chunk.reasoning_parts = [reasoning_part(self._call.spec, text_field, "".join(self._pieces))]
        self._pieces = []
        if self._sounds:
            named = sound_parts(self._call, Audio.joined(self._sounds))
            chunk.reasoning_parts = [*(chunk.reasoning_parts or ()), *named] or None
            self._sounds = []
        return chunk
