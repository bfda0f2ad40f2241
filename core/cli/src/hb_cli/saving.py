"""Where generated images are saved: under the name that the user gave, or one made from the prompt."""

from __future__ import annotations

import os
import re
from itertools import count
from typing import TYPE_CHECKING

from hb_cli import output
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from heavenbase.image.image import LLMImage

NAME_LENGTH = 48
SAME_FORMAT = {"jpg": "jpeg", "jpe": "jpeg"}


class Place:
    """The place of one command's images. `wanted` is a file or folder of the user's, None for a name of our own."""

    def __init__(self, wanted: str | None, prompt: str, force: bool) -> None:
        self.force = force
        self.wanted = wanted
        name = ""
        if wanted is None:
            folder = ""
        elif wanted.endswith(("/", os.sep)) or os.path.isdir(wanted):
            folder = wanted
        else:
            folder, name = os.path.split(wanted)
        self.folder = folder
        self.stem, self.extension = os.path.splitext(name) if name else (safe_name(prompt), "")
        self._named = bool(name)

    def check(self) -> None:
        """Refuse, before anything is paid for, what could not be saved: InputError."""
        if self._named and self.wanted is not None and not self.force and os.path.lexists(self.wanted):
            raise InputError(f"{self.wanted} exists; use another name, or --force to overwrite it")
        try:
            os.makedirs(self.folder or ".", exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder}: the folder cannot be made: {error.strerror}") from error
        if not os.access(self.folder or ".", os.W_OK):
            raise InputError(f"{self.folder or '.'}: the folder cannot be written to")

    def save(self, images: Sequence[LLMImage]) -> list[str]:
        """Write the images; returns their paths. A name that was taken meanwhile is passed over, never overwritten."""
        paths = []
        for number, image in enumerate(images, 1):
            data = image.to_bytes()
            extension = self.extension if self._named else f".{image.format or 'bin'}"
            for path in self._candidates(extension, number if len(images) > 1 else None):
                try:
                    with open(path, "wb" if self.force and self._named else "xb") as file:
                        file.write(data)
                except FileExistsError:
                    continue
                paths.append(path)
                break
            claimed = extension.lstrip(".").lower()
            if claimed and SAME_FORMAT.get(claimed, claimed) != image.format:
                output.warn(f"{paths[-1]} holds {str(image.format).upper()} data")
        return paths

    def _candidates(self, extension: str, number: int | None) -> Iterator[str]:
        first = self.stem if number is None else f"{self.stem}-{number}"
        yield os.path.join(self.folder, first + extension)
        for again in count(2):
            yield os.path.join(self.folder, f"{first}-{again}{extension}")


def safe_name(prompt: str) -> str:
    """A file's base name from a prompt: letters, digits and single hyphens, so that it can name nothing else."""
    from unicodedata import normalize

    plain = normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:NAME_LENGTH].strip("-")
    reserved = re.fullmatch("con|prn|aux|nul|com[0-9]|lpt[0-9]", words)  # on Windows these are devices
    return f"image-{words}" if reserved else words or "image"


def create_text(target: str, force: bool) -> TextIO:
    """A new file for text that is for its owner alone; InputError where one is there already, unless `force`."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        return os.fdopen(os.open(target, flags, 0o600), "w", encoding="utf-8")
    except FileExistsError as error:
        raise InputError(f"{target} exists; use another name, or --force to overwrite it") from error
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from error
