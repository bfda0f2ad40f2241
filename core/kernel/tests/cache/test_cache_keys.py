"""The key of an answer: whatever can change the answer changes it, and nothing else does."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heavenbase.cache.keys import Keys, clipped, installation_key, messages_of
from heavenbase.call import Call
from heavenbase.errors import CacheError, InputTypeError
from heavenbase.image.image import LLMImage
from heavenbase.messages import to_messages
from heavenbase.secrets import Secret

from ..support import make_kernel
from .test_caching import PIXEL

KERNEL = make_kernel(config={"heavenbase.llm.providers.acme.headers": {"x-tenant": "a"}})
SPEC = KERNEL.resolve(model="acme/tiny")
IMAGE = LLMImage(PIXEL)
ARGS: dict[str, Any] = {
    "temperature": 0,
    "seed": 42,
    "top_p": 1,
    "max_tokens": 100,
    "stop": ["a", "b"],
    "think": True,
    "reasoning_effort": "high",
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"properties": {"a": {}, "b": {}}}}},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "string"}}}}}],
    "tool_choice": "auto",
    "extra_body": {"provider": {"order": ["x", "y"]}},
    "extra_headers": {"x-beta": "1"},
    "logit_bias": {"50256": -100},
    "user": "u",
    "invented_tomorrow": {"deep": [1, {"er": None}]},
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "what?"}, {"type": "image", "image": IMAGE}]},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm",
        "reasoning_parts": [{"signature": "sig", "data": b"\x00"}],
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "1"},
    {"role": "user", "content": "go on"},
]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(KERNEL.registry, tmp_path)


def call(**changes: Any) -> Call:
    verb = changes.pop("verb", "complete")
    content: dict[str, Any] = {"messages": MESSAGES} if verb == "complete" else {}
    built = KERNEL.call(verb, SPEC, {}, is_async=False, **content)
    return built.replace(**{"args": ARGS, **changes})


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in a structure that is no container."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for name, item in items for leaf in leaves(item, (*path, name))]
    return found if isinstance(value, dict | list) and value else [path]


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of a structure with one place changed."""
    if not path:
        return change(value)
    if isinstance(value, dict):
        return {name: changed(item, path[1:], change) if name == path[0] else item for name, item in value.items()}
    return [changed(item, path[1:], change) if place == path[0] else item for place, item in enumerate(value)]


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "!"
    if isinstance(value, bytes):
        return value + b"!"
    if isinstance(value, LLMImage):
        return LLMImage(PIXEL, detail="low")
    return {None: 1}.get(value, "other") if value is None else {"new": 1}


PLACES = [("args", path) for path in leaves(ARGS)] + [("messages", path) for path in leaves(MESSAGES)]


@pytest.mark.parametrize(("field", "path"), PLACES, ids=lambda part: str(part))
def test_a_change_in_any_place_of_the_request_changes_the_key(keys: Keys, field: str, path: tuple[Any, ...]) -> None:
    source = ARGS if field == "args" else MESSAGES
    moved = call(**{field: changed(source, path, other)})
    assert keys.of(moved, None) != keys.of(call(), None)


@pytest.mark.parametrize("name", list(ARGS))
def test_an_argument_left_out_changes_the_key(keys: Keys, name: str) -> None:
    without = {key: value for key, value in ARGS.items() if key != name}
    assert keys.of(call(args=without), None) != keys.of(call(), None)


