"""Templates of prompts: what is a placeholder, what values may be, and how they come into calls."""

from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import heavenbase as hb
from heavenbase.config import Config
from heavenbase.errors import ConfigError, ConfigTrustError, InputError, InputTypeError, UnknownNameError
from heavenbase.image import LLMImage, make_picture
from heavenbase.prompts import Parameter

SETTINGS = {
    "heavenbase.llm.prompts.review": {
        "system": "You review {{ language }}.",
        "user": "Review:\n{{ input }}",
        "parameters": {"language": {"default": "Python"}},
    },
    "heavenbase.llm.prompts.persona": {"system": "You are {{ who }}."},
    "heavenbase.llm.presets.reviewer": {"model": "mock", "provider": "mock", "prompt": "review"},
    "heavenbase.llm.presets.actor": {
        "model": "mock",
        "provider": "mock",
        "prompt": "persona",
        "args": {"prompt_values": {"who": "a bard"}},
    },
}


def kernel(settings: dict[str, Any] | None = None) -> hb.Kernel:
    return hb.Kernel({"heavenbase.llm.cache.enabled": False, **(SETTINGS if settings is None else settings)})


def asked(llm: hb.LLM, *args: Any, **options: Any) -> list[Any]:
    """What the model is told."""
    heard: list[Any] = []
    llm.chat(*args, mock=lambda messages: heard.append(messages) or "ok", **options)
    return [(message["role"], message["content"]) for message in heard[0]]


def test_g26_prompt_templates_render_to_messages_that_a_call_takes() -> None:
    template = hb.PromptTemplate("Translate into {{ language }}: {{text}}", system="Be {{ tone }}.")
    messages = template(language="German", text="hello", tone="brief")
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Translate into German: hello"},
    ]
    assert list(template.parameters) == ["tone", "language", "text"]
    with kernel() as made:
        assert hb.LLM("mock", kernel=made).chat(messages) == "mock response"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_g26_a_value_is_inserted_once_and_as_it_is(first: str, second: str) -> None:
    template = hb.PromptTemplate("<{{ a }}|{{ b }}|{{ a }}>")
    assert template(a=first, b=second)[0]["content"] == f"<{first}|{second}|{first}>"
    assert template(a="{{ b }}", b=second)[0]["content"] == f"<{{{{ b }}}}|{second}|{{{{ b }}}}>"


@given(st.lists(st.sampled_from(["{", "}", "{{{{", "{{ a }}", "x", " ", "\n", "{{a}}", "}}"])))
def test_g26_texts_of_a_template_read_back(pieces: list[str]) -> None:
    try:
        template = hb.PromptTemplate("".join(["t", *pieces]))
    except InputError:
        return
    again = hb.PromptTemplate(messages=[{"role": role, "content": text} for role, text in template.texts])
    values = dict.fromkeys(template.parameters, "v")
    assert again.render(values) == template.render(values)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('{"a": {"b": {{ v }}}}', '{"a": {"b": V}}'),
        ("{v} {% if v %} ${v} %s {{ v }}", "{v} {% if v %} ${v} %s V"),
        ("{{{{ v }} {{ v }}", "{{ v }} V"),
        ("{{{ v }}}", "{V}"),
    ],
)
def test_g26_other_braces_stay_as_they_are(text: str, made: str) -> None:
    assert hb.PromptTemplate(text)(v="V")[0]["content"] == made


@pytest.mark.parametrize(
    "text",
    ["{{ a.b }}", "{{ a[0] }}", "{{ f() }}", "{{ a|b }}", "{{ }}", "{{ a", "{{ a b }}", "{{ {{ a }} }}", "{{ 1 }}"],
)
def test_g26_a_placeholder_is_a_bare_name_and_nothing_else(text: str) -> None:
    with pytest.raises(InputError, match=r"is no placeholder: a bare name such as \{\{ name \}\}"):
        hb.PromptTemplate(text)


