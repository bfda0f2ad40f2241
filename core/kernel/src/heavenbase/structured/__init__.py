"""Structured output for gateways and applications: formats, plans, schemas, reading and checking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.schemas.check import (
        problems as problems,
    )
    from heavenbase.schemas.check import (
        without_nulls as without_nulls,
    )
    from heavenbase.schemas.strict import (
        fit_schema as fit_schema,
    )
    from heavenbase.schemas.strict import (
        is_open as is_open,
    )
    from heavenbase.schemas.strict import (
        map_schema as map_schema,
    )
    from heavenbase.schemas.strict import (
        strict_schema as strict_schema,
    )
    from heavenbase.structured.format import (
        OutputFormat as OutputFormat,
    )
    from heavenbase.structured.format import (
        to_format as to_format,
    )
    from heavenbase.structured.partial import Partial as Partial
    from heavenbase.structured.plan import (
        FormatPlan as FormatPlan,
    )
    from heavenbase.structured.plan import (
        plan_format as plan_format,
    )
    from heavenbase.structured.plan import (
        with_instruction as with_instruction,
    )
    from heavenbase.structured.text import (
        find_json as find_json,
    )

__getattr__, __dir__ = front(
    __name__,
    {
        "FormatPlan": "plan",
        "OutputFormat": "format",
        "Partial": "partial",
        "find_json": "text",
        "fit_schema": "heavenbase.schemas.strict",
        "is_open": "heavenbase.schemas.strict",
        "map_schema": "heavenbase.schemas.strict",
        "plan_format": "plan",
        "problems": "heavenbase.schemas.check",
        "strict_schema": "heavenbase.schemas.strict",
        "to_format": "format",
        "with_instruction": "plan",
        "without_nulls": "heavenbase.schemas.check",
    },
)
