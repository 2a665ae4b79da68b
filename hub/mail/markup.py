"""The agent's text as a mail says it: simple HTML for those who see HTML, nearly the text itself for those who do not.

The text is a small part of Markdown: **bold**, *italic*, lists, quotes, `code`, fenced code, [words](https://…), bare
addresses of web pages and mail boxes, and `![name](attachment:12)` where a picture of the message belongs. A single line
break is a line break. What Markdown would do beyond that is left out, because it surprises people who write letters: a
line of dashes makes no heading, four spaces make no code, and `&copy;` stays what was written. No HTML passes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

ImageAddress = Callable[[int], str | None]
"""Attachment id → the address of the picture (`cid:…`); None when there is no such picture."""

# Markdown's worst cases are quadratic in the length of a paragraph; longer texts are shown as they stand. No letter
# written by hand is that long.
MARKUP_LIMIT = 20_000

_ATTACHMENT = re.compile(r"attachment:([0-9]{1,18})")
_LINK_TARGET = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]{1,2000}", re.IGNORECASE)
_IMAGE_IN_TEXT = re.compile(r"!\[([^\[\]\n]{0,200})\]\(attachment:[0-9]{1,18}\)")
# What is an address in running text. Every repetition is bounded or ends at a character it cannot contain.
_BARE = re.compile(
    r"(?<![\w@/.+-])(?:(?P<web>https?://[^\s<>\"]{1,2000}|www\.[^\s<>\"]{4,2000})"
    r"|(?P<mail>[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}))",
    re.IGNORECASE,
)
_AFTER_ADDRESS = ".,;:!?'*_)]}»”’…։"
_QUOTE_STYLE = "margin:0 0 0 0.8ex;border-left:1px solid #ccc;padding-left:1ex"


# A line below a quote without its mark would belong to the quote by Markdown's rules; nobody means that.
_QUOTE_ENDS = re.compile(r"^(>[^\n]*\n)(?=[^>\s])", re.MULTILINE)


def to_html(text: str, image_address: ImageAddress | None = None) -> str:
    """The text as an HTML fragment. A picture that `image_address` does not know stays as [name]."""
    if len(text) > MARKUP_LIMIT:
        return plain_to_html(to_plain(text))
    html: str = _markdown().render(_QUOTE_ENDS.sub(r"\1\n", text), {"image_address": image_address or (lambda _: None)})
    return html


def plain_to_html(text: str) -> str:
    """A text without any markup as an HTML fragment: escaped, its line breaks and indents kept."""
    lines = escape(text).replace("\t", "    ").replace("  ", " &nbsp;").split("\n")
    return "<div>" + "<br>\n".join(lines) + "</div>\n"


def to_plain(text: str) -> str:
    """What the text/plain part says."""
    return _IMAGE_IN_TEXT.sub(lambda found: f"[{found[1]}]" if found[1] else "", text)


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("zero", {"breaks": True, "html": False})
    markdown.enable(
        ["blockquote", "list", "fence", "newline", "escape", "backticks", "emphasis", "link", "image", "autolink"]
    )
    markdown.validateLink = _may_link  # type: ignore[method-assign]
    markdown.core.ruler.after("inline", "bare_addresses", _link_bare_addresses)
    markdown.add_render_rule("image", _render_image)
    markdown.add_render_rule("link_open", _render_link_open)
    markdown.add_render_rule("blockquote_open", _render_quote_open)
    return markdown


def _may_link(url: str) -> bool:
    # An attachment may be shown as a picture; a link to one is taken apart when it is rendered.
    return bool(_LINK_TARGET.fullmatch(url) or _ATTACHMENT.fullmatch(url))


def _render_link_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    href = str(tokens[index].attrGet("href") or "")
    if not _LINK_TARGET.fullmatch(href):
        return "<a>"
    return f'<a href="{escape(href)}">'


def _render_quote_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    return f'<blockquote style="{_QUOTE_STYLE}">\n'


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    name = escape(token.content)
    found = _ATTACHMENT.fullmatch(source)
    address = env["image_address"](int(found[1])) if found else None
    if address is not None:
        return f'<img src="{escape(address)}" alt="{name}" style="max-width:100%">'
    if found is None:
        # A picture elsewhere would tell its owner who reads the mail, and when.
        return f'<a href="{escape(source)}">{name or escape(source)}</a>'
    return f"[{name}]"


def _link_bare_addresses(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_with_links(token.children))


def _with_links(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if depth or token.type != "text":
            yield token
        else:
            yield from _linked(token.content)


def _linked(text: str) -> Iterator[Token]:
    done = 0
    for found in _BARE.finditer(text):
        address = _without_tail(found[0])
        href = f"mailto:{address}" if found["mail"] else address if "://" in address[:8] else f"https://{address}"
        yield _text(text[done : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": href})
        yield _text(address)
        yield Token("link_close", "a", -1)
        done = found.start() + len(address)
    yield _text(text[done:])


def _without_tail(address: str) -> str:
    """Punctuation behind an address belongs to the sentence; a closing bracket to whoever opened it."""
    end = len(address)
    while end and address[end - 1] in _AFTER_ADDRESS:
        if address[end - 1] == ")" and address.count("(", 0, end) >= address.count(")", 0, end):
            break
        end -= 1
    return address[:end]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
