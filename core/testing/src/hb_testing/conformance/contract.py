"""What every contract has: the plugin's kind and name, how it is loaded, and the colours that its checks run in."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.conformance.needs import Selective
from hb_testing.conformance.rig import Clock, environment, make_kernel
from heavenbase.discovery.inventory import discover
from heavenbase.registry import SINGULAR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from heavenbase.config.config import Config
    from heavenbase.discovery.inventory import PluginInfo
    from heavenbase.kernel import Kernel
    from heavenbase.plugin import Plugin


class Contract(Selective):
    """Base of the contracts. Subclass one in a class named Test…, and name the plugin.

    `may_import` are packages that importing the plugin may load, beside its own, core's and other plugins of hb.
    """

    kind: ClassVar[str] = ""
    named_by: ClassVar[str] = ""
    """The attribute that holds the plugin's name."""
    may_import: ClassVar[Collection[str]] = ()

    @classmethod
    def subject(cls) -> str:
        """The name of the plugin under test."""
        name = getattr(cls, cls.named_by, "")
        if not name:
            pytest.fail(f'{cls.__name__} names no plugin; set {cls.named_by} = "…" in the class')
        return str(name)

    @classmethod
    def key(cls) -> str:
        """`kind:name`, as the report shows it."""
        return f"{cls.kind}:{getattr(cls, cls.named_by, '')}"

    def plugin(self) -> Plugin | None:
        """A fresh plugin object given in code; None for the installed one."""
        return None

    @classmethod
    def installed(cls) -> PluginInfo | None:
        """Where the plugin is installed; None when it is not."""
        claims = find_plugins(cls.kind, cls.subject())
        return claims[0] if claims else None

    def given_plugins(self) -> list[Plugin]:
        """The plugins that a kernel of this contract is given in code."""
        plugin = self.plugin()
        return [plugin] if plugin is not None else []

    def settings(self) -> Mapping[str, Any]:
        """Dotted keys of the configuration that the kernels of the checks get, such as where a model lies."""
        return {}

    def bare_kernel(self, **options: Any) -> Kernel:
        """A kernel with the plugin in it, for checks that send nothing; the caller closes it."""
        return make_kernel(Clock(), settings=self.settings(), plugins=self.given_plugins(), **options)

    @pytest.fixture(params=sorted(COLOURS, reverse=True))
    def colour(self, request: pytest.FixtureRequest) -> Iterator[Colour]:
        """Sync, then async."""
        made = COLOURS[request.param]()
        yield made
        made.close()


def installed_config() -> Config:
    """The configuration under which the kit looks for plugins."""
    from heavenbase.config.config import Config

    return Config.from_dict({}, environ=environment())


def find_plugins(kind: str, name: str) -> list[PluginInfo]:
    """The installed plugins of this name; more than one is a conflict."""
    return _claims(kind, name, tuple(sys.path))


# Asked by nearly every check; what is installed where stays the same during a run.
@lru_cache(maxsize=256)
def _claims(kind: str, name: str, search_path: tuple[str, ...]) -> list[PluginInfo]:
    return discover(installed_config().paths().cache_dir).claims(kind, name)


def singular(kind: str) -> str:
    """The word for one plugin of a kind: gateway for gateways."""
    return SINGULAR[kind]