def test_g26_values_are_checked_before_anything_is_sent() -> None:
    template = hb.PromptTemplate(
        "{{ text }} {{ most }} {{ share }} {{ deep }} {{ words }} {{ tone }}",
        parameters={
            "most": {"type": "int", "default": 3},
            "share": float,
            "deep": "bool",
            "words": {"type": "list", "default": ["a", "b"]},
            "tone": {"choices": ["brief", "kind"], "default": "kind", "description": "how it sounds"},
        },
    )
    assert template(text="t", share=1, deep=True)[0]["content"] == "t 3 1 true a\nb kind"
    good: dict[str, Any] = {"text": "t", "share": 0.5, "deep": False}
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        template({**good, "shar": 1})
    with pytest.raises(InputError, match="needs a value for 'share', 'deep'"):
        template(text="t")
    with pytest.raises(UnknownNameError, match="did you mean 'kind'"):
        template({**good, "tone": "kin"})
    for wrong in ({"text": 1}, {"text": None}, {"most": True}, {"most": 1.5}, {"share": "1"}, {"deep": 1}):
        with pytest.raises(InputTypeError, match="must be"):
            template({**good, **wrong})
    for odd in ({"share": float("nan")}, {"words": "ab"}, {"words": [1]}):
        with pytest.raises(InputTypeError, match="must be"):
            template({**good, **odd})
    with pytest.raises(InputTypeError, match="must be a mapping"):
        template.render("text")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"user": "{{ langage }}", "parameters": {"language": "str"}}, UnknownNameError, "did you mean 'language'"),
        ({"user": "{{ a }}", "parameters": {"bees": "str"}}, UnknownNameError, "no placeholder has this name"),
        ({"user": "{{ a }}", "parameters": {"a": "string"}}, UnknownNameError, "did you mean 'str'"),
        ({"user": "{{ a }}", "parameters": {"a": {"defualt": 1}}}, UnknownNameError, "did you mean 'default'"),
        ({"user": "{{ a }}", "parameters": {"a": {"default": 1}}}, InputTypeError, "must be text"),
        (
            {"user": "{{ a }}", "parameters": {"a": {"default": "x", "choices": ["y"]}}},
            UnknownNameError,
            "value of 'a'",
        ),
        ({"user": "{{ a }}", "parameters": {"a": 7}}, InputTypeError, "a type or a table"),
        (
            {"user": "{{ a }}", "parameters": {"a": {"type": "image", "default": "p.png"}}},
            InputError,
            "neither a default",
        ),
        ({"system": "{{ a }}", "parameters": {"a": "image"}}, InputError, "only a user's message"),
        ({}, InputError, "needs a text"),
        ({"user": " "}, InputError, "is empty"),
        ({"user": "a", "messages": []}, InputError, "not both"),
        ({"messages": [{"role": "usr", "content": "a"}]}, UnknownNameError, "did you mean 'user'"),
        ({"messages": [{"role": "user", "contents": "a"}]}, UnknownNameError, "did you mean 'content'"),
        ({"messages": [{"role": "user", "content": 1}]}, InputTypeError, "must be text"),
        ({"messages": ["a"]}, InputTypeError, "a mapping with role"),
        ({"user": 1}, InputTypeError, "must be text"),
    ],
)
def test_g26_a_template_that_cannot_be_is_refused_where_it_is_made(
    fields: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        hb.PromptTemplate(**fields)


def test_g26_images_are_parameters_of_a_users_message() -> None:
    template = hb.PromptTemplate("Look: {{ photo }} What of {{ photo }}?", parameters={"photo": "image"})
    content = template(photo=LLMImage.from_any(make_picture("a picture")))[0]["content"]
    assert [part["type"] for part in content] == ["text", "image", "text", "image", "text"]
    assert content[0]["text"] == "Look: "
    with kernel() as made:
        assert hb.LLM("mock", kernel=made).chat(template(photo=make_picture("b"))) == "mock response"


def test_g26_templates_never_change_and_are_copied_and_pickled() -> None:
    template = hb.PromptTemplate("{{ a }} {{{{", parameters={"a": {"default": "x"}}, name="n", description="d")
    for again in (pickle.loads(pickle.dumps(template)), copy.deepcopy(template)):  # noqa: S301
        assert again == template
        assert again() == template()
        assert hash(again) == hash(template)
    with pytest.raises(AttributeError, match="never changes"):
        template.name = "other"
    assert repr(template) == "PromptTemplate('n', parameters=['a'])"


# Files


def test_g26_templates_are_files_and_nothing_in_them_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "review.toml").write_text(
        'description = "reads code"\nsystem = "Read ${env:HOME} {{ language }}."\nuser = "{{ input }}"\n'
        '[parameters.language]\ndefault = "Python"\nchoices = ["Python", "C"]\n'
    )
    found = hb.PromptTemplate.load(tmp_path / "review.toml")
    assert (found.name, found.description) == ("review", "reads code")
    assert found(input="x")[0]["content"] == "Read ${env:HOME} Python."
    (tmp_path / "greet.md").write_text("# Greet\n\nSay {{ word }}.\n")
    assert hb.PromptTemplate.load(str(tmp_path / "greet.md"))(word="hi") == [
        {"role": "user", "content": "# Greet\n\nSay hi."}
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", 'user = "x"\n\nusr = "y"\n', r"a\.toml:3: unknown key 'usr'; did you mean 'user'"),
        ("a.toml", "user = 1\n", r"a\.toml:1: user must be a string"),
        ("a.toml", 'user = "x"\nuser = "y"\n', r"a\.toml:2: "),
        ("a.toml", 'user = """\na\n{{ b.c }}"""\n', r"a\.toml:3: '\{\{ b\.c \}\}' is no placeholder"),
        ("a.toml", 'user = "{{ a }}"\n[parameters.a]\ntyp = "int"\n', r"a\.toml:3: unknown key 'parameters\.a\.typ'"),
        ("a.toml", 'user = "{{ langage }}"\n[parameters.language]\n', r"a\.toml:1: .*did you mean 'language'"),
        ("a.md", "one\ntwo {{ a", r"a\.md:2: "),
        ("a.md", "", r"a\.md:1: .*is empty"),
        ("a.yaml", "user: x", r"a file \.toml, \.md or \.txt, not \.yaml"),
    ],
)
def test_g26_errors_of_files_name_file_and_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=words):
        hb.PromptTemplate.load(tmp_path / name)


