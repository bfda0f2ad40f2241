"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_provider_gemini.parameters import CONFIG, FOREIGN, TOP, camel

_CONFIG = (
    *("routing_config", "model_selection_config", "audio_timestamp", "enable_affective_dialog"),
    *("enable_enhanced_civic_answers", "response_logprobs", "audio_transcription_config"),
)
_EMBEDDINGS = (
    "task_type",
    "audio_track_extraction",
    "document_ocr",
    "title",
    "output_dimensionality",
    "auto_truncate",
    "mime_type",
)
_IMAGES = (
    *("negative_prompt", "aspect_ratio"),
    *("image_size", "person_generation", "enhance_prompt", "add_watermark", "language", "guidance_scale"),
    *("include_rai_reason", "safety_filter_level", "include_safety_attributes", "output_mime_type", "sample_count"),
    *("output_compression_quality", "number_of_images", "storage_uri", "sample_image_size", "sample_image_style"),
    *("output_options", "output_gcs_uri", "safety_setting", "upscale_config"),
)
_SNAKE = frozenset({*CONFIG, *FOREIGN, *TOP, *_CONFIG, *_EMBEDDINGS, *_IMAGES, "generation_config"})


PARAMETERS = _SNAKE | {
    *map(camel, _SNAKE),
    *CONFIG.values(),
    *TOP.values(),
    "serviceTier",
    "includeRaiReason",
    "storageUri",
}
