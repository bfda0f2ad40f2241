"""The allow-list and the lock: which plugins may be imported at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import tomlkit

from heavenbase.discovery.importing import check_allowed
from heavenbase.discovery.inventory import discover
from heavenbase.discovery.lock import lock_data
from heavenbase.errors import ConfigError, PluginBlocked

from ..installed import install_gateway


def locked(site: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plugins.lock"
    path.write_text(tomlkit.dumps(lock_data(discover(None, [str(site)]).plugins)))
    return path


def test_a_plugin_as_in_the_lock_may_load(site: Path, tmp_path: Path) -> None:
    module = install_gateway(site, "good")
    path = locked(site, tmp_path)
    [info] = discover(None, [str(site)]).plugins
    check_allowed({"lock": str(path)}, info)
    assert module not in sys.modules


def test_a_changed_file_list_is_refused(site: Path, tmp_path: Path) -> None:
    install_gateway(site, "good")
    path = locked(site, tmp_path)
    record = site / "hb_gateway_good-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "\nextra.py,sha256=abc,1")
    [info] = discover(None, [str(site)]).plugins
    with pytest.raises(PluginBlocked, match=r"gateways:good differs from the plugin lock.*record: locked"):
        check_allowed({"lock": str(path)}, info)


def test_compiled_files_do_not_change_the_lock(site: Path, tmp_path: Path) -> None:
    install_gateway(site, "good")
    [info] = discover(None, [str(site)]).plugins
    before = lock_data([info])["plugins"][info.key]["record"]
    record = site / "hb_gateway_good-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "\n__pycache__/made.cpython-311.pyc,,")
    assert lock_data([info])["plugins"][info.key]["record"] == before
    assert len(before) == 64


def test_a_plugin_that_is_not_in_the_lock_is_refused(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "plugins.lock"
    path.write_text("[plugins]\n")
    install_gateway(site, "good")
    [info] = discover(None, [str(site)]).plugins
    with pytest.raises(PluginBlocked, match="is not in the plugin lock"):
        check_allowed({"lock": str(path)}, info)


@pytest.mark.parametrize("text", [None, "not toml ["])
def test_a_lock_that_cannot_be_read_is_an_error_with_the_remedy(site: Path, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "plugins.lock"
    if text is not None:
        path.write_text(text)
    install_gateway(site, "good")
    [info] = discover(None, [str(site)]).plugins
    with pytest.raises(ConfigError, match="hb plugins lock"):
        check_allowed({"lock": str(path)}, info)


def test_disabled_beats_allowed(site: Path) -> None:
    install_gateway(site, "good")
    [info] = discover(None, [str(site)]).plugins
    check_allowed({"allow": ["gateways:good"]}, info)
    check_allowed({}, info)
    with pytest.raises(PluginBlocked, match="hb plugins enable gateways:good"):
        check_allowed({"allow": ["gateways:good"], "disabled": ["hb-gateway-good"]}, info)
