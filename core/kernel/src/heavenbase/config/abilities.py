"""What an endpoint or a model can do: the keys of `capabilities`, with their types and what each one changes."""

from __future__ import annotations

ABILITIES: dict[str, tuple[str, str]] = {
    "chat": ("bool", "it answers chats; false refuses them"),
    "stream": ("bool", "it streams answers; false refuses to ask for a stream"),
    "tools": ("bool", "it calls tools; false refuses them"),
    "vision": ("bool", "it sees images; false refuses them, and tells of those that tools gave"),
    "embeddings": ("bool", "it has vectors; false refuses to ask for them"),
    "images": ("bool", "it generates images; false refuses to ask for them"),
    "structured": ("str", "the strongest form of an answer that it keeps to: json_schema, json_object or none"),
    "stream_usage": ("bool", "it tells usage in streams when asked to"),
    "embedding_base64": ("bool", "it sends vectors as base64"),
    "embedding_batch_limit": ("int", "inputs of one request for vectors"),
    "image_detail": ("bool", "images may have a hint about their detail"),
    "image_urls": ("bool", "it fetches images by URL; false has hb fetch them"),
    "file_urls": ("bool", "it fetches files by URL; false refuses those"),
    "file_references": (
        "list[str]",
        "ways to name a file that is not sent along: id, https, gs, s3; others are refused",
    ),
    "context_window": ("int", "most tokens of a prompt; longer ones go to other targets of a route"),
    "prefill": ("bool", "it goes on with an answer that stands last; true lets the stream of a route go on so"),
    "max_output_tokens": ("int", "most tokens of an answer, for wires that want a limit"),
    "reasoning_efforts": ("bool | list[str]", "steps of thinking; a step that is not there becomes the nearest one"),
    "refused_parameters": (
        "list[str]",
        "parameters that the model refuses, where no rule of its provider names them for it; left out, and reported",
    ),
    "late_system": ("bool", "system messages may stand between the others; false puts them first"),
    "deferred_tools": ("bool", "tools may be loaded when the model looks for them; false loads all at once"),
    "free_text_tools": ("bool", "tools may take free text; false refuses those"),
    "prompt_marks": ("bool", "prompts may have marks of a cache; false leaves them behind"),
    "count_tokens": ("bool | str", "it counts tokens; a word names the endpoint, where a wire has several"),
    "models": ("bool", "it lists its models"),
    "rerank": ("bool", "it ranks documents"),
    "files": ("bool", "it keeps files"),
    "batches": ("bool", "it answers many requests at once in its own time, at a lower price"),
    "background": ("bool | str", "it answers in the background; a word names the gateway that does"),
}
