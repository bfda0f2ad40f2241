"""A thing that is done with hb in two ways, in Python and on the command line, and what is seen of it from outside.

For `test_every_setting`: an Act says what is done and with which settings, `run` does it through one of the DOORS, and
Seen is what the server was sent, what came back, what was written and what was said.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tomlkit
from click.testing import CliRunner

import heavenbase as hb
from hb_cli.app import app
from hb_testing.server import LoopbackServer, RecordedRequest
from heavenbase.colour import drive
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel
from heavenbase.operations import ask

DOORS = ("python", "hb")
HOUSE: Mapping[str, Any] = {"preset": "house"}
_NAMES = {"preset": "-p", "model": "-m", "provider": "-b", "gateway": "-g"}
_FOREIGN = re.compile(r"(HEAVENBASE_|HB_)|.*(_API_KEY|_TOKEN|_PROXY|_BASE_URL)$|NO_COLOR$", re.IGNORECASE)


@dataclass(frozen=True)
class Act:
    """What is done.

    `verb` is chat, stream, embed, imagen, models, count, files, rerank, job or read, for hb also list or explain.
    `names` are those of the target, `tools` names in `tests.settings_tools`, `replies` what the server answers;
    `rounds` are what is other in each of several calls: options, "CONTENT" and "ENVIRON". `settings` are dotted keys
    below "heavenbase.", `files` are written beside the home, and `is_file` has Python read a settings file too.
    """

    verb: str = "chat"
    content: Any = "hi"
    options: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Any] = field(default_factory=lambda: HOUSE)
    settings: Mapping[str, Any] = field(default_factory=dict)
    replies: tuple[Mapping[str, Any], ...] = ()
    rounds: tuple[Mapping[str, Any], ...] = ({},)
    tools: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    is_async: bool = False
    is_file: bool = False

    def in_rounds(self) -> Iterator[Act]:
        """Each of its calls."""
        for other in self.rounds:
            options = {name: value for name, value in other.items() if not name.isupper()}
            content, environ = other.get("CONTENT", self.content), {**self.environ, **other.get("ENVIRON", {})}
            yield replace(self, content=content, environ=environ, options={**self.options, **options})


@dataclass
class Seen:
    """What is seen of an act: requests, what came back of each round, errors and warnings, and files of the home."""

    requests: list[RecordedRequest] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    said: str = ""
    files: list[str] = field(default_factory=list)

    @property
    def body(self) -> Any:
        """The body of the last request; an empty one where nothing was sent."""
        return self.requests[-1].json if self.requests and self.requests[-1].body else {}

    @property
    def result(self) -> str:
        """What came back last; "" for nothing."""
        return self.results[-1] if self.results else ""

    def header(self, name: str) -> str | None:
        """A header of the last request."""
        return self.requests[-1].headers.get(name) if self.requests else None

    def __str__(self) -> str:
        sent = "\n".join(f"  {r.method} {r.path} {dict(r.headers)} {r.body[:600]!r}" for r in self.requests)
        return f"requests:\n{sent}\nresults: {self.results}\nsaid: {self.said}\nfiles: {self.files}"


def nested(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as tables; later layers are laid over earlier ones."""
    found: dict[str, Any] = {}
    for settings in layers:
        for key, value in settings.items():
            head, _, rest = key.partition(".")
            inner = {rest: value} if rest else value
            if isinstance(inner, Mapping):
                there = found.get(head)
                found[head] = nested(*([there] if isinstance(there, dict) else []), inner)
            else:
                found[head] = inner
    return found


def run(door: str, act: Act, server: LoopbackServer, home: Path) -> Seen:
    """What is seen of an act through one door, with this home and nothing else of the machine's."""
    server.clear()
    for reply in act.replies:
        server.reply(**reply)
    for name, text in act.files.items():
        (home.parent / name).write_text(text)
    environ = {**_environment(), **act.environ, "HEAVENBASE_HOME": str(home)}
    seen = Seen()
    (_python if door == "python" else _hb)(act, environ, home, seen)
    seen.requests = server.requests
    seen.files = sorted(str(p.relative_to(home.parent)) for p in home.parent.rglob("*") if p.is_file())
    return seen


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}


