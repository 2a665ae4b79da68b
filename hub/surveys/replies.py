"""Whether a text is the answer to a survey. Pure.

A score stands first and by itself: "4", "4 thanks", "4/5", "10!", "4 - too slow". A number that belongs to something else
("4pm", "10:30", "4,5", "5-7 days", "3%") is none, nor is one that the scale does not have; then the text is an ordinary
message. Whatever follows the score is the comment. Nobody can tell "4 very kind people" from "4 items are missing", so a
comment of more than thanks is also a message, for somebody to read: nothing that a customer says may end in a statistic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub.domain.values import SurveyKind

# A longer one is a letter; what a text message of ten parts holds.
COMMENT_LIMIT = 2_000

_REPLY = re.compile(
    r"\s*(?P<score>\d{1,2})(?:\s*/\s*(?P<of>\d{1,2}))?(?P<rest>(?![\d\w%°$€֏₾₼₴/]|[.,:\-–—]\s?\d).*)", re.DOTALL
)
# What may stand between a score and its comment (the last two make a keycap of a digit). Question marks are the comment's.
_BETWEEN = " \t\r\n.,;:!-–—…*)(։\ufe0f\u20e3"
# Latin, Armenian, Arabic, fullwidth. A Greek one looks like a semicolon and is left out.
_QUESTION_MARKS = frozenset("?՞؟？")
_WORD = re.compile(r"\w+")


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


# Thanks in the languages of the questions (surveys.words), and what may stand beside them. Whoever says nothing else waits
# for nothing.
_THANKS = _words(
    "thank thanks thx ty merci շնորհակալություն շնորհակալ մերսի გმადლობ გმადლობთ მადლობა მადლობთ "
    "təşəkkür təşəkkürlər sağol sağolun дякую дякуємо спасибо благодарю"
)
_BESIDE_THANKS = _words(
    "you so very much a lot many all again շատ եմ ենք ձեզ დიდი ძალიან çox edirəm edirik sizə вам дуже щиро большое всем"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """`is_bare`: there is no word beside the score. `is_message`: there is something to read in it."""

    score: int
    comment: str

    @property
    def is_bare(self) -> bool:
        return not _words(self.comment) and not self._asks

    @property
    def is_message(self) -> bool:
        words = _words(self.comment)
        is_thanks = not words.isdisjoint(_THANKS) and words <= _THANKS | _BESIDE_THANKS
        return self._asks or not (is_thanks or not words)

    @property
    def _asks(self) -> bool:
        return not _QUESTION_MARKS.isdisjoint(self.comment)


def may_be_score(text: str) -> bool:
    """A quick look, for every text that comes in: does it begin with a digit?"""
    return text.lstrip()[:1].isdecimal()


def parse_reply(text: str, kind: SurveyKind) -> Reply | None:
    """The score and the comment, or None if the text is no answer to a survey of this kind."""
    # Digits of every script are digits.
    found = _REPLY.fullmatch(text[: COMMENT_LIMIT + 10])
    if found is None:
        return None
    score, of = int(found["score"]), found["of"]
    if score not in kind.scale or (of is not None and int(of) != kind.scale[-1]):
        return None
    return Reply(score, found["rest"].strip(_BETWEEN)[:COMMENT_LIMIT])
