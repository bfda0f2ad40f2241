"""The `.env` file of the working folder: its keys count, its settings do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hb_llmgate
import heavenbase
from hb_llmgate.exceptions import AuthError, ConfigError
from hb_llmgate.kernels import kernel_of
from hb_testing.server import LoopbackServer
from heavenbase.errors import HBWarning

from .support import BY_NAME, EVERY, USER, Row, addresses, keys, make_kernel


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Write the file of the working folder."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HEAVENBASE_DOTENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    heavenbase.set_default_kernel(None)

    def written(text: str) -> None:
        (tmp_path / ".env").write_text(text, encoding="utf-8")
        (tmp_path / ".env").chmod(0o600)

    yield written
    heavenbase.set_default_kernel(None)


def test_g25_the_keys_of_the_file_are_used(server: LoopbackServer, write: Callable[[str], None]) -> None:
    with pytest.raises(AuthError, match="OPENAI_API_KEY"):
        hb_llmgate.completion("gpt-4o-mini", USER)
    for key in ("key-of-the-file-1", "another-key-of-the-file-2"):
        write(f"OPENAI_API_KEY={key}\nOPENAI_BASE_URL={server.url('openai')}\n")
        assert hb_llmgate.completion("gpt-4o-mini", USER).text
        assert server.requests[-1].bearer == key


@EVERY
def test_g25_every_vendors_key_and_address_are_read_together(
    row: Row, server: LoopbackServer, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*addresses(server), *keys(), "GOOGLE_API_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    write(f"{row.variable}='{row.key}'\nexport {row.address}={server.url(row.name)}\n")
    for verb in ("completion", "embed") if row.embedding else ("completion",):
        model = row.embedding if verb == "embed" else row.model
        assert getattr(hb_llmgate, verb)(model, USER if verb == "completion" else "hi").provider == row.name
        assert row.key in json.dumps([server.requests[-1].path, dict(server.requests[-1].headers)])


@EVERY
def test_g25_an_address_without_a_key_in_the_file_moves_no_key(
    row: Row, server: LoopbackServer, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(row.variable, row.key)
    monkeypatch.setenv(row.address, server.url(row.name))
    with LoopbackServer() as elsewhere:
        moved = f"{row.address}={elsewhere.origin}\n"
        for text in (moved, f"{row.variable}=another-key-1\n{moved}"):
            write(text)
            hb_llmgate.completion(row.model, USER)
            assert row.key in json.dumps([server.requests[-1].path, dict(server.requests[-1].headers)])
        if row.name == "azure":  # which has no address of its own
            monkeypatch.delenv(row.address)
            write(moved)
            with pytest.warns(HBWarning, match=row.address), pytest.raises(ConfigError, match=row.address):
                hb_llmgate.completion(row.model, USER)
        assert elsewhere.requests == []
    assert len(server.requests) == 2


def test_g25_a_region_counts_beside_a_key_of_the_same_file(
    server: LoopbackServer, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = "AWS_ACCESS_KEY_ID=AKIAOFTHEFILE0000000\nAWS_SECRET_ACCESS_KEY=secret-of-the-file\n"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url("bedrock"))
    write(f"{pair}AWS_DEFAULT_REGION=eu-central-1\n")
    assert hb_llmgate.completion(BY_NAME["bedrock"].model, USER).text
    signed = server.requests[0].headers["authorization"]
    assert "Credential=AKIAOFTHEFILE0000000/" in signed
    assert "/eu-central-1/bedrock/aws4_request" in signed
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-environment")
    write("AWS_DEFAULT_REGION=eu-central-1\n")
    with pytest.warns(HBWarning, match="passed over: AWS_DEFAULT_REGION"):
        assert hb_llmgate.completion(BY_NAME["bedrock"].model, USER).text
    signed = server.requests[1].headers["authorization"]
    assert "Credential=AKIAOFTHEENVIRONMENT/" in signed
    assert "eu-central-1" not in signed


def test_g25_a_variable_wins_over_the_file(
    server: LoopbackServer, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
    write("OPENAI_API_KEY=key-of-the-file-1\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\n")
    hb_llmgate.completion("gpt-4o-mini", USER)
    assert server.requests[0].bearer == "key-of-the-environment"


def test_g25_settings_of_the_file_are_passed_over(server: LoopbackServer, write: Callable[[str], None]) -> None:
    write(
        f"OPENAI_API_KEY=key-of-the-file-1\nOPENAI_BASE_URL={server.url('openai')}\n"
        "HEAVENBASE_LLM__DEFAULT_ARGS__TEMPERATURE=1.5\n"
    )
    with pytest.warns(HBWarning, match="HEAVENBASE_LLM"):
        hb_llmgate.completion("gpt-4o-mini", USER)
    assert "temperature" not in server.requests[0].json


def test_g25_the_file_can_be_turned_off(write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_DOTENV", "false")
    write("OPENAI_API_KEY=key-of-the-file-1\n")
    with pytest.raises(AuthError, match="OPENAI_API_KEY"):
        hb_llmgate.completion("gpt-4o-mini", USER)


def test_g25_a_kernel_that_somebody_chose_is_used(write: Callable[[str], None]) -> None:
    assert kernel_of() is heavenbase.default_kernel()
    write("OPENAI_API_KEY=key-of-the-file-1\n")
    assert kernel_of() is kernel_of() is not heavenbase.default_kernel()
    with make_kernel({}) as given, make_kernel({}) as default:
        heavenbase.set_default_kernel(default)
        assert kernel_of() is default
        assert kernel_of(given) is given


def test_g25_going_from_folder_to_folder_makes_no_new_kernel_each_time(
    write: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for number in range(12):
        folder = tmp_path / f"of-{number % 2}"
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        if not (folder / ".env").exists():
            (folder / ".env").write_text(f"OPENAI_API_KEY=key-of-folder-{number}\n")
            (folder / ".env").chmod(0o600)
        made.append(kernel_of())
    assert len(set(map(id, made))) == 2
