"""The HTML of a mail: as text a person can read, and made safe to be shown.

`text_from_html` (and `lines_from_html`, which also tells which region of the mail each line stands in) reads with lexbor.
`make_safe` lets `nh3` (ammonia) build the result from a list of what mail needs and nothing else; what it lets through is
written in one canonical form, in which this module then settles the images. `document` wraps the result for a sandboxed
frame that has a Content-Security-Policy of its own: the second lock, should the first have a fault.

Both parsers build a tree as browsers do, and that has quadratic corners: a million `<div>` take minutes. So a mail with
very many tags is first rewritten into balanced tags of a bounded depth (`_tame`), in one pass. Nothing here raises,
whatever the mail; nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape, unescape
from itertools import islice
from typing import Final
from urllib.parse import unquote

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

# Characters of HTML that are read for text. The longest newsletters are some hundred kB; what is larger carries pictures
# as data: URLs, and those stand in attributes, not in the text one reads.
TEXT_LIMIT: Final = 2_000_000
# Characters of HTML that are shown. Above it the reader is sent to the text or to the raw message.
SAFE_LIMIT: Final = 5_000_000
# Ampersands that are shown. nh3 takes quadratic time over them (1,000,000 times "&amp;": 6 s), so that many references
# are first turned into the characters themselves.
REFERENCE_LIMIT: Final = 200_000
_MANY_REFERENCES: Final = 20_000
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_MARKUP: Final = frozenset("&<>\"'`=")
TOO_LARGE: Final = "This mail's HTML is too large to be shown here. Read its text, or download the message."

# Up to so many tags no nesting costs either parser more than some 0.2 s (measured: 10,000 open <div> take nh3 0.15 s,
# 20,000 take 0.6 s). Newsletters have 500 to 5,000.
_TAG_LIMIT: Final = 10_000
# How deep tamed HTML may be. Forty levels are usual in newsletters made of tables, and each further mail in a thread of
# answers adds three or four.
_DEPTH_LIMIT: Final = 150
# What stands behind so many tags is not read as text: a megabyte of nothing but tags would take over a second.
_TEXT_TAG_LIMIT: Final = 100_000
_ATTRIBUTE_LIMIT: Final = 30
# A tag this long may have hundreds of attributes, and both parsers compare each with all before it (100,000 of them in
# one tag: 17 s in lexbor).
_LONG_TAG = re.compile(r"<[^<>]{1000}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- taming: balanced and bounded -------------------------------------------------------------------------------------

_VOID: Final = _words("area base br col embed hr img input link meta param source track wbr")
# Elements whose content is not markup: dropped up to their end tag.
_RAW: Final = _words("iframe noembed noframes script style title xmp")
# Elements with parsing rules of their own, none of which a mail needs: the tag goes, the content stays.
_ODD: Final = _words("body frame frameset head html math option optgroup plaintext select svg template textarea")
# A start tag closes the ones named behind it, if they are the innermost.
_CELL: Final = frozenset({"td", "th", "p", "li"})
_IMPLIED: Final[Mapping[str, frozenset[str]]] = {
    "p": frozenset({"p"}),
    "li": frozenset({"p", "li"}),
    "dt": frozenset({"p", "dt", "dd"}),
    "dd": frozenset({"p", "dt", "dd"}),
    "td": _CELL,
    "th": _CELL,
    "tr": _CELL | {"tr"},
    "tbody": _CELL | {"tr", "tbody", "thead", "tfoot"},
    "tfoot": _CELL | {"tr", "tbody", "thead"},
    "thead": _CELL | {"tr", "tbody", "thead"},
}
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:-]{0,29}+)")
# To the end of a tag. Every quantifier is possessive: one look at each character, no way back.
_TAG_END = re.compile(r"""(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>""")
_ATTRIBUTE = re.compile(r"""([a-zA-Z][a-zA-Z:-]{0,29}+)\s*+(?:=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'=<>`]++)))?+""")


def _tame(html: str) -> str:
    """`html` itself where it is harmless, else the same text in balanced tags of a bounded depth."""
    is_harmless = html.count("<") <= _TAG_LIMIT and _LONG_TAG.search(html) is None
    return html if is_harmless else "".join(_balanced(html))


def _balanced(html: str) -> Iterator[str]:
    """The tags are written anew, so that every parser sees the structure that was counted here. `open_` holds the names
    of what is open (with "" for those that were too deep to be written), `counts` how many of each: an end tag that has
    nothing to close is dropped without a search."""
    open_: list[tuple[str, bool]] = []
    counts: dict[str, int] = {}
    written = 0

    def close() -> str:
        nonlocal written
        name, is_written = open_.pop()
        counts[name] -= 1
        written -= is_written
        return f"</{name}>" if is_written else ""

    position, size = 0, len(html)
    while position < size:
        start = html.find("<", position)
        if start < 0:
            yield html[position:]
            break
        yield html[position:start]
        if html.startswith(("<!", "<?"), start):
            closing = "-->" if html.startswith("<!--", start) else ">"
            end = html.find(closing, start + 2)
            position = size if end < 0 else end + len(closing)
            continue
        named = _NAME.match(html, start + 1)
        if named is None:
            yield "&lt;"
            position = start + 1
            continue
        tag_end = _TAG_END.match(html, named.end())
        if tag_end is None:
            break  # a tag that never ends swallows the rest, as in a browser
        position = tag_end.end()
        name = named.group(1).lower()
        is_end = html[start + 1] == "/"
        if name in _RAW:
            if not is_end:
                position = _end_of_raw(html, name, position)
        elif name in _ODD:
            continue
        elif is_end:
            if counts.get(name):
                while open_[-1][0] != name:
                    yield close()
                yield close()
        else:
            implied = _IMPLIED.get(name)
            while implied is not None and open_ and open_[-1][0] in implied:
                yield close()
            attributes = html[named.end() : tag_end.end() - 1]
            if name in _VOID:
                yield _start_tag(name, attributes)
                continue
            fits = written < _DEPTH_LIMIT
            open_.append((name, fits))
            counts[name] = counts.get(name, 0) + 1
            written += fits
            if fits:
                yield _start_tag(name, attributes)
    while open_:
        yield close()


def _end_of_raw(html: str, name: str, position: int) -> int:
    """Behind the end tag; the end of it all where there is none."""
    found = re.compile(rf"</{name}[^>]*+>?", re.IGNORECASE).search(html, position)
    return found.end() if found else len(html)


def _start_tag(name: str, attributes: str) -> str:
    if "=" not in attributes:
        return f"<{name}>"
    pairs = [
        f' {match[1]}="{(match[2] or match[3] or match[4] or "").replace(chr(34), "&quot;")}"'
        for match in islice(_ATTRIBUTE.finditer(attributes), _ATTRIBUTE_LIMIT)
    ]
    return f"<{name}{''.join(pairs)}>"


def _clean_text(html: str) -> str:
    """Without lone surrogates, which neither parser can take, and NUL."""
    return html.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


# --- text -------------------------------------------------------------------------------------------------------------


class Region(StrEnum):
    """What part of the mail an element is, as far as its markup tells.

    ATTRIBUTION  the line that says who is quoted
    QUOTE        what was quoted or forwarded: this element
    TAIL         quoted from here to the end of the mail
    HEADER       the same, if what follows looks like a header block
    SIGNATURE    a signature
    """

    ATTRIBUTION = "attribution"
    QUOTE = "quote"
    TAIL = "tail"
    HEADER = "header"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class TextLine:
    text: str
    region: Region | None = None


# What an element (its tag, its attributes) begins.
Classifier = Callable[[str, Mapping[str, str | None]], Region | None]

_SKIPPED: Final = _words(
    "-comment applet audio canvas embed head iframe link meta noembed noframes object script style svg template title"
    " video"
)
_BLOCKS: Final = _words(
    "address article aside body center dd details dialog dir div dl dt fieldset figcaption figure footer form header hr"
    " legend li main menu nav ol optgroup option section summary tbody tfoot thead tr ul caption"
)
_PARAGRAPHS: Final = _words("p h1 h2 h3 h4 h5 h6 table pre blockquote ul ol dl hr xmp listing")
# Fillers of preheaders and of broken lines. ZWNJ and ZWJ mean something within a word (Persian, emoji) and stay there.
_FILLERS: Final = "\u200b\u200c\u200d\u2060\ufeff\u034f\u00ad\u180e"
_ALT_LIMIT: Final = 80  # longer ones describe a picture to those who cannot see it; they are nobody's message
_ADDRESS_LIMIT: Final = 300  # longer ones are trackers' and bury the text; the HTML view has them
_QUOTE_DEPTH_LIMIT: Final = 20
_NOBODYS_ALTS: Final = _words(
    "image picture photo logo icon banner spacer img pixel header footer photograph imagen bild изображение фото"
    " картинка логотип зображення նկար"
)
_FONT_SIZE = re.compile(r"(?:^|;)font(?:-size)?:[^;]*?(?<![\d.#-])(\d{1,6}(?:\.\d{0,6})?)(?:px|pt|em|rem|%|;|!|$)")


def text_from_html(html: str) -> str:
    """What a person reads in `html`, in lines (no newline at the end); white space collapsed, at most one empty line
    together, quotes as `> ` lines, the cells of a row apart by a tab. HTML beyond TEXT_LIMIT characters is not read."""
    return "\n".join(line.text for line in lines_from_html(html, _no_region))


def _no_region(_tag: str, _attributes: Mapping[str, str | None]) -> Region | None:
    return None


def _first_tags(html: str) -> str:
    return "<".join(html.split("<", _TEXT_TAG_LIMIT)[:_TEXT_TAG_LIMIT])


def lines_from_html(html: str, classify: Classifier) -> tuple[TextLine, ...]:
    """The lines of `text_from_html`, each with the region of its first character. An inner region says nothing within a
    QUOTE. TAIL and HEADER mark only the first line after the element began."""
    tree = LexborHTMLParser(_tame(_clean_text(_first_tags(html[:TEXT_LIMIT]))))
    top = tree.body if tree.body is not None else tree.root
    text = _TextBuilder()
    if top is not None:
        _walk(top, text, classify)
    return text.finish()


@dataclass(slots=True)
class _Open:
    """What has to be taken back when an element ends."""

    is_paragraph: bool = False
    is_block: bool = False
    is_cell: bool = False
    quote: bool = False
    pre: bool = False
    is_list: bool = False
    link: bool = False
    sized: bool = False
    regional: bool = False
    was_invisible: bool = False
    was_region: Region | None = None


def _walk(top: LexborNode, text: _TextBuilder, classify: Classifier) -> None:
    """Depth first, without recursion: a mail may be nested deeper than Python's stack."""
    node: LexborNode | None = top
    ends: list[_Open | None] = []
    while node is not None:
        tag = node.tag
        child = None
        if tag == "-text":
            text.add(node.text_content or "")
        elif tag is not None and tag not in _SKIPPED:
            opened = _enter(tag, node.attributes, text, classify)
            child = node.first_child if opened is not None else None
            if opened is not None and child is None:
                text.leave(opened)
            elif opened is not None:
                ends.append(opened)
        if child is not None:
            node = child
            continue
        while node is not None and ends and node.next is None:
            ended = ends.pop()
            if ended is not None:
                text.leave(ended)
            node = node.parent
        node = node.next if node is not None and ends else None


def _enter(tag: str, attributes: Mapping[str, str | None], text: _TextBuilder, classify: Classifier) -> _Open | None:
    """Begins the element; None where nothing of it is read."""
    if tag == "br":
        text.break_line()
        return None
    style = _squeeze(attributes.get("style"))
    if "hidden" in attributes or _is_hidden(style):
        return None
    if tag == "img":
        text.add_alt(attributes)
        return None
    opened = _Open(
        is_paragraph=tag in _PARAGRAPHS and not (text.lists and tag in ("ul", "ol")),
        is_block=tag in _BLOCKS,
        is_cell=tag in ("td", "th"),
        was_invisible=text.is_invisible,
        was_region=text.region,
    )
    region = None if text.region is Region.QUOTE else classify(tag, attributes)
    if region is not None:
        opened.regional = True
        if region in (Region.TAIL, Region.HEADER):
            text.rest_begins = text.rest_begins or region
        else:
            text.region = region
    if style and (sized := _FONT_SIZE.search(style)):
        opened.sized = True
        text.is_invisible = float(sized[1]) == 0
    if opened.is_paragraph:
        text.space(2)
    elif opened.is_block:
        text.space(1)
    match tag:
        case "td" | "th":
            text.begin_cell()
        case "tr":
            text.begin_row()
        case "li":
            text.begin_item()
        case "ul" | "ol":
            opened.is_list = True
            text.begin_list(_list_start(tag, attributes))
        case "pre" | "listing" | "xmp":
            opened.pre = True
            text.pre += 1
        case "blockquote" if not is_indentation(style):
            opened.quote = True
            text.quote += 1
        case "a":
            opened.link = text.begin_link(attributes.get("href"))
    return opened


def _list_start(tag: str, attributes: Mapping[str, str | None]) -> int | None:
    if tag != "ol":
        return None
    start = attributes.get("start") or "1"
    return int(start) if start.isascii() and start.isdecimal() and len(start) < 7 else 1


def _squeeze(style: str | None) -> str:
    """A style attribute without white space, lower case, bounded."""
    return "".join(style[:2000].lower().split()) if style else ""


def is_indentation(squeezed_style: str) -> bool:
    """Gmail, Apple Mail and Outlook on the web indent with a <blockquote> that says it is no quote."""
    return "border:none" in squeezed_style and "border-left" not in squeezed_style and "margin" in squeezed_style


def _is_hidden(style: str) -> bool:
    """`mso-hide:all` alone hides from Outlook only: buttons carry it for everybody else's sake."""
    if not style:
        return False
    if "display:none" in style or "visibility:hidden" in style:
        return True
    collapsed = "max-height:0" in style and "max-height:0." not in style
    return (collapsed and ("overflow:hidden" in style or "mso-hide:all" in style)) or (
        "mso-hide:all" in style and "opacity:0" in style and "opacity:0." not in style
    )


@dataclass(slots=True)
class _TextBuilder:
    """Collects words into lines. A break is remembered (`gap`: 1 a new line, 2 an empty line between) and made only when
    the next word comes, so that nested blocks make one break."""

    lines: list[TextLine] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    gap: int = 0
    wants_space: bool = False
    bullet: str = ""
    quote: int = 0
    pre: int = 0
    is_invisible: bool = False
    region: Region | None = None
    rest_begins: Region | None = None
    lists: list[int | None] = field(default_factory=list)
    link: tuple[str, list[str]] | None = None
    # Of the line that is being collected.
    line_quote: int = 0
    line_region: Region | None = None
    # How many lines have begun, and the one in which the last cell did; 0 before the first cell of a row.
    begun: int = 0
    cell_line: int = 0
    cell_tab: bool = False

    def add(self, text: str) -> None:
        if self.is_invisible:
            return
        if self.pre:
            self._add_preformatted(text)
            return
        words = text.split()
        if not words:
            self.wants_space = True
            return
        if text[0].isspace():
            self.wants_space = True
        kept = " ".join(words)
        if any(filler in kept for filler in _FILLERS):
            kept = " ".join(word for word in words if word.strip(_FILLERS)).replace("\u200b", "").replace("\u00ad", "")
        if kept:
            self._put(kept)
        self.wants_space = text[-1].isspace()

    def _add_preformatted(self, text: str) -> None:
        for number, piece in enumerate(text.replace("\r\n", "\n").split("\n")):
            if number:
                self.break_line()
            if not piece.isspace() and piece:
                self.wants_space = False
                self._put(piece.rstrip())

    def _put(self, text: str) -> None:
        if self.gap:
            self._begin_line()
        if not self.words:
            self.begun += 1
            self.line_quote = min(self.quote, _QUOTE_DEPTH_LIMIT)
            self.line_region = self.region
            if self.rest_begins is not None and self.region is not Region.QUOTE:
                self.line_region = self.rest_begins
            self.rest_begins = None
            if self.bullet:
                self.words.append(self.bullet)
                self.bullet = ""
        elif self.cell_tab:
            self.words.append("\t")
        elif self.wants_space:
            self.words.append(" ")
        self.cell_tab = False
        self.words.append(text)
        if self.link is not None:
            self.link[1].append(text)

    def _begin_line(self) -> None:
        gap, self.gap = self.gap, 0
        self._flush()
        if gap > 1 and self.lines and self.lines[-1].text.strip("> "):
            # An empty line between two quoted ones belongs to the quote.
            depth = min(self.quote, self.line_quote, _QUOTE_DEPTH_LIMIT)
            within = self.lines[-1].region
            self.lines.append(TextLine(("> " * depth).rstrip(), within if within is self.region else None))

    def _flush(self) -> None:
        if self.words:
            text = "> " * self.line_quote + "".join(self.words)
            self.lines.append(TextLine(text.rstrip(), self.line_region))
            self.words = []
        self.wants_space = False

    def space(self, gap: int) -> None:
        """A break of at least this size comes before the next word; not at the head of a cell that goes on in a line."""
        if not self.cell_tab:
            self.gap = max(self.gap, gap)

    def break_line(self) -> None:
        if not self.is_invisible:
            self.gap = min(self.gap + 1, 2)

    def begin_row(self) -> None:
        self.end_cell()
        self.cell_line = 0

    def begin_cell(self) -> None:
        if self.words and self.cell_line == self.begun:
            # The last cell was one line, and this one goes on in it.
            self.gap, self.cell_tab = 0, True
        else:
            self.space(1)
            self.cell_line = self.begun + 1

    def end_cell(self) -> None:
        self.cell_tab = False
        self.space(1)

    def begin_list(self, start: int | None) -> None:
        self.lists.append(start)

    def begin_item(self) -> None:
        number = self.lists[-1] if self.lists else None
        indent = "  " * min(len(self.lists) - 1, 5)
        if number is None:
            self.bullet = f"{indent}• "
        else:
            self.bullet = f"{indent}{number}. "
            self.lists[-1] = number + 1

    def begin_link(self, href: str | None) -> bool:
        if href is None or self.link is not None:
            return False
        self.link = (href.strip(), [])
        return True

    def add_alt(self, attributes: Mapping[str, str | None]) -> None:
        alt = " ".join((attributes.get("alt") or "").split())
        is_name = re.search(r"\.[A-Za-z]{3,4}$|^cid:|^https?:", alt[-200:]) is not None
        if (
            alt
            and len(alt) <= _ALT_LIMIT
            and not is_name
            and alt.lower() not in _NOBODYS_ALTS
            and not is_pixel(attributes)
        ):
            self.add(alt)

    def leave(self, opened: _Open) -> None:
        if opened.link and self.link is not None:
            href, words = self.link
            self.link = None
            self._add_address(href, " ".join(words))
        if opened.is_cell:
            self.end_cell()
        elif opened.is_paragraph:
            self.space(2)
        elif opened.is_block:
            self.space(1)
        if opened.regional:
            self.region = opened.was_region
        if opened.sized:
            self.is_invisible = opened.was_invisible
        if opened.quote:
            self.quote -= 1
        if opened.pre:
            self.pre -= 1
        if opened.is_list:
            self.lists.pop()

    def _add_address(self, href: str, text: str) -> None:
        scheme = href[:8].lower()
        if not text or not self.words or len(href) > _ADDRESS_LIMIT or not scheme.startswith(_LINKED):
            return
        if _bare_address(href) != _bare_address(text):
            self.words.append(f" [{'%20'.join(href.split())}]")

    def finish(self) -> tuple[TextLine, ...]:
        self._flush()
        while self.lines and not self.lines[-1].text:
            self.lines.pop()
        return tuple(self.lines)


_LINKED: Final = ("http://", "https://", "mailto:")


def _bare_address(text: str) -> str:
    bare = text.strip().lower().removeprefix("mailto:").removeprefix("https://").removeprefix("http://")
    return bare.removeprefix("www.").rstrip("/").strip("<>")


def is_pixel(attributes: Mapping[str, str | None]) -> bool:
    """Whether an image is too small to be seen: it counts readers."""
    style = _squeeze(attributes.get("style"))
    sizes = []
    for name in ("width", "height"):
        # What the style says wins, as in a browser.
        styled = re.search(rf"(?:^|;){name}:([^;]{{1,20}})", style)
        size = re.fullmatch(
            r"0*([01])(?:\.\d{0,6})?(?:px|pt)?(?:!important)?",
            styled[1] if styled else (attributes.get(name) or "").strip()[:20],
        )
        sizes.append(size is not None)
    return all(sizes) or "display:none" in style


# --- safe HTML --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """`html` is the inner HTML of a body. `remote` counts the images that lie elsewhere, `blocked` those of them that
    would be seen if the reader asked for them (counting pixels are never shown and not counted there)."""

    html: str
    blocked: int
    remote: int


_TAGS: Final = _words(
    "a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn"
    " div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nobr ol p pre q"
    " rp rt ruby s samp section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var"
    " wbr"
)
# Gone with everything in them.
_GONE: Final = _words(
    "applet audio canvas datalist embed frame frameset iframe math noembed noframes noscript object script select style"
    " svg template title video xml"
)
_TABLE_LOOK: Final = frozenset({"align", "bgcolor", "height", "valign", "width"})
_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "*": frozenset({"dir", "lang", "style", "title", "align"}),
    "a": frozenset({"href"}),
    "col": _TABLE_LOOK | {"span"},
    "colgroup": _TABLE_LOOK | {"span"},
    "font": frozenset({"color", "face", "size"}),
    "hr": frozenset({"color", "noshade", "size", "width"}),
    "img": frozenset({"alt", "border", "height", "hspace", "src", "vspace", "width"}),
    "li": frozenset({"type", "value"}),
    "ol": frozenset({"start", "type"}),
    "table": _TABLE_LOOK | {"border", "bordercolor", "cellpadding", "cellspacing"},
    "tbody": _TABLE_LOOK,
    "td": _TABLE_LOOK | {"colspan", "nowrap", "rowspan"},
    "tfoot": _TABLE_LOOK,
    "th": _TABLE_LOOK | {"colspan", "nowrap", "rowspan"},
    "thead": _TABLE_LOOK,
    "tr": _TABLE_LOOK,
    "ul": frozenset({"type"}),
}
# What a style attribute may say. Nothing that loads, moves over something else, or is drawn outside its place.
_PROPERTIES: Final = _words(
    "background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width"
    " border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius"
    " border-right border-right-color border-right-style border-right-width border-spacing border-style border-top"
    " border-top-color border-top-style border-top-width border-width caption-side clear color direction display float"
    " font font-family font-size font-style font-variant font-weight height letter-spacing line-height list-style"
    " list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width min-height"
    " min-width opacity overflow overflow-wrap padding padding-bottom padding-left padding-right padding-top"
    " table-layout text-align text-decoration text-indent text-transform unicode-bidi vertical-align visibility"
    " white-space width word-break word-wrap word-spacing"
)
_STYLE_LIMIT: Final = 4000  # characters; Outlook writes some 500
# Words, numbers, colours, font names. No backslash, colon, at sign, angle bracket or comment can be in it.
_VALUE = re.compile(r"""[\w\s#%.,()'"!+-]{1,300}+""", re.ASCII)
_FUNCTION = re.compile(r"([\w-]*)\(", re.ASCII)
_FUNCTIONS: Final = frozenset({"rgb", "rgba", "hsl", "hsla"})
# As nh3 writes a tag: attributes are quoted with ", and no " is inside them. A < that begins nothing of the kind is not
# expected; it becomes text, so that no <img> can get past us in another shape.
_CANONICAL_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*+)((?: [^\s=>"]++="[^"]*+")*+)>|<')
_CANONICAL_ATTRIBUTE = re.compile(r' ([^\s=>"]++)="([^"]*+)"')
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*+", re.IGNORECASE)
_HTTP = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
# Browsers take these out of a URL, or off its ends, before they look at the scheme (URL standard, "basic URL parser").
_UNSEEN_IN_URLS: Final = {code: None for code in (*range(0x21), *range(0x7F, 0xA0))}


def make_safe(html: str, *, inline: Mapping[str, str], show_remote: bool) -> SafeHtml:
    """What may be shown of a mail's HTML. `inline` maps a content id to the URL that shows its part.

    Never raises. What is longer than SAFE_LIMIT characters, or has more than REFERENCE_LIMIT ampersands, becomes a note
    that says so.
    """
    if len(html) > SAFE_LIMIT or html.count("&") > REFERENCE_LIMIT:
        return SafeHtml(f"<p>{escape(TOO_LARGE)}</p>", 0, 0)
    if html.count("&") > _MANY_REFERENCES:
        html = _REFERENCE.sub(_as_character, html)
    cleaned = nh3.clean(
        _tame(_clean_text(html)),
        tags=set(_TAGS),
        clean_content_tags=set(_GONE),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_filter_attribute,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )
    pictures = _Pictures(inline, show_remote)
    return SafeHtml(_CANONICAL_TAG.sub(pictures.settle, cleaned), pictures.blocked, pictures.remote)


def _as_character(reference: re.Match[str]) -> str:
    character = unescape(reference[0])
    return reference[0] if character in _MARKUP else character


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    """nh3 asks for each attribute of the allow-list; None takes it away."""
    if name == "style":
        return _safe_style(value) or None
    if name == "href":
        scheme = value.translate(_UNSEEN_IN_URLS)[:8].lower()
        return value.strip() if scheme.startswith(("http://", "https://", "mailto:", "tel:")) else None
    if name == "src":
        return value if tag == "img" else None
    return value


def _safe_style(style: str) -> str:
    """The declarations of the allow-list, in plain words: one that could be anything else is left out."""
    kept = []
    for declaration in style[:_STYLE_LIMIT].split(";"):
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or name not in _PROPERTIES or not _VALUE.fullmatch(value):
            continue
        if value.count('"') % 2 or value.count("'") % 2 or value.count("(") != value.count(")"):
            continue
        if all(function.lower() in _FUNCTIONS for function in _FUNCTION.findall(value)):
            kept.append(f"{name}:{value}")
    return ";".join(kept)


@dataclass(slots=True)
class _Pictures:
    """Settles what becomes of each <img>, and counts."""

    inline: Mapping[str, str]
    show_remote: bool
    blocked: int = 0
    remote: int = 0

    def settle(self, tag: re.Match[str]) -> str:
        if tag[2] == "a" and not tag[1]:
            return _signposted(tag[0], tag[3])
        if tag[2] != "img":
            return tag[0] if tag[2] is not None else "&lt;"
        attributes = {name: unescape(value) for name, value in _CANONICAL_ATTRIBUTE.findall(tag[3])}
        source = attributes.pop("src", "").strip()
        alt = attributes.get("alt", "")
        if _HTTP.match(source):
            self.remote += 1
            if is_pixel(attributes):
                return ""
            if self.show_remote:
                return _image(attributes, source)
            self.blocked += 1
            return _image(attributes, None)
        if source[:4].lower() == "cid:":
            url = self._inline_url(source[4:])
            return _image(attributes, url) if url is not None else escape(alt)
        if _PICTURE.fullmatch(source):
            return _image(attributes, source)
        return escape(alt)

    def _inline_url(self, content_id: str) -> str | None:
        """By the id as it stands, and as a URL writes it (RFC 2392: percent-encoded)."""
        plain = content_id.strip().strip("<>")
        return self.inline.get(plain) or self.inline.get(unquote(plain))


def _signposted(tag: str, attributes: str) -> str:
    """A link says where it leads when the pointer rests on it: its words may say something else."""
    address = next((value for name, value in _CANONICAL_ATTRIBUTE.findall(attributes) if name == "href"), None)
    return tag if address is None else f'{tag[:-1]} title="{address}">'


def _image(attributes: Mapping[str, str], source: str | None) -> str:
    pairs = [*attributes.items()] if source is None else [("src", source), *attributes.items()]
    return "<img" + "".join(f' {name}="{escape(value)}"' for name, value in pairs) + ">"


# --- the document for the frame ---------------------------------------------------------------------------------------

# Mails are written for white paper, whatever the console's own colours.
_STYLE: Final = """
html{background:#fff;color:#1b1b1b}
body{margin:0;padding:12px;font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
overflow-wrap:anywhere}
img{max-width:100%;height:auto}
table{max-width:100%}
pre{white-space:pre-wrap}
blockquote{margin:0 0 0 8px;padding:0 0 0 10px;border-left:2px solid #ccc}
"""


def document(safe: SafeHtml, *, image_origins: str) -> tuple[str, str]:
    """The whole document for a sandboxed frame, and the value of its Content-Security-Policy header.

    `image_origins` are CSP sources, apart by spaces: ours, and `https: http:` where remote images may be shown.
    Raises ValueError where they are no sources.
    """
    if re.search(r"[;,\r\n]", image_origins):
        raise ValueError("image_origins must be CSP sources apart by spaces")
    policy = "; ".join(
        (
            "sandbox allow-popups allow-popups-to-escape-sandbox",
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            f"img-src {' '.join((*image_origins.split(), 'data:'))}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )
    page = (
        '<!doctype html><html dir="auto"><head><meta charset="utf-8"><meta name="color-scheme" content="light">'
        '<meta name="referrer" content="no-referrer">'
        f'<style>{_STYLE}</style><title>Mail</title></head><body dir="auto">{safe.html}</body></html>'
    )
    return page, policy
