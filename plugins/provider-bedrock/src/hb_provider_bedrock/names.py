"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_provider_bedrock.client import PLACES
from hb_provider_bedrock.parameters import FOREIGN, OWN_NAMES

_MODELS = (
    *("betas", "anthropic_beta", "anthropic_version", "thinking", "output_config", "context_management", "k", "p"),
    *("inferenceConfig", "inference_config", "reasoningConfig", "reasoning_config", "reasoning", "safety_mode"),
    *("documents", "citation_options", "preamble", "return_prompt", "raw_prompting", "stop_sequences", "chat_history"),
    *("search_queries_only", "citation_quality", "prompt_truncation", "enable_thinking", "chat_template_kwargs"),
    *("max_gen_len", "maxTokenCount", "stopSequences", "min_tokens", "typical_p", "countPenalty", "presencePenalty"),
    *("frequencyPenalty", "cache_control", "container", "mcp_servers", "speed"),
)
"""Of single models, among the additional fields of a chat."""
_EMBEDDINGS = (
    *("normalize", "embedding_types", "embeddingTypes", "output_dimension", "embeddingConfig", "inputImage"),
    *("embeddingPurpose", "truncationMode", "embeddingDimension", "max_tokens"),
)
_IMAGES = (
    *("cfg_scale", "cfgScale", "width", "height", "strength", "mode", "style_preset", "steps", "sampler", "samples"),
    *("clip_guidance_preset", "init_image", "init_image_mode", "image_strength", "text_prompts", "taskType"),
    *("imageGenerationConfig", "textToImageParams", "imageVariationParams", "inPaintingParams", "outPaintingParams"),
    *("colorGuidedGenerationParams", "backgroundRemovalParams", "numberOfImages", "similarityStrength", "image"),
)
PARAMETERS = frozenset({*FOREIGN, *OWN_NAMES, *PLACES, *_MODELS, *_EMBEDDINGS, *_IMAGES})
