"""Every key of the configuration does something: in Python and on the command line, with it and without it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import Answer, Exchange, LoopbackServer, OpenAIWire, Reply, Wire, route
from heavenbase.config.schema import known_keys
from heavenbase.discovery.inventory import discover
from heavenbase.image import make_picture
from tests.settings_proofs import BASE, ROWS, Proof
from tests.settings_rig import DOORS, Act, Seen, nested, run
from tests.settings_routes import PROOFS as OF_ROUTES
from tests.settings_tables import PROOFS
from tests.strangers import install

PROOFS |= OF_ROUTES

KEYS = sorted(".".join(path[1:]) for path, _ in known_keys())


ABSENT: dict[str, Seen] = {}
"""What is seen of an act without any key: the same for all keys that it proves."""


def concrete(key: str, proof: Proof) -> str:
    """The key with the names of the rows that its proof is about."""
    parts = key.split(".")
    for place, part in enumerate(parts):
        if part == "<name>" and parts[place - 1] in ROWS and not (place == len(parts) - 1 and proof.at):
            parts[place] = {**ROWS, **proof.rows}[parts[place - 1]]
    rows = proof.at.split("/") if proof.at else []
    while "<name>" in parts:
        parts[parts.index("<name>")] = rows.pop(0)
    return ".".join(parts)


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """A value with these words for what is known only when the server runs."""
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
    elif isinstance(value, Mapping):
        return {name: filled(item, words) for name, item in value.items()}
    elif isinstance(value, list | tuple):
        return type(value)(filled(item, words) for item in value)
    return value


class Pictures(Wire):
    """A server of pictures."""

    name = "pictures"

    @route("GET", "/picture.png")
    def picture(self, exchange: Exchange) -> Answer:
        """Answer a picture."""
        reply = exchange.reply()
        return Reply(body=make_picture("a picture"), headers={"content-type": "image/png"}, delay=reply.delay)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    wires = [OpenAIWire(name=name, base="/v1") for name in ("acme", "elsewhere")]
    with LoopbackServer(wires=[*wires, Pictures()], strict=False) as running:
        yield running


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """The address of somebody who says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


SITE = {
    "hb_loud.py": """
import warnings
from heavenbase.plugin import Plugin

class Loud(Plugin):
    kind = "contrib"

    async def __call__(self, call, next):
        warnings.warn("loud heard the call")
        return await next(call)
""",
    "hb_echo.py": """
import warnings
from typing import ClassVar
from heavenbase.middleware import Middleware, Setting

class Echo(Middleware):
    settings: ClassVar = {"words": Setting("str", "", "what it says")}

    async def __call__(self, call, next):
        of = [call.controls.get(name) for name in ("tenant", "session")]
        warnings.warn(f"echo: {self.options['words']}, of {of}")
        return await next(call)
""",
    "hb_priced.py": """
import warnings
from typing import ClassVar
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable

class Priced(ModelTable):
    settings: ClassVar = {"source": Setting("str", "priced", "where its prices are from")}

    def facts(self, provider, model_id):
        warnings.warn(f"priced by {self.options['source']}")
        return {}
""",
    "hb_broken.py": "raise ImportError('its wheel is not there')",
    "hb_late.py": """
import threading
from heavenbase.plugin import Gateway
from heavenbase.types import Completion

threading.Event().wait(0.05)

class Late(Gateway):
    def prepare(self, call):
        from heavenbase.call import WireRequest
        call.context.report.sent(*call.args)
        return WireRequest("POST", "https://late.test", {})

    def chat(self, call, request):
        return Completion("late, but here", finish_reason="stop")
""",
    "hb_loud-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hb-loud\nVersion: 1.0\n",
    "hb_loud-1.0.dist-info/RECORD": "hb_loud.py,,\nhb_echo.py,,\nhb_priced.py,,\n",
    "hb_loud-1.0.dist-info/entry_points.txt": """
[heavenbase.contrib]
loud = hb_loud:Loud
[heavenbase.middleware]
echo = hb_echo:Echo
[heavenbase.tables]
priced = hb_priced:Priced
[heavenbase.gateways]
broken = hb_broken:gateway
late = hb_late:Late
""",
}
"""A distribution of plugins that are heard, broken, and slow to import."""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path_factory.mktemp("site"), SITE, monkeypatch)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    discover(folder)
    return folder


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("key", sorted(PROOFS))
def test_a2_the_key_does_what_its_page_says(
    key: str,
    door: str,
    server: LoopbackServer,
    silent: str,
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    proof = PROOFS[key]
    if proof.site:
        request.getfixturevalue("site")
    act = proof.hb if door == "hb" and proof.hb is not None else proof.act

    def seen_with(more: Mapping[str, Any]) -> Seen:
        home = tmp_path / ("with" if more else "without") / "home"
        home.mkdir(parents=True)
        (home / "cache").symlink_to(index)
        monkeypatch.chdir(home.parent)
        words = {"ORIGIN": server.origin, "SILENT": silent, "HERE": str(home.parent)}
        done = replace(act, settings=nested(BASE, act.settings, more))
        given = {name: filled(value, words) if name != "replies" else value for name, value in vars(done).items()}
        for module in ("hb_loud", "hb_echo", "hb_priced", "hb_broken", "hb_late"):
            sys.modules.pop(module, None)
        return run(door, Act(**given), server, home)

    there = seen_with({concrete(key, proof): proof.value})
    known = f"{door} {act}"
    if known not in ABSENT:
        ABSENT[known] = seen_with({})
    absent = ABSENT[known]
    seen = proof.seen_by_hb if door == "hb" and proof.seen_by_hb is not None else proof.seen
    assert seen(there), f"with {key} it is not seen:\n{there}"
    assert not seen(absent), f"without {key} it is seen too:\n{absent}"


def test_a2_every_key_of_the_configuration_has_a_proof() -> None:
    new = [key for key in KEYS if key not in PROOFS]
    assert new == [], (
        "each new key needs a Proof in tests/settings_proofs.py, tests/settings_tables.py or tests/settings_routes.py"
    )
    assert [key for key in PROOFS if key not in KEYS] == []
