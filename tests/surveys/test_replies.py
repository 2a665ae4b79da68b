"""What of a text message is a score, and what is not."""

import pytest

from hub.domain.values import SurveyKind
from hub.surveys.replies import Reply, parse_reply


@pytest.mark.parametrize(
    ("text", "kind", "reply"),
    [
        ("4", SurveyKind.CSAT, Reply(4, "")),
        (" 4 thanks", SurveyKind.CSAT, Reply(4, "thanks")),
        ("4/5. Very kind", SurveyKind.CSAT, Reply(4, "Very kind")),
        ("5!", SurveyKind.CES, Reply(5, "")),
        ("1 - two days late", SurveyKind.CSAT, Reply(1, "two days late")),
        ("10", SurveyKind.NPS, Reply(10, "")),
        ("0, never again", SurveyKind.NPS, Reply(0, "never again")),
        ("5\nշնորհակալություն", SurveyKind.CSAT, Reply(5, "շնորհակալություն")),
        ("٤", SurveyKind.CSAT, Reply(4, "")),
        ("4\ufe0f\u20e3", SurveyKind.CSAT, Reply(4, "")),
    ],
)
def test_score_stands_first_and_the_rest_is_the_comment(text: str, kind: SurveyKind, reply: Reply) -> None:
    assert parse_reply(text, kind) == reply


@pytest.mark.parametrize(
    "text",
    ["6", "0", "10", "4pm", "4,5", "4.5", "4:30", "5-7 days", "3%", "3$", "4/10", "444", "I say 4", "", "four", "1st"],
)
def test_what_is_no_score_is_an_ordinary_message(text: str) -> None:
    assert parse_reply(text, SurveyKind.CSAT) is None


@pytest.mark.parametrize(
    ("text", "is_bare", "is_message"),
    [
        ("5", True, False),
        ("4/5!", True, False),
        ("5 \N{THUMBS UP SIGN}", True, False),
        ("3?", False, True),
        ("4 Thank you so much!", False, False),
        ("5 Շատ շնորհակալ եմ", False, False),
        ("5, дуже дякую", False, False),
        ("5 thanks?", False, True),
        ("5 thanks, and the invoice please", False, True),
        ("4 very much", False, True),
        ("4 items are missing from my order", False, True),
        ("5. When will it come", False, True),
        ("4 ե՞րբ", False, True),
    ],
)
def test_more_than_a_score_and_thanks_is_there_to_be_read(text: str, is_bare: bool, is_message: bool) -> None:
    reply = parse_reply(text, SurveyKind.CSAT)
    assert reply is not None
    assert (reply.is_bare, reply.is_message) == (is_bare, is_message)


def test_very_long_text_is_read_quickly_and_cut() -> None:
    reply = parse_reply("4 " + "9" * 100_000, SurveyKind.CSAT)
    assert reply is not None
    assert len(reply.comment) == 2_000
