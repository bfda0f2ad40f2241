"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

PARAMETERS = frozenset(
    {
        *("functions", "function_call", "reasoning", "include_reasoning", "thinking", "thinking_budget", "top_a"),
        *("enable_thinking", "prompt_cache_retention", "chat_template_kwargs", "keep_alive", "options", "num_ctx"),
        *("safety_settings", "safe_prompt", "random_seed", "safety_mode", "documents", "citation_options", "betas"),
        *("search_parameters", "transforms", "plugins", "usage", "min_tokens"),
        *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "ignore_eos", "best_of", "truncation"),
        *("repeat_penalty", "typical_p", "mirostat", "grammar", "previous_response_id", "instructions", "text"),
        *("task", "output_dimension", "output_dtype", "image_size", "width", "height", "steps", "guidance_scale"),
    }
)
"""Those of the wires that the mock stands for, as far as they are in common use."""
