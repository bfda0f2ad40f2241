"""Structured output for gateways and applications: formats, plans, schemas, reading and checking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.schemas.check import problems as problems, without_nulls as without_nulls
    from heavenbase.schemas.lenient import find_json as find_json
    from heavenbase.schemas.strict import fit_schema as fit_schema, is_open as is_open, map_schema as map_schema
    from heavenbase.schemas.strict import strict_schema as strict_schema
    from heavenbase.structured.format import OutputFormat as OutputFormat, Partial as Partial, to_format as to_format
    from heavenbase.structured.plan import FormatPlan as FormatPlan, plan_format as plan_format
    from heavenbase.structured.plan import with_instruction as with_instruction

__getattr__, __dir__ = front(
    __name__,
    {
        "format": "OutputFormat Partial to_format",
        "heavenbase.schemas.check": "problems without_nulls",
        "heavenbase.schemas.lenient": "find_json",
        "heavenbase.schemas.strict": "fit_schema is_open map_schema strict_schema",
        "plan": "FormatPlan plan_format with_instruction",
    },
)
