"""The parameters that servers of this wire publish, beside the options of hb itself.

Many servers speak it, each with parameters of its own; which of them take what is for the rules of their providers.
"""

from __future__ import annotations

CHAT = frozenset(
    {
        *("functions", "function_call", "prompt_cache_retention", "prompt_cache_options"),
        *("reasoning", "include_reasoning", "reasoning_summary", "thinking", "thinking_budget", "enable_thinking"),
        *("preserve_thinking", "clear_thinking", "disable_reasoning", "reasoning_format", "reasoning_split"),
        *("thinking_config", "separate_reasoning", "stream_reasoning", "thinking_forced_open"),
    }
)
RESPONSES = frozenset(
    {
        *(
            "context_management",
            "access_programs",
            "background_options",
            "conversation",
            "instructions",
            "max_output_tokens",
            "max_tool_calls",
            "prompt",
        ),
        *("previous_response_id", "text", "truncation"),
    }
)
ROUTERS = frozenset(
    {
        *("transforms", "plugins", "usage", "session_id", "trace", "top_a", "debug"),
        *("cache_control", "image_config", "fallbacks", "data_sources", "request_metadata"),
        *(
            "api_version",
            "tags",
            "user_security_context",
            "drop_params",
            "additional_drop_params",
            "safety_settings",
            "deployment_id",
        ),
    }
)
SEARCH = frozenset(
    {
        *("search_parameters", "search_settings", "search_options", "enable_search", "disable_search", "search_mode"),
        *("search_domain_filter", "search_recency_filter", "search_after_date_filter", "search_before_date_filter"),
        *("last_updated_after_filter", "last_updated_before_filter", "enable_search_classifier", "return_images"),
        *("return_related_questions", "media_response", "exclude_domains", "include_domains", "documents"),
        *("citation_options", "compound_custom", "disable_tool_validation", "deferred", "forced_search"),
    }
)
SERVERS = frozenset(
    {
        *("best_of", "use_beam_search", "length_penalty", "early_stopping", "stop_token_ids", "ignore_eos"),
        *("include_stop_str_in_output", "min_tokens", "max_new_tokens", "skip_special_tokens", "prompt_logprobs"),
        *("spaces_between_special_tokens", "truncate_prompt_tokens", "allowed_token_ids", "bad_words", "echo"),
        *("add_generation_prompt", "continue_final_message", "add_special_tokens", "chat_template", "priority"),
        *("chat_template_kwargs", "mm_processor_kwargs", "media_io_kwargs", "structured_outputs", "structural_tag"),
        *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "guided_decoding_backend"),
        *("guided_whitespace_pattern", "return_tokens_as_token_ids", "return_token_ids", "cache_salt", "request_id"),
        *("kv_transfer_params", "vllm_xargs", "logits_processors", "regex", "ebnf", "json_schema", "grammar"),
        *("no_stop_trim", "stop_regex", "lora_path", "lora", "session_params", "custom_logit_processor", "rid"),
        *("return_hidden_states", "mirostat", "mirostat_tau", "mirostat_eta", "mirostat_target", "mirostat_lr"),
        *("typical_p", "tfs_z", "top_n_sigma", "repeat_penalty", "repeat_last_n", "penalize_nl", "dynatemp_range"),
        *("dynatemp_exponent", "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n"),
        *("dry_sequence_breakers", "xtc_probability", "xtc_threshold", "n_predict", "n_keep", "n_probs", "min_keep"),
        *("cache_prompt", "id_slot", "samplers", "t_max_predict_ms", "timings_per_token", "return_progress"),
        *("parse_tool_calls", "ttl", "draft_model", "keep_alive", "num_ctx", "options", "raw_output"),
        *("prompt_truncate_len", "context_length_exceeded_behavior", "safety_model", "perf_metrics_in_response"),
        *("nvext", "vl_high_resolution_images"),
        *("translation_options", "asr_options", "enable_code_interpreter", "incremental_output", "result_format"),
        *("do_sample", "tool_stream", "user_id", "sensitive_word_check", "watermark_enabled", "mask_sensitive_info"),
        *("tokens_to_generate", "random_seed", "safe_prompt", "prompt_mode", "safety_mode", "caching", "top_n"),
    }
)
EMBEDDINGS = frozenset(
    {
        *("task", "output_dimension", "output_dtype", "embedding_type", "embedding_types", "late_chunking"),
        *("normalized", "normalize", "additional_data", "instruction", "text_type", "output_type"),
    }
)
IMAGES = frozenset(
    {
        *("partial_images", "image_size", "steps", "num_inference_steps", "guidance_scale", "cfg_scale", "strength"),
        *("width", "height", "prompt_extend", "watermark", "image_resolution", "resolution", "prompt_optimizer"),
        *(
            "subject_reference",
            "complexity",
            "frame_count",
            "frame_duration_ms",
            "markup",
            "svg",
            "image",
            "sequential_image_generation",
            "sampler",
            "scheduler",
            "style_type",
        ),
    }
)
PARAMETERS = CHAT | ROUTERS | SEARCH | SERVERS | EMBEDDINGS | IMAGES
"""Of the chat wire; the Responses wire has `RESPONSES` beside them."""
