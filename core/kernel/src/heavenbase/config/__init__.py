"""The configuration: layers of values under dotted keys, each with its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.config.config import (
        Config as Config,
    )
    from heavenbase.config.config import (
        Explanation as Explanation,
    )
    from heavenbase.config.config import (
        Origin as Origin,
    )
    from heavenbase.config.config import (
        Paths as Paths,
    )
    from heavenbase.config.config import (
        Section as Section,
    )
    from heavenbase.config.config import (
        interpolate as interpolate,
    )
    from heavenbase.config.config import (
        is_trusted as is_trusted,
    )
    from heavenbase.config.config import (
        join_key as join_key,
    )
    from heavenbase.config.config import (
        split_key as split_key,
    )
    from heavenbase.config.config import (
        trust as trust,
    )
    from heavenbase.config.config import (
        untrust as untrust,
    )

__getattr__, __dir__ = front(
    __name__,
    {
        "Config": "config",
        "Explanation": "config",
        "Origin": "config",
        "Paths": "config",
        "Section": "config",
        "interpolate": "config",
        "is_trusted": "config",
        "join_key": "config",
        "split_key": "config",
        "trust": "config",
        "untrust": "config",
    },
)
