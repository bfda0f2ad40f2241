"""The `.env` file of the working folder: its keys count, its settings do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hb_llmgate
import heavenbase
from hb_llmgate.exceptions import AuthError
from hb_llmgate.kernels import kernel_of
from hb_testing.server import LoopbackServer
from heavenbase.errors import HBWarning

from .support import USER, make_kernel


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
