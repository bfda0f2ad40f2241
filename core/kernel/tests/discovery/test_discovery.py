"""Discovery: what is installed, from metadata alone, from an index that is only ever a saving of time."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from heavenbase.discovery import inventory as discovery
from heavenbase.discovery.inventory import discover
from heavenbase.discovery.manifest import read_manifest
from heavenbase.resolution.catalog import Catalog

from ..installed import install, install_gateway

MANIFEST = """
[provider]
name = "acme"
gateway = "openai"
wire = "openai"
base_url = "https://acme.test/v1"
prefixes = ["acme-"]

[models.acme-1]
providers = { acme = "one" }
"""


def install_provider(site: Path, manifest: str = MANIFEST, name: str = "acme") -> None:
    install(
        site,
        f"hb-provider-{name}",
        {"heavenbase.providers": {name: f"prov_{name}:plugin"}},
        {f"prov_{name}/__init__.py": "raise RuntimeError('imported')", f"prov_{name}/provider.toml": manifest},
    )


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The scans that were made."""
    made: list[list[str]] = []
    scan = discovery._scan

    def counted(paths: list[str]) -> dict[str, Any]:
        made.append(paths)
        return scan(paths)

    monkeypatch.setattr(discovery, "_scan", counted)
    return made


def test_plugins_and_manifests_are_found_without_an_import(site: Path) -> None:
    install_gateway(site, "one", source="raise RuntimeError('imported')")
    install_provider(site)
    found = discover(None, [str(site)])
    assert [plugin.key for plugin in found.plugins] == ["gateways:one", "providers:acme"]
    provider = found.claims("providers", "acme")[0]
    assert (provider.distribution, provider.version, provider.package) == ("hb-provider-acme", "1.0", "prov_acme")
    assert provider.manifest is not None
    assert provider.manifest["provider"]["base_url"] == "https://acme.test/v1"
    assert found.names("gateways") == ["one"]
    assert found.unreadable == ()


def test_other_peoples_entry_points_are_left_alone(site: Path) -> None:
    install(site, "other", {"console_scripts": {"x": "y:z"}, "heavenbase.kitchen": {"x": "y:z"}}, {})
    assert discover(None, [str(site)]).plugins == ()


def test_a_fresh_index_answers_without_a_scan(site: Path, tmp_path: Path, scans: list[list[str]]) -> None:
    install_provider(site)
    index = tmp_path / "index"
    first = discover(index, [str(site)])
    assert discover(index, [str(site)]) == first
    assert len(scans) == 1
    [file] = index.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_another_home_of_the_process_is_answered_without_a_scan(
    site: Path, tmp_path: Path, scans: list[list[str]]
) -> None:
    install_provider(site)
    first = discover(tmp_path / "one", [str(site)])
    assert discover(tmp_path / "two", [str(site)]) == first
    assert len(scans) == 1
    os.utime(site / "prov_acme" / "provider.toml", ns=(1, 1))
    discover(tmp_path / "three", [str(site)])
    assert len(scans) == 2


def test_a_new_distribution_is_seen_at_once(site: Path, tmp_path: Path, scans: list[list[str]]) -> None:
    index = tmp_path / "index"
    assert discover(index, [str(site)]).plugins == ()
    install_gateway(site, "late")
    assert [plugin.name for plugin in discover(index, [str(site)]).plugins] == ["late"]
    assert len(scans) == 2


