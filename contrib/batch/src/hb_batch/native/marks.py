"""The names that requests and jobs of a run have at the provider: custom_ids that any wire takes, and metadata."""

from __future__ import annotations

import json
import re
from typing import Final

_NAME: Final = re.compile(r"([0-9a-f]{12})-([1-9][0-9]{0,11})")


class Marks:
    """Names of one run. A request is named by the run and the number of its line, so that no other run has it."""

    def __init__(self, run: str) -> None:
        self.run = run

    def custom_id(self, line: int) -> str:
        """The name of the request in a line."""
        return f"{self.run}-{line}"

    def line_of(self, custom_id: str | None) -> int | None:
        """The line that a name means; None for a name that this run has given to nothing."""
        found = _NAME.fullmatch(custom_id or "")
        return int(found[2]) if found is not None and found[1] == self.run else None

    def metadata(self, part: int) -> dict[str, str]:
        """What a job is found by."""
        return {"hb_run": self.run, "hb_part": str(part)}

    @staticmethod
    def custom_id_in(line: bytes) -> str | None:
        """The custom_id of a line of results; None where it has none."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return None
        name = found.get("custom_id") if isinstance(found, dict) else None
        return name if isinstance(name, str) else None
