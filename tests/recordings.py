"""Recorded exchanges of all providers as data: what was asked of which model, and what came back.

`python -m tests.recordings FOLDER` lists, for each provider, the fields of answers that are told as no typed field and
stand in `raw` alone, with an example.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hb_testing.conformance.rig import environment
from heavenbase.config.config import Config
from heavenbase.errors import StreamInterrupted
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.types import Completion
from tests.told import KEYS, SETTINGS, Given

_DROPPED = ("content-encoding", "content-length", "transfer-encoding")
_CHATS = re.compile(r"/(chat|messages|responses|chat/completions)(\?|$)")


@dataclass(eq=False)
class Recording:
    """One exchange of a chat."""

    name: str
    provider: str
    model: str
    stream: bool
    request: dict[str, Any]
    response: HTTPResponse
    options: Mapping[str, Any] = field(default_factory=dict)

    def answer(self) -> Completion:
        """What hb makes of what came back."""
        given = Given()
        given.answer = self.response
        with Kernel(Config.from_dict(SETTINGS, environ=environment(**KEYS)), transport=given) as kernel:
            llm = LLM(model=self.model, provider=self.provider, kernel=kernel, max_retries=0, **self.options)
            try:
                return [*llm.stream("q", include="completion")][-1] if self.stream else llm.complete("q")
            except StreamInterrupted as error:
                return error.partial or Completion()

    def events(self) -> Iterator[Any]:
        """The values in the body that came back; none of frames, which are no text."""
        named = {name.lower(): value for name, value in self.response.headers}
        body, kind = self.response.body, named.get("content-type", "")
        assert isinstance(body, bytes)
        if "amazon" in kind:
            return
        for line in body.decode().splitlines() if self.stream else [body.decode()]:
            data = line.removeprefix("data:").strip()
            event = json.loads(data) if data.startswith(("{", "[{")) else {}
            if "error" not in event:  # what failed is told as an error
                yield event


def recordings(folder: Path) -> Iterator[Recording]:
    """The recorded chats that succeeded."""
    for path in sorted(folder.glob("*.yaml")):
        for number, interaction in enumerate(_interactions(path)):
            found = _recording(f"{path.stem}:{number}", path.stem.partition("--")[0], interaction)
            if found is not None and found.response.status < 400:
                yield found


def _recording(name: str, provider: str, interaction: dict[str, Any]) -> Recording | None:
    address, body = interaction["request"]["uri"], _body(interaction["request"])
    asked = json.loads(body or b"{}")
    model, stream, options = asked.get("model", ""), bool(asked.get("stream", provider == "ollama")), {}
    if provider in ("gemini", "vertex"):
        match = re.search(r"/models/([^:/?]+):(\w*[gG]enerateContent)", address)
        model, stream = (match[1], match[2].startswith("stream")) if match else ("", False)
    elif provider == "bedrock":
        match = re.search(r"/model/([^/]+)/(converse[\w-]*)", address)
        model, stream = (unquote(match[1]), "stream" in match[2]) if match else ("", False)
    elif not _CHATS.search(address):
        return None
    if address.partition("?")[0].endswith("/responses"):
        options = {"gateway": "responses"}
        provider = "openai" if provider == "azure" else provider
    if not model:
        return None
    held = interaction["response"]
    headers = [(k, v[0] if isinstance(v, list) else v) for k, v in held["headers"].items() if k.lower() not in _DROPPED]
    return Recording(
        name, provider, model, stream, asked, HTTPResponse(held["status"]["code"], headers, _body(held)), options
    )


def _interactions(path: Path) -> list[dict[str, Any]]:
    import yaml

    # Tags that the safe loader does not know are read as plain data.
    loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.add_multi_constructor("", lambda it, suffix, node: it.construct_scalar(node))
    found: list[dict[str, Any]] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["interactions"]
    return found


def _body(held: dict[str, Any]) -> bytes:
    if "parsed_body" in held:
        return json.dumps(held["parsed_body"]).encode()
    body = held.get("body", held.get("content", "")) or ""
    text = body.get("string", "") if isinstance(body, dict) else body
    return text if isinstance(text, bytes) else str(text).encode()


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value within a value with its path, but for what says nothing."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif value not in (None, "", True, False, 0):
        yield path, value


def typed(answer: Completion) -> tuple[set[Any], str]:
    """The values in the typed fields of an answer, and all their texts in one."""
    values = {value for _, value in leaves(answer.to_dict())}
    return values, "\0".join(value for value in values if isinstance(value, str))


def main(folder: Path) -> None:
    """Print the fields that stand in `raw` alone."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for recording in recordings(folder):
        answer = recording.answer()
        values, texts = typed(answer)
        for path, value in leaves(answer.raw):
            if value not in values and not (isinstance(value, str) and value in texts):
                found[recording.provider].setdefault(path, value)
    for provider, fields in found.items():
        print(provider)
        for path, value in sorted(fields.items()):
            print(f"    {path}: {value!r:.60}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
