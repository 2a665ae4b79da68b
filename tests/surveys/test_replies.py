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


def test_comment_with_a_question_asks() -> None:
    replies = [parse_reply(text, SurveyKind.CSAT) for text in ("5. When will it come?", "4 ե՞րբ", "5 thanks", "3?")]
    assert [reply is not None and reply.asks for reply in replies] == [True, True, False, True]


def test_very_long_text_is_read_quickly_and_cut() -> None:
    reply = parse_reply("4 " + "9" * 100_000, SurveyKind.CSAT)
    assert reply is not None
    assert len(reply.comment) == 2_000