def test_a_changed_manifest_is_seen_at_once(site: Path, tmp_path: Path) -> None:
    install_provider(site)
    index = tmp_path / "index"
    discover(index, [str(site)])
    path = site / "prov_acme" / "provider.toml"
    path.write_text(MANIFEST.replace("acme.test", "moved.test"), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    manifest = discover(index, [str(site)]).claims("providers", "acme")[0].manifest
    assert manifest is not None
    assert manifest["provider"]["base_url"] == "https://moved.test/v1"


def test_other_files_in_a_folder_do_not_make_a_scan(site: Path, tmp_path: Path, scans: list[list[str]]) -> None:
    install_provider(site)
    index = tmp_path / "index"
    discover(index, [str(site)])
    (site / "notes.txt").write_text("x")
    discover(index, [str(site)])
    assert len(scans) == 1


DAMAGE: dict[str, Any] = {
    "empty": "",
    "half": '{"format": 3, "stamps": {"',
    "not a table": "[1, 2]",
    "another format": '{"format": 1}',
    "binary": "\x00\x01",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_index_is_only_slower(site: Path, tmp_path: Path, damage: str) -> None:
    install_provider(site)
    index = tmp_path / "index"
    wanted = discover(index, [str(site)])
    [file] = index.iterdir()
    file.write_text(damage)
    assert discover(index, [str(site)]) == wanted
    assert json.loads(file.read_text())["format"] == discovery.FORMAT


@pytest.mark.parametrize("missing", ["plugins", "models", "shadows", "unreadable", "contents"])
def test_an_index_of_a_wrong_shape_is_only_slower(site: Path, tmp_path: Path, missing: str) -> None:
    install_provider(site)
    index = tmp_path / "index"
    wanted = discover(index, [str(site)])
    [file] = index.iterdir()
    data = json.loads(file.read_text())
    for broken in ({k: v for k, v in data.items() if k != missing}, {**data, missing: 7}):
        file.write_text(json.dumps(broken))
        assert discover(index, [str(site)]) == wanted


def test_an_index_that_cannot_be_written_is_only_slower(site: Path, tmp_path: Path) -> None:
    install_provider(site)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert discover(blocked / "index", [str(site)]).names("providers") == ["acme"]


def test_p1_damaged_distributions_are_left_out_and_named(site: Path) -> None:
    install_gateway(site, "good")
    (site / "leftover-1.0.dist-info").mkdir()
    broken = install(site, "broken", {}, {})
    (broken / "entry_points.txt").write_text("[heavenbase.gateways]\nthis is no entry point\n")
    found = discover(None, [str(site)])
    assert [plugin.name for plugin in found.plugins] == ["good"]
    assert [line for line in found.unreadable if "broken-1.0" in line] != []


BAD_MANIFESTS: dict[str, str] = {
    "models is a list": 'models = ["a"]\n[provider]\nname="bad"\ngateway="g"\nwire="w"',
    "a model is a text": '[provider]\nname="bad"\ngateway="g"\nwire="w"\n[models]\nx = "y"',
    "aliases are a text": '[provider]\nname="bad"\ngateway="g"\nwire="w"\naliases="abc"',
    "a preset is a number": '[provider]\nname="bad"\ngateway="g"\nwire="w"\n[presets]\nchat = 7',
    "prefixes are numbers": '[provider]\nname="bad"\ngateway="g"\nwire="w"\nprefixes=[1]',
}


@pytest.mark.parametrize("manifest", BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_p1_a_poisoned_manifest_hurts_no_other_name(site: Path, manifest: str) -> None:
    install_provider(site, manifest, "bad")
    install_provider(site)
    found = discover(None, [str(site)])
    catalog = Catalog(found, found.names("providers"), {})
    assert catalog.model("acme-1") == "acme-1"
    assert catalog.by_prefix("acme-9") == "acme"
    assert catalog.provider("a") is None
    assert [line for line in found.unreadable if "hb-provider-bad" in line] != []


def test_an_unreadable_manifest_leaves_the_plugin_listed(site: Path) -> None:
    install_provider(site, "[provider", "bad")
    found = discover(None, [str(site)])
    assert [(plugin.name, plugin.manifest) for plugin in found.plugins] == [("bad", {})]


def test_a_distribution_that_shadows_our_import_name_is_told(site: Path) -> None:
    install(site, "heavenbase", {}, {}, version="0.1.2.2")
    assert discover(None, [str(site)]).shadows == ("heavenbase 0.1.2.2",)


def test_folders_that_do_not_exist_are_no_error(tmp_path: Path) -> None:
    assert discover(None, [str(tmp_path / "missing"), str(tmp_path / "file.zip")]).plugins == ()


class Finder:
    """How setuptools makes a flat project editable: a finder of its own for one package."""

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.package:
            return None
        return spec_from_file_location(name, self.folder / "__init__.py", submodule_search_locations=[str(self.folder)])


def test_d3_the_manifest_of_an_editable_package_is_found_where_its_finder_says(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "flat" / "prov_flat"
    project.mkdir(parents=True)
    (project / "__init__.py").write_text("raise RuntimeError('imported')")
    (project / "provider.toml").write_text(MANIFEST)
    install(site, "hb-provider-acme", {"heavenbase.providers": {"acme": "prov_flat:plugin"}}, {})
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder("prov_flat", project)])
    found = discover(None, [str(site)])
    assert Catalog(found, ["acme"], {}).model("acme-1") == "acme-1"
    assert found.unreadable == ()


def test_d3_the_manifest_of_a_zipped_package_is_read(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "app.zip"
    with ZipFile(archive, "w") as made:
        made.writestr("prov_zipped/__init__.py", "raise RuntimeError('imported')")
        made.writestr("prov_zipped/provider.toml", MANIFEST)
    install(site, "hb-provider-acme", {"heavenbase.providers": {"acme": "prov_zipped:plugin"}}, {})
    monkeypatch.syspath_prepend(str(archive))
    index = tmp_path / "index"
    for _ in range(2):  # scanned, and from the index
        assert Catalog(discover(index, [str(site)]), ["acme"], {}).model("acme-1") == "acme-1"
    assert read_manifest("prov_zipped").provider["name"] == "acme"


def test_d3_the_manifest_lies_beside_the_module_that_the_entry_point_names(site: Path) -> None:
    install(
        site,
        "hb-provider-acme",
        {"heavenbase.providers": {"acme": "prov_deep.inner.plugin:plugin"}},
        {
            "prov_deep/__init__.py": "raise RuntimeError('imported')",
            "prov_deep/inner/__init__.py": "",
            "prov_deep/inner/plugin.py": "",
            "prov_deep/inner/provider.toml": MANIFEST,
        },
    )
    assert Catalog(discover(None, [str(site)]), ["acme"], {}).model("acme-1") == "acme-1"


def test_d3_a_package_that_no_finder_knows_is_told(site: Path) -> None:
    install(site, "hb-provider-acme", {"heavenbase.providers": {"acme": "prov_gone:plugin"}}, {})
    [line] = discover(None, [str(site)]).unreadable
    assert "'prov_gone' is not found" in line
    assert "hb-provider-acme" in line
