"""Lines of batch files: what is a request, what is not and why, and the rows that answer them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

import heavenbase as hb
from hb_batch import rows as rows_module
from hb_batch.folder import Folder
from hb_batch.rows import BadRow, encoded, error_row, read_output, read_row, status_of
from hb_batch.runs import FileRun, Settings
from hb_testing.server import LoopbackServer, Reply
from heavenbase.errors import RateLimitError
from heavenbase.types import Completion

from .support import CHAT, IMAGES, VECTORS, by_id, line, rows, shorten_lines, write

GOOD = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"model": "m", "messages": "hi", "top_p": 1}}


def test_a_request_has_its_parts() -> None:
    row = read_row(json.dumps(GOOD).encode(), 7)
    assert (row.line, row.custom_id, row.verb, row.model, row.content) == (7, "a", "complete", "m", "hi")
    assert row.options == {"top_p": 1}
    without = {**GOOD, "url": "chat/completions", "body": {"messages": "hi", "stream": False}}
    del without["method"]
    row = read_row(b"\xef\xbb\xbf" + json.dumps(without).encode(), 1)
    assert (row.verb, row.model, row.options) == ("complete", None, {})


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"custom_id": None}, "missing_custom_id", "has no custom_id"),
        ({"custom_id": 5}, "missing_custom_id", "a number, not a text"),
        ({"custom_id": " "}, "missing_custom_id", "that is empty"),
        ({"custom_id": "x" * 600}, "custom_id", "more than 512"),
        ({"method": "GET"}, "invalid_method", "must be POST"),
        ({"url": None}, "invalid_url", "must be one of"),
        ({"url": "/v1/embedding"}, "invalid_url", "did you mean /v1/embeddings?"),
        ({"url": "/v1/responses"}, "invalid_url", "choices: "),
        ({"url": "https://key-012@host/v1/x?key=key-012"}, "invalid_url", "unknown url 'host/v1/x'"),
        ({"body": None}, "invalid_body", "must be an object, not null"),
        ({"body": {"model": "m"}}, "invalid_body", "has no messages"),
        ({"body": {"messages": "hi", "model": 5}}, "invalid_body", "a name, not a number"),
        ({"body": {"messages": "hi", "stream": True}}, "invalid_body", "whole answers"),
        ({"body": {"messages": "hi", "base_url": "http://elsewhere"}}, "invalid_body", "no parameter"),
        ({"body": {"messages": "hi", "api_key": "k"}}, "invalid_body", "no parameter"),
        ({"body": {"messages": "hi", "extra_headers": {"a": "b"}}}, "invalid_body", "no parameter"),
        ({"body": {"messages": "hi", "http_proxy": "http://elsewhere"}}, "invalid_body", "no parameter"),
        ({"body": {"messages": "hi", "provider": "openai"}}, "invalid_body", "no parameter"),
    ],
)
def test_what_is_no_request_says_why(change: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(BadRow, match="line 3") as caught:
        read_row(json.dumps({**GOOD, **change}).encode(), 3)
    assert (caught.value.code, caught.value.line) == (code, 3)
    assert says in caught.value.message


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b"5", b'"x"', b"\xff\xfe", b'{"custom_id": NaN}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
    ids=range(8),
)
def test_a_line_that_is_no_json_object_says_so(data: bytes) -> None:
    with pytest.raises(BadRow, match="line 2"):
        read_row(data, 2)


@given(strategies.binary(max_size=60))
def test_no_line_breaks_the_reader(data: bytes) -> None:
    with pytest.raises(BadRow):
        read_row(data, 1)


def test_a_row_is_one_line_whatever_a_model_wrote() -> None:
    for text in ("two\nlines", "half of a pair \ud83d", "\u2028", 'quote "', "\x00"):
        answer = Completion(text, finish_reason="stop", model="m")
        row = rows_module.success_row(read_row(json.dumps(GOOD).encode(), 1), answer)
        data = encoded(row)
        assert data.count(b"\n") == 1
        found = read_output(data)
        assert found is not None
        assert found["response"]["body"]["choices"][0]["message"]["content"] == text


def test_an_error_says_all_that_is_known_of_it() -> None:
    error = RateLimitError("slow down", status=429, request_id="req-1", retry_after=3.0, maybe_billed=True)
    row = error_row(4, "a", error)
    assert (row["status"], row["line"], row["custom_id"], row["usage"]) == ("error", 4, "a", None)
    assert row["response"]["status_code"] == 429
    assert row["response"]["request_id"] == "req-1"
    assert row["error"] == {
        "code": "rate_limit",
        "kind": "rate_limit",
        "type": "RateLimitError",
        "message": "slow down",
        "retryable": True,
        "maybe_billed": True,
        "retry_after": 3.0,
    }
    assert error_row(1, None, ZeroDivisionError())["error"]["message"]


def test_rows_of_openai_have_a_status_too() -> None:
    assert status_of({"response": {"status_code": 200, "body": {}}, "error": None}) == "success"
    assert status_of({"response": {"status_code": 400}, "error": None}) == "error"
    assert status_of({"response": None, "error": {"code": "batch_expired"}}) == "error"


def test_every_kind_of_line_gets_its_row_and_none_stops_the_run(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    server.script(lambda request: Reply("no", status=400) if b"refused" in request.body else Reply("yes"))
    source = write(
        tmp_path / "in.jsonl",
        [
            line("chat", n=1, max_tokens=5),
            *("not json", "", "   "),
            line("chat", "again"),
            line("vectors", url=VECTORS, input=["a", "b"]),
            line("packed", url=VECTORS, encoding_format="base64"),
            line("images", url=IMAGES),
            line("refused", "refused"),
            line("typo", temprature=1),
            line("elsewhere", model="nothing-known"),
            json.dumps({"custom_id": "bad", "url": CHAT}),
        ],
    )
    found = FileRun(kernel).begin(source, str(tmp_path / "out.jsonl"), Settings())
    assert found.counts == {"success": 4, "error": 1, "invalid": 5}
    assert (found.code, found.is_complete, found.stopped) == (1, True, None)
    told = {row["line"]: row for row in rows(tmp_path / "out.jsonl")}
    assert {number: row["status"] for number, row in told.items() if row["status"] != "success"} == {
        2: "invalid",
        5: "invalid",
        9: "error",
        10: "invalid",
        11: "invalid",
        12: "invalid",
    }
    assert told[5]["error"]["message"] == "line 5 has the custom_id of line 1"
    assert (told[5]["custom_id"], told[2]["custom_id"], told[12]["custom_id"]) == (None, None, "bad")
    assert "did you mean 'temperature'" in told[10]["error"]["message"]
    body = told[1]["response"]["body"]
    assert (body["object"], body["choices"][0]["message"]["content"]) == ("chat.completion", "yes")
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == told[1]["usage"]["total_tokens"]
    assert told[1]["cost"]["currency"] == "USD"
    assert (told[1]["attempts"], told[1]["elapsed"] > 0) == (1, True)
    assert [len(item["embedding"]) > 0 for item in told[6]["response"]["body"]["data"]] == [True, True]
    assert isinstance(told[7]["response"]["body"]["data"][0]["embedding"], str)
    assert told[8]["response"]["body"]["data"][0].keys() & {"b64_json", "url"}
    assert told[9]["response"]["status_code"] == 400
    assert {row["id"] for row in told.values()}.__len__() == len(told)


def test_a_line_beyond_the_limit_is_invalid_and_the_next_one_is_read(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_lines(monkeypatch, 4096)
    source = write(tmp_path / "in.jsonl", [line("long", "x" * 9000), line("short"), line("last", "y" * 4096)])
    FileRun(kernel).begin(source, str(tmp_path / "out.jsonl"), Settings())
    told = {row["line"]: row for row in rows(tmp_path / "out.jsonl")}
    assert [(told[n]["status"], told[n]["custom_id"]) for n in (1, 2, 3)] == [
        ("invalid", None),
        ("success", "short"),
        ("invalid", None),
    ]
    assert told[1]["error"]["code"] == "line_too_long"


def test_files_are_for_their_owner_alone_and_hold_no_secret(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    settings = Settings(options={"extra_headers": {"x-token": "secret-of-mine-0123"}, "seed": 3})
    FileRun(kernel).begin(source, output, settings)
    assert server.requests[0].headers["x-token"] == "secret-of-mine-0123"
    folder = Folder(output)
    files = [Path(output), *Path(folder.path).iterdir()]
    assert {path.name for path in files} == {"out.jsonl", "manifest.json", "lock"}
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600, path
        for secret in ("secret-of-mine", "key-of-acme"):
            assert secret not in path.read_text(encoding="utf-8")
    assert Path(folder.path).stat().st_mode & 0o777 == 0o700
    assert "secret-of-mine" not in repr(folder.read())
    with pytest.raises(hb.errors.InputError, match="extra_headers may hold a credential"):
        FileRun(kernel).resume(output)
    assert FileRun(kernel).resume(output, options={"extra_headers": {"x-token": "other"}}).is_complete
    assert by_id(output)["a"]["status"] == "success"
