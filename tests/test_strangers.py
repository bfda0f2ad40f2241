"""A stranger's middleware, observer and judge, of names that the pages tell, switched on by a settings file."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from tests.strangers import install, kernel_of

CODE = '''
import heavenbase as hb
from heavenbase.middleware import Judge, Observer, Setting


class Tag(hb.Middleware):
    """Puts a tag before what the user says, and counts the pieces of streams."""

    around = "target"
    settings = {
        "tag": Setting("str", "[?]", "what stands before the last message"),
        "most": Setting("int | null", None, "longest message that gets a tag", minimum=1),
    }
    pieces = 0

    async def __call__(self, call, next):
        if call.verb != "complete":
            return await next(call)
        *before, last = call.messages
        if self.options["most"] is None or len(last["content"]) <= self.options["most"]:
            call = call.replace(messages=[*before, {**last, "content": f"{self.options['tag']} {last['content']}"}])
        answer = await next(call)
        return self.counted(answer) if call.stream else answer

    async def counted(self, chunks):
        try:
            async for chunk in chunks:
                self.pieces += 1
                yield chunk
        finally:
            await chunks.aclose()


class Diary(Observer):
    """Writes a line for each call into a file."""

    settings = {"file": Setting("str", "diary.txt", "where it writes")}

    def before(self, call):
        self.began = call.services.wall()

    def after(self, call, answer, error, seconds):
        kind = type(answer or error).__name__
        with open(self.options["file"], "a") as file:
            file.write(f"{call.verb} {call.target} {kind}\\n")
        raise RuntimeError("never seen")


class Polite(Judge):
    settings = {"word": Setting("str", "please", "a word that a good answer has")}

    async def __call__(self, call, answer):
        return None if self.options["word"] in answer.text else f"without {self.options['word']!r}"
'''
SITE = {
    "strange_tools.py": CODE,
    "strange_tools-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: strange-tools\nVersion: 1.0\n",
    "strange_tools-1.0.dist-info/RECORD": "strange_tools.py,,\n",
    "strange_tools-1.0.dist-info/entry_points.txt": """
[heavenbase.middleware]
tag = strange_tools:Tag
diary = strange_tools:Diary
[heavenbase.judges]
polite = strange_tools:Polite
""",
}
SETTINGS = """
[heavenbase.llm]
middleware = ["diary", "tag"]
cache.enabled = false

[heavenbase.llm.providers.one]
base_url = "ONE"
api_key = "key-of-one"

[heavenbase.llm.providers.two]
base_url = "TWO"
api_key = "key-of-two"

[heavenbase.llm.routes.careful]
kind = "cascade"
targets = ["one/small", "two/large"]
judge = { name = "polite", word = "Sir" }

[heavenbase.llm.presets.tagged]
model = "large"
provider = "two"
middleware = ["tag", "diary"]

[heavenbase.middleware.tag]
tag = "[from the file]"

