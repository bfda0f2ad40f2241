"""Checks of operations: what the gateway has beside the verbs, by the names of its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.gateway import OPERATIONS, GatewayBase
from hb_testing.conformance.needs import needs
from hb_testing.server import Reply
from heavenbase.errors import (
    HBError,
    InputError,
    InputTypeError,
    ProviderError,
    RateLimitError,
    ResponseError,
    UnsupportedError,
)
from heavenbase.operations import FileInfo, ModelInfo

if TYPE_CHECKING:
    from pathlib import Path

    from hb_testing.conformance.rig import Rig
    from hb_testing.server.recorder import RecordedRequest
    from heavenbase.llm import LLM
    from heavenbase.operations import Files

DOCUMENTS = ["c d", "a b c", "a c d"]
TOOL = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}


class OperationChecks(GatewayBase):
    """Operations are answered typed, in both colours, and fail as calls do."""

    def perform(self, rig: Rig, operation: str, fault: str = "", **options: Any) -> Any:
        """The answer of an operation in the rig's colour."""
        llm: Any = rig.llm(fault)
        if operation == "files":
            return self.files(rig, llm.files, "upload", b"%PDF-1.7", "a.pdf", **options)
        content = {"count_tokens": ("one two three",), "models": (), "rerank": ("a b", DOCUMENTS)}[operation]
        method, twin = getattr(llm, operation), getattr(llm, f"a{operation}")
        return rig.colour.run(lambda: method(*content, **options), lambda: twin(*content, **options))

    @needs("count_tokens")
    def test_v2_tokens_are_counted_by_the_endpoint(self, rig: Rig) -> None:
        few = rig.colour.run(
            lambda: rig.llm().count_tokens("one", estimate=False),
            lambda: rig.llm().acount_tokens("one", estimate=False),
        )
        many = rig.colour.run(
            lambda: rig.llm().count_tokens("one two three", system="Be brief.", tools=[TOOL], estimate=False),
            lambda: rig.llm().acount_tokens("one two three", system="Be brief.", tools=[TOOL], estimate=False),
        )
        assert few.method == many.method == "endpoint"
        assert 0 < int(few) < int(many), (few, many)
        assert few.provider == rig.llm().spec.provider
        assert len(few.attempts) == 1

    @needs("models")
    def test_v3_the_models_of_the_endpoint_are_listed(self, rig: Rig) -> None:
        found = self.perform(rig, "models")
        assert len(found) >= 1
        assert not found.has_more
        assert all(isinstance(model, ModelInfo) and model.id and "models/" not in model.id for model in found)
        assert found.provider == rig.llm().spec.provider
        one = self.perform(rig, "models", limit=1)
        assert [model.id for model in one] == [found[0].id]
        assert one.has_more == (len(found) > 1)
        for limit, error in ((0, InputError), (-1, InputError), (1.5, InputTypeError), (True, InputTypeError)):
            with pytest.raises(error, match="limit"):
                self.perform(rig, "models", limit=limit)
        with pytest.raises(InputError, match="temperature"):
            self.perform(rig, "models", temperature=1)

    @needs("rerank")
    def test_v4_documents_come_best_first(self, rig: Rig) -> None:
        found = self.perform(rig, "rerank")
        assert [one.index for one in found] == [1, 2, 0]
        assert [one.document for one in found] == [DOCUMENTS[one.index] for one in found]
        assert found[0].score > found[1].score > found[2].score
        assert found.provider == rig.llm().spec.provider
        assert [one.index for one in self.perform(rig, "rerank", top_n=1)] == [1]
        assert len(self.perform(rig, "rerank", top_n=99)) == 3

    @needs("rerank")
    def test_v4_bad_questions_are_refused_before_anything_is_sent(self, rig: Rig) -> None:
        llm = rig.llm()
        bad: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
            ("", DOCUMENTS, {}, InputError, "query"),
            (3, DOCUMENTS, {}, InputTypeError, "query"),
            ("a", [], {}, InputError, "documents"),
            ("a", "text", {}, InputTypeError, "documents"),
            ("a", {"a": "b"}, {}, InputTypeError, "documents"),
            ("a", ["b", 3], {}, InputTypeError, "document 1"),
            ("a", DOCUMENTS, {"top_n": 0}, InputError, "top_n"),
            ("a", DOCUMENTS, {"top_n": "2"}, InputTypeError, "top_n"),
            ("a", DOCUMENTS, {"temperature": 1}, InputError, "temperature"),
        ]
        for query, documents, options, error, words in bad:
            with pytest.raises(error, match=words):
                self.colour_of(rig, llm, query, documents, options)
        if rig.is_wired:
            assert rig.server.requests == []

    def colour_of(self, rig: Rig, llm: LLM, query: Any, documents: Any, options: dict[str, Any]) -> Any:
        """A ranking in the rig's colour."""
        return rig.colour.run(
            lambda: llm.rerank(query, documents, **options), lambda: llm.arerank(query, documents, **options)
        )

    @needs("rerank", "server")
    def test_v4_a_ranking_that_names_other_documents_is_an_error(self, rig: Rig) -> None:
        for rows in (
            [{"index": 3, "relevance_score": 1}],
            [{"index": -1, "relevance_score": 1}],
            [{"index": True, "relevance_score": 1}],
            [{"index": 0}],
            [{"index": 0, "relevance_score": "high"}],
            [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 0.5}],
            ["first"],
            None,
        ):
            rig.server.reply(body={"results": rows})
            with pytest.raises(ResponseError):
                self.perform(rig, "rerank")

    def files(self, rig: Rig, files: Files, what: str, *given: Any, **options: Any) -> Any:
        """The answer of one operation on files, in the rig's colour."""
        method, twin = getattr(files, what), getattr(files, f"a{what}")
        return rig.colour.run(lambda: method(*given, **options), lambda: twin(*given, **options))

    @needs("files")
    def test_v5_a_file_is_uploaded_told_of_given_back_and_deleted(self, rig: Rig, tmp_path: Path) -> None:
        files, data = rig.llm().files, bytes(range(256)) * 3
        path = tmp_path / "Grüße 1.pdf"
        path.write_bytes(data)
        made = self.files(rig, files, "upload", path)
        assert isinstance(made, FileInfo)
        assert made.filename == path.name
        assert made.size == len(data)
        assert made.provider == rig.llm().spec.provider
        other = self.files(rig, files, "upload", b"{}", "b.json")
        assert other.id != made.id
        assert self.files(rig, files, "get", made).id == made.id
        listed = self.files(rig, files, "list")
        assert [one.id for one in listed] == [made.id, other.id]
        assert not listed.has_more
        first = self.files(rig, files, "list", limit=1)
        assert ([one.id for one in first], first.has_more) == ([made.id], True)
        assert self.files(rig, files, "content", made.id) == data
        assert self.files(rig, files, "delete", made.id) is None
        with pytest.raises(HBError):
            self.files(rig, files, "get", made.id)
        assert [one.id for one in self.files(rig, files, "list")] == [other.id]

    @needs("files")
    def test_v5_bad_files_are_refused_before_anything_is_sent(self, rig: Rig, tmp_path: Path) -> None:
        files = rig.llm().files
        bad: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
            ("upload", (tmp_path / "none.pdf",), InputError, "none.pdf"),
            ("upload", (b"x",), InputError, "name="),
            ("upload", (b"", "a.pdf"), InputError, "empty"),
            ("upload", (3, "a.pdf"), InputTypeError, "int"),
            ("upload", (b"x", "a.pdf", 3), InputTypeError, "purpose"),
            ("upload", (b"x", ""), InputTypeError, "name"),
            ("get", ("",), InputError, "no id"),
            ("get", ("../models",), InputError, "no id"),
            ("delete", (None,), InputTypeError, "id"),
            ("list", (0,), InputError, "limit"),
        ]
        for what, given, error, words in bad:
            with pytest.raises(error, match=words):
                self.files(rig, files, what, *given)
        if rig.is_wired:
            assert rig.server.requests == []

    @needs("verb", "server")
    @pytest.mark.parametrize("verb", OPERATIONS)
    def test_v2_an_operation_that_fails_raises_what_a_call_does(self, rig: Rig, verb: str) -> None:
        with pytest.raises(RateLimitError) as refused:
            self.perform(rig, verb, "S3.number")
        assert refused.value.status == 429
        assert len(refused.value.attempts) == 1
        with pytest.raises(ProviderError):
            self.perform(rig, verb, "N2.b")
        rig.server.strike(None, rig.wire)
        rig.server.reply(body={"unheard": "of"})
        with pytest.raises(ResponseError):
            self.perform(rig, verb)

    @needs("verb", "server")
    @pytest.mark.parametrize("verb", OPERATIONS)
    def test_v2_what_a_provider_says_that_it_has_not_is_not_asked_for(self, rig: Rig, verb: str) -> None:
        with self.open_rig(rig.colour, record={"capabilities": {verb: False}}) as other:
            options: dict[str, Any] = {"estimate": False} if verb == "count_tokens" else {}
            with pytest.raises(UnsupportedError, match=verb):
                self.perform(other, verb, **options)
            assert other.server.requests == []

    @needs("verb", "server")
    @pytest.mark.parametrize("verb", OPERATIONS)
    def test_v2_an_operation_is_tried_again_as_a_call_is(self, rig: Rig, verb: str) -> None:
        answered = iter([True])

        def once(request: RecordedRequest) -> Reply | None:
            return Reply(status=503, body={"error": {"message": "busy"}}) if next(answered, False) else None

        rig.server.script(once)
        found = self.perform(rig, verb, max_retries=2)
        assert [attempt.status for attempt in found.attempts] == [503, None]
