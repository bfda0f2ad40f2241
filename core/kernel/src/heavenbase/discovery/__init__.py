"""What is installed: plugins found by metadata, their manifests, and whether they may be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.discovery.inventory import Inventory as Inventory, PluginInfo as PluginInfo, discover as discover
    from heavenbase.discovery.vendors import vendor_variables as vendor_variables

__getattr__, __dir__ = front(__name__, {"inventory": "Inventory PluginInfo discover", "vendors": "vendor_variables"})
