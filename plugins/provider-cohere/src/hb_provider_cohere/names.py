"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_provider_cohere.parameters import FOREIGN, NAMES

PARAMETERS = frozenset(
    {
        *(*FOREIGN, *NAMES, *NAMES.values()),
        *("documents", "citation_options", "safety_mode", "strict_tools", "priority", "thinking", "raw_prompting"),
        *("embedding_types", "output_dimension", "inputs", "top_n", "max_tokens_per_doc", "stop_sequences"),
    }
)
