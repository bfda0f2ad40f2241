"""Operations over all that is installed: what manifests say, what gateways have, and real wires on loopback."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_testing.conformance.rig import Clock
from hb_testing.server import LoopbackServer, Reply
from heavenbase.config.config import Config
from heavenbase.errors import (
    InputError,
    ModelNotFound,
    ProviderError,
    RequestRejected,
    ResponseError,
    UnknownNameError,
    UnsupportedError,
)
from heavenbase.image import make_picture
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.operations.asking import method_of

ROOT = Path(__file__).parents[1]
MANIFESTS = sorted((ROOT / "plugins").glob("*/src/*/provider.toml"))
OPERATIONS = ("count_tokens", "models", "rerank", "files.upload", "batches.submit")
TOOL = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
OPENAI_WAYS = ("responses", "tokenize", "tokenizers")


def kernel(environ: dict[str, str] | None = None) -> Kernel:
    clock = Clock()
    config = Config.from_dict({"heavenbase.llm.cache.enabled": False}, environ=environ or {})
    return Kernel(config, clock=clock, sleep=clock.sleep, asleep=clock.asleep)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parts[-4])
def test_v3_what_a_manifest_says_of_operations_its_gateway_has(path: Path) -> None:
    record = tomllib.loads(path.read_text(encoding="utf-8"))["provider"]
    said = {name: record.get("capabilities", {}).get(name.partition(".")[0]) for name in OPERATIONS}
    with kernel() as made:
        gateway = made.registry.load("gateways", record["gateway"])
        for name, value in said.items():
            if value:
                assert method_of(gateway, name) is not None, f"{record['gateway']} has no {name}"
            if name == "count_tokens" and record["gateway"] == "openai":
                assert value in (None, False, *OPENAI_WAYS)


def openai(server: LoopbackServer, made: Kernel, provider: str = "openai", **options: Any) -> LLM:
    url = server.url("openai")
    return LLM(model="gpt-4o-mini", provider=provider, base_url=url, api_key="k", kernel=made, **options)


def test_v2_openai_counts_with_the_body_of_its_responses_wire(server: LoopbackServer) -> None:
    def weather(city: str) -> str:
        """The weather."""
        return city

    with kernel() as made:
        for gateway in ("openai", "responses"):
            llm = openai(server, made, gateway=gateway, max_tokens=5, temperature=0.5)
            form = {"type": "json_object"}
            found = llm.count_tokens("one two", system="Say json.", tools=[weather], response_format=form)
            assert (int(found), found.method) == (4, "endpoint")
    for request in server.requests:
        assert request.path == "/openai/v1/responses/input_tokens"
        assert {"model", "input", "tools", "text"} <= request.json.keys()
        assert not {"max_output_tokens", "temperature", "stream", "store"} & request.json.keys()


def test_v2_vllm_counts_beside_the_version_of_its_api(server: LoopbackServer) -> None:
    with kernel() as made:
        found = openai(server, made, "vllm").count_tokens("one two three")
    assert (int(found), found.method) == (3, "endpoint")
    assert server.requests[0].path == "/openai/tokenize"
    assert server.requests[0].json.keys() == {"model", "messages"}


def test_v2_a_provider_behind_a_wire_that_is_not_its_own_is_estimated(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = LLM(
            model="claude-opus-4-8", provider="anthropic", gateway="openai", base_url=server.url("openai"),
            api_key="k", kernel=made,
        )  # fmt: skip
        found = llm.count_tokens("hi")
        assert found.method == "estimate"
        assert "openai" in (found.reason or "")
        with pytest.raises(UnsupportedError, match="bedrock"):
            llm.count_tokens("hi", estimate=False)
    assert server.requests == []


def test_v3_an_endpoint_without_a_list_says_so(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = LLM(model="m", preset="custom", base_url=server.url("openai"), api_key="k", kernel=made)
        assert llm.models()[0].id == "gpt-4o-mini"
        server.reply(status=404, body={"detail": "Not Found"})
        with pytest.raises(UnsupportedError, match="no list of its models"):
            llm.models()
        server.reply(status=500, body={})
        with pytest.raises(ProviderError):
            asyncio.run(llm.amodels(max_retries=0))
    assert {(request.method, request.body) for request in server.requests} == {("GET", b"")}


def test_v3_a_provider_without_a_list_names_those_that_have_one() -> None:
    with kernel() as made, pytest.raises(UnsupportedError, match="openai"):
        LLM(model="voyage-4-lite", provider="voyage", api_key="k", kernel=made).models()


def test_v3_azure_lists_beside_its_deployments(server: LoopbackServer) -> None:
    server.reply(body={"data": [{"id": "gpt-4o", "created_at": 1700000000}], "object": "list"})
    with kernel() as made:
        llm = LLM(model="gpt-4o", provider="azure", base_url=server.origin, api_key="k", kernel=made)
        server.script(lambda request: server.next_reply())
        found = llm.models(api_version="2025-01-01-preview")
    assert (found[0].id, found[0].created) == ("gpt-4o", 1700000000.0)
    assert server.requests[0].path == "/openai/models?api-version=2025-01-01-preview"


def test_v4_voyage_ranks_under_its_own_names(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = LLM(model="rerank-2.5", provider="voyage", base_url=server.url("openai"), api_key="k", kernel=made)
        found = llm.rerank("a b", ["c", "a b"], top_n=1, truncation=False)
        assert [(one.index, one.score, one.document) for one in found] == [(1, 1.0, "a b")]
        assert found.usage is not None
        assert found.usage.input == 5
        assert found.report is not None
        assert found.report.entries["truncation"].outcome == "sent"
        with pytest.raises(UnknownNameError, match="truncate"):
            llm.rerank("a", ["b"], trunkate=True)
    assert server.requests[0].json == {
        "model": "rerank-2.5",
        "query": "a b",
        "documents": ["c", "a b"],
        "top_k": 1,
        "truncation": False,
    }


def test_v4_a_server_of_ones_own_is_asked_as_vllm_is(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = LLM(model="bge", preset="custom", base_url=server.url("openai"), api_key="k", kernel=made)
        found = asyncio.run(llm.arerank("a b", iter(["a", "b a", "c"]), extra_body={"return_documents": False}))
    assert [one.index for one in found] == [1, 0, 2]
    assert server.requests[0].json["return_documents"] is False
    assert "top_n" not in server.requests[0].json


def test_v4_bedrock_ranks_by_the_body_of_each_family(server: LoopbackServer) -> None:
    with kernel() as made:
        for model, version in (("cohere.rerank-v3-5:0", {"api_version": 2}), ("amazon.rerank-v1:0", {})):
            llm = LLM(model=model, provider="bedrock", base_url=server.url("bedrock"), api_key="k", kernel=made)
            assert llm.rerank("a", ["b", "a"], top_n=1, aws_region="eu-west-1")[0].index == 1
            assert server.requests[-1].json == {"query": "a", "documents": ["b", "a"], "top_n": 1, **version}
            assert server.requests[-1].path.endswith(f"{model.replace(':', '%3A')}/invoke")


def test_v4_a_provider_without_rerank_names_those_that_have_it() -> None:
    with kernel() as made, pytest.raises(UnsupportedError, match=r"bedrock, cohere.*voyage"):
        LLM(model="gpt-4o", provider="openai", api_key="k", kernel=made).rerank("a", ["b"])


def test_v5_a_purpose_is_the_callers_the_providers_or_the_wires(server: LoopbackServer) -> None:
    with kernel() as made:
        for provider, purpose in (("openai", "user_data"), ("dashscope", "file-extract"), ("groq", "batch")):
            assert openai(server, made, provider).files.upload(b"x", "a.pdf").purpose == purpose
        assert openai(server, made).files.upload(b"x", "a.pdf", "vision").purpose == "vision"


def test_v5_azure_keeps_files_at_the_resource(server: LoopbackServer) -> None:
    with kernel() as made:
        server.script(lambda request: Reply(body={"id": "f", "object": "file", "deleted": True}))
        for base, path in (
            (server.origin, "/openai/files?api-version=x"),
            (f"{server.origin}/openai/v1", "/openai/v1/files"),
        ):
            llm = LLM(model="gpt-4o", provider="azure", base_url=base, api_key="k", kernel=made)
            llm.files.upload(b"x", "a.pdf", api_version="x")
            assert server.requests[-1].path == path
            assert b"assistants" in server.requests[-1].body
        llm.files.delete("f")
        assert (server.requests[-1].method, server.requests[-1].path) == ("DELETE", "/openai/v1/files/f")


def test_v5_a_file_that_was_not_deleted_is_an_error(server: LoopbackServer) -> None:
    with kernel() as made:
        server.script(lambda request: Reply(body={"id": "f", "deleted": False}))
        with pytest.raises(ResponseError, match="not deleted"):
            openai(server, made).files.delete("f")


def test_v5_a_large_file_goes_to_gemini_in_pieces(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hb_provider_gemini.files.PIECE", 4)
    data = b"0123456789"
    with kernel() as made:
        llm = LLM(model="gemini-2.5-flash", provider="gemini", base_url=server.url("gemini"), api_key="k", kernel=made)
        made_file = llm.files.upload(data, "a.txt", purpose="ocr")
        assert made_file.report is not None
        assert made_file.report.entries["purpose"].outcome == "dropped"
        assert (made_file.size, made_file.media_type) == (10, "text/plain")
        assert made_file.uri is not None
        assert llm.files.content(made_file.uri) == data
        assert int(asyncio.run(llm.files.aupload(data, "b.txt")).size or 0) == 10
        pieces = [request.body for request in server.requests[1:4]]
        assert pieces == [b"0123", b"4567", b"89"]


def test_v5_a_message_to_gemini_names_a_file_by_its_address_whatever_was_given(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = LLM(model="gemini-2.5-flash", provider="gemini", base_url=server.url("gemini"), api_key="k", kernel=made)
        file = llm.files.upload(b"%PDF-1.7", "a.pdf")
        for named in (file.id, file.uri):
            part = {"type": "file", "file": {"file_id": named}}
            llm.chat([{"role": "user", "content": [part, {"type": "text", "text": "?"}]}])
            assert server.requests[-1].json["contents"][0]["parts"][0] == {"fileData": {"fileUri": file.uri}}


def test_v5_a_credential_goes_to_no_other_place_to_upload_to(server: LoopbackServer) -> None:
    with kernel() as made, LoopbackServer() as other:
        headers = {"x-goog-upload-url": f"{other.origin}/upload"}
        server.script(lambda request: Reply(body=b"", headers=headers))
        llm = LLM(model="gemini-2.5-flash", provider="gemini", base_url=server.url("gemini"), api_key="k", kernel=made)
        for upload in (llm.files.upload, lambda *given: asyncio.run(llm.files.aupload(*given))):
            with pytest.raises(ResponseError, match="place of its own"):
                upload(b"x", "a.txt")
        assert other.requests == []


def test_v5_anthropics_files_name_their_beta_beside_those_of_the_caller(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = LLM(
            model="claude-opus-4-8", provider="anthropic", base_url=server.url("anthropic"), api_key="k", kernel=made
        )
        llm.files.list(extra_headers={"Anthropic-Beta": "mine-1"})
        assert server.requests[-1].headers["anthropic-beta"] == "mine-1,files-api-2025-04-14"


def test_v5_a_file_goes_into_a_message_by_its_id(server: LoopbackServer) -> None:
    with kernel() as made:
        url = server.url("openai_responses")
        llm = LLM(model="gpt-4o", provider="openai", gateway="responses", base_url=url, api_key="k", kernel=made)
        file = llm.files.upload(b"%PDF-1.7", "a.pdf")
        parts = [{"type": "file", "file": {"file_id": file.id}}, {"type": "text", "text": "What is in it?"}]
        llm.chat([{"role": "user", "content": parts}])
    assert {"type": "input_file", "file_id": file.id} in server.requests[-1].json["input"][0]["content"]


def test_v5_a_file_may_be_larger_than_an_answer(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with kernel() as made:
        files = openai(server, made).files
        file = files.upload(b"x" * 2000, "a.pdf")
        monkeypatch.setattr("heavenbase.http.attempt.BODY_LIMIT", 1000)
        assert len(files.content(file)) == len(asyncio.run(files.acontent(file))) == 2000
        server.reply(body={"id": "f", "filename": "x" * 2000})
        with pytest.raises(ResponseError):
            files.get(file)


def test_v2_bedrock_counts_for_the_model_behind_a_profile_or_says_that_it_does_not(server: LoopbackServer) -> None:
    with kernel() as made:
        model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
        llm = LLM(model=model, provider="bedrock", base_url=server.url("bedrock"), api_key="k", kernel=made)
        assert int(llm.count_tokens("one two", system="three", tools=[TOOL])) == 3
        assert server.requests[-1].path == "/bedrock/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"
        assert server.requests[-1].json["input"]["converse"].keys() == {"messages", "system", "toolConfig"}
        said = "The provided model doesn't support counting tokens."
        server.script(lambda request: Reply(status=400, body={"message": said}))
        found = asyncio.run(llm.acount_tokens("one two"))
        assert (found.method, said in (found.reason or "")) == ("estimate", True)
        server.script(lambda request: Reply(status=400, body={"message": "The messages are malformed."}))
        with pytest.raises(RequestRejected):
            llm.count_tokens("one two")


@pytest.mark.parametrize("status", [404, 405])
def test_v2_a_server_without_the_endpoint_is_estimated_and_another_failure_is_one(
    server: LoopbackServer, status: int
) -> None:
    with kernel() as made:
        llm = openai(server, made)
        server.script(lambda request: Reply(status=status, body={"detail": "Not Found"}))
        for found in (llm.count_tokens("one"), asyncio.run(llm.acount_tokens("one"))):
            assert (found.method, str(status) in (found.reason or "")) == ("estimate", True)
        with pytest.raises(UnsupportedError):
            llm.count_tokens("one", estimate=False)
        gone = {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}
        server.script(lambda request: Reply(status=404, body=gone))
        with pytest.raises(ModelNotFound):
            llm.count_tokens("one")


PIXEL = make_picture("a pixel", 1)
WIRES = (
    ("openai", "openai", "openai", "gpt-4o"),
    ("openai", "responses", "openai_responses", "gpt-4o"),
    ("anthropic", "anthropic", "anthropic", "claude-opus-4-8"),
    ("gemini", "gemini", "gemini", "gemini-2.5-flash"),
    ("bedrock", "bedrock", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("vllm", "openai", "openai", "some-model"),
)


@pytest.mark.parametrize(("provider", "gateway", "wire", "model"), WIRES)
def test_v2_whole_conversations_are_counted_on_each_wire(
    server: LoopbackServer, provider: str, gateway: str, wire: str, model: str
) -> None:
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjcK"}}
    call = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": '{"zone": "CET"}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "one two"}, *([pdf] if provider != "vllm" else [])]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12:00"},
        {"role": "user", "content": "and now?"},
    ]
    with kernel() as made:
        url = server.url(wire)
        llm = LLM(model=model, provider=provider, gateway=gateway, base_url=url, api_key="k", kernel=made)
        options: dict[str, Any] = {"tools": [TOOL], "max_tokens": 9, "images": PIXEL}
        sync = llm.count_tokens(messages, **options)
        later = asyncio.run(llm.acount_tokens(messages, **options))
        assert sync.method == later.method == "endpoint"
        assert int(sync) == int(later) > 4
    first, second = server.requests
    assert (first.json, first.path) == (second.json, second.path)


@pytest.mark.parametrize(("provider", "gateway", "wire", "model"), WIRES)
def test_v2_the_report_of_a_count_tells_what_is_not_sent(
    server: LoopbackServer, provider: str, gateway: str, wire: str, model: str
) -> None:
    with kernel() as made:
        url = server.url(wire)
        llm = LLM(model=model, provider=provider, gateway=gateway, base_url=url, api_key="k", kernel=made)
        report = llm.count_tokens("one", tools=[TOOL], tool_choice="auto", max_tokens=9, on_lossy="allow").report
        assert report is not None
        sent = str(server.requests[-1].json)
        assert report.entries["tools"].outcome in ("sent", "renamed")
        assert (report.entries["max_tokens"].outcome == "dropped") == ("9" not in sent)


def test_v5_extra_fields_go_with_an_upload_and_nowhere_else(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = openai(server, made)
        llm.files.upload(b"x", "a.pdf", extra_body={"expires_after[anchor]": "created_at"}, extra_headers={"x-a": "b"})
        assert b'name="expires_after[anchor]"' in server.requests[-1].body
        assert server.requests[-1].headers["x-a"] == "b"
        llm.files.list(extra_query={"purpose": "ocr"})
        assert "purpose=ocr" in server.requests[-1].path
        for ask in (llm.models, llm.files.list, lambda **options: llm.files.get("f", **options)):
            with pytest.raises(InputError, match="extra_body"):
                ask(extra_body={"a": 1})


def test_a1_slips_of_an_operations_own_arguments_are_named_before_anything_is_sent(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = openai(server, made)
        for ask, name, meant in (
            (llm.models, "limt", "limit"),
            (llm.files.list, "limits", "limit"),
            (lambda **options: llm.files.upload(b"x", "a.pdf", **options), "purpos", "purpose"),
            (lambda **options: llm.rerank("q", ["a"], **options), "topn", "top_n"),
        ):
            with pytest.raises(UnknownNameError) as caught:
                ask(**{name: 1})
            assert caught.value.nearest == meant
    assert server.requests == []


REAL = {
    "openai": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "mistral": "mistral",
    "cohere": "cohere",
    "bedrock": "bedrock",
    "ollama": "ollama",
    "azure": "openai",
}
"""The wires of the loopback server for the gateways that providers name."""
PROVIDERS = [path.parts[-4].partition("-")[2] for path in MANIFESTS if path.parts[-4].startswith("provider-")]


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name not in ("vertex", "local")])
def test_v3_what_a_provider_says_that_it_has_answers_and_what_it_has_not_is_not_asked(provider: str) -> None:
    with LoopbackServer(strict=False) as server, kernel() as made:
        gateway = LLM(model="m", provider=provider, api_key="k", base_url=server.origin, kernel=made).spec.gateway
        llm = LLM(model="m", provider=provider, api_key="k", base_url=server.url(REAL[gateway]), kernel=made)
        asks = {
            "count_tokens": lambda: llm.count_tokens("a", estimate=False),
            "models": lambda: llm.models(),
            "rerank": lambda: llm.rerank("a", ["a"]),
            "files": lambda: llm.files.delete(llm.files.upload(b"x", "a.pdf")),
        }
        for name, ask in asks.items():
            said, before = llm.spec.capability(name), server.request_count
            if said:
                ask()
                assert server.request_count > before
            elif said is False or name == "count_tokens":
                with pytest.raises(UnsupportedError):
                    ask()
                assert server.request_count == before


def test_v2_moonshot_counts_what_a_chat_would_send(server: LoopbackServer) -> None:
    with kernel() as made:
        llm = openai(server, made, "moonshot")
        found = llm.count_tokens("one two", system="three", tools=[TOOL], max_tokens=9)
        assert (int(found), found.method) == (3, "endpoint")
        assert server.requests[-1].path == "/openai/v1/tokenizers/estimate-token-count"
        assert server.requests[-1].json.keys() == {"model", "messages", "tools"}
        for body in ({"total_tokens": 3}, {"data": 3}, {"data": {"total_tokens": "3"}}):
            server.reply(body=body)
            with pytest.raises(ResponseError):
                llm.count_tokens("one", max_retries=0)
