"""LLM as type checkers see it: what each verb answers for the names in `include`. A test holds it to the code."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar, Unpack, overload

from heavenbase.image.image import LLMImage
from heavenbase.kernel import Kernel
from heavenbase.operations import Operations
from heavenbase.routes import Route
from heavenbase.spec import LLMSpec
from heavenbase.typed import Asked, Options
from heavenbase.types import Chunk, Completion
from heavenbase.vector import Vector

T = TypeVar("T")

Messages: TypeAlias = Any
Images: TypeAlias = Any
Inputs: TypeAlias = Iterable[str]
Several: TypeAlias = Sequence[Any] | Mapping[str, Any] | Route

Text: TypeAlias = Literal["text", "think", "content", "finish_reason"]
Table: TypeAlias = Literal["message", "usage"]
Rows: TypeAlias = Literal["delta", "messages", "tool_calls", "pending"]
Time: TypeAlias = Literal["elapsed", "created_at"]
Open: TypeAlias = Literal["raw", "structured", "max_tool_turns", "truncated", "tool_turns", "cost", "choices",
                         "citations", "logprobs", "filters", "audio", "rate_limits"]  # fmt: skip
Chat: TypeAlias = Text | Table | Rows | Time | Open | Literal["completion"]
Streamed: TypeAlias = Chat | Literal["chunk", "partial"]
OfEmbed: TypeAlias = Literal["embeddings", "usage", "cost", "raw", "elapsed", "created_at", "dim"]
ManyOfEmbed: TypeAlias = list[OfEmbed] | tuple[OfEmbed, ...]
OfImagen: TypeAlias = Literal["images", "usage", "cost", "raw", "elapsed", "created_at"]
ManyOfImagen: TypeAlias = list[OfImagen] | tuple[OfImagen, ...]
No: TypeAlias = Literal[False]
Yes: TypeAlias = Literal[True]
Named: TypeAlias = dict[str, Any]

# One signature, three lines.
# fmt: off
# ruff: noqa: E501

class LLM(Operations):
    kernel: Kernel
    spec: LLMSpec
    def __init__(self, preset: str | None = None, model: str | Several | None = None, provider: str | None = None,
                 gateway: str | None = None, *, route: str | Several | None = None, kernel: Kernel | None = None,
                 **options: Unpack[Options]) -> None: ...
    def __deepcopy__(self, memo: dict[int, Any]) -> LLM: ...
    @property
    def dim(self) -> int: ...

    @overload
    def complete(self, messages: Messages, *, response_format: type[T],
                 system: str | None = None, images: Images = None, **options: Unpack[Asked]) -> Completion[T]: ...
    @overload
    def complete(self, messages: Messages, *,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Completion[Any]: ...
    @overload
    async def acomplete(self, messages: Messages, *, response_format: type[T],
                        system: str | None = None, images: Images = None, **options: Unpack[Asked]) -> Completion[T]: ...
    @overload
    async def acomplete(self, messages: Messages, *,
                        system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Completion[Any]: ...
    @overload
    def chat(self, messages: Messages, include: Text | None = None, reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> str: ...
    @overload
    def chat(self, messages: Messages, include: Table, reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def chat(self, messages: Messages, include: Rows, reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> list[Named]: ...
    @overload
    def chat(self, messages: Messages, include: Time, reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> float: ...
    @overload
    def chat(self, messages: Messages, include: Literal["completion"], reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Completion[Any]: ...
    @overload
    def chat(self, messages: Messages, include: Open, reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    def chat(self, messages: Messages, include: Iterable[Chat], reduce: Yes = True, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def chat(self, messages: Messages, include: Chat | Iterable[Chat] | None = None, *, reduce: No, stream: No = False,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def chat(self, messages: Messages, include: Text | None = None, reduce: Yes = True, *, stream: Yes,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[str]: ...
    @overload
    def chat(self, messages: Messages, include: Literal["chunk"], reduce: Yes = True, *, stream: Yes,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Chunk]: ...
    @overload
    def chat(self, messages: Messages, include: Streamed | Iterable[Streamed] | None = None, reduce: bool = True, *, stream: bool,
             system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    async def achat(self, messages: Messages, include: Text | None = None, reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> str: ...
    @overload
    async def achat(self, messages: Messages, include: Table, reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    async def achat(self, messages: Messages, include: Rows, reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> list[Named]: ...
    @overload
    async def achat(self, messages: Messages, include: Time, reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> float: ...
    @overload
    async def achat(self, messages: Messages, include: Literal["completion"], reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Completion[Any]: ...
    @overload
    async def achat(self, messages: Messages, include: Open, reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    async def achat(self, messages: Messages, include: Iterable[Chat], reduce: Yes = True, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    async def achat(self, messages: Messages, include: Chat | Iterable[Chat] | None = None, *, reduce: No, stream: No = False,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    async def achat(self, messages: Messages, include: Text | None = None, reduce: Yes = True, *, stream: Yes,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[str]: ...
    @overload
    async def achat(self, messages: Messages, include: Literal["chunk"], reduce: Yes = True, *, stream: Yes,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Chunk]: ...
    @overload
    async def achat(self, messages: Messages, include: Streamed | Iterable[Streamed] | None = None, reduce: bool = True, *, stream: bool,
                    system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    def __call__(self, messages: Messages, include: Text | None = None, reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> str: ...
    @overload
    def __call__(self, messages: Messages, include: Table, reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def __call__(self, messages: Messages, include: Rows, reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> list[Named]: ...
    @overload
    def __call__(self, messages: Messages, include: Time, reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> float: ...
    @overload
    def __call__(self, messages: Messages, include: Literal["completion"], reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Completion[Any]: ...
    @overload
    def __call__(self, messages: Messages, include: Open, reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    def __call__(self, messages: Messages, include: Iterable[Chat], reduce: Yes = True, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def __call__(self, messages: Messages, include: Chat | Iterable[Chat] | None = None, *, reduce: No, stream: No = False,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def __call__(self, messages: Messages, include: Text | None = None, reduce: Yes = True, *, stream: Yes,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[str]: ...
    @overload
    def __call__(self, messages: Messages, include: Literal["chunk"], reduce: Yes = True, *, stream: Yes,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Chunk]: ...
    @overload
    def __call__(self, messages: Messages, include: Streamed | Iterable[Streamed] | None = None, reduce: bool = True, *, stream: bool,
                 system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    def stream(self, messages: Messages, include: Text | None = None, reduce: Yes = True,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[str]: ...
    @overload
    def stream(self, messages: Messages, include: Literal["chunk"], reduce: Yes = True,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Chunk]: ...
    @overload
    def stream(self, messages: Messages, include: Literal["usage"], reduce: Yes = True,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Named]: ...
    @overload
    def stream(self, messages: Messages, include: Literal["completion"], reduce: Yes = True,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Completion[Any]]: ...
    @overload
    def stream(self, messages: Messages, include: Streamed, reduce: Yes = True,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Any]: ...
    @overload
    def stream(self, messages: Messages, include: Iterable[Streamed], reduce: Yes = True,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Named]: ...
    @overload
    def stream(self, messages: Messages, include: Streamed | Iterable[Streamed] | None = None, *, reduce: No,
               system: str | None = None, images: Images = None, **options: Unpack[Options]) -> Iterator[Named]: ...
    @overload
    def astream(self, messages: Messages, include: Text | None = None, reduce: Yes = True,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[str]: ...
    @overload
    def astream(self, messages: Messages, include: Literal["chunk"], reduce: Yes = True,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Chunk]: ...
    @overload
    def astream(self, messages: Messages, include: Literal["usage"], reduce: Yes = True,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Named]: ...
    @overload
    def astream(self, messages: Messages, include: Literal["completion"], reduce: Yes = True,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Completion[Any]]: ...
    @overload
    def astream(self, messages: Messages, include: Streamed, reduce: Yes = True,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Any]: ...
    @overload
    def astream(self, messages: Messages, include: Iterable[Streamed], reduce: Yes = True,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Named]: ...
    @overload
    def astream(self, messages: Messages, include: Streamed | Iterable[Streamed] | None = None, *, reduce: No,
                system: str | None = None, images: Images = None, **options: Unpack[Options]) -> AsyncIterator[Named]: ...
    def resume(self, completion: Any, results: Mapping[str, Any] | None = None,
           **options: Unpack[Options]) -> Completion[Any]: ...
    async def aresume(self, completion: Any, results: Mapping[str, Any] | None = None,
           **options: Unpack[Options]) -> Completion[Any]: ...
    @overload
    def embed(self, inputs: str, include: Literal["embeddings"] | None = None,  # type: ignore[overload-overlap]
              reduce: Yes = True, **options: Unpack[Options]) -> Vector: ...
    @overload
    def embed(self, inputs: Inputs, include: Literal["embeddings"] | None = None,
              reduce: Yes = True, **options: Unpack[Options]) -> list[Vector]: ...
    @overload
    def embed(self, inputs: Inputs, include: Literal["usage"],
              reduce: Yes = True, **options: Unpack[Options]) -> Named: ...
    @overload
    def embed(self, inputs: Inputs, include: Literal["dim"],
              reduce: Yes = True, **options: Unpack[Options]) -> int: ...
    @overload
    def embed(self, inputs: Inputs, include: Time,
              reduce: Yes = True, **options: Unpack[Options]) -> float: ...
    @overload
    def embed(self, inputs: Inputs, include: Literal["raw"],
              reduce: Yes = True, **options: Unpack[Options]) -> Any: ...
    @overload
    def embed(self, inputs: Inputs, include: ManyOfEmbed,
              reduce: Yes = True, **options: Unpack[Options]) -> Named: ...
    @overload
    def embed(self, inputs: Inputs, include: OfEmbed | ManyOfEmbed | None = None,
              *, reduce: No, **options: Unpack[Options]) -> Named: ...
    @overload
    async def aembed(self, inputs: str, include: Literal["embeddings"] | None = None,  # type: ignore[overload-overlap]
                     reduce: Yes = True, **options: Unpack[Options]) -> Vector: ...
    @overload
    async def aembed(self, inputs: Inputs, include: Literal["embeddings"] | None = None,
                     reduce: Yes = True, **options: Unpack[Options]) -> list[Vector]: ...
    @overload
    async def aembed(self, inputs: Inputs, include: Literal["usage"],
                     reduce: Yes = True, **options: Unpack[Options]) -> Named: ...
    @overload
    async def aembed(self, inputs: Inputs, include: Literal["dim"],
                     reduce: Yes = True, **options: Unpack[Options]) -> int: ...
    @overload
    async def aembed(self, inputs: Inputs, include: Time,
                     reduce: Yes = True, **options: Unpack[Options]) -> float: ...
    @overload
    async def aembed(self, inputs: Inputs, include: Literal["raw"],
                     reduce: Yes = True, **options: Unpack[Options]) -> Any: ...
    @overload
    async def aembed(self, inputs: Inputs, include: ManyOfEmbed,
                     reduce: Yes = True, **options: Unpack[Options]) -> Named: ...
    @overload
    async def aembed(self, inputs: Inputs, include: OfEmbed | ManyOfEmbed | None = None,
                     *, reduce: No, **options: Unpack[Options]) -> Named: ...
    @overload
    def imagen(self, prompt: str, include: Literal["images"] | None = None, reduce: Yes = True,
               images: Images = None, **options: Unpack[Options]) -> LLMImage | list[LLMImage]: ...
    @overload
    def imagen(self, prompt: str, include: Literal["usage"], reduce: Yes = True,
               images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def imagen(self, prompt: str, include: Time, reduce: Yes = True,
               images: Images = None, **options: Unpack[Options]) -> float: ...
    @overload
    def imagen(self, prompt: str, include: Literal["raw"], reduce: Yes = True,
               images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    def imagen(self, prompt: str, include: ManyOfImagen, reduce: Yes = True,
               images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    def imagen(self, prompt: str, include: OfImagen | ManyOfImagen | None = None, *, reduce: No,
               images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    async def aimagen(self, prompt: str, include: Literal["images"] | None = None, reduce: Yes = True,
                      images: Images = None, **options: Unpack[Options]) -> LLMImage | list[LLMImage]: ...
    @overload
    async def aimagen(self, prompt: str, include: Literal["usage"], reduce: Yes = True,
                      images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    async def aimagen(self, prompt: str, include: Time, reduce: Yes = True,
                      images: Images = None, **options: Unpack[Options]) -> float: ...
    @overload
    async def aimagen(self, prompt: str, include: Literal["raw"], reduce: Yes = True,
                      images: Images = None, **options: Unpack[Options]) -> Any: ...
    @overload
    async def aimagen(self, prompt: str, include: ManyOfImagen, reduce: Yes = True,
                      images: Images = None, **options: Unpack[Options]) -> Named: ...
    @overload
    async def aimagen(self, prompt: str, include: OfImagen | ManyOfImagen | None = None, *, reduce: No,
                      images: Images = None, **options: Unpack[Options]) -> Named: ...
    def to_client(self) -> Any: ...
    def to_aclient(self) -> Any: ...
    def to_anthropic_client(self) -> Any: ...
    def to_anthropic_aclient(self) -> Any: ...
    def to_args(self, **overrides: Any) -> dict[str, Any]: ...
