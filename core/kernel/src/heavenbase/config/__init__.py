"""The configuration: layers of values under dotted keys, each with its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.config.config import Config as Config, Paths as Paths
    from heavenbase.config.files import has_home as has_home, line_index as line_index, make_folder as make_folder
    from heavenbase.config.files import user_folder as user_folder, write_atomic as write_atomic
    from heavenbase.config.layers import Environ as Environ, Origin as Origin
    from heavenbase.config.section import Explanation as Explanation, Section as Section
    from heavenbase.config.trusted import is_trusted as is_trusted, trust as trust, untrust as untrust
    from heavenbase.config.values import interpolate as interpolate, join_key as join_key, split_key as split_key

__getattr__, __dir__ = front(
    __name__,
    {
        "config": "Config Paths",
        "files": "has_home line_index make_folder user_folder write_atomic",
        "layers": "Environ Origin",
        "section": "Explanation Section",
        "trusted": "is_trusted trust untrust",
        "values": "interpolate join_key split_key",
    },
)
