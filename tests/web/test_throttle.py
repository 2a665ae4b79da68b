"""So many in a window, and nobody's record cleared by others."""

import pytest

from hub.errors import TooMany
from hub.web import throttle
from hub.web.throttle import Throttle


def test_more_than_the_limit_is_refused_for_that_key_alone() -> None:
    gate = Throttle(2, 60.0)
    gate.check("a")
    gate.check("a")
    with pytest.raises(TooMany) as refused:
        gate.check("a")
    assert 0 < refused.value.retry_after_s <= 60
    gate.check("b")


def test_many_other_keys_forget_the_least_lately_seen_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_KEYS_LIMIT", 3)
    gate = Throttle(1, 60.0)
    gate.check("kept")
    for key in ("x", "y"):
        gate.check(key)
    with pytest.raises(TooMany):
        gate.check("kept")  # and is now the latest seen
    gate.check("z")
    with pytest.raises(TooMany):
        gate.check("kept")
