"""What tells requests apart for CacheMiddleware."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def request_key(request: Any) -> str:
    """SHA-256 (64 hex digits) over all that an answer depends on, and over who asks where."""
    data = {name: getattr(request, name) for name in type(request).model_fields if name != "stream"}
    text = json.dumps([type(request).__name__, request._scope, data], default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, type):
        schema = value.model_json_schema() if issubclass(value, BaseModel) else None
        return [value.__module__, value.__qualname__, id(value), schema]
    if isinstance(value, BaseModel):
        return [type(value).__name__, value.model_dump()]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return repr(value)
