"""Plugins are found without import, checked, loaded one by one, and hurt nobody else when they are broken."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from heavenbase.discovery.inventory import Inventory, discover
from heavenbase.errors import (
    PluginBlocked,
    PluginConflict,
    PluginContractError,
    PluginLoadError,
    PluginTimeout,
    PluginVersionError,
)
from heavenbase.plugin import Gateway, hookimpl
from heavenbase.registry import Registry

from .installed import gateway_source, install, install_gateway
from .support import CodeProvider, ScriptedGateway, make_kernel

SERVICES: Any = object()


def registry(site: Path, **settings: Any) -> Registry:
    return Registry(discover(None, [str(site)]), settings, SERVICES)


def test_finding_and_listing_import_nothing(site: Path) -> None:
    module = install_gateway(site, "good", source="raise RuntimeError('imported')")
    found = registry(site)
    assert found.names("gateways") == ["good"]
    assert found.has("gateways", "good")
    assert found.info("gateways", "good").distribution == "hb-gateway-good"
    assert module not in sys.modules


def test_a_plugin_is_imported_once_when_it_is_named(site: Path) -> None:
    module = install_gateway(site, "good")
    found = registry(site)
    plugin = found.load("gateways", "good")
    assert plugin is found.load("gateways", "good")
    assert (plugin.name, plugin.services) == ("good", SERVICES)
    assert module in sys.modules


def test_two_registries_have_objects_of_their_own(site: Path) -> None:
    source = gateway_source("good").replace("plugin = Made", "plugin = Made()")
    install_gateway(site, "good", source=source)
    first, second = registry(site), registry(site)
    assert first.load("gateways", "good") is not second.load("gateways", "good")


POISONS: dict[str, str] = {
    "raises": "raise RuntimeError('poison')",
    "misses a package": "import a_package_that_is_not_installed",
    "does not parse": "def (",
    "leaves": "raise SystemExit(3)",
    "has no object": "x = 1",
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_p1_a_poisoned_import_hurts_nobody_else(site: Path, poison: str) -> None:
    install_gateway(site, "good")
    install_gateway(site, "bad", source=poison)
    found = registry(site)
    assert found.names("gateways") == ["bad", "good"]
    for _ in range(2):
        with pytest.raises(PluginLoadError, match=r"gateways:bad of hb-gateway-bad 1\.0 cannot be imported") as caught:
            found.load("gateways", "bad")
        assert "pip install --upgrade hb-gateway-bad" in str(caught.value)
        assert "Traceback" in (caught.value.body or "")
    assert list(found.quarantine) == ["gateways:bad"]
    assert found.load("gateways", "good").name == "good"


def test_p1_an_import_that_plays_ctrl_c_is_a_broken_plugin(site: Path) -> None:
    install_gateway(site, "bad", source="raise KeyboardInterrupt")
    with pytest.raises(PluginLoadError, match="KeyboardInterrupt"):
        registry(site, import_timeout=5.0).load("gateways", "bad")


class Ticket:
    """Something of a caller that must not be kept."""


def test_p1_what_is_quarantined_keeps_nothing_of_those_who_asked(site: Path) -> None:
    install_gateway(site, "bad", source="raise RuntimeError('poison')")
    found = registry(site)
    depths = []

    def ask() -> weakref.ref[Ticket]:
        ticket = Ticket()
        try:
            found.load("gateways", "bad")
        except PluginLoadError as error:
            depth, trace = 0, error.__traceback__
            while trace is not None:
                depth, trace = depth + 1, trace.tb_next
            depths.append(depth)
        return weakref.ref(ticket)

    kept = [ask() for _ in range(20)]
    gc.collect()
    assert [ticket for ticket in kept if ticket() is not None] == []
    assert len(set(depths[1:])) == 1


class HalfWrong(Gateway):
    """Its first hook is right, its second has an argument that the spec does not know."""

    name = "half"

    @hookimpl
    def embed(self, call: Any, colour: Any) -> Any:  # type: ignore[override]
        return None


def test_p1_a_registration_that_fails_half_way_is_rolled_back() -> None:
    found = Registry(Inventory((), {}, {}), {}, SERVICES)
    with pytest.raises(PluginContractError, match=r"(?s)gateways:half cannot be registered.*colour"):
        found.add(HalfWrong())
    assert found.names("gateways") == []
    assert not found.has("gateways", "half")
    for hook in ("complete", "embed", "imagen"):
        assert getattr(found.hook, hook).get_hookimpls() == []
    found.add(ScriptedGateway(name="half"))
    assert found.load("gateways", "half").name == "half"


class Gate(ModuleType):
    """A module that a hanging plugin imports, to say that it hangs and to wait until it may go on."""

    def __init__(self) -> None:
        super().__init__("hb_test_gate")
        self.reached = threading.Event()
        self.open = threading.Event()


HANGING = "import hb_test_gate\nhb_test_gate.reached.set()\nhb_test_gate.open.wait(20)\n"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setitem(sys.modules, made.__name__, made)
    yield made
    made.open.set()


def test_p2_an_import_that_hangs_is_left_after_its_time_and_named(site: Path, gate: Gate) -> None:
    install_gateway(site, "slow", source=HANGING)
    install_gateway(site, "good")
    found = registry(site, import_timeout=0.05)
    with pytest.raises(PluginTimeout, match=r"gateways:slow of hb-gateway-slow 1\.0 did not import in 0\.05 s"):
        found.load("gateways", "slow")
    assert not gate.open.is_set()
    assert isinstance(found.quarantine["gateways:slow"], PluginTimeout)
    found = registry(site, import_timeout=20)
    assert found.load("gateways", "good").name == "good"


def test_p2_while_one_import_hangs_another_plugin_loads(site: Path, gate: Gate) -> None:
    install_gateway(site, "slow", source=HANGING + gateway_source("slow"))
    install_gateway(site, "good")
    found = registry(site, import_timeout=20)
    asking = threading.Thread(target=found.load, args=("gateways", "slow"))
    asking.start()
    assert gate.reached.wait(20)
    assert found.load("gateways", "good").name == "good"
    assert asking.is_alive()
    gate.open.set()
    asking.join()
    assert found.load("gateways", "slow").name == "slow"


@pytest.mark.parametrize("order", [("hb-first", "hb-second"), ("hb-second", "hb-first")])
def test_p3_two_distributions_with_one_name_are_named_whatever_the_order(site: Path, order: tuple[str, str]) -> None:
    for distribution in order:
        install_gateway(site, "twin", module=f"twin_{distribution[3:]}", distribution=distribution)
    install_gateway(site, "good")
    found = registry(site)
    with pytest.raises(PluginConflict) as caught:
        found.load("gateways", "twin")
    wanted = "hb-first 1.0 and hb-second 1.0 both claim gateway 'twin'; uninstall one of them"
    assert str(caught.value) == wanted
    assert "twin_first" not in sys.modules
    assert found.load("gateways", "good").name == "good"


def test_p3_two_folders_in_both_orders_of_the_path_give_the_same_conflict(site: Path, tmp_path: Path) -> None:
    for distribution in ("hb-first", "hb-second"):
        install_gateway(tmp_path / distribution, "twin", module="twin_in_two", distribution=distribution)
    folders = [str(tmp_path / "hb-first"), str(tmp_path / "hb-second")]
    said = set()
    for paths in (folders, folders[::-1]):
        with pytest.raises(PluginConflict) as caught:
            Registry(discover(None, paths), {}, SERVICES).load("gateways", "twin")
        said.add(str(caught.value))
    assert len(said) == 1


def test_one_distribution_found_twice_on_the_path_is_no_conflict(site: Path, tmp_path: Path) -> None:
    install_gateway(site, "good")
    found = Registry(discover(None, [str(site), str(site)]), {}, SERVICES)
    assert found.load("gateways", "good").name == "good"


@pytest.mark.parametrize("version", [0, 2, 99])
def test_p3_a_plugin_for_another_contract_is_refused_with_the_remedy(site: Path, version: int) -> None:
    install_gateway(site, "future", source=gateway_source("future", f"contract = {version}"))
    with pytest.raises(PluginVersionError, match=f"built for contract {version}; hb-kernel speaks 1 to 1") as caught:
        registry(site).load("gateways", "future")
    assert "pip install --upgrade hb-kernel hb-gateway-future" in str(caught.value)


WRONG: dict[str, tuple[str, str]] = {
    "no plugin": ("plugin = object()", "is object, not a Plugin"),
    "another name": (gateway_source("other"), "calls itself gateways:other"),
    "another kind": (
        "from heavenbase.plugin import VisionFormat\nclass V(VisionFormat):\n    name = 'odd'\nplugin = V\n",
        "calls itself vision:odd",
    ),
    "a hook with a wrong signature": (
        gateway_source("odd", "@hookimpl\n    def complete(self, request):\n        return None"),
        "cannot be registered",
    ),
}


@pytest.mark.parametrize(("source", "says"), WRONG.values(), ids=WRONG)
def test_p3_a_plugin_that_does_not_keep_the_contract_is_a_contract_error(site: Path, source: str, says: str) -> None:
    install_gateway(site, "odd", source=source)
    with pytest.raises(PluginContractError, match=says):
        registry(site).load("gateways", "odd")


def test_p4_a_plugin_that_is_not_installed_is_an_error_with_the_pip_line(site: Path) -> None:
    with pytest.raises(PluginLoadError, match="pip install hb-gateway-portkey"):
        registry(site).load("gateways", "portkey")
    install_gateway(site, "good")
    with pytest.raises(PluginLoadError, match="did you mean 'good'"):
        registry(site).load("gateways", "goood")


def test_disabled_and_not_allowed_plugins_are_refused_before_their_import(site: Path) -> None:
    module = install_gateway(site, "good", source="raise RuntimeError('imported')")
    refusals: list[dict[str, list[str]]] = [
        {"disabled": ["gateways:good"]},
        {"disabled": ["hb-gateway-good"]},
        {"allow": []},
        {"allow": ["gateways:other"]},
    ]
    for settings in refusals:
        with pytest.raises(PluginBlocked, match="gateways:good"):
            registry(site, **settings).load("gateways", "good")
    assert module not in sys.modules
    install_gateway(site / "more", "fine")
    allowed = Registry(discover(None, [str(site / "more")]), {"allow": ["hb-gateway-fine"]}, SERVICES)
    sys.path.insert(0, str(site / "more"))
    try:
        assert allowed.load("gateways", "fine").name == "fine"
    finally:
        sys.path.remove(str(site / "more"))


def test_plugins_in_code_need_a_kind_and_a_name_of_their_own() -> None:
    found = Registry(Inventory((), {}, {}), {}, SERVICES, [ScriptedGateway()])
    for wrong in (Gateway(), ScriptedGateway, "scripted", None):
        with pytest.raises(PluginContractError, match="needs a kind"):
            found.add(wrong)  # type: ignore[arg-type]
    with pytest.raises(PluginConflict, match="two plugins given in code claim gateways:scripted"):
        found.add(ScriptedGateway())
    assert found.has("gateways", "scripted")
    found.add(CodeProvider())
    assert found.names("providers") == ["acme"]


def test_names_may_be_listed_while_others_load() -> None:
    found = Registry(Inventory((), {}, {}), {}, SERVICES)
    stop = threading.Event()
    failures: list[BaseException] = []

    def listing() -> None:
        while not stop.wait(0):
            try:
                found.names("gateways")
            except BaseException as error:
                failures.append(error)
                return

    reader = threading.Thread(target=listing)
    reader.start()
    for number in range(40):
        found.add(ScriptedGateway(name=f"g{number}"))
    stop.set()
    reader.join()
    assert failures == []


def test_every_plugin_is_closed_even_when_one_fails_to() -> None:
    closed: list[str] = []

    def closing(name: str, fail: bool) -> ScriptedGateway:
        gateway = ScriptedGateway(name=name)

        def close() -> None:
            closed.append(name)
            if fail:
                raise RuntimeError(name)

        gateway.close = close  # type: ignore[method-assign]
        return gateway

    kernel = make_kernel(plugins=(closing("a", True), closing("b", False)))
    with pytest.raises(RuntimeError, match="a"):
        kernel.close()
    assert closed == ["a", "b"]
    kernel.close()
    assert closed == ["a", "b"]


def test_many_threads_ask_for_one_plugin_and_get_one_object(site: Path) -> None:
    install_gateway(site, "good")
    found = registry(site)
    got: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        got.append(found.load("gateways", "good"))

    threads: list[threading.Thread] = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(map(id, got))) == 1


def test_one_distribution_may_fill_several_kinds(site: Path) -> None:
    install(
        site,
        "hb-provider-both",
        {"heavenbase.gateways": {"both": "both_kinds:Made"}, "heavenbase.providers": {"both": "both_kinds:provider"}},
        {
            "both_kinds/__init__.py": gateway_source("both")
            + "from heavenbase.plugin import Provider\nprovider = Provider(__name__, 'both')\n",
            "both_kinds/provider.toml": "[provider]\nname='both'\ngateway='both'\nwire='openai'\nbase_url='https://b.test'",
        },
    )
    found = registry(site)
    assert found.load("gateways", "both").name == found.load("providers", "both").name == "both"
    assert found.hook.resolve(provider="both", gateway="both", model_id="m")["base_url"] == "https://b.test"