def _python(act: Act, environ: dict[str, str], home: Path, seen: Seen) -> None:
    with warnings.catch_warnings(record=True) as told, patch.dict(os.environ, environ, clear=True):
        warnings.simplefilter("always")
        try:
            if act.is_file:
                _write(act, home)
                config = Config.load(environ=os.environ)
            else:
                config = Config.from_dict({"heavenbase": nested(act.settings)}, environ=os.environ)
            with Kernel(config) as kernel:
                for this in act.in_rounds():
                    os.environ.update(this.environ)
                    seen.results.append(_asked(hb.LLM(**this.names, kernel=kernel), this, dict(this.options)))
        except Exception as error:
            seen.said = "\n".join(traceback.format_exception_only(error))
    seen.said += "\n".join(str(item.message) for item in told)


def _asked(llm: hb.LLM, act: Act, options: dict[str, Any]) -> str:
    given: dict[str, Any] = dict(options)
    if act.tools:
        from tests import settings_tools

        given["tools"] = [getattr(settings_tools, name) for name in act.tools]
    if act.images:
        given["images"] = list(act.images)
    verbs: dict[str, Callable[[], Any]] = {
        "chat": lambda: llm.complete(act.content, **given).text,
        "stream": lambda: "".join(llm.stream(act.content, **given)),
        "embed": lambda: llm.embed(act.content, **given),
        "imagen": lambda: len(llm.imagen(act.content, **given).to_bytes()),
        "models": lambda: llm.models(),
        "count": lambda: str(llm.count_tokens(act.content, **given)),
        "files": lambda: str(list(llm.files.list())),
        "batches": lambda: str(drive.run(ask(llm, "batches.list", {}, is_async=False, subject=1))),
        "rerank": lambda: str(llm.rerank(act.content, ["a", "b"], **given)),
        "job": lambda: str(llm.complete(act.content, **{**given, "background": True})),
        "read": lambda: str(list(llm.kernel.config.items("heavenbase.llm"))),
    }
    if act.is_async:
        return str(asyncio.run(llm.acomplete(act.content, **given)).text)
    return str(verbs[act.verb]())


def _hb(act: Act, environ: dict[str, str], home: Path, seen: Seen) -> None:
    _write(act, home)
    for this in act.in_rounds():
        environ = {**environ, **this.environ}
        hidden = {name: None for name in os.environ if name not in environ}
        words = _words(this, this.options, home)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            done = CliRunner().invoke(app, words, prog_name="hb", env={**hidden, **environ}, input=_typed(this))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        seen.results.append(done.stdout)
        seen.said += done.stderr


def _write(act: Act, home: Path) -> None:
    (home / "config.toml").write_text(tomlkit.dumps(_without_none({"heavenbase": nested(act.settings)})))


def _typed(act: Act) -> str:
    return f"{act.content[-1]['content']}\n" if isinstance(act.content, list) and act.verb in ("chat", "stream") else ""


def _words(act: Act, options: Mapping[str, Any], home: Path) -> list[str]:
    names = [word for name, value in act.names.items() for word in (_NAMES[name], str(value))]
    flag = "--option" if act.verb == "imagen" else "-o"
    more = [word for name, value in options.items() for word in (flag, f"{name}={json.dumps(value)}")]
    more += [word for name in act.tools for word in ("-t", f"tests.settings_tools:{name}")]
    more += ["--allow-tools"] if act.tools else []
    more += [word for image in act.images for word in ("--image", image)]
    more += act.args
    if act.verb in ("chat", "stream") and isinstance(act.content, list):
        # A conversation comes from a saved session; its last message is typed.
        saved = home.parent / "talk.json"
        table = {"preset": None, "model": None, "provider": None, "gateway": None, "options": {}, **act.names}
        talk = {"format": "heavenbase.session", "version": 1, "llm": table, "messages": act.content[:-1], "tools": []}
        saved.write_text(json.dumps(talk))
        return ["session", "-l", str(saved), "--no-log", *names, *more]
    if act.verb == "embed":
        texts = [act.content] if isinstance(act.content, str) else list(act.content)
        return ["embed", *texts, *names, *more]
    return {
        "chat": ["chat", act.content, "--no-stream", *names, *more],
        "stream": ["chat", act.content, "--stream", *names, *more],
        "imagen": ["imagen", act.content, "-o", str(home.parent / "made.png"), "--force", *names, *more],
        "models": ["models", "-b", "acme", "--live", "--json", *more],
        "count": ["tokens", act.content, *names, *more],
        "rerank": ["rerank", act.content, "a", "b", *names, *more],
        "files": ["files", "list", "-b", "acme", *more],
        "explain": ["explain", act.content, "--json", *names, *more],
        "list": [*act.args],
    }[act.verb]


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items()}
    return "${null}" if value is None else value