@pytest.mark.parametrize("place", range(len(MESSAGES)))
def test_a_message_left_out_or_doubled_changes_the_key(keys: Keys, place: int) -> None:
    for messages in (MESSAGES[:place] + MESSAGES[place + 1 :], MESSAGES[: place + 1] + MESSAGES[place:]):
        assert keys.of(call(messages=messages), None) != keys.of(call(), None)


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "other"},
        {"gateway": "scripted", "gateway_record": MappingProxyType({"version": "2"})},
        {"model_id": "other"},
        {"base_url": "https://elsewhere.test/v1"},
        {"provider_url": "https://provider.test/v1"},
        {"headers": MappingProxyType({"x-tenant": "b"})},
        {"headers": MappingProxyType({})},
        {"api_key": Secret("sk-other-tenant")},
        {"api_key": None},
        {"gateway_key": Secret("sk-gateway")},
        {"provider_record": MappingProxyType({"options": {"region": "eu"}})},
        {"model_record": MappingProxyType({"thinking_control": "budget"})},
    ],
    ids=lambda change: "+".join(change),
)
def test_another_target_or_credential_changes_the_key(keys: Keys, change: dict[str, Any]) -> None:
    assert keys.of(call(spec=replace(SPEC, **change)), None) != keys.of(call(), None)


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "chat"},
        {"model": "another-alias"},
        {"requested_gateway": "missing"},
        {"timeouts": SPEC.timeouts.merged(5)},
        {"args": MappingProxyType({"max_retries": 9})},
        {"origins": MappingProxyType({})},
        {"headers": MappingProxyType({"X-Tenant": "a"})},
        {"model_record": MappingProxyType({"description": "a fine model", "aliases": ["t"]})},
    ],
    ids=lambda change: "+".join(change),
)
def test_what_no_answer_depends_on_leaves_the_key_alone(keys: Keys, change: dict[str, Any]) -> None:
    assert keys.of(call(spec=replace(SPEC, **change)), None) == keys.of(call(), None)


def test_the_version_of_the_gateway_is_in_the_key(keys: Keys) -> None:
    before = keys.of(call(), None)
    gateway = KERNEL.registry.load("gateways", "scripted")
    gateway.version = "2.0"
    try:
        keys.forget()
        assert keys.of(call(), None) != before
    finally:
        del gateway.version


def test_the_verb_is_in_the_key(keys: Keys) -> None:
    texts = keys.of_inputs(call(verb="embed"), ["a", "b", "a"], None)
    assert texts[0] == texts[2] != texts[1]
    prompt = call(verb="imagen", prompt="a")
    assert len({texts[0], keys.of(prompt, None), keys.of(call(), None)}) == 3
    assert keys.of(prompt, None) != keys.of(prompt.replace(images=[IMAGE]), None)
    assert keys.of(prompt, None) != keys.of(prompt.replace(prompt="b"), None)


def test_order_counts_where_a_model_sees_it_and_nowhere_else(keys: Keys) -> None:
    turned = dict(reversed(ARGS.items()))
    assert keys.of(call(args=turned), None) == keys.of(call(), None)
    schema = {"type": "json_schema", "json_schema": {"schema": {"properties": {"b": {}, "a": {}}}}}
    assert keys.of(call(args={**ARGS, "response_format": schema}), None) != keys.of(call(), None)


def test_a_shared_namespace_joins_credentials_and_two_names_do_not_meet(keys: Keys, tmp_path: Path) -> None:
    mine, theirs = call(), call(spec=replace(SPEC, api_key=Secret("sk-other")))
    assert keys.of(mine, "team") == keys.of(theirs, "team")
    assert len({keys.of(mine, "team"), keys.of(mine, "other"), keys.of(mine, None)}) == 3
    elsewhere = Keys(KERNEL.registry, tmp_path / "another-machine")
    assert elsewhere.of(mine, "team") == keys.of(mine, "team")
    assert elsewhere.of(mine, None) != keys.of(mine, None)


def test_h8_a_proxy_that_can_answer_for_the_endpoint_is_part_of_the_key(tmp_path: Path) -> None:
    plain = replace(SPEC, base_url="http://gpu.test:8000/v1", args={})

    def key(spec: Any = plain, environ: Any = None, **controls: Any) -> bytes:
        made = Keys(KERNEL.registry, tmp_path, environ or {})
        assert made.description(call(spec=spec, controls=controls), None).get("proxy") in (None, "a.test:1", "b.test:1")
        return made.of(call(spec=spec, controls=controls), None)

    direct, a, b = {}, {"http_proxy": "http://me:pw@a.test:1"}, {"HTTP_PROXY": "http://b.test:1/"}
    assert len({key(environ=found) for found in (direct, a, b)}) == 3
    assert key(http_proxy="http://b.test:1") == key(environ=b) == key(replace(plain, args={"http_proxy": "b.test:1"}))
    assert key(environ=b, http_proxy="") == key(environ={**b, "NO_PROXY": "gpu.test"}) == key()
    # Behind TLS nobody but the endpoint can answer; and this machine is reached without the environment's proxies.
    for url in ("https://gpu.test/v1", "http://127.0.0.1:8000/v1"):
        spec = replace(SPEC, base_url=url)
        assert len({key(spec, environ={**found, "ALL_PROXY": "http://a.test:1"}) for found in (direct, b)}) == 1


TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CONTENT = TEXT | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=2)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": CONTENT}, optional={"name": TEXT}
)
REQUEST = st.tuples(st.lists(MESSAGE, min_size=1, max_size=3), st.dictionaries(TEXT, JSON, max_size=4))


def same(a: Any, b: Any) -> bool:
    """Whether two values are one on a JSON wire: of one type and equal, the order of fields aside."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=REQUEST, two=REQUEST)
def test_keys_are_equal_exactly_when_requests_are(keys: Keys, one: Any, two: Any) -> None:
    keyed = [keys.of(call(messages=messages, args=args), None) for messages, args in (one, two)]
    ordered = [[args.get(name) for name in ("tools", "response_format")] for _, args in (one, two)]
    if ordered == [[None, None], [None, None]]:
        assert (keyed[0] == keyed[1]) == (same(one[0], two[0]) and same(one[1], two[1]))


@settings(max_examples=100)
@given(messages=st.lists(MESSAGE, max_size=4))
def test_the_short_way_of_plain_messages_makes_the_same_bytes(messages: list[dict[str, Any]]) -> None:
    import json

    assert messages_of(messages) == json.dumps(messages, sort_keys=True, separators=(",", ":")).encode()


def test_images_count_by_their_bytes_and_detail_and_urls_by_their_text(keys: Keys) -> None:
    def key(image: LLMImage) -> bytes:
        return keys.of(call(messages=to_messages("x", images=image)), None)

    url = "https://images.test/1.png"
    assert key(LLMImage(PIXEL)) == key(LLMImage(PIXEL, revised_prompt="said otherwise"))
    assert len({key(LLMImage(PIXEL)), key(LLMImage(PIXEL, detail="high")), key(LLMImage.from_url(url))}) == 3
    assert key(LLMImage.from_url(url)) != key(LLMImage.from_url(f"{url}?size=2"))


@pytest.mark.parametrize("value", [object(), print, Secret("x"), int, {1: 2, "a": 3}, 1j])
def test_what_has_no_canonical_form_has_no_key(keys: Keys, value: Any) -> None:
    with pytest.raises(InputTypeError, match="cache key"):
        keys.of(call(args={"thing": value}), None)


def test_the_description_holds_every_field_and_no_credential(keys: Keys) -> None:
    about = keys.description(call(spec=replace(SPEC, base_url="https://u:pw@acme.test/v1?key=1")), None)
    assert about["args"]["temperature"] == 0
    assert about["messages"][4]["content"] == "go on"
    assert about["base_url"] == "https://acme.test/v1"
    shown = str(about)
    for secret in ("sk-acme-000", "'x-beta': '1'", "pw"):
        assert secret not in shown
    assert keys.description(call(), None) == keys.description(call(), None)


def test_long_texts_are_described_by_their_digest() -> None:
    assert clipped({"a": ["x" * 70_000, "y"]})["a"][1] == "y"
    assert clipped("x" * 70_000).startswith("<70000 characters, sha256 ")


# The key of the installation


def test_the_key_of_the_installation_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = installation_key(folder)
    assert (len(made), installation_key(folder)) == (32, made)
    assert [path.name for path in folder.iterdir()] == ["cache.key"]
    if os.name == "posix":
        assert stat.S_IMODE((folder / "cache.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("left", [b"", b"half"])
def test_a_key_that_was_left_half_written_is_made_anew(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "cache.key").write_bytes(left)
    made = installation_key(tmp_path)
    assert (len(made), installation_key(tmp_path)) == (32, made)


def test_callers_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(installation_key, [tmp_path] * 16))) == 1


def test_a_folder_that_cannot_be_made_is_a_cache_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="key of the cache"):
        installation_key(tmp_path / "file" / "data")
