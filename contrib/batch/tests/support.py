"""One endpoint on loopback, files of requests for it, and batches in both colours."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import heavenbase as hb
from hb_batch import BatchResult
from hb_batch.lines import lines_of
from hb_cli.app import app
from hb_testing.server import LoopbackServer, RecordedRequest
from heavenbase.details import Usage
from heavenbase.ledger import Cost
from heavenbase.resolution import ModelTable

CHAT, VECTORS, IMAGES = "/v1/chat/completions", "/v1/embeddings", "/v1/images/generations"


class Priced(ModelTable):
    """Each token that goes in costs a cent, each that comes out two; the model `free` has no price."""

    name = "prices"

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        if model_id == "free" or usage.prompt_tokens is None:
            return None
        amount = Decimal(usage.prompt_tokens) / 100 + Decimal(usage.completion_tokens or 0) / 50
        return Cost(amount, source="table 1", date="2026-11-01")

    def count(self, text: str, provider: str, model_id: str) -> tuple[int, int] | None:
        return len(text.split()), len(text.split())


def make_kernel(server: LoopbackServer, **options: Any) -> hb.Kernel:
    """A kernel with one provider, `acme`, that repeats nothing."""
    config = {
        "heavenbase.llm.providers": {"acme": {"base_url": server.url("openai"), "api_key": "key-of-acme-0123"}},
        "heavenbase.llm.cache.enabled": False,
        "heavenbase.llm.retry": {"max_attempts": 1},
    }
    return hb.Kernel(config, **options)


def last_text(request: RecordedRequest) -> str:
    """What the user said last."""
    return str(request.json["messages"][-1]["content"])


def line(name: Any, text: str = "hi", *, url: str = CHAT, model: str = "acme/m", **body: Any) -> str:
    """A request of a file."""
    asked = {
        CHAT: {"messages": [{"role": "user", "content": text}]},
        VECTORS: {"input": text},
        IMAGES: {"prompt": text},
    }
    body = {"model": model, **asked[url], **body}
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body})


def write(path: Path, lines: Iterable[str]) -> str:
    """A file of these lines."""
    path.write_text("".join(f"{it}\n" for it in lines), encoding="utf-8")
    return str(path)


def rows(path: Path | str) -> list[dict[str, Any]]:
    """The rows of an output file."""
    return [json.loads(it) for it in Path(path).read_text(encoding="utf-8").splitlines()]


def by_id(path: Path | str) -> dict[str, dict[str, Any]]:
    """The rows by custom_id; no two have the same."""
    found = rows(path)
    named = {row["custom_id"]: row for row in found}
    assert len(named) == len(found)
    return named


def command(environ: Mapping[str, str], *words: str) -> tuple[int, str]:
    """How `hb batch` ends in this process, with these variables and no others, and what it says."""
    others = dict.fromkeys(os.environ.keys() - environ.keys())
    found = CliRunner(env={**others, **environ}).invoke(app, ["batch", *words], prog_name="hb")
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def shorten_lines(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Let a line of so many bytes be the longest that is read."""
    for module in ("rows", "lines"):
        monkeypatch.setattr(f"hb_batch.{module}.LINE_LIMIT", limit)
    monkeypatch.setattr("hb_batch.lines.CHUNK", limit // 8)
    monkeypatch.setattr("hb_batch.lines.lines_of.__kwdefaults__", {**(lines_of.__kwdefaults__ or {}), "limit": limit})


class Batch:
    """`hb.batch` in one colour."""

    def __init__(self, kernel: hb.Kernel, colour: str) -> None:
        self.kernel, self.colour = kernel, colour

    def __call__(self, requests: Any, **options: Any) -> BatchResult:
        options = {"kernel": self.kernel, "model": "acme/m", **options}
        options = {name: value for name, value in options.items() if value is not None}
        if self.colour == "sync":
            found: BatchResult = hb.batch(requests, **options)
            return found

        async def run() -> BatchResult:
            try:
                return await hb.abatch(requests, **options)  # type: ignore[no-any-return]
            finally:
                await self.kernel.clients.aclose(only_loop=True)

        return asyncio.run(run())
