"""What the configuration of the sqlite cache may say."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from hb_cache_sqlite import SQLiteCache
from hb_cache_sqlite.settings import Limits, Settings
from heavenbase.errors import ConfigError


def test_defaults(tmp_path: Path) -> None:
    settings = Settings.read({"data_dir": str(tmp_path)})
    assert settings.path == os.path.realpath(tmp_path / "llm" / "cache.db")
    assert settings.clock is time.time
    assert settings.busy_timeout == 0.1
    assert settings.limits == {}
    assert settings.allow_network is False


def test_what_a_kernel_passes_is_understood(tmp_path: Path) -> None:
    settings = Settings.read(
        {
            "enabled": True,
            "backend": "sqlite",
            "policy": "deterministic",
            "namespace": None,
            "path": None,
            "data_dir": str(tmp_path),
            "clock": float,
            "options": {"busy_timeout_ms": 250, "allow_network_file_system": True},
            "namespaces": {
                "text": {"enabled": True, "ttl_seconds": 60.0, "max_entries": 5, "max_bytes": None},
                "image": {"enabled": True, "ttl_seconds": None, "max_entries": None, "max_bytes": 1000},
            },
        }
    )
    assert settings.busy_timeout == 0.25
    assert settings.allow_network is True
    assert settings.limits == {"text": Limits(5, None), "image": Limits(None, 1000)}


def test_a_path_may_start_at_home_and_may_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.read({"path": "~/c.db"}).path == os.path.realpath(tmp_path / "c.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    assert Settings.read({"path": tmp_path / "link.db"}).path == os.path.realpath(tmp_path / "elsewhere.db")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({}, "needs a path or a data_dir"),
        ({"path": ""}, "is no file"),
        ({"path": ":memory:"}, 'backend to "memory"'),
        ({"path": "a\0b"}, "is no file"),
        ({"options": {"busy_timeout": 5}}, "options.busy_timeout: unknown"),
        ({"options": {"busy_timeout_ms": -1}}, "options.busy_timeout_ms: must be a number"),
        ({"options": {"busy_timeout_ms": "soon"}}, "not 'soon'"),
        ({"options": {"busy_timeout_ms": float("inf")}}, "not inf"),
        ({"options": {"allow_network_file_system": "yes"}}, "must be true or false"),
        ({"namespaces": {"text": {"max_entries": -1}}}, "namespaces.text.max_entries: must be a number"),
        ({"namespaces": {"text": {"max_bytes": True}}}, "namespaces.text.max_bytes: must be a number"),
    ],
)
def test_a_wrong_setting_names_its_key(tmp_path: Path, settings: dict[str, Any], match: str) -> None:
    place = {} if "path" in settings or not settings else {"data_dir": str(tmp_path)}
    with pytest.raises(ConfigError, match=match):
        SQLiteCache().open({**place, **settings})


def test_the_hook_answers_its_own_name_only(tmp_path: Path) -> None:
    backend = SQLiteCache()
    assert backend.cache("redis", {}) is None
    store = backend.cache("sqlite", {"data_dir": str(tmp_path)})
    assert store is not None
    backend.close()
    assert os.listdir(tmp_path) == [], "opening a store makes no file before it is used"
