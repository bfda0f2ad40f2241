"""The lock verifies files: what was edited, planted, swapped or shadowed since it was written is not imported."""

from __future__ import annotations

import os
import py_compile
import sys
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path

import pytest
import tomlkit

from heavenbase.config import Config
from heavenbase.discovery.importing import check_allowed
from heavenbase.discovery.inventory import discover
from heavenbase.discovery.lock import lock_data
from heavenbase.errors import ConfigError, PluginBlocked
from heavenbase.kernel import Kernel

from ..installed import gateway_source, install

MANIFEST = '[provider]\nname = "acme"\nbase_url = "https://acme.example/v1"\nwire = "openai"\n'


@pytest.fixture
def package(site: Path) -> str:
    """A distribution with a package of two modules, a manifest, and an unread folder."""
    name = f"hb_locked_{abs(hash(str(site))):x}"
    groups = {"heavenbase.gateways": {"good": f"{name}:plugin"}, "heavenbase.providers": {"acme": f"{name}:provider"}}
    sources = {
        f"{name}/__init__.py": f"from {name}.inner import VALUE\n{gateway_source('good')}",
        f"{name}/inner.py": "VALUE = 1\n",
        f"{name}/provider.toml": MANIFEST,
    }
    install(site, "hb-locked", groups, sources)
    return name


def lock(site: Path, folder: Path) -> Path:
    path = folder / "plugins.lock.toml"
    path.write_text(tomlkit.dumps(lock_data(discover(None, [str(site)]).plugins)))
    return path


def edited(site: Path, name: str) -> None:
    path = site / name / "inner.py"
    before = path.stat()
    path.write_text("VALUE = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def moved(site: Path, name: str) -> None:
    path = site / name / "provider.toml"
    path.write_text(MANIFEST.replace("acme.example", "evil.example"))


def repointed(site: Path, name: str) -> None:
    path = site / "hb_locked-1.0.dist-info" / "entry_points.txt"
    path.write_text(path.read_text().replace(f"{name}:plugin", "os:plugin"))


def removed(site: Path, name: str) -> None:
    (site / name / "inner.py").unlink()


def planted(site: Path, name: str) -> None:
    (site / name / "inner.so").write_bytes(b"evil")


def compiled(site: Path, name: str) -> None:
    path = site / name / "inner.py"
    source, stamp = path.read_text(), path.stat()
    path.write_text("VALUE = 2\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    py_compile.compile(str(path), cache_from_source(str(path)))
    path.write_text(source)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def shadowed(site: Path, name: str) -> None:
    other = site.parent / "other" / name
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    sys.path.insert(0, str(other.parent))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edited, "inner.py is not as it was installed"),
        (moved, "provider.toml is not as it was installed"),
        (repointed, "entry"),
        (removed, "inner.py is not as it was installed"),
        (planted, "inner.so in hb_locked_"),
        (compiled, "the compiled form of"),
        (shadowed, "which is no file of hb-locked"),
    ],
)
def test_h5_what_has_changed_since_the_lock_is_not_imported(
    site: Path,
    package: str,
    tmp_path: Path,
    change: Callable[[Path, str], None],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    settings = {"lock": str(lock(site, tmp_path))}
    for info in discover(None, [str(site)]).plugins:
        check_allowed(settings, info)
    change(site, package)
    infos = discover(None, [str(site)]).plugins
    with pytest.raises(PluginBlocked, match="hb plugins lock") as caught:
        check_allowed(settings, next(info for info in infos if info.kind == "gateways"))
    assert told in str(caught.value)
    assert package not in sys.modules


def test_h5_a_manifest_that_was_edited_brings_no_names(site: Path, package: str, tmp_path: Path) -> None:
    path = lock(site, tmp_path)
    moved(site, package)
    kernel = Kernel({"heavenbase.plugins.lock": str(path), "heavenbase.plugins.allow": ["hb-locked"]})
    with pytest.raises(PluginBlocked, match=r"provider\.toml is not as it was installed"):
        kernel.resolve(model="m", provider="acme", api_key="k-123456")
    assert package not in sys.modules


def test_h5_an_editable_install_says_what_cannot_be_verified(site: Path, package: str, tmp_path: Path) -> None:
    told = site / "hb_locked-1.0.dist-info" / "direct_url.json"
    told.write_text('{"url": "file:///work", "dir_info": {"editable": true}}')
    path = lock(site, tmp_path)
    assert path.read_text().count('files = "not verified: an editable install"') == 2
    edited(site, package)
    check_allowed({"lock": str(path)}, discover(None, [str(site)]).plugins[0])
    told.unlink()
    with pytest.raises(PluginBlocked):
        check_allowed({"lock": str(path)}, discover(None, [str(site)]).plugins[0])


def test_h5_a_lock_that_others_may_write_says_nothing(site: Path, package: str, tmp_path: Path) -> None:
    path = lock(site, tmp_path)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="chmod go-w"):
        check_allowed({"lock": str(path)}, discover(None, [str(site)]).plugins[0])


def test_h5_a_relative_lock_lies_beside_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    (home / "config.toml").write_text('heavenbase.plugins.lock = "plugins.lock.toml"\n')
    (elsewhere / "plugins.lock.toml").write_text("[plugins]\n")
    monkeypatch.chdir(elsewhere)
    config = Config.load(environ={"HEAVENBASE_HOME": str(home)})
    assert config.plugins()["lock"] == str(home / "plugins.lock.toml")
    named = Config.load(environ={"HEAVENBASE_HOME": str(home), "HEAVENBASE_PLUGINS__LOCK": "plugins.lock.toml"})
    with pytest.raises(ConfigError, match="must be an absolute path"):
        Kernel(named)


@pytest.mark.parametrize("entry", ["HB_Locked", "hb.locked", "Hb-LOCKED", "gateways:GOOD"])
def test_h8_names_are_compared_as_package_indexes_do(site: Path, package: str, entry: str) -> None:
    info = next(info for info in discover(None, [str(site)]).plugins if info.kind == "gateways")
    with pytest.raises(PluginBlocked, match="is disabled"):
        check_allowed({"disabled": [entry]}, info)
    check_allowed({"allow": [entry]}, info)
