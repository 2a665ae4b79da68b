"""What was written this time: by program, by language, and under attack."""

from __future__ import annotations

import time
from collections.abc import Sized
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.mail import IncomingMail, Span, SpanKind
from hub.mail.html import text_from_html
from hub.mail.quoting import normalise, split_html, split_text
from hub.mail.quoting_words import LANGUAGES
from tests.mail.quoting_cases import (
    ALL_WRITTEN,
    ATTRIBUTIONS,
    HEADERS,
    HTML_MAILS,
    MAILS,
    MOBILE_SIGNATURES,
    SEPARATORS,
    SIGNATURES,
)


def written(spans: tuple[Span, ...]) -> str:
    return IncomingMail(spans=spans).written


def joined(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def of_kind(spans: tuple[Span, ...], kind: SpanKind) -> str:
    return "".join(span.text for span in spans if span.kind is kind)


# --- plain text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "program", "line"), ATTRIBUTIONS)
def test_an_attribution_goes_with_the_quote_below_it(language: str, program: str, line: str) -> None:
    text = f"Tomorrow at ten.\nIs that good?\n\n{line}\n\n> When shall we come?\n> Ani\n"
    spans = split_text(text)
    assert written(spans) == "Tomorrow at ten.\nIs that good?"
    assert of_kind(spans, SpanKind.QUOTED) == f"{line}\n\n> When shall we come?\n> Ani\n"


@pytest.mark.parametrize(("language", "program", "line"), ATTRIBUTIONS)
def test_an_attribution_cuts_a_quote_without_marks(language: str, program: str, line: str) -> None:
    assert written(split_text(f"Tomorrow.\n\n{line}\n\nWhen shall we come?\n\nAni\n")) == "Tomorrow."


@pytest.mark.parametrize(("language", "program", "line"), ATTRIBUTIONS)
def test_an_answer_below_the_quote_is_kept(language: str, program: str, line: str) -> None:
    assert written(split_text(f"{line}\n> When shall we come?\n\nTomorrow.\n")) == "Tomorrow."


@pytest.mark.parametrize(("language", "block"), HEADERS)
@pytest.mark.parametrize("rule", ["", "________________________________\n", "-----Original Message-----\n"])
def test_an_answer_in_outlook_is_cut_above_the_line(language: str, block: str, rule: str) -> None:
    assert written(split_text(f"Tomorrow.\n\n{rule}{block}\n\nWhen shall we come?\n")) == "Tomorrow."


@pytest.mark.parametrize(("language", "line"), SEPARATORS)
def test_a_separator_cuts(language: str, line: str) -> None:
    assert written(split_text(f"Tomorrow.\n\n{line}\nWhatever: stands here\n\nWhen shall we come?\n")) == "Tomorrow."


@pytest.mark.parametrize(("language", "line"), MOBILE_SIGNATURES)
def test_a_phone_signs_for_itself(language: str, line: str) -> None:
    spans = split_text(f"Tomorrow.\n\n{line}\n")
    assert written(spans) == "Tomorrow."
    assert of_kind(spans, SpanKind.SIGNATURE).strip() == line
    quote = "On 3 Nov 2026, at 10:12, Ani <ani@shop.test> wrote:\n> When?\n"
    assert written(split_text(f"Tomorrow.\n\n{line}\n\n{quote}")) == "Tomorrow."


@pytest.mark.parametrize(("name", "signature"), SIGNATURES)
def test_a_signature_at_the_end_is_folded(name: str, signature: str) -> None:
    spans = split_text(f"Tomorrow at ten.\n\n{signature}\n")
    assert written(spans) == "Tomorrow at ten."
    assert of_kind(spans, SpanKind.SIGNATURE).strip() == signature.strip()


@pytest.mark.parametrize("text", ALL_WRITTEN)
def test_what_may_be_the_message_stays(text: str) -> None:
    assert {span.kind for span in split_text(text)} == {SpanKind.WRITTEN}


@pytest.mark.parametrize(("name", "text", "expected"), MAILS)
def test_a_mail_in_plain_text(name: str, text: str, expected: str) -> None:
    spans = split_text(text)
    assert written(spans) == expected
    assert joined(spans) == normalise(text)


# --- HTML -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("program", "html"), HTML_MAILS)
def test_a_mail_in_html(program: str, html: str) -> None:
    spans = split_html(html, None)
    assert written(spans) == "Tomorrow."
    assert joined(spans) == text_from_html(html)
    assert "hen" in of_kind(spans, SpanKind.QUOTED)


def test_html_that_marks_nothing_is_read_in_its_plain_text() -> None:
    text = "Tomorrow.\n\nOn 3 Nov 2026, at 10:12, Ani <ani@shop.test> wrote:\n> When?"
    spans = split_html("<p>Tomorrow.</p><p>When?</p>", text)
    assert joined(spans) == text
    assert written(spans) == "Tomorrow."


def test_html_that_marks_the_quote_is_better_than_its_plain_text() -> None:
    spans = split_html("<p>Tomorrow.</p><blockquote type=cite>When?</blockquote>", "Tomorrow. When?")
    assert written(spans) == "Tomorrow."


def test_empty_html_leaves_the_plain_text() -> None:
    assert written(split_html("<p> </p>", "Tomorrow.")) == "Tomorrow."
    assert split_html("", None) == ()


def test_indentation_is_no_quote() -> None:
    html = "<p>Dear shop,</p><blockquote style='margin:0 0 0 40px;border:none;padding:0px'>Where is it?</blockquote>"
    assert written(split_html(html, None)) == "Dear shop,\n\nWhere is it?"


def test_a_message_typed_into_the_signature_is_written() -> None:
    assert written(split_html("<div id=Signature>Where is my parcel?</div>", None)) == "Where is my parcel?"
    (span,) = split_html("<div id=Signature>Where is my parcel?</div>", None)
    assert span.kind is SpanKind.WRITTEN


def test_a_newsletter_with_a_grey_line_is_not_cut() -> None:
    html = "<p>News</p><div style='border-top:solid #E1E1E1 1pt'><p>More news</p></div>"
    assert written(split_html(html, None)) == "News\n\nMore news"


# --- whatever comes ---------------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [
        *(line for _, _, block in ATTRIBUTIONS for line in block.split("\n")),
        *(line for _, block in HEADERS for line in block.split("\n")),
        *(line for _, line in SEPARATORS + MOBILE_SIGNATURES),
        *[
            "",
            " ",
            "> a",
            ">",
            ">> b",
            ">From x",
            "-- ",
            "--",
            "Best regards,",
            "Ani",
            "a" * 1200,
            "Tomorrow.",
            ":",
            "-----",
        ],
    ]
)
TEXTS = st.lists(LINES | st.text(max_size=30), max_size=30).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines))
)


