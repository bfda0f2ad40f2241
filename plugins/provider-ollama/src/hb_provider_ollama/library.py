"""The models of an Ollama server: what it has, and fetching more, through the ollama SDK."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from hb_provider_ollama.client import sdk
from hb_provider_ollama.wire import NOT_RUNNING
from heavenbase.errors import (
    AuthError,
    ConnectError,
    HBError,
    InputError,
    ModelNotFound,
    ProviderError,
    RequestRejected,
    ServerError,
)
from heavenbase.http import hb_error

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER = "ollama"


class Progress(NamedTuple):
    """One step of a pull: what happens, of which layer, and how many of its bytes are there (0 of 0: not known)."""

    status: str
    digest: str
    done: int
    total: int


def models(client: Any) -> list[dict[str, Any]]:
    """What the server has, by name: name, size in bytes, parameters and quantization where it says them, and when."""
    with translated():
        listed = client.list().models
    found = [
        {
            "name": str(model.model or ""),
            "size": int(model.size or 0),
            "parameters": getattr(model.details, "parameter_size", None),
            "quantization": getattr(model.details, "quantization_level", None),
            "modified": model.modified_at.isoformat() if model.modified_at is not None else None,
        }
        for model in listed
    ]
    return sorted(found, key=lambda model: model["name"])


def pull(client: Any, name: str) -> Iterator[Progress]:
    """Fetch a model onto the server, step by step. ServerError when it ends without success."""
    if not name.strip():
        raise InputError("name the model to pull, such as llama3.2; all are at https://ollama.com/library")
    status = ""
    with translated(name):
        for step in client.pull(name, stream=True):
            status = str(step.status or "")
            yield Progress(status, str(step.digest or ""), int(step.completed or 0), int(step.total or 0))
    if status != "success":
        raise ServerError(f"pulling {name!r} ended without success; try again: what is there stays", provider=PROVIDER)


@contextmanager
def translated(model: str | None = None) -> Iterator[None]:
    """What the SDK raises inside leaves as an error of hb."""
    failure: HBError
    try:
        yield
        return
    except sdk().module.ResponseError as error:
        failure = _refusal(error, model)
    except (ConnectionError, sdk().http.HTTPError) as error:
        found = hb_error(error)
        if found is None or isinstance(found, ConnectError):
            failure = ConnectError(f"no connection to Ollama; {NOT_RUNNING}", provider=PROVIDER)
        else:
            failure = found
    # Raised out here, so that the SDK's error is not attached: it may hold the request.
    raise failure


def _refusal(error: Any, model: str | None) -> HBError:
    text, status = str(error.error), error.status_code if error.status_code > 0 else None
    kind: type[ProviderError] = ServerError
    if status == 404 or "file does not exist" in text or "not found" in text:
        kind = ModelNotFound
    elif status in (401, 403):
        kind = AuthError
    elif status is not None and 400 <= status < 500:
        kind = RequestRejected
    return kind(f"Ollama refused: {text[:300]}", provider=PROVIDER, model=model, status=status)
