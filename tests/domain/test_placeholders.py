"""Placeholders: which are known, what is filled in, and that a value is only ever a value."""

from __future__ import annotations

import re
from datetime import date
from html import unescape

import pytest

from hub.domain.placeholders import (
    NAMES,
    CannedText,
    choose_text,
    escape_markup,
    fill,
    find_fault,
    first_name,
    plain,
    written_day,
)
from hub.mail.markup import to_html

VALUES = {"customer.name": "Անի Պետրոսյան", "customer.first_name": "Անի", "queue.name": "Sales"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Dear {{customer.first_name}}, hello", "Dear Անի, hello"),
        ("{{ customer.first_name }} {{Customer.First_Name}}", "Անի Անի"),
        ("Hi {{customer.email|there}}", "Hi there"),
        ("Hi {{customer.first_name|there}}", "Hi Անի"),
        ("Hi{{customer.email|}}!", "Hi!"),
        ("{customer.name} {{}} }}{{", "{customer.name} {{}} }}{{"),
        ("no braces", "no braces"),
        ("", ""),
    ],
)
def test_what_has_a_value_is_filled_in(text: str, filled: str) -> None:
    result = fill(text, VALUES)
    assert (result.text, result.missing) == (filled, ())


def test_what_has_no_value_stays_and_is_named_once() -> None:
    result = fill("{{customer.email}}, {{today}}, {{customer.email}}, {{queue.name}}", VALUES)
    assert result.text == "{{customer.email}}, {{today}}, {{customer.email}}, Sales"
    assert result.missing == ("customer.email", "today")


def test_a_value_is_never_read_for_placeholders_again() -> None:
    result = fill("{{customer.name}}", {"customer.name": "{{agent.name}}", "agent.name": "Arpi"})
    assert result.text == "{{agent.name}}"


@pytest.mark.parametrize("text", ["", "Hello", "{one} {brace}", "a }} b", *(f"{{{{{name}|x}}}}" for name in NAMES)])
def test_a_text_with_known_placeholders_has_no_fault(text: str) -> None:
    assert find_fault(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dear {{customer.nickname}}", "there is no {{customer.nickname}}"),
        ("{{customer.name}} {{name|x}}", "there is no {{name}}"),
        ("Dear {{customer.name", "begins with {{ and is not a placeholder"),
        ("Dear {{customer.\nname}}", "begins with {{ and is not a placeholder"),
        ("{{customer.name|{{today}}}}", "begins with {{ and is not a placeholder"),
        ("{{" * 20_000, "begins with {{ and is not a placeholder"),
    ],
)
def test_what_is_no_placeholder_is_named(text: str, words: str) -> None:
    assert words in (find_fault(text) or "")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Անի Պետրոսյան", "Անի"),
        ("Petrosyan, Ani Maria", "Ani"),
        ("Ani", "Ani"),
        ("Petrosyan,", "Petrosyan"),
        ("  ", ""),
        ("\u202eAni\u202c Petrosyan", "Ani"),
    ],
)
def test_the_given_name_of_a_name(name: str, given: str) -> None:
    assert first_name(name) == given


def test_a_value_is_one_line_without_signs_that_nobody_sees() -> None:
    assert plain("  Ani\r\n\u202ePetrosyan\u200b\u2066 ") == "Ani Petrosyan"
    assert plain("نم\u200cایش") == "نم\u200cایش"


@pytest.mark.parametrize(
    "value",
    [
        "**Ani**",
        "*a* _b_ __c__",
        "snake_case ani_p@example.com",
        "[click](https://evil.example)",
        "![x](attachment:12)",
        "<https://evil.example>",
        "`code` ``` fence",
        "> quote",
        "- item",
        "+ item",
        "1. item",
        "2) item",
        "~~~",
        r"C:\*dir \\ \[x\]",
        "# no heading &copy; <b>",
        "](https://evil.example) [",
        "Ani",
    ],
)
@pytest.mark.parametrize("around", ["{{customer.name}}", "Dear {{customer.name}}, hello", "*{{customer.name}}*"])
def test_a_name_in_a_mail_reads_as_it_is(value: str, around: str) -> None:
    html = to_html(fill(around, {"customer.name": value}, is_markup=True).text)
    read = " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())
    assert read == around.replace("*", "").replace("{{customer.name}}", " ".join(value.split()))
    # What looks like an address is made one in any text; a name hides none behind other words.
    hidden = re.sub(r'<a href="([^"]+)">\1</a>|<a href="mailto:([^"]+)">\2</a>', "", html)
    assert re.search(r"<(a|img|ul|ol|li|blockquote|code|pre|strong)\b", hidden) is None


def test_a_harmless_value_is_not_escaped() -> None:
    assert escape_markup("ani_p@example.com (Ani-Maria) #1042!") == "ani_p@example.com (Ani-Maria) #1042!"


def test_the_text_is_in_the_first_language_there_is_one_in() -> None:
    texts = [CannedText("en", "Hello"), CannedText("hy", "Բարև")]
    chosen = [choose_text(texts, *wanted).text for wanted in (("hy",), ("hy-AM", "en"), ("ka", "hy"), (None, "ka"), ())]
    assert chosen == ["Բարև", "Բարև", "Բարև", "Hello", "Hello"]


def test_a_day_is_written_as_the_language_writes_it() -> None:
    day = date(2026, 3, 7)
    assert [written_day(day, language) for language in ("en", "hy", "uk")] == [
        "7 March 2026",
        "07.03.2026",
        "07.03.2026",
    ]
