"""Checks of good answers: text, usage, finish reasons, tool calls, reasoning, structure, vectors, images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from hb_testing.conformance import parameters
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs, only_if
from hb_testing.conformance.samples import IMAGES
from hb_testing.server import SEPARATORS_TEXT, OpenAIWire
from heavenbase.errors import ResponseShapeError
from heavenbase.gather import Gathering
from heavenbase.types import Chunk, Completion, FinishReason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_testing.conformance.rig import Rig

TEXT = "Grüße,\nschöne Welt 🌍!"
COUNTED = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
CALLS: list[dict[str, Any]] = [
    {"id": "call_a", "name": "get_weather", "arguments": {"city": "Köln", "list": [1, {"deep": None}]}},
    {"id": "call_b", "name": "get_weather", "arguments": {"city": 'a "quoted" \\ name'}},
    {"id": "call_c", "name": "ring_bell", "arguments": ""},
]
TWO_CALLS: list[tuple[str, dict[str, Any]]] = [("get_weather", {"city": "Paris"}), ("get_time", {"zone": "CET"})]
NO_ARGUMENTS: list[tuple[str, dict[str, Any]]] = [("get_time", {})]
OPENAI_SHAPE = only_if(
    lambda contract, _: "" if isinstance(contract.speaks(), OpenAIWire) else "its vectors have another shape"
)
SCRIPTED = only_if(lambda contract, _: contract.unscripted())
VERBS = pytest.mark.parametrize("verb", ["chat", "stream"])


class AnswerChecks(GatewayBase):
    """What the provider says arrives whole, and in hb's words."""

    def answer(self, rig: Rig, verb: str, fault: str = "", **options: Any) -> Completion:
        """The answer of a chat, or a stream gathered into one."""
        found = rig.call(verb, fault, **options)
        if verb == "chat":
            assert isinstance(found, Completion)
            return found
        gathering = Gathering()
        for chunk in found:
            assert isinstance(chunk, Chunk)
            gathering.feed(chunk)
        assert gathering.finished, "no chunk has a finish reason"
        return gathering.completion(rig.make_call("complete"))

    @VERBS
    @needs("verb")
    def test_it_answers(self, rig: Rig, verb: str) -> None:
        """Whatever it says: text, an end, and who said it."""
        answer = self.answer(rig, verb)
        assert answer.text or answer.tool_calls
        assert answer.finish_reason in get_args(FinishReason)
        assert answer.model

    @VERBS
    @needs("verb")
    @SCRIPTED
    def test_text_arrives_unchanged(self, rig: Rig, verb: str) -> None:
        answer = self.answer(rig, verb, **self.say(rig, text=TEXT))
        assert answer.text == TEXT
        assert answer.reasoning == ""
        assert answer.tool_calls == []
        assert answer.finish_reason == "stop"

    @needs("chat")
    def test_one_call_is_one_request(self, wired: Rig) -> None:
        answer = wired.call("chat")
        assert wired.server.request_count == 1
        assert [(a.gateway, a.error) for a in answer.attempts] == [(self.subject(), None)]

    @needs("stream")
    def test_a_stream_comes_in_pieces(self, wired: Rig) -> None:
        wired.server.reply(chunks=("one ", "two ", "three"))
        chunks = [chunk.text for chunk in wired.call("stream") if chunk.text]
        assert chunks == ["one ", "two ", "three"]

    @needs("chat")
    def test_an_empty_answer_is_an_answer(self, wired: Rig) -> None:
        wired.server.reply(text="")
        answer = wired.call("chat")
        assert (answer.text, answer.finish_reason) == ("", "stop")

    # Usage

    @VERBS
    @needs("verb")
    def test_usage_is_counted(self, rig: Rig, verb: str) -> None:
        """In streams too, without being asked."""
        usage = self.answer(rig, verb).usage
        assert usage is not None, "no usage"
        assert usage.prompt_tokens, "no input tokens"
        assert usage.completion_tokens, "no output tokens"

    @VERBS
    @needs("verb")
    def test_usage_buckets_are_disjoint(self, wired: Rig, verb: str) -> None:
        usage = self.answer(wired, verb, **self.say(wired, text="x", usage=COUNTED)).usage
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens) == (100, 50)
        told = self.speaker(wired).usage_buckets
        if "cache_read" in told:
            assert (usage.input, usage.cache_read) == (60, 40)
        if "reasoning" in told:
            assert (usage.output, usage.reasoning) == (30, 20)

    @VERBS
    @needs("verb")
    def test_unknown_usage_is_none(self, wired: Rig, verb: str) -> None:
        usage = self.answer(wired, verb, **self.say(wired, text="x", usage={})).usage
        assert usage is None or usage.total_tokens is None, "usage that nobody sent became a number"

    # Finish reasons

    @VERBS
    @needs("verb")
    @only_if(lambda contract, _: "" if contract.reasons() else "its wire names no finish reasons; see finish_reasons")
    def test_finish_reasons_are_translated_and_kept(self, wired: Rig, verb: str) -> None:
        reasons = self.reasons()
        for raw, reason in reasons.items():
            calls = CALLS[:1] if reason == "tool_calls" else ()
            answer = self.answer(wired, verb, **self.say(wired, text="x", finish_reason=raw, tool_calls=calls))
            assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)

    @VERBS
    @needs("verb")
    def test_an_unknown_finish_reason_is_not_made_into_another(self, wired: Rig, verb: str) -> None:
        answer = self.answer(wired, verb, **self.say(wired, text="x", finish_reason="unheard_of"))
        assert (answer.finish_reason, answer.raw_finish_reason) == ("other", "unheard_of")

    # Tool calls

    @VERBS
    @needs("verb", "tools")
    @SCRIPTED
    def test_tool_calls_arrive_whole(self, rig: Rig, verb: str) -> None:
        """Several at once, in fragments when streamed, and one without arguments."""
        answer = self.answer(rig, verb, **self.say(rig, tool_calls=CALLS), **parameters.WITH_TOOLS)
        assert [call.name for call in answer.tool_calls] == [call["name"] for call in CALLS]
        ids = [call.id for call in answer.tool_calls]
        if not rig.is_wired or self.speaker(rig).call_ids:
            assert ids == [call["id"] for call in CALLS]
        assert len({id_ for id_ in ids if id_}) == len(CALLS), f"calls need ids of their own, not {ids}"
        assert [call.parse() for call in answer.tool_calls] == [call["arguments"] or {} for call in CALLS]
        assert answer.finish_reason == "tool_calls"

    @VERBS
    @needs("verb", "tools")
    def test_odd_tool_call_fragments_are_put_together(self, wired: Rig, verb: str) -> None:
        """Every fault E8 of the wire: two calls however they are numbered, or one without arguments."""
        for fault in self.faults(wired, "E8."):
            answer = self.answer(wired, verb, fault, **parameters.WITH_TOOLS)
            expected = NO_ARGUMENTS if fault in ("E8.empty-arguments", "E8.no-deltas") else TWO_CALLS
            assert [(call.name, call.parse()) for call in answer.tool_calls] == expected, fault

    # Reasoning and structure

    @VERBS
    @needs("verb", "reasoning")
    @SCRIPTED
    def test_reasoning_is_kept_apart_from_the_text(self, rig: Rig, verb: str) -> None:
        answer = self.answer(rig, verb, **self.say(rig, reasoning="first this, then that", text="so it is"))
        assert (answer.reasoning, answer.text) == ("first this, then that", "so it is")

    @VERBS
    @needs("verb", "structured")
    @SCRIPTED
    def test_a_structured_answer_has_its_shape(self, rig: Rig, verb: str) -> None:
        said = {"city": "Köln", "degrees": 7}
        script = self.say(rig, text=json.dumps(said))
        answer = self.answer(rig, verb, **script, response_format=parameters.JSON_SCHEMA)
        assert json.loads(answer.text) == said
        if rig.is_wired:
            _, report = rig.prepare("complete", response_format=parameters.JSON_SCHEMA)
            sent = rig.server.requests[0].body
            assert b"degrees" in sent or report.entries["response_format"].outcome == "emulated"

    @VERBS
    @needs("verb")
    def test_separators_inside_text_survive(self, wired: Rig, verb: str) -> None:
        """U+2028, U+0085 and other characters that some line splitters take for line ends."""
        answer = self.answer(wired, verb, **self.say(wired, text=SEPARATORS_TEXT, chunks=(SEPARATORS_TEXT,)))
        assert answer.text == SEPARATORS_TEXT

    # Embeddings

    @needs("embeddings")
    def test_embeddings_keep_count_and_order(self, rig: Rig) -> None:
        inputs = ["one", "a longer second one", "three"]
        if not rig.is_wired:
            alone = [rig.call("embed", content=[text])["embeddings"][0] for text in inputs]
            assert [len(v) for v in rig.call("embed", content=inputs)["embeddings"]] == [len(v) for v in alone]
            return
        vectors = [[1.0, 0.0], [0.0, 1.0], [0.5, -0.25]]
        rig.server.reply(embeddings=vectors)
        assert rig.call("embed", content=inputs)["embeddings"] == vectors

    @needs("embeddings")
    @OPENAI_SHAPE
    def test_embeddings_are_sorted_by_their_index(self, wired: Rig) -> None:
        rows = [{"object": "embedding", "index": index, "embedding": [float(index)]} for index in (2, 0, 1)]
        wired.server.reply(body={"object": "list", "data": rows, "model": "m"})
        found = wired.call("embed", encoding_format="float", on_lossy="allow")
        assert found["embeddings"] == [[0.0], [1.0], [2.0]]

    @needs("embeddings")
    @OPENAI_SHAPE
    def test_a_missing_vector_is_an_error(self, wired: Rig) -> None:
        rows = [{"object": "embedding", "index": index, "embedding": [float(index)]} for index in (0, 1)]
        wired.server.reply(body={"object": "list", "data": rows, "model": "m"})
        error = wired.error("embed", encoding_format="float", on_lossy="allow")
        assert isinstance(error, ResponseShapeError), f"two vectors for three inputs raised {type(error).__name__}"

    @needs("embeddings")
    def test_embeddings_count_their_usage(self, wired: Rig) -> None:
        assert wired.call("embed")["usage"]["prompt_tokens"] > 0

    # Images

    @needs("images")
    def test_images_are_generated(self, rig: Rig) -> None:
        if rig.is_wired and not self.speaker(rig).many_images:
            rig.server.reply(images=[IMAGES["jpeg"]])
            [image] = rig.call("imagen")["images"]
            assert (image.format, image.to_bytes()) == ("jpeg", IMAGES["jpeg"])
        elif rig.is_wired:
            rig.server.reply(images=[IMAGES["png"], IMAGES["jpeg"]])
            images = rig.call("imagen", n=2)["images"]
            assert [(image.format, image.to_bytes()) for image in images] == [
                ("png", IMAGES["png"]),
                ("jpeg", IMAGES["jpeg"]),
            ]
        else:
            images = rig.call("imagen")["images"]
            assert images
            assert all(image.to_bytes() for image in images)

    def reasons(self) -> Mapping[str, str]:
        """The wire's words for why an answer ended, and what they are in hb's vocabulary."""
        return self.speaks().finish_reasons if self.finish_reasons is None else self.finish_reasons