[heavenbase.middleware.diary]
file = "DIARY"
"""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield install(tmp_path_factory.mktemp("site"), SITE, monkeypatch)
    sys.modules.pop("strange_tools", None)


class House:
    """A kernel of the settings file, and what it did."""

    def __init__(self, folder: Path, servers: list[LoopbackServer], more: str = "") -> None:
        self.servers = servers
        self.diary = folder / "diary.txt"
        self.file = folder / "config.toml"
        self.kernel = kernel_of(folder, SETTINGS.replace("DIARY", str(self.diary)) + more, servers)

    def said(self, number: int = 0) -> list[str]:
        return [request.json["messages"][-1]["content"] for request in self.servers[number].requests]

    def lines(self) -> list[str]:
        return self.diary.read_text().splitlines()


@pytest.fixture
def house(site: Path, servers: list[LoopbackServer], tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, servers)
    with made.kernel:
        yield made


async def _astream(llm: hb.LLM, words: str) -> str:
    return "".join([piece async for piece in llm.astream(words)])


FORMS: dict[str, Callable[[hb.LLM, str], str]] = {
    "chat": lambda llm, words: llm.chat(words),
    "achat": lambda llm, words: asyncio.run(llm.achat(words)),
    "stream": lambda llm, words: "".join(llm.stream(words)),
    "astream": lambda llm, words: asyncio.run(_astream(llm, words)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_middleware_and_an_observer_of_the_settings_work_in_every_colour(house: House, form: str) -> None:
    house.servers[0].reply("good day")
    assert FORMS[form](hb.LLM(model="one/small", kernel=house.kernel), "hello") == "good day"
    assert house.said() == ["[from the file] hello"]
    assert house.lines() == ["complete one/small Completion"]
    tag = house.kernel.services.load("middleware", "tag")
    assert tag.options == {"tag": "[from the file]", "most": None}
    assert (tag.pieces > 1) is ("stream" in form)


@pytest.mark.parametrize("form", FORMS)
def test_an_error_comes_through_both_and_is_observed(house: House, form: str) -> None:
    house.servers[0].reply("no", status=400)
    with pytest.raises(hb.errors.RequestRejected) as caught:
        FORMS[form](hb.LLM(model="one/small", kernel=house.kernel), "hello")
    assert len(caught.value.attempts) == 1
    assert house.lines() == ["complete one/small RequestRejected"]


@pytest.mark.parametrize("form", FORMS)
def test_a_judge_of_the_settings_decides_in_every_colour(house: House, form: str) -> None:
    house.servers[0].reply("good day")
    house.servers[1].reply("good day, Sir")
    assert FORMS[form](hb.LLM(route="careful", kernel=house.kernel), "hello") == "good day, Sir"
    # Each target has its middlewares; the observer of calls saw one call.
    assert house.said(0) == house.said(1) == ["[from the file] hello"]
    assert len(house.lines()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_those_of_a_targets_preset_see_that_target_alone(house: House, form: str) -> None:
    llm = hb.LLM(model=["one/small", {"preset": "tagged"}], kernel=house.kernel, max_retries=0)
    house.servers[0].reply("no", status=500)
    house.servers[1].reply("good day")
    with pytest.warns(hb.errors.FallbackWarning):
        assert FORMS[form](llm, "hello") == "good day"
    assert house.said(0) == ["[from the file] hello"]
    assert house.said(1) == ["[from the file] [from the file] hello"]
    # The observer of calls saw the whole one, that of the preset what was asked of its target.
    assert house.lines() == ["complete two/large Completion", "complete one/small Completion"]


def test_other_verbs_and_many_calls_at_once_pass_too(house: House) -> None:
    llm = hb.LLM(model="one/small", kernel=house.kernel)

    async def ask() -> list[Any]:
        chats = [llm.achat(f"word-{number}") for number in range(20)]
        return list(await asyncio.gather(llm.aembed(["a", "bb"]), *chats))

    vectors, *texts = asyncio.run(ask())
    assert len(vectors) == 2
    assert len(texts) == 20
    requests = [json.loads(request.body) for request in house.servers[0].requests]
    chats = sorted(body["messages"][-1]["content"] for body in requests if "messages" in body)
    assert chats == sorted(f"[from the file] word-{number}" for number in range(20))
    assert len(house.lines()) == 21


def test_the_report_and_explain_name_them(house: House) -> None:
    answer = hb.LLM(route="careful", kernel=house.kernel).complete("hello Sir")
    assert answer.report is not None
    assert answer.report.stack == ("diary", "routing", "tag")
    house.servers[0].reply("x")
    plain = hb.LLM(model="one/small", kernel=house.kernel).complete("hello")
    assert plain.report is not None
    assert plain.report.stack == ("diary", "tag")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[heavenbase.judges.polite]\nwrod = "please"', "unknown key 'heavenbase.judges.polite.wrod'; did you mean"),
        ("[heavenbase.judges.polite]\nword = 3", "heavenbase.judges.polite.word"),
    ],
)
def test_a_wrong_setting_of_a_judge_is_an_error_with_file_and_line(
    site: Path, servers: list[LoopbackServer], tmp_path: Path, more: str, words: str
) -> None:
    house = House(tmp_path, servers, more)
    line = house.file.read_text().count("\n") + 1
    with house.kernel, pytest.raises(hb.errors.ConfigError) as caught:
        hb.LLM(route="careful", kernel=house.kernel).chat("hello")
    assert str(caught.value).startswith(f"{house.file}:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tag = ", "tga = ", "unknown key 'heavenbase.middleware.tag.tga'; did you mean 'tag'"),
        ('tag = "[from the file]"', "most = 0", "heavenbase.middleware.tag.most"),
        ('tag = "[from the file]"', 'most = "many"', "heavenbase.middleware.tag.most"),
    ],
)
def test_a_wrong_setting_of_a_middleware_is_an_error_with_file_and_line(
    site: Path,
    servers: list[LoopbackServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    words: str,
) -> None:
    text = SETTINGS.replace(old, new)
    monkeypatch.setattr(f"{__name__}.SETTINGS", text)
    line = text[: text.index(new)].count("\n") + 1
    with pytest.raises(hb.errors.ConfigError) as caught:
        House(tmp_path, servers)
    assert str(caught.value).startswith(f"{tmp_path / 'config.toml'}:{line}: ")
    assert words in str(caught.value)


def test_being_installed_switches_nothing_on(site: Path, servers: list[LoopbackServer]) -> None:
    record = {"base_url": servers[0].url("one"), "api_key": "key-of-one"}
    with hb.Kernel({"heavenbase.llm.providers.one": record}) as kernel:
        answer = hb.LLM(model="one/small", kernel=kernel).complete("hello")
    assert answer.report is not None
    assert answer.report.stack == ()
    assert servers[0].requests[0].json["messages"][-1]["content"] == "hello"
    assert "strange_tools" not in sys.modules
