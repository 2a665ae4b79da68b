"""Subjects: what a mail is about, whatever its programs have put before it.

Mail programs mark answers and forwards in their own language and pile the marks up ("Re: AW: Re[2]: …"); a list puts its
name in brackets. Two mails are about the same thing when what is left is the same.
"""

from __future__ import annotations

import re
import unicodedata

# Marks of answers and forwards by language, as mail programs write them (Outlook, Thunderbird, Apple Mail, Gmail, Mail.ru).
_MARKS = frozenset(
    {
        *(
            "re",
            "fw",
            "fwd",
            "aw",
            "wg",
            "antw",
            "doorst",
            "sv",
            "vs",
            "vb",
            "vl",
            "ang",
            "tr",
            "rv",
            "res",
            "enc",
            "rif",
        ),
        *("r", "i", "ynt", "i̇lt", "ilt", "odp", "pd", "továbbítás", "vá", "bls", "cavab", "yönl"),
        *(
            "отв",
            "ответ",
            "пересл",
            "відп",
            "відповідь",
            "пересилання",
            "نقل",
            "رد",
            "השב",
            "הועבר",
            "απ",
            "πρθ",
            "σχετ",
        ),
        *(
            "պատ",
            "փոխ",
            "პასუხი",
            "გადაგზავნილი",
            "回复",
            "答复",
            "转发",
            "回覆",
            "轉寄",
            "返信",
            "転送",
            "회신",
            "전달",
        ),
    }
)
_MARK_LENGTH = max(len(mark) for mark in _MARKS)
_COUNTER = re.compile(r"[\[(^]\d{1,4}[\])]?$")
_BRACKETED = re.compile(r"\[[^\[\]]{1,60}\]\s*")
_MARKS_LIMIT = 40


def base_subject(subject: str) -> str:
    """What two mails about the same thing share: without marks and list names, folded for comparison; "" if nothing is
    left that could tell one topic from another."""
    return unicodedata.normalize("NFKC", _without_marks(subject)).casefold()


def reply_subject(subject: str) -> str:
    bare = _without_marks(subject)
    return f"Re: {bare}" if bare else "Re:"


def forward_subject(subject: str) -> str:
    bare = _without_marks(subject)
    return f"Fwd: {bare}" if bare else "Fwd:"


def _without_marks(subject: str) -> str:
    rest = " ".join(subject.split())
    for _ in range(_MARKS_LIMIT):
        shorter = _cut_mark(rest)
        if shorter is None:
            return rest
        rest = shorter
    return rest


def _cut_mark(subject: str) -> str | None:
    """`subject` without its first mark; None if it begins with none."""
    head = subject[: _MARK_LENGTH + 8]
    for sign in (":", "：", "․", "՝"):
        mark, found, _ = head.partition(sign)
        if found and _COUNTER.sub("", mark.strip()).strip().casefold() in _MARKS:
            return subject[len(mark) + 1 :].lstrip()
    bracketed = _BRACKETED.match(subject)
    if bracketed is not None and _cut_mark(subject[bracketed.end() :]) is not None:
        # A list's name before an answer's mark; a bracket alone may be the topic itself.
        return subject[bracketed.end() :]
    return None
