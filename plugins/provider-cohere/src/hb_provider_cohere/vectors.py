"""Vectors as this wire writes them: numbers, or base64 of little-endian floats of 32 bits. Pure."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from heavenbase.http import shape_error
from heavenbase.wires import read_vector

if TYPE_CHECKING:
    from heavenbase.call import Call


def vector(call: Call, item: Any, kind: str, place: int) -> list[float]:
    """The numbers of one vector of this type; ResponseShapeError for anything else."""
    where = f"`embeddings.{kind}[{place}]`"
    if kind == "base64":
        return _unpacked(call, item, where)
    return read_vector(call, item, where)


def _unpacked(call: Call, item: Any, where: str) -> list[float]:
    import sys
    from array import array
    from base64 import b64decode

    try:
        data = b64decode(item, validate=True)
        numbers = array("f", data)
    except (binascii.Error, ValueError, TypeError):
        raise shape_error(call, f"{where} is not the base64 of a vector") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return vector(call, numbers.tolist(), "float", 0)
