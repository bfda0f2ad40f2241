"""Vector: one embedding as a buffer of floats."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Floats = array[float]
else:
    _Floats = array  # subscriptable from Python 3.12 on


class Vector(_Floats):
    """A sequence of floats in one buffer, a quarter of a list's memory; equal to any sequence of the same numbers.

    numpy and vector stores read it without a copy (`numpy.asarray(vector)`); `tolist()` gives a plain list, which
    `json.dumps` needs.
    """

    __slots__ = ()

    def __new__(cls, values: Iterable[float] = (), typecode: str = "d") -> Vector:
        """A vector of these numbers, in double precision unless `typecode` is "f"."""
        return array.__new__(cls, typecode, values)

    @classmethod
    def from_float32(cls, data: bytes) -> Vector:
        """A vector of little-endian 32-bit floats; ValueError unless the bytes are whole numbers of them."""
        vector = cls((), "f")
        vector.frombytes(data)
        if sys.byteorder == "big":
            vector.byteswap()
        return vector

    def __eq__(self, other: object) -> bool:
        if isinstance(other, array):
            return array.__eq__(self, other)
        return self.tolist() == other

    __hash__ = None

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __copy__(self) -> Vector:
        return type(self)(self, self.typecode)

    def __deepcopy__(self, memo: Any) -> Vector:
        return self.__copy__()

    def __repr__(self) -> str:
        shown = ", ".join(f"{number:.6g}" for number in self[:4])
        return f"Vector([{shown}{', …' if len(self) > 4 else ''}], len={len(self)})"
