"""Vectors as this wire writes them: numbers, or base64 of little-endian floats of 32 bits. Pure."""

from __future__ import annotations

import binascii
from math import isfinite
from typing import TYPE_CHECKING, Any

from heavenbase.http.shapes import kind_of, shape_error

if TYPE_CHECKING:
    from heavenbase.call import Call


def vector(call: Call, item: Any, kind: str, place: int) -> list[float]:
    """The numbers of one vector of this type; ResponseShapeError for anything else."""
    where = f"`embeddings.{kind}[{place}]`"
    if kind == "base64":
        return _unpacked(call, item, where)
    if not isinstance(item, list) or not item:
        raise shape_error(call, f"{where} is {kind_of(item)}, not a list of numbers")
    if not all(type(number) is float for number in item):
        if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in item):
            raise shape_error(call, f"{where} holds something else than numbers")
        item = [float(number) for number in item]
    # The sum is not finite when any number is not, and is had sooner than a look at each.
    if not isfinite(sum(item)):
        raise shape_error(call, f"{where} has a number that is not finite")
    found: list[float] = item
    return found


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
