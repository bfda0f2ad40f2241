"""Deterministic stand-ins for what a model makes: text, JSON of a schema, vectors, images, signatures, token counts."""

from __future__ import annotations

import hashlib
import struct
import sys
import zlib
from array import array
from collections.abc import Mapping
from typing import Any

_DEPTH_LIMIT = 32


def count_tokens(text: str) -> int:
    """Words stand for tokens; at least one."""
    return len(text.split()) or 1


def instance(schema: Any, root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """The smallest value that satisfies a JSON schema: const, default, enum, combinators, `$ref`, types and bounds."""
    if not isinstance(schema, Mapping) or depth > _DEPTH_LIMIT:
        return None
    root = schema if root is None else root
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return instance(_resolve(str(schema["$ref"]), root), root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return instance(schema[key][0], root, depth + 1)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged.update(part)
        return instance(merged, root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "null")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object":
        properties = schema.get("properties", {})
        names = [*properties, *(name for name in schema.get("required", ()) if name not in properties)]
        return {name: instance(properties.get(name), root, depth + 1) for name in names}
    if kind == "array":
        return [instance(schema.get("items"), root, depth + 1) for _ in range(int(schema.get("minItems", 1)))]
    if kind == "string":
        return "text".ljust(int(schema.get("minLength", 0)), "x")[: int(schema.get("maxLength", 1 << 20))]
    if kind in ("integer", "number"):
        lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
        return lowest if kind == "integer" else float(lowest)
    return True if kind == "boolean" else None


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
    return target


def vector(text: str, dimensions: int) -> array[float]:
    """A unit vector of float32 that depends on the text alone."""
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(dimensions)
    # One table of the 256 possible components per vector: 2,048 vectors of 1,536 take a fraction of a second.
    scale = sum((byte - 127.5) ** 2 for byte in digest) ** -0.5
    table = [(byte - 127.5) * scale for byte in range(256)]
    return array("f", map(table.__getitem__, digest))


def little_endian(values: array[float]) -> bytes:
    """The vector as little-endian float32 bytes."""
    if sys.byteorder == "big":
        values = array("f", values)
        values.byteswap()
    return values.tobytes()


def signature(thinking: str) -> str:
    """What proves that a thought comes from the loopback server unchanged."""
    return hashlib.blake2s(b"thought:" + thinking.encode("utf-8", "surrogatepass")).hexdigest()


def png(seed: str, size: int = 16) -> bytes:
    """A real PNG of `size` x `size` pixels, in one colour that depends on the seed."""
    colour = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:3]
    rows = (b"\x00" + colour * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _png(b"IHDR", header) + _png(b"IDAT", zlib.compress(rows)) + _png(b"IEND", b"")


def _png(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
