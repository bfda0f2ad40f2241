"""What a stranger installed, laid out by hand, and a kernel whose settings file names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer, OpenAIWire

NAMES = ("one", "two")
"""The providers of a settings file; in capitals it has their addresses."""


def install(folder: Path, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the files of a distribution, and put their folder on sys.path."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@contextmanager
def both_servers() -> Iterator[list[LoopbackServer]]:
    """A server for each of the two providers."""
    one, two = (LoopbackServer(wires=[OpenAIWire(name=name)]) for name in NAMES)
    with one, two:
        yield [one, two]


def kernel_of(folder: Path, settings: str, servers: list[LoopbackServer]) -> hb.Kernel:
    """A kernel of `config.toml` in the folder, with these settings."""
    for name, server in zip(NAMES, servers, strict=True):
        settings = settings.replace(name.upper(), server.url(name))
    file = folder / "config.toml"
    file.write_text(settings)
    return hb.Kernel(hb.Config.load(user_file=file, project_dir=folder))
