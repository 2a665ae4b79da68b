"""What visitors answered, as agents read it."""

from __future__ import annotations

import pytest

from hub.domain.widget import answer_line


@pytest.mark.parametrize(
    ("label", "line"),
    [("Order number", "Order number: 17"), ("Which order?", "Which order? 17"), ("Order:", "Order: 17")],
)
def test_a_question_brings_its_own_sign(label: str, line: str) -> None:
    assert answer_line(label, "17") == line
