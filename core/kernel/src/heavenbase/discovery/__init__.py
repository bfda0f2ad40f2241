"""What is installed: plugins found by metadata, their manifests, and whether they may be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.discovery.inventory import Inventory as Inventory, PluginInfo as PluginInfo, discover as discover

__getattr__, __dir__ = front(__name__, {"inventory": "Inventory PluginInfo discover"})
