"""What was written this time, for every message of the corpus: what a person would say, not what a rule gives.

Waits for hub.mail.quoting: until parse._spans asks it, everything counts as written, and the messages with history in
them cannot pass.
"""

import re

import pytest

from hub.mail import parse
from hub.mail.parse import parse_mail
from tests.mail.corpus import expectations, message, names

pytestmark = pytest.mark.skipif(
    not hasattr(parse, "quoting"), reason="hub.mail.quoting is not joined to the parser yet"
)


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("name", [name for name in names() if "written" in expectations()[name]])
def test_what_was_written_this_time_is_found(name: str) -> None:
    assert words(parse_mail(message(name)).written) == words(expectations()[name]["written"])


@pytest.mark.parametrize(
    "name", [n for n in names() if "text" in expectations()[n] and "written" not in expectations()[n]]
)
def test_a_message_without_history_is_all_written(name: str) -> None:
    assert words(parse_mail(message(name)).written) == words(expectations()[name]["text"])
