"""Types for signatures of one's own: `def ask(question: str, **options: Unpack[hb.Options]) -> str`.

Type checkers read the file beside this one, which a test holds to the table of options.
"""

from typing import Any, TypedDict

from heavenbase.options import TABLE

Options = TypedDict("Options", {option.name: Any for option in TABLE}, total=False)  # type: ignore[misc]