def test_g26_files_are_bounded_and_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"one\n\xff")
    with pytest.raises(ConfigError, match=r"a\.md:2: is not UTF-8"):
        hb.PromptTemplate.load(tmp_path / "a.md")
    (tmp_path / "b.md").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="is larger than"):
        hb.PromptTemplate.load(tmp_path / "b.md")
    with pytest.raises(ConfigError, match="cannot be read"):
        hb.PromptTemplate.load(tmp_path / "c.md")


# Settings, presets and options


def test_g26_templates_of_the_settings_have_names() -> None:
    config = Config.from_dict(SETTINGS)
    assert hb.PromptTemplate.from_config("review", config)(input="x", language="C")[0]["content"] == "You review C."
    with pytest.raises(UnknownNameError, match="did you mean 'review'"):
        hb.PromptTemplate.from_config("reviw", config)
    with pytest.raises(UnknownNameError, match="there is none"):
        hb.PromptTemplate.from_config("review", Config.from_dict({}))
    broken = Config.from_dict({"heavenbase.llm.prompts.x.user": "{{ a"})
    with pytest.raises(ConfigError, match=r"constructor: '\{\{' is no placeholder"):
        hb.PromptTemplate.from_config("x", broken)


def test_g26_the_text_of_a_call_fills_the_prompt_of_its_preset() -> None:
    with kernel() as made:
        llm = hb.LLM("reviewer", kernel=made)
        assert llm.spec.origins["args.prompt_template"] == "preset reviewer"
        assert asked(llm, "x = 1") == [("system", "You review Python."), ("user", "Review:\nx = 1")]
        assert asked(llm, "x", prompt_values={"language": "C"})[0] == ("system", "You review C.")
        assert asked(llm, "x", prompt_template=None) == [("user", "x")]
        assert asked(llm, "x", system="Be kind.")[:2] == [("system", "You review Python."), ("system", "Be kind.")]
        actor = hb.LLM("actor", kernel=made)
        assert asked(actor, "hi") == [("system", "You are a bard."), ("user", "hi")]
        assert asked(actor, "hi", prompt_values={"who": "a king"})[0] == ("system", "You are a king.")
        assert asked(hb.LLM("mock", prompt_template="review", kernel=made), "x")[1] == ("user", "Review:\nx")


