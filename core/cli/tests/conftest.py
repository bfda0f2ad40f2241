"""What the tests of the command line share: a home of their own, ways to run hb, and distributions made up on disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from hb_cli.app import app
from hb_cli.state import State
from heavenbase.call import Call, WireRequest
from heavenbase.discovery.inventory import discover
from heavenbase.kernel import Kernel
from heavenbase.plugin import Gateway, Provider
from heavenbase.spec import LLMSpec
from heavenbase.types import Chunk, Completion

OTHERS = re.compile(r"(HEAVENBASE_|HB_)(?!CASSETTES)|.*(_API_KEY|_TOKEN|_PROXY|_BASE_URL)$|NO_COLOR$", re.IGNORECASE)


class Outcome(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of what is installed, made once: reading all metadata anew for each test would be most of its time."""
    folder = tmp_path_factory.mktemp("index")
    discover(folder)
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without settings, an empty working folder, and no variable of the machine's that hb would read."""
    for name in list(os.environ):
        if OTHERS.match(name):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    shutil.copytree(index, folder / "cache")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HEAVENBASE_HOME", str(folder))
    monkeypatch.chdir(work)
    return folder


Run = Callable[..., Outcome]


@pytest.fixture
def run() -> Run:
    """Run hb in this process: `run("chat", "hi", input="piped", kernel=…)`."""

    def invoke(*args: str, input: str | bytes | None = None, kernel: Kernel | None = None) -> Outcome:
        state = State(kernel) if kernel is not None else None
        result = CliRunner().invoke(app, list(args), input=input, prog_name="hb", obj=state)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """Run hb as a process of its own: `process("chat", "hi", env={…})`."""

    def call(*args: str, input: str = "", env: Mapping[str, str] | None = None, code: str | None = None) -> Outcome:
        command = [sys.executable, "-m", "heavenbase"] if code is None else [sys.executable, "-c", code]
        done = subprocess.run(
            [*command, *args],
            input=input.encode(),
            capture_output=True,
            env={**os.environ, **(env or {})},
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


class Site:
    """A folder on the module path with distributions that were never built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, name: str, entry_points: Mapping[str, Mapping[str, str]], *, version: str = "1.0") -> None:
        """Metadata of a distribution: `entry_points` by group, as name to value."""
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(f"{name}.py,sha256=00,1\n")
        lines = []
        for group, entries in entry_points.items():
            lines += [f"[{group}]", *(f"{entry} = {value}" for entry, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def module(self, name: str, source: str) -> None:
        """The code of a module."""
        (self.folder / f"{name}.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A folder first on the module path, of this process and of those that it starts."""
    made = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(made.folder))
    monkeypatch.setenv("PYTHONPATH", str(made.folder))
    return made


@pytest.fixture
def poisoned(site: Site) -> Site:
    """Plugins of every kind whose import fails."""
    site.module("poisoned", "raise RuntimeError('a plugin that nobody named was imported')\n")
    groups = ("gateways", "providers", "caches", "vision", "middleware", "judges", "tables", "contrib", "cli")
    site.add("hb-poisoned", {f"heavenbase.{group}": {"poisoned": "poisoned:plugin"} for group in groups})
    return site


class ScriptedGateway(Gateway):
    """Answers with what it was given: a completion, chunks, or an exception to raise."""

    name = "scripted"
    wire = "scripted"
    vision = ""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []
        self.closed = 0
        self.ensured: list[dict[str, Any]] = []

    def ensure(self, spec: LLMSpec, *, yes: bool = False, interactive: bool = False) -> None:
        self.ensured.append({"model": spec.model_id, "yes": yes, "interactive": interactive})

    def prepare(self, call: Call) -> WireRequest:
        self.calls.append(call)
        call.context.report.sent(*call.args)
        body = {"model": call.spec.model_id, "messages": call.messages, **call.args}
        headers = {"x-public": "yes", **call.spec.headers}
        return WireRequest("POST", f"{call.spec.base_url}/chat", body, headers, "Authorization: Bearer")

    def chat(self, call: Call, request: WireRequest) -> Completion:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Completion)
        return answer

    def stream(self, call: Call, request: WireRequest) -> Any:
        try:
            for item in self.answers.pop(0):
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.closed += 1


class ScriptedProvider(Provider):
    """The endpoint of ScriptedGateway."""

    def __init__(self, **record: Any) -> None:
        super().__init__(__name__, "scripted")
        self.fields = record

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        return {
            "gateway": "scripted",
            "wire": "scripted",
            "base_url": "https://api.scripted.test/v1",
            "allow_unknown_models": True,
            "default_args": {"cache": False},
            **self.fields,
        }


PRESET = {"model": "m", "provider": "scripted", "gateway": "scripted"}


@pytest.fixture
def scripted() -> Callable[..., tuple[Kernel, ScriptedGateway]]:
    """A kernel without installed plugins whose preset `chat` is answered by a ScriptedGateway."""

    def make(*answers: Any, config: Mapping[str, Any] | None = None, **record: Any) -> tuple[Kernel, ScriptedGateway]:
        gateway = ScriptedGateway(*answers)
        settings = {"heavenbase.llm.presets.chat": PRESET, **(config or {})}
        return Kernel(
            settings, plugins=[gateway, ScriptedProvider(**record)], discover_plugins=False, sleep=lambda _: None
        ), gateway

    return make


def chunks(*texts: str, finish: str = "stop") -> list[Chunk]:
    """A stream of texts with its end."""
    return [*(Chunk(text) for text in texts), Chunk(finish_reason=finish)]  # type: ignore[arg-type]
