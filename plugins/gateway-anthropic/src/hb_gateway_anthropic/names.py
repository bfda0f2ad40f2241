"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_gateway_anthropic.parameters import FOREIGN

PARAMETERS = frozenset(
    {
        *FOREIGN,
        *("betas", "thinking", "output_config", "output_format", "cache_control", "container", "context_management"),
        *("mcp_servers", "inference_geo", "speed", "stop_sequences", "diagnostics", "compaction", "fallbacks"),
        *("billing_policy", "fallback_credit_token", "thread"),
    }
)
