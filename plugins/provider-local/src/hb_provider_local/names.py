"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_provider_local.wire import PASSED

PARAMETERS = PASSED | {"repetition_penalty", "grammar_lazy", "json_schema", "num_ctx", "reasoning_format"}
