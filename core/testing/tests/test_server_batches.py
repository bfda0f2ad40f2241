"""Batches on the loopback servers, by the official SDKs: what they make of the wire is what a real endpoint says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from hb_testing.server import LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


def chats(*names: str, **more: Any) -> bytes:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], **more}
    rows = [{"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body} for name in names]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def submitted(client: openai.OpenAI, data: bytes, **more: Any) -> Any:
    file = client.files.create(file=("a.jsonl", data), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", **more
    )


def test_the_openai_sdk_runs_a_batch(server: LoopbackServer) -> None:
    kept = server.wires["openai"].batches  # type: ignore[attr-defined]
    kept.fates |= {"b": 429, "c": "expired"}
    with openai.OpenAI(base_url=server.url("openai"), api_key="k", max_retries=0) as client:
        file = client.files.create(file=("a.jsonl", chats("a", "b", "c", "d")), purpose="batch")
        for text in ("one", "three", "four"):
            server.reply(text)
        made = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"hb_run": "1"}
        )
        assert (made.status, made.metadata, made.output_file_id) == ("validating", {"hb_run": "1"}, None)
        assert client.batches.retrieve(made.id).status == "in_progress"
        found = client.batches.retrieve(made.id)
        assert found.status == "expired"
        assert found.request_counts is not None
        assert (found.request_counts.total, found.request_counts.completed, found.request_counts.failed) == (4, 2, 2)
        assert found.output_file_id is not None
        assert found.error_file_id is not None
        good = [json.loads(row) for row in client.files.content(found.output_file_id).text.splitlines()]
        assert [row["custom_id"] for row in good] == ["a", "d"]
        assert good[0]["response"]["body"]["choices"][0]["message"]["content"] == "one"
        bad = [json.loads(row) for row in client.files.content(found.error_file_id).text.splitlines()]
        assert [(row["custom_id"], (row["error"] or {}).get("code")) for row in bad] == [
            ("b", None),
            ("c", "batch_expired"),
        ]
        assert bad[0]["response"]["status_code"] == 429
        assert [each.id for each in client.batches.list(limit=1)] == [made.id]


def test_the_openai_sdk_cancels_a_batch_and_reads_what_was_answered(server: LoopbackServer) -> None:
    kept = server.wires["openai"].batches  # type: ignore[attr-defined]
    kept.answered, kept.looks = 1, 10
    with openai.OpenAI(base_url=server.url("openai"), api_key="k", max_retries=0) as client:
        made = submitted(client, chats("a", "b"))
        assert client.batches.cancel(made.id).status == "cancelling"
        found = client.batches.retrieve(made.id)
        assert found.status == "cancelled"
        assert found.output_file_id is not None
        assert found.error_file_id is None
        assert len(client.files.content(found.output_file_id).text.splitlines()) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (chats("a", "a"), "duplicate_custom_id"),
        (b"{\n", "invalid_json_line"),
        (chats("a", stream=True), "invalid_body"),
        (chats("a") + chats("b", model="gpt-4o"), "mismatched_model"),
        (chats("a").replace(b"/v1/chat/completions", b"/v1/embeddings"), "url_mismatch"),
    ],
)
def test_a_file_that_openai_would_refuse_fails_its_batch(server: LoopbackServer, data: bytes, code: str) -> None:
    with openai.OpenAI(base_url=server.url("openai"), api_key="k", max_retries=0) as client:
        made = submitted(client, data)
        found = client.batches.retrieve(made.id)
        assert found.status == "failed"
        assert found.errors is not None
        assert found.errors.data is not None
        assert found.errors.data[0].code == code


def test_the_anthropic_sdk_runs_a_batch(server: LoopbackServer) -> None:
    kept = server.wires["anthropic"].batches  # type: ignore[attr-defined]
    kept.fates |= {"c": "expired"}
    kept.is_shuffled = True
    params: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    bad: Any = {**params, "max_tokens": -1}
    asked: Any = [{"custom_id": name, "params": params} for name in ("a", "c")] + [{"custom_id": "b", "params": bad}]
    with anthropic.Anthropic(base_url=server.url("anthropic"), api_key="k", max_retries=0) as client:
        server.reply("one")
        made = client.messages.batches.create(requests=asked)
        assert (made.processing_status, made.request_counts.processing) == ("in_progress", 3)
        assert client.messages.batches.retrieve(made.id).results_url is None
        found = client.messages.batches.retrieve(made.id)
        assert found.processing_status == "ended"
        counts = found.request_counts
        assert (counts.succeeded, counts.errored, counts.expired, counts.processing) == (1, 1, 1, 0)
        rows = list(client.messages.batches.results(made.id))
        assert [(row.custom_id, row.result.type) for row in rows] == [
            ("b", "errored"),
            ("c", "expired"),
            ("a", "succeeded"),
        ]
        first, last = rows[0].result, rows[2].result
        assert first.type == "errored"
        assert first.error.error.type == "invalid_request_error"
        assert last.type == "succeeded"
        assert last.message.content[0].type == "text"
        assert last.message.content[0].text == "one"
        assert [each.id for each in client.messages.batches.list()] == [made.id]
        assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(made.id)


def test_the_anthropic_sdk_cancels_a_batch(server: LoopbackServer) -> None:
    server.wires["anthropic"].batches.looks = 10  # type: ignore[attr-defined]
    params: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with anthropic.Anthropic(base_url=server.url("anthropic"), api_key="k", max_retries=0) as client:
        made = client.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
        assert client.messages.batches.cancel(made.id).processing_status == "canceling"
        found = client.messages.batches.retrieve(made.id)
        assert (found.processing_status, found.request_counts.canceled) == ("ended", 1)
        with pytest.raises(anthropic.BadRequestError, match="custom_id"):
            client.messages.batches.create(requests=[{"custom_id": "a b", "params": params}])


def test_a_submit_that_was_heard_and_not_answered_is_kept_all_the_same(server: LoopbackServer) -> None:
    kept = server.wires["openai"].batches  # type: ignore[attr-defined]
    for fault, error in (("J1.500", openai.InternalServerError), ("J1.reset", openai.APIConnectionError)):
        kept.struck = 0
        before = len(kept.kept)
        with openai.OpenAI(base_url=server.url("openai", fault=fault), api_key="k", max_retries=0) as client:
            with pytest.raises(error):
                submitted(client, chats("a"))
            assert len(kept.kept) == before + 1
            assert submitted(client, chats("a")).id == f"batch_{before + 2}"


def test_a_submit_that_is_refused_for_now_is_not_kept(server: LoopbackServer) -> None:
    kept = server.wires["openai"].batches  # type: ignore[attr-defined]
    with openai.OpenAI(base_url=server.url("openai", fault="J1.429"), api_key="k", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as refused:
            submitted(client, chats("a"))
        assert refused.value.response.headers["retry-after"] == "2"
        assert kept.kept == {}


def test_results_break_off_once(server: LoopbackServer) -> None:
    with openai.OpenAI(base_url=server.url("openai", fault="J2.cut"), api_key="k", max_retries=0) as client:
        made = submitted(client, chats("a", "b"))
        client.batches.retrieve(made.id)
        found = client.batches.retrieve(made.id)
        assert found.output_file_id is not None
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            client.files.content(found.output_file_id).read()
        assert client.files.content(found.output_file_id).text.count("\n") == 2
