"""The options of the mock, read into one script: what to answer, in which pieces, how fast, or how to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from heavenbase.call import Call

CHUNK_CHARS = 16
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
KINDS = {"complete": "chat", "embed": "embed", "imagen": "imagen"}

Layer: TypeAlias = "dict[str, Any] | Callable[..., Any]"


class Script:
    """What the mock does with one call; every attribute is a key of `mock=`.

    `text`, `think`, `tool_calls`, `structured`, `usage`, `finish_reason` make the answer, `details` are its citations,
    logprobs, filters and audio; `chunks` replace text and thinking; `chunk_chars` cuts them. `pause` is seconds before
    each piece, a number or a range drawn with `seed`. `embeddings` and `embed_dim` make vectors, `image_text` and
    `b64_json` images.
    `models` are the ids of a list, `scores` those of the documents of a rerank. `error` fails; `outcomes` are one
    script per call, the last one repeated.
    """

    text: str | None = None
    think: str = ""
    tool_calls: Any = ()
    structured: Any = None
    usage: Any = None
    finish_reason: str | None = None
    details: Any = None
    chunks: Any = None
    chunk_chars: int = CHUNK_CHARS
    pause: tuple[float, float] = (0, 0)
    seed: int | None = None
    embeddings: Any = None
    embed_dim: int | None = None
    image_text: str | None = None
    b64_json: Any = None
    models: Any = None
    scores: Any = None
    error: Any = None
    outcomes: Any = None

    # No dataclass: building one takes longer than all the rest of this import.
    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    def given(self) -> dict[str, Any]:
        """The keys that are not at their defaults."""
        return dict(self.__dict__)

    @property
    def fails_at_once(self) -> bool:
        """Whether the error comes before any piece of an answer."""
        return self.error is not None and self.text is None and self.chunks is None


KEYS = tuple(Script.__annotations__)
_LISTS = {"mock_embed": "embeddings", "mock_imagen": "b64_json"}
"""What a bare list means, where it does not mean chunks."""
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "text": (str, "a str"),
    "think": (str, "a str"),
    "finish_reason": (str, "a str"),
    "details": (Mapping, "a mapping"),
    "chunk_chars": (int, "a number of characters"),
    "seed": (int, "an int"),
    "embed_dim": (int, "a length"),
    "image_text": (str, "a str"),
}


def layers(call: Call) -> list[Layer]:
    """The call's mock options, later over earlier: mock=, the one of its kind, then the single settings.

    Pure. InputError for a key that does not exist, InputTypeError for a value of the wrong type.
    """
    kind = kind_of(call)
    found: list[Layer] = []
    for name in ("mock", f"mock_{kind}"):
        value = call.controls.get(name)
        if value is not None:
            found.append(layer(value, name))
    single = {key: call.controls.get(f"mock_{key}") for key in ("text", "pause", "seed", "chunk_chars")}
    if any(value is not None for value in single.values()):
        found.append(_checked(single, "mock_"))
    return found


def kind_of(call: Call) -> str:
    """What a call asks for, in the mock's word for it; of an operation, its name."""
    return KINDS.get(call.verb, call.verb)


def layer(value: Any, name: str) -> Layer:
    """One option in the form of a mapping, or the callable that will make one."""
    if isinstance(value, str) and name != "mock_embed":
        return {"image_text" if name == "mock_imagen" else "text": value}
    if isinstance(value, Mapping):
        return _checked(value, f"{name}.")
    if isinstance(value, list | tuple):
        return {_LISTS.get(name, "chunks"): list(value)}
    if isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException)):
        return {"error": value}
    if isinstance(value, bool):
        return {}
    if callable(value):
        function: Callable[..., Any] = value
        return function
    raise InputTypeError(
        f"{name} must be a str, a mapping, a list of chunks, an exception or a callable, not {type(value).__name__}"
    )


def ask(function: Callable[..., Any], call: Call) -> Any:
    """What a callable answers; it is given those of kind, messages, inputs, prompt, images, model … that it takes."""
    from inspect import Parameter, signature

    content: dict[str, dict[str, Any]] = {
        "complete": {"messages": call.messages},
        "embed": {"inputs": call.inputs},
        "imagen": {"prompt": call.prompt, "images": call.images},
    }
    given = {
        "kind": kind_of(call),
        **content.get(call.verb, {"messages": call.messages, "subject": call.subject}),
        "model": call.spec.model_id,
        "provider": call.spec.provider,
        "stream": call.stream,
        "args": dict(call.args),
    }
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return function(**given)
    if any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
        return function(**given)
    # One callable may serve several kinds: what it names and this kind lacks is None.
    known = {**dict.fromkeys(("messages", "inputs", "prompt", "images", "subject")), **given}
    for p in parameters:
        if p.name not in known and p.default is Parameter.empty and p.kind is not Parameter.VAR_POSITIONAL:
            raise InputTypeError(f"the mock callable wants {p.name!r}; it may take {', '.join(known)}, or **everything")
    return function(**{p.name: known[p.name] for p in parameters if p.name in known})


def combine(parts: list[dict[str, Any]]) -> Script:
    """The script of mappings over each other."""
    merged: dict[str, Any] = {}
    for part in parts:
        # A later text replaces earlier chunks, or it would never be seen; and the other way round.
        if "text" in part and "chunks" not in part:
            merged.pop("chunks", None)
        merged.update(part)
    return Script(**merged)


def _checked(options: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found = {}
    for key, value in options.items():
        if key not in KEYS:
            raise UnknownNameError("mock option", key, KEYS)
        if value is None:
            continue
        if key in _TYPES:
            kind, wanted = _TYPES[key]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise InputTypeError(f"{prefix}{key} must be {wanted}, not {type(value).__name__}")
        found[key] = value
    for key in ("chunk_chars", "embed_dim"):
        if found.get(key, 1) < 1:
            raise InputError(f"{prefix}{key} must be at least 1, not {found[key]}")
    if "pause" in found:
        found["pause"] = _pause(found["pause"], f"{prefix}pause")
    return found


def _pause(value: Any, name: str) -> tuple[float, float]:
    ends = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(ends) != 2 or not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        raise InputTypeError(f"{name} must be seconds or [least, most]")
    if not 0 <= ends[0] <= ends[1] < float("inf"):
        raise InputError(f"{name} must be [least, most] with 0 <= least <= most, not {list(ends)}")
    return ends
