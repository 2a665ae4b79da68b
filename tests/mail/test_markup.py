"""The agent's text as HTML and as plain text: what was meant comes out, and nothing acts."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from hub.mail.markup import MARKUP_LIMIT, to_html, to_plain


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Hello", "<p>Hello</p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("one\n\ntwo", "<p>one</p>\n<p>two</p>"),
        ("**bold** and *italic*", "<p><strong>bold</strong> and <em>italic</em></p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("`x < 1`", "<p><code>x &lt; 1</code></p>"),
        ("```\nx\n```", "<pre><code>x\n</code></pre>"),
        ("[us](https://example.com/a?b=1&c=2)", '<p><a href="https://example.com/a?b=1&amp;c=2">us</a></p>'),
        ("[call](tel:+37410123456)", '<p><a href="tel:+37410123456">call</a></p>'),
        (
            "See https://example.com/a_b_c.",
            '<p>See <a href="https://example.com/a_b_c">https://example.com/a_b_c</a>.</p>',
        ),
        ("(https://example.com/a(b))", '<p>(<a href="https://example.com/a(b)">https://example.com/a(b)</a>)</p>'),
        ("www.example.am!", '<p><a href="https://www.example.am">www.example.am</a>!</p>'),
        ("ani@example.am", '<p><a href="mailto:ani@example.am">ani@example.am</a></p>'),
        ("Բարև **Անի**", "<p>Բարև <strong>Անի</strong></p>"),
    ],
)
def test_the_small_markdown_of_letters(text: str, html: str) -> None:
    assert to_html(text).strip() == html


@pytest.mark.parametrize(
    "text",
    ["# 5", "Total\n---", "Total\n===", "    four spaces", "&copy; &lt;b&gt;", "[1]: https://example.com", "~~no~~"],
)
def test_what_letters_do_not_mean_stays_as_it_was_written(text: str) -> None:
    shown = LexborHTMLParser(to_html(text)).text()
    assert "".join(shown.split()) == "".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "[x](//example.com)",
        "[x](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "![x](javascript:alert(1))",
        '![x"onerror="alert(1)](attachment:1)',
        '[x](https://example.com/"onclick="alert(1))',
        "[x](attachment:1)",
        "![x](https://evil.example/pixel.png)",
        '[x](https://example.com "onmouseover=alert(1)")',
    ],
)
def test_nothing_acts(text: str) -> None:
    check_harmless(to_html(text, lambda number: f"cid:{number}@example.com"))


def check_harmless(html: str) -> None:
    tree = LexborHTMLParser(html)
    body = tree.body
    assert body is not None
    allowed = {"body", "p", "br", "a", "img", "strong", "em", "ul", "ol", "li", "blockquote", "code", "pre", "div"}
    for node in body.traverse():
        assert node.tag in allowed
        assert set(node.attributes) <= {"href", "src", "alt", "style", "start", "class"}
        assert re.match(r"https?://|mailto:|tel:", node.attributes.get("href") or "https://", re.IGNORECASE)
        assert re.match(r"cid:[0-9]+@example\.com$", node.attributes.get("src") or "cid:1@example.com")


@given(st.text(alphabet=st.sampled_from("ab \n*_`[]()<>!#-+>1.\\&\"'@:/~|=") | st.characters(), max_size=120))
def test_no_text_makes_anything_that_acts(text: str) -> None:
    check_harmless(to_html(text, lambda number: f"cid:{number}@example.com"))
    assert to_plain(text) is not None


def test_a_picture_stands_where_the_text_puts_it() -> None:
    addresses = {12: "cid:twelve@example.com"}
    html = to_html("Look: ![plan](attachment:12) and ![other](attachment:13)", addresses.get)
    assert '<img src="cid:twelve@example.com" alt="plan"' in html
    assert "[other]" in html
    assert "attachment:" not in html


def test_a_picture_from_elsewhere_is_a_link() -> None:
    assert to_html("![cat](https://example.com/cat.png)") == '<p><a href="https://example.com/cat.png">cat</a></p>\n'


def test_the_plain_text_is_the_text_itself_with_the_names_of_pictures() -> None:
    text = (
        "Hello **Ani**,\n\n- see ![plan of the *house*](attachment:12)\n- [us](https://example.com)![](attachment:13)"
    )
    plain = "Hello **Ani**,\n\n- see [plan of the *house*]\n- [us](https://example.com)"
    assert to_plain(text) == plain


def test_a_very_long_text_is_shown_as_it_stands() -> None:
    html = to_html("**a** <b>\n" * MARKUP_LIMIT)
    assert "**a** &lt;b&gt;<br>" in html
    check_harmless(html)


@pytest.mark.parametrize(
    "piece",
    [
        *["[", "![", "*", "**a *a ", "`", "> ", "- ", "a@", "www.", "[a](", "<a:", "_a", "\\", "> a\n", "https://a("],
        "![a](attachment:1)",
    ],
)
def test_a_hostile_text_takes_no_more_than_a_moment(piece: str) -> None:
    text = (piece * MARKUP_LIMIT)[:MARKUP_LIMIT]
    started = time.perf_counter()
    to_html(text)
    to_plain(piece * 50_000)
    # The slowest takes 0.4 s on a quiet machine.
    assert time.perf_counter() - started < 4


def test_a_line_below_a_quote_is_no_part_of_it() -> None:
    html = to_html("> You asked\nYes.\n> And\n> this?\n![a](attachment:1)")
    assert html.count("<blockquote") == 2
    assert "Yes." not in html.partition("<blockquote")[2].partition("</blockquote>")[0]
