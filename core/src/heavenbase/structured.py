"""Structured output for gateways and applications: formats, plans, schemas, reading and checking. All of it pure."""

from __future__ import annotations

from heavenbase.structured_check import problems, without_nulls
from heavenbase.structured_format import OutputFormat, to_format
from heavenbase.structured_plan import FormatPlan, plan_format, with_instruction
from heavenbase.structured_schema import fit_schema, is_open, map_schema, strict_schema
from heavenbase.structured_text import find_json

__all__ = [
    "FormatPlan",
    "OutputFormat",
    "find_json",
    "fit_schema",
    "is_open",
    "map_schema",
    "plan_format",
    "problems",
    "strict_schema",
    "to_format",
    "with_instruction",
    "without_nulls",
]