def test_g26_of_a_conversation_the_last_words_of_the_user_fill_the_prompt() -> None:
    talk = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    with kernel() as made:
        told = asked(hb.LLM("reviewer", kernel=made), talk)
        assert told == [
            ("system", "You review Python."),
            ("user", "a"),
            ("assistant", "b"),
            ("user", "Review:\nc"),
        ]
        session = hb.LLMSession(hb.LLM("reviewer", kernel=made))
        session.send("one")
        session.send("two")
        assert [message["content"] for message in session.messages if message["role"] == "user"] == ["one", "two"]


def test_g26_images_of_a_call_stay_beside_its_text() -> None:
    with kernel() as made:
        told = asked(hb.LLM("reviewer", kernel=made), "x", images=make_picture("a picture"))
        assert [part["type"] for part in told[1][1]] == ["text", "image"]
        assert told[1][1][0]["text"] == "Review:\nx"


def test_g26_a_template_stands_for_messages_in_every_colour() -> None:
    template = hb.PromptTemplate("Say {{ word }}.", parameters={"word": {"default": "hi"}})
    with kernel() as made:
        llm = hb.LLM("mock", kernel=made, mock=lambda messages: messages[-1]["content"])
        assert llm.chat(template) == "Say hi."
        assert llm.chat(template, prompt_values={"word": "ho"}) == "Say ho."
        assert llm.complete(template, prompt_values={"word": "ho"}).text == "Say ho."
        assert "".join(llm.stream(template)) == "Say hi."
        assert asyncio.run(llm.achat(template, prompt_values={"word": "oh"})) == "Say oh."
        assert llm.count_tokens(template, estimate=True).tokens > 0
        with pytest.raises(UnknownNameError, match="did you mean 'word'"):
            llm.chat(template, prompt_values={"wrod": "ho"})
        assert asked(hb.LLM("reviewer", kernel=made), template) == [("user", "Say hi.")]


def test_g26_values_without_a_template_and_two_inputs_are_refused() -> None:
    with kernel() as made:
        llm = hb.LLM("mock", kernel=made)
        with pytest.raises(InputError, match="this call has none"):
            llm.chat("x", prompt_values={"a": "b"})
        with pytest.raises(InputTypeError, match="prompt_values must be a mapping"):
            llm.chat("x", prompt_values="a")  # type: ignore[call-overload]
        with pytest.raises(InputTypeError, match="the name of a prompt or a template"):
            llm.chat("x", prompt_template=7)
        with pytest.raises(UnknownNameError, match="did you mean 'review'"):
            llm.chat("x", prompt_template="reviews")
        with pytest.raises(InputError, match="fills 'input' of prompt 'review'"):
            llm.chat("x", prompt_template="review", prompt_values={"input": "y"})


def test_g26_calls_with_a_prompt_are_cached_by_what_they_say(tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "heavenbase.llm.cache.enabled": True,
        "heavenbase.llm.cache.path": str(tmp_path / "c.sqlite"),
    }
    with hb.Kernel(settings, environ={"HEAVENBASE_HOME": str(tmp_path)}) as made:
        llm = hb.LLM("reviewer", kernel=made, cache=True)
        first = [llm.complete("x", prompt_values={"language": name}).cached for name in ("C", "D", "C")]
        assert first == [False, False, True]


@pytest.mark.parametrize("line", ['llm.prompts.review.user = "x"', 'llm.presets.chat.prompt = "review"'])
def test_g26_an_untrusted_project_says_nothing_to_the_model(tmp_path: Path, line: str) -> None:
    (tmp_path / "heavenbase.toml").write_text(f"[heavenbase]\n{line}\n")
    environ = {"HEAVENBASE_HOME": str(tmp_path / "home")}
    with pytest.raises(ConfigTrustError, match="is not trusted"):
        Config.load(project_dir=tmp_path, environ=environ)
    assert Config.load(project_dir=tmp_path, environ=environ, trusted=True)


def test_g26_values_are_read_from_texts_by_their_type() -> None:
    assert Parameter("a", "int").read(["3"]) == 3
    assert Parameter("a", "float").read(["0.5"]) == 0.5
    assert Parameter("a", "bool").read(["Yes"]) is True
    assert Parameter("a", "list").read(["x", "y"]) == ["x", "y"]
    assert Parameter("a").read(["3"]) == "3"
    for kind, texts in (("int", ["x"]), ("bool", ["maybe"]), ("str", ["a", "b"])):
        with pytest.raises(InputError, match="parameter 'a'"):
            Parameter("a", kind).read(texts)
