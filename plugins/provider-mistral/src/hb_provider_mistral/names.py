"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_provider_mistral.parameters import EMBEDDING, FOREIGN, NAMES

PARAMETERS = frozenset(
    {
        *(*FOREIGN, *EMBEDDING, *NAMES, *NAMES.values()),
        *("safe_prompt", "prompt_mode", "guardrails", "document_image_limit", "document_page_limit", "prompt_logprobs"),
        *("top_prompt_logprobs", "min_tokens"),
    }
)
