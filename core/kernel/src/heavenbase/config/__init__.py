"""The configuration: layers of values under dotted keys, each with its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

# fmt: off
if TYPE_CHECKING:
    from heavenbase.config.config import Config as Config, Explanation as Explanation, Origin as Origin
    from heavenbase.config.config import Paths as Paths, Section as Section, interpolate as interpolate
    from heavenbase.config.config import is_trusted as is_trusted, join_key as join_key, split_key as split_key
    from heavenbase.config.config import trust as trust, untrust as untrust
    from heavenbase.config.files import user_folder as user_folder
# fmt: on

__getattr__, __dir__ = front(
    __name__,
    {
        "config": "Config Explanation Origin Paths Section interpolate is_trusted join_key split_key trust untrust",
        "files": "user_folder",
    },
)
