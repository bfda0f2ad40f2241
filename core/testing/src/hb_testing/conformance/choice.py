"""Which contract checks a plugin: the plugin's own, from its module `conformance`, or that of its kind."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hb_testing.conformance.contract import Contract, find_plugins, installed_config
from heavenbase.discovery.inventory import KINDS, discover
from heavenbase.errors import InputError, PluginConflict, UnknownNameError
from heavenbase.registry import SINGULAR

if TYPE_CHECKING:
    from heavenbase.discovery.inventory import PluginInfo

CHECKED = tuple(kind for kind in KINDS if kind != "contrib")


def parse(text: str) -> PluginInfo:
    """The installed plugin that `KIND:NAME` means. Raises InputError, UnknownNameError, PluginConflict."""
    kind, mark, name = text.partition(":")
    if not mark or not name:
        raise InputError(f"{text!r} is no KIND:NAME, such as gateways:openai")
    if kind not in CHECKED:
        raise UnknownNameError("kind of plugin", kind, CHECKED)
    claims = find_plugins(kind, name)
    if not claims:
        known = discover(installed_config().paths().cache_dir).names(kind)
        raise UnknownNameError(f"{SINGULAR[kind]} plugin", name, known, package=f"hb-{SINGULAR[kind]}-{name}")
    if len(claims) > 1:
        owners = " and ".join(f"{claim.distribution} {claim.version}" for claim in claims)
        raise PluginConflict(f"{owners} both claim {text}; uninstall one of them")
    return claims[0]


def contract_for(info: PluginInfo) -> type[Contract]:
    """A contract class for an installed plugin, ready to collect.

    A package may bring a module `conformance` with subclasses of its own, which say what its wire is; the first one
    that names this plugin is used. It lies beside the module of the entry point, or in a package around it.
    """
    base = _own(info) or _standard(info.kind)
    return type(f"Test_{info.kind}_{info.name}", (base,), {base.named_by: info.name, "__module__": base.__module__})


def _own(info: PluginInfo) -> type[Contract] | None:
    words = info.package.split(".")
    for length in range(len(words), 0, -1):
        module = ".".join([*words[:length], "conformance"])
        for member in vars(import_module(module)).values() if _exists(module) else ():
            if isinstance(member, type) and issubclass(member, Contract) and member.key() == info.key:
                return member
    return None


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False  # the entry point names a module that is no package, or one that fails; the checks will say so


def _standard(kind: str) -> type[Contract]:
    if kind == "caches":
        from hb_testing.conformance.caches import CacheContract

        return CacheContract
    if kind in ("middleware", "judges"):
        from hb_testing.middlewares import JudgeContract, MiddlewareContract

        return MiddlewareContract if kind == "middleware" else JudgeContract
    if kind == "providers":
        from hb_testing.providers import ProviderContract

        return ProviderContract
    if kind == "tables":
        from hb_testing.tables import TableContract

        return TableContract
    if kind == "vision":
        from hb_testing.vision import VisionContract

        return VisionContract
    from hb_testing.gateways import GatewayContract

    return GatewayContract
