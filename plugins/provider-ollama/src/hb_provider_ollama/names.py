"""The parameters that the wire has for every verb, beside the options of hb itself."""

from __future__ import annotations

from hb_provider_ollama.parameters import FOREIGN, OPTIONS, TOP

PARAMETERS = frozenset(
    {
        *(*FOREIGN, *OPTIONS, *OPTIONS.values(), *TOP),
        *("options", "format", "raw", "template", "suffix", "context", "width", "height", "steps"),
        *("num_keep", "num_predict", "num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_gqa", "numa"),
        *("tfs_z", "typical_p", "repeat_last_n", "mirostat", "mirostat_tau", "mirostat_eta", "penalize_newline"),
        *("low_vram", "f16_kv", "vocab_only", "use_mmap", "use_mlock", "logits_all", "embedding_only"),
        *("rope_frequency_base", "rope_frequency_scale", "draft_num_predict"),
    }
)
