"""Folders of the user, as the system wants them."""

from __future__ import annotations

import os
import sys

import pytest

from heavenbase.config.files import user_folder


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs itself answers")
@pytest.mark.parametrize("xdg", [None, "/somewhere/else", "relative", ""])
def test_the_folders_on_linux_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch, xdg: str | None) -> None:
    import platformdirs

    monkeypatch.delenv("HEAVENBASE_HOME", raising=False)
    monkeypatch.delenv("ANDROID_ROOT", raising=False)
    for name in ("CONFIG", "CACHE", "DATA"):
        if xdg is None:
            monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
        else:
            monkeypatch.setenv(f"XDG_{name}_HOME", xdg)
    monkeypatch.setenv("HOME", "/home/somebody")
    folders = platformdirs.PlatformDirs("heavenbase", appauthor=False)
    assert user_folder("config", os.environ) == folders.user_config_dir
    assert user_folder("cache", os.environ) == folders.user_cache_dir
    assert user_folder("data", os.environ) == folders.user_data_dir


def test_without_a_home_platformdirs_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    assert user_folder("config", {}) == platformdirs.PlatformDirs("heavenbase", appauthor=False).user_config_dir


def test_heavenbase_home_may_begin_with_a_tilde() -> None:
    assert user_folder("config", {"HEAVENBASE_HOME": "~/hb"}) == os.path.join(os.path.expanduser("~"), "hb")
    assert user_folder("data", {"HEAVENBASE_HOME": "/x/hb"}) == os.path.join("/x/hb", "data")
