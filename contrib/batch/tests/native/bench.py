"""A batch from file to file against a loopback server, with a clock that jumps where hb waits."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hb_batch.folder import Folder
from hb_batch.journal import rows_of
from hb_batch.native import NativeProgress, NativeReport, NativeRun, NativeSettings
from hb_batch.requests import Request, Targets
from hb_batch.rows import Row
from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import Clock, environment
from hb_testing.server import LoopbackServer
from heavenbase.colour import drive
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

MODELS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-opus-4-5"}


def line(name: str, text: str = "hi", **body: Any) -> str:
    """A request of a file."""
    whole = {"messages": [{"role": "user", "content": text}], **body}
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": whole}) + "\n"


class Bench:
    """Files in a folder, and runs over them, each with a kernel of its own, as in another process."""

    def __init__(
        self, server: LoopbackServer, colour: Colour, wire: str, folder: Path, *lines: str, model: str | None = None
    ) -> None:
        self.server, self.colour, self.wire = server, colour, wire
        self.input, self.output = folder / "in.jsonl", folder / "out.jsonl"
        self.input.write_text("".join(lines or map(line, ("a", "b", "c"))))
        self.kept: Any = server.wires[wire].batches  # type: ignore[attr-defined]
        self.model = model or MODELS[wire]
        self.middleware: list[Any] = []
        self.clock = Clock()
        self.progress: list[NativeProgress] = []
        self.has_replaced = False

    def targets(self, kernel: Kernel, fault: str | None, api_key: str) -> Targets:
        """Who is asked."""
        named = {"model": self.model, "gateway": self.wire, "api_key": api_key, "cache": False}
        return Targets(kernel, None, {**named, "base_url": self.server.url(self.wire, fault=fault)})

    def target(self, targets: Targets, row: Row) -> tuple[LLM, dict[str, Any]]:
        """Who is asked a row, and with which options."""
        return targets.of(Request(row.verb, row.content, {}, dict(row.options)))

    def made(
        self, kernel: Kernel, fault: str | None, again: Collection[str], api_key: str, settings: dict[str, Any]
    ) -> NativeRun:
        targets = self.targets(kernel, fault, api_key)
        folder = Folder(str(self.output))
        folder.make()
        return NativeRun(
            folder,
            str(self.input),
            lambda row: self.target(targets, row),
            settings=NativeSettings(**settings),
            again=again,
            on_progress=self.progress.append,
            is_async=self.colour.name == "async",
        )

    def run(
        self,
        what: str = "run",
        *,
        fault: str | None = None,
        again: Collection[str] = (),
        api_key: str = "sk-test",
        **settings: Any,
    ) -> NativeReport:
        clock = self.clock
        config = Config.from_dict({}, environ=environment())
        waits = {"sleep": clock.sleep, "asleep": clock.asleep, "random": lambda: 0.5}
        kernel = Kernel(config, clock=clock, wall=self.server.now, middleware=self.middleware, **waits)
        try:
            made = self.made(kernel, fault, again, api_key, settings)
            found: NativeReport = self.colour.run(
                lambda: drive.run(getattr(made, what)()), lambda: getattr(made, what)()
            )
            self.has_replaced = made.has_replaced
            return found
        finally:
            self.colour.close_kernel(kernel)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The newest row of each custom_id."""
        return {row["custom_id"]: row for _, row in rows_of(str(self.output))}

    @property
    def statuses(self) -> dict[str, str]:
        return {name: row["status"] for name, row in self.rows.items()}

    @property
    def events(self) -> list[dict[str, Any]]:
        path = Path(f"{self.output}.hb", "native.jsonl")
        return [json.loads(row) for row in path.read_text().splitlines()]

    @property
    def submits(self) -> int:
        """Requests that make a job."""
        made = [it for it in self.server.requests if it.method == "POST" and it.path.endswith("/batches")]
        return len(made)