@given(TEXTS | st.text())
def test_nothing_is_lost_and_neighbours_differ(text: str) -> None:
    spans = split_text(text)
    assert joined(spans) == normalise(text)
    assert all(first.kind is not second.kind for first, second in pairwise(spans))
    assert all(span.text.endswith("\n") for span in spans[:-1])
    assert all(span.text for span in spans)


TAGS = st.sampled_from(
    [
        *[
            "<p>",
            "</p>",
            "<div>",
            "</div>",
            "<br>",
            "<hr id=stopSpelling>",
            "<blockquote type=cite>",
            "</blockquote>",
            "<li>",
        ],
        *[
            "<div class=gmail_quote>",
            "<div class=gmail_attr>",
            "<div id=divRplyFwdMsg>",
            "<div id=Signature>",
            "<blockquote>",
        ],
        *["<div style='border-top:solid #E1E1E1 1pt'>", "<table><tr><td>", "<pre>", "</pre>", "<td>", "a", " b "],
        *["<span class=gmail_signature_prefix>", "</span>", "</td>", "</table>"],
    ]
)


@given(st.lists(TAGS | LINES | st.text(max_size=10), max_size=40).map("".join), st.none() | st.text(max_size=20))
def test_html_is_never_lost_either(html: str, text: str | None) -> None:
    spans = split_html(html, text)
    assert joined(spans) in (text_from_html(html), normalise(text or ""))


@pytest.mark.parametrize("size", [20_001, 30_000])
def test_lines_beyond_the_limit_share_the_last_ones_fate(size: int) -> None:
    text = "Yes.\n" + "> no\n" * size
    spans = split_text(text)
    assert joined(spans) == text
    assert [span.kind for span in spans] == [SpanKind.WRITTEN, SpanKind.QUOTED]


HOSTILE = [
    ">\n",
    "> a\n",
    "On \n",
    "wrote:\n",
    "On 3.11.2026 10:12 a@b.test wrote:\n",
    "From: a@b.test\n",
    "From: a\nTo: b\n",
    "-----\n",
    "-- \n",
    "Best regards,\n",
    "Sent from my iPhone\n",
    "\n",
    "a",
    " ",
    "a:",
    ":\n",
    "-----Original Message\n",
    "12:12 a@b 2026 ",
    "On 2026 10:12\n",
    "Regards,\nAni\n",
    "\r",
    "2026.11.03 10:12\n2026.11.03 10:12:\n",
    ">From a\nb\n",
    "\u202b:\n",
    "+1 \n",
    "_",
    "*",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_takes_no_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    before = time.process_time()
    spans = split_text(text)
    # Measured: at most 0.2 s; a runaway takes minutes.
    assert time.process_time() - before < 1.5
    assert joined(spans) == normalise(text)


@pytest.mark.parametrize(
    "piece",
    ["<blockquote type=cite>a</blockquote>b<br>", "<div>a:</div>", "<div class=gmail_quote>", "<hr id=stopSpelling>a"],
)
def test_a_megabyte_of_html_is_split_in_no_time(piece: str) -> None:
    html = piece * (1_000_000 // len(piece))
    before = time.process_time()
    split_html(html, None)
    # Measured: at most 0.6 s.
    assert time.process_time() - before < 3


# --- the words --------------------------------------------------------------------------------------------------------


def test_each_language_stands_once_and_has_its_labels() -> None:
    codes = [language.code for language in LANGUAGES]
    assert len(codes) == len(set(codes))
    assert {"en", "hy", "ka", "az", "uk", "ru", "tr"} <= set(codes)
    assert all(
        language.wrote
        and language.sender
        and language.date
        and language.to
        and language.subject
        and language.separators
        for language in LANGUAGES
    )


def test_there_are_many_cases() -> None:
    tables: list[Sized] = [
        ATTRIBUTIONS,
        HEADERS,
        SEPARATORS,
        MOBILE_SIGNATURES,
        SIGNATURES,
        ALL_WRITTEN,
        MAILS,
        HTML_MAILS,
    ]
    assert sum(len(table) for table in tables) >= 250
