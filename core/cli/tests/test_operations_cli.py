"""`hb tokens`, `hb rerank` and `hb files`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import LoopbackServer

Run = Callable[..., Any]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("COHERE_API_KEY", "sk-test")
    with LoopbackServer() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url("openai"))
        monkeypatch.setenv("COHERE_BASE_URL", running.url("cohere"))
        yield running


def test_v2_tokens_are_counted_by_the_provider(run: Run, server: LoopbackServer) -> None:
    assert run("tokens", "one two three", "-m", "openai/gpt-4o-mini") == (0, "3\n", "")
    assert run("tokens", "-m", "openai/gpt-4o-mini", "-s", "four", input="one two\n").out == "3\n"
    found = json.loads(run("tokens", "one", "-m", "openai/gpt-4o-mini", "--json").out)
    assert found == {"tokens": 1, "method": "endpoint", "reason": None, "model": "gpt-4o-mini", "provider": "openai"}


def test_v2_an_estimate_says_that_it_is_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-test")
    code, out, err = run("tokens", "one two three", "-b", "openrouter")
    assert (code, int(out) > 3) == (0, True)
    assert "an estimate: " in err
    assert run("tokens", "one two three", "-b", "openrouter", "--estimate") == (0, out, "")
    assert run("tokens").code == 2


def test_v4_texts_are_ranked(run: Run, server: LoopbackServer) -> None:
    code, out, err = run("rerank", "a b", "c", "a b", "-m", "cohere/rerank-v3.5")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [["1", "1", "a", "b"], ["0", "0", "c"]]
    found = json.loads(run("rerank", "a", "-m", "cohere/rerank-v3.5", "-n", "1", "--json", input="b\n\na\n").out)
    assert found["results"] == [{"index": 1, "score": 1.0, "document": "a"}]
    assert found["search_units"] == 1
    assert run("rerank", "a", "-m", "cohere/rerank-v3.5").code == 2
    code, _, err = run("rerank", "a", "b", "-m", "openai/gpt-4o")
    assert code == 2 or code == 1
    assert "has no rerank" in err


def test_v5_files_are_uploaded_shown_given_back_and_deleted(run: Run, server: LoopbackServer, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    code, out, err = run("files", "upload", str(path), "-b", "openai", "--purpose", "batch")
    assert (code, err) == (0, "")
    name = out.strip()
    listed = run("files", "list", "-b", "openai")
    assert listed.out.splitlines()[1].split() == [name, "a.pdf", "4", "2023-11-14", "batch"]
    assert json.loads(run("files", "list", "-b", "openai", "--json").out)["files"][0]["id"] == name
    assert json.loads(run("files", "show", name, "-b", "openai", "--json").out)["size"] == 4
    there = tmp_path / "b.pdf"
    assert run("files", "content", name, "-b", "openai", "-o", str(there)).code == 0
    assert there.read_bytes() == b"%PDF"
    code, _, err = run("files", "content", name, "-b", "openai", "-o", str(there))
    assert (code, "exists" in err) == (2, True)
    assert run("files", "delete", name, "-b", "openai") == (0, "", "")
    code, _, err = run("files", "show", name, "-b", "openai")
    assert (code, "No such File" in err) == (1, True)
    code, _, err = run("files", "list", "-b", "deepseek", "--json")
    assert code != 0
    assert run("files", "list").code == 2
