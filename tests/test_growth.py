"""No text of a provider takes work that grows faster than the text; `python -m bench growth` shows the figures."""

from __future__ import annotations

import pytest

from tests.growing import GROWING, exponent

LINEAR = 1.6
"""What is linear comes out below, on a busy machine too; what is quadratic comes out at 2."""


@pytest.mark.parametrize("name", GROWING)
def test_h4_b18_the_work_on_an_answer_is_linear(name: str) -> None:
    # CPU time of a busy machine is only ever too long: one good measurement is proof enough.
    found = [exponent(GROWING[name], 2)]
    while found[-1] > LINEAR and len(found) < 5:
        found.append(exponent(GROWING[name], 3))
    assert found[-1] <= LINEAR, f"doubling the input takes 2 ** {min(found):.2f} times the work"
