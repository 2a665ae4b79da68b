"""What somebody wrote this time, apart from what the mail program put below it.

A mail's text becomes spans: WRITTEN, QUOTED, SIGNATURE. Nothing is deleted, and when in doubt a line is WRITTEN: a customer's
sentence that is folded away is worse than a quotation that is not.

What counts as quoted:
  * `>` lines, wherever they stand (answers between them stay written), and the attribution line above them
  * everything from a separator ("-----Original Message-----"), from a header block (From, Sent, To, Subject) or from an
    attribution line that carries a date and a name or an address, to the end
  * in HTML, what the mail program marked as quoted, by the names it uses
If nothing was written above, what follows such a line is the message itself (a forwarded mail): WRITTEN.
A signature is one only at the end of something written, and only if something written remains.

The words are in `hub.mail.quoting_words`. All tests look at single lines, cut at a bounded length, with regular expressions
that cannot run away; the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from hub.domain.mail import Span, SpanKind
from hub.mail.html import Region, TextLine, is_indentation, lines_from_html
from hub.mail.quoting_words import DEVICES, LANGUAGES, PHONE_WORDS, Language

# Lines beyond it share the fate of the last one before. Long threads have some thousand lines, most of them quoted.
_LINE_LIMIT: Final = 20_000
# Characters of a line that are looked at. Attribution lines and header lines with many addresses stay well below.
_LOOK_LIMIT: Final = 1000
# How many lines of a mail may look like the end of an attribution or the start of a header block before we stop looking:
# the costly tests are made only there. A thread of fifty answers has fifty.
_CANDIDATE_LIMIT: Final = 400

_WRITTEN, _QUOTED, _SIGNATURE = SpanKind.WRITTEN, SpanKind.QUOTED, SpanKind.SIGNATURE


def split_text(text: str) -> tuple[Span, ...]:
    """The spans of a plain text; joined they are the text with its line ends made \\n. None for an empty text."""
    text = normalise(text)
    lines = text.split("\n", _LINE_LIMIT)
    return _spans(lines, _judge([TextLine(line) for line in lines]))


def split_html(html: str, text: str | None) -> tuple[Span, ...]:
    """The spans of a mail that has HTML. `text` is its plain text alternative, if it has one.

    Where the HTML marks anything as quoted or as a signature, the spans are those of `text_from_html(html)`; where it
    does not, those of `text`, or of the HTML's text if there is no other.
    """
    lines = lines_from_html(html, _classify)
    has_text = bool(text and text.strip())
    if has_text and (not lines or all(line.region is None for line in lines)):
        return split_text(text or "")
    kept = list(lines[:_LINE_LIMIT])
    if len(lines) > _LINE_LIMIT:
        kept.append(TextLine("\n".join(line.text for line in lines[_LINE_LIMIT:])))
    return _spans([line.text for line in kept], _judge(kept))


def normalise(text: str) -> str:
    """Line ends as \\n."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _spans(lines: Sequence[str], kinds: Sequence[SpanKind]) -> tuple[Span, ...]:
    ended = [f"{line}\n" for line in lines[:-1]] + [lines[-1]] if lines else []
    spans = []
    for kind, run in groupby(zip(kinds, ended, strict=True), key=lambda pair: pair[0]):
        spans.append(Span(kind, "".join(line for _, line in run)))
    return tuple(span for span in spans if span.text)


# --- what the markup says ---------------------------------------------------------------------------------------------

# Classes (whole words of the attribute), by program.
_CLASSES: Final[Mapping[str, Region]] = {
    "gmail_attr": Region.ATTRIBUTION,
    "moz-cite-prefix": Region.ATTRIBUTION,
    "moz-email-headers-table": Region.QUOTE,
    "moz-forward-container": Region.QUOTE,
    "moz-signature": Region.SIGNATURE,
    "gmail_signature": Region.SIGNATURE,
    "gmail_signature_prefix": Region.SIGNATURE,
    "yahoo_quoted": Region.QUOTE,
    "protonmail_quote": Region.QUOTE,
    "protonmail_signature_block": Region.SIGNATURE,
    "tutanota_quote": Region.QUOTE,
    "zmail_extra": Region.QUOTE,
    "outlookmessageheader": Region.TAIL,
    "ms-outlook-mobile-signature": Region.SIGNATURE,
    "ms-outlook-mobile-reference-message": Region.TAIL,
    "front-blockquote": Region.QUOTE,
    "sh-quoted-content": Region.QUOTE,
    "missive_quote": Region.QUOTE,
    "freshdesk_quote": Region.QUOTE,
    "mail-quote": Region.QUOTE,
    "mail-quote-collapse": Region.QUOTE,
    "ygmail": Region.QUOTE,
    "ntes-mailmaster-quote": Region.QUOTE,
    "ntes-mailmaster-signature": Region.SIGNATURE,
    "mailbird_quote": Region.QUOTE,
    "wisestamp_app": Region.SIGNATURE,
}
# Ids, by program.
_IDS: Final[Mapping[str, Region]] = {
    "divrplyfwdmsg": Region.TAIL,  # Outlook on the web and phones
    "appendonsend": Region.TAIL,
    "stopspelling": Region.TAIL,  # Hotmail, Outlook.com of old
    "mail-editor-reference-message-container": Region.TAIL,
    "olk_src_body_section": Region.TAIL,  # Outlook for Mac
    "zwchr": Region.TAIL,  # Zimbra
    "isreplycontent": Region.QUOTE,  # 163.com
    "reply-intro": Region.ATTRIBUTION,  # Roundcube
    "replyblockquote": Region.QUOTE,
    "blockquote_zmail": Region.QUOTE,
    "ms-outlook-mobile-signature": Region.SIGNATURE,
    "signature": Region.SIGNATURE,  # Outlook on the web
    "applemailsignature": Region.SIGNATURE,
    "composer_signature": Region.SIGNATURE,  # Samsung
    "tutanota-mail-signature": Region.SIGNATURE,
    "protonmail_mobile_signature_block": Region.SIGNATURE,
    "zmail_signature": Region.SIGNATURE,
}
_NAMES: Final[Mapping[str, Region]] = {
    "messagereplysection": Region.QUOTE,  # Spark
    "messagesignaturesection": Region.SIGNATURE,
    "quote": Region.QUOTE,  # GMX, Web.de
}
_MARKERS: Final[Mapping[str, Region]] = {
    "__divider__": Region.TAIL,  # Zimbra
    "__quoted_text__": Region.QUOTE,
    "__sig_post__": Region.SIGNATURE,
    "__sig_pre__": Region.SIGNATURE,
}


def _classify(tag: str, attributes: Mapping[str, str | None]) -> Region | None:
    if not attributes:
        return None
    style = "".join((attributes.get("style") or "")[:1000].lower().split())
    if tag == "blockquote":
        if (attributes.get("type") or "").lower() == "cite" or (attributes.get("cite") or "").startswith("mid:"):
            return Region.QUOTE
        if "border-left" in style and not is_indentation(style):
            return Region.QUOTE
    for word in (attributes.get("class") or "")[:500].lower().split():
        if word == "gmail_quote" and tag == "blockquote":
            return Region.QUOTE
        # Outlook prefixes the classes of mails it passes on with x_; Yahoo's have a random prefix.
        region = _CLASSES.get(word.removeprefix("x_"))
        if region is not None:
            return region
        if word.startswith("ydp") and word.endswith("yahoo_quoted"):
            return Region.QUOTE
        if word.startswith("ydp") and word.endswith("signature"):
            return Region.SIGNATURE
    identity = (attributes.get("id") or "")[:100].lower()
    region = _IDS.get(identity.removeprefix("x_"))
    if region is not None:
        return region
    if identity.startswith("yahoo_quoted"):
        return Region.QUOTE
    region = _NAMES.get((attributes.get("name") or "").lower()) if tag in ("div", "blockquote") else None
    if region is not None:
        return region
    region = _MARKERS.get((attributes.get("data-marker") or "").lower())
    if region is not None:
        return region
    if attributes.get("data-signature-widget") is not None:  # Mail.ru
        return Region.SIGNATURE
    # Outlook on the desktop draws a line above its header block: grey, or blue in the older ones.
    if "border-top:solid#e1e1e1" in style or "border-top:solid#b5c4df" in style:
        return Region.HEADER
    return None


# --- words ------------------------------------------------------------------------------------------------------------

# Marks that steer the direction of writing, and fillers; programs put them around names in attribution lines.
_INVISIBLE: Final = dict.fromkeys(
    map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad")
)
_COLONS: Final = ":：՝"
_COLON = re.compile("[:：՝]")
_DASHES: Final = "-–—_=* "


def _plain(line: str) -> str:
    """A line for comparison: without invisible marks and stars of bold type, spaces single, lower case."""
    seen = line[:_LOOK_LIMIT].translate(_INVISIBLE).replace("*", " ")
    return _fold(" ".join(seen.split()))


def _fold(text: str) -> str:
    # İ (Turkish, Azerbaijani) becomes i and a combining dot, which would part it from i.
    return text.casefold().replace("i\u0307", "i").replace("’", "'")


def _all(words: Iterable[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(_fold(word) for group in words for word in group)


def _labels(languages: Iterable[Language]) -> dict[str, frozenset[str]]:
    """label -> the roles it may have ("from", "date", "to", "cc", "subject"); some words mean two things in two
    languages."""
    found: dict[str, set[str]] = {}
    for language in languages:
        roles = (
            ("from", language.sender),
            ("date", language.date),
            ("to", language.to),
            ("cc", language.cc),
            ("subject", language.subject),
        )
        for role, words in roles:
            for word in words:
                found.setdefault(_fold(word), set()).add(role)
    return {label: frozenset(roles) for label, roles in found.items()}


_LABELS: Final = _labels(LANGUAGES)
_LABEL_LENGTH: Final = max(map(len, _LABELS)) + 2
_SEPARATORS: Final = _all(language.separators for language in LANGUAGES)
_ON: Final = tuple(f"{word} " for word in sorted(_all(language.on for language in LANGUAGES)))
_SENT_FROM: Final = tuple(sorted(_all(language.sent_from for language in LANGUAGES)))
_SENT_BY: Final = tuple(sorted(_all(language.sent_by for language in LANGUAGES)))
_CLOSINGS: Final = _all(language.closings for language in LANGUAGES)
_DISCLAIMERS: Final = tuple(sorted(_all(language.disclaimers for language in LANGUAGES)))
_ARMENIAN: Final = _all(language.wrote for language in LANGUAGES if language.code == "hy")
_LONG_DEVICES: Final = tuple(device for device in DEVICES if len(device) > 3)
_SHORT_DEVICES: Final = frozenset(device for device in DEVICES if len(device) <= 3)


def _wrote() -> re.Pattern[str]:
    """Any of the verbs, as words of their own; scripts without spaces (and -suffixes) need no boundary."""
    verbs = sorted(_all(language.wrote for language in LANGUAGES), key=len, reverse=True)
    parts = []
    for verb in verbs:
        head = r"(?<!\w)" if verb[0].isalpha() and verb[0] < "\u3000" else ""
        tail = r"(?!\w)" if verb[-1].isalpha() and verb[-1] < "\u3000" else ""
        parts.append(head + re.escape(verb) + tail)
    return re.compile("|".join(parts))


_WROTE: Final = _wrote()
_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.]\d{2}(?!\d)|\d{1,2}\s?(?:시|时|時)|\d{1,2}h\d{2}")
_DATE = re.compile(r"(?<!\d)(?:19|20|۲۰|۱۳|٢٠)\d{2}(?!\d)|(?<!\d)\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}(?!\d)")


# --- the judgement ----------------------------------------------------------------------------------------------------


def _judge(lines: Sequence[TextLine]) -> list[SpanKind]:
    """A kind for each line. The last of more than _LINE_LIMIT lines is all the rest."""
    mail = _Mail(lines)
    mail.find_quotes()
    mail.find_signatures()
    return mail.settled()


@dataclass(slots=True)
class _Mail:
    lines: Sequence[TextLine]
    kinds: list[SpanKind] = field(init=False)
    plain: dict[int, str] = field(default_factory=dict)
    candidates: int = 0

    def __post_init__(self) -> None:
        self.kinds = [_WRITTEN] * len(self.lines)
        for index, line in enumerate(self.lines[:_LINE_LIMIT]):
            if line.region in (Region.QUOTE, Region.ATTRIBUTION) or self._is_prefixed(index):
                self.kinds[index] = _QUOTED
            elif line.region is Region.SIGNATURE and line.text:
                self.kinds[index] = _SIGNATURE

    # --- looking at lines

    def look(self, index: int) -> str:
        found = self.plain.get(index)
        if found is None:
            found = self.plain[index] = _plain(self.lines[index].text)
        return found

    def _is_prefixed(self, index: int) -> bool:
        text = self.lines[index].text
        if not text.startswith((">", " >")):
            return False
        # mbox files put a > before a line that begins with "From "; alone among other lines it is no quote.
        return not text.startswith(">From ") or any(
            0 <= near < len(self.lines) and self.lines[near].text.startswith(">") for near in (index - 1, index + 1)
        )

    def is_blank(self, index: int) -> bool:
        text = self.lines[index].text
        return not text or (len(text) < _LOOK_LIMIT and not text.strip())

    def next_filled(self, index: int) -> int:
        """The first line at or after `index` that is not blank, near by; else the number of lines."""
        end = min(len(self.lines), index + 6, _LINE_LIMIT)
        while index < end and self.is_blank(index):
            index += 1
        return index if index < end else len(self.lines)

    def is_quoted(self, index: int) -> bool:
        return index < len(self.lines) and self.kinds[index] is _QUOTED

    def is_open(self, index: int) -> bool:
        """A line that could belong to an attribution or a header: filled, and not yet judged."""
        return index >= 0 and self.kinds[index] is _WRITTEN and not self.is_blank(index)

    # --- quotes

    def find_quotes(self) -> None:
        index, end = 0, min(len(self.lines), _LINE_LIMIT)
        while index < end:
            region = self.lines[index].region
            if self.kinds[index] is _QUOTED:
                if region is Region.ATTRIBUTION and self._ends_attribution(index):
                    return self.cut(index)
            elif not self.is_blank(index):
                start = self.tail_at(index)
                if start is not None:
                    return self.cut(start)
            index += 1
        return None

    def _ends_attribution(self, index: int) -> bool:
        """An attribution the markup names, with nothing marked as quoted behind it: the rest is the quote."""
        following = self.next_filled(index + 1)
        if following >= len(self.lines):
            return False
        return not self.is_quoted(following)

    def tail_at(self, index: int) -> int | None:
        """Where the quoted rest begins, if this line says that it does. Marks attributions of `>` quotes on the way."""
        line, region = self.lines[index].text, self.lines[index].region
        if region is Region.TAIL or (region is Region.HEADER and self.is_header_shape(index)):
            return index
        first = line.lstrip(" *\u00a0\u200b\u200e\u200f\u202a\u202b\ufeff")[:1]
        if first in "-–—_=" or _may_be_separator(line):
            start = self.separator_at(index)
            if start is not None:
                return start
        if _COLON.search(line[: _LABEL_LENGTH + 20]) and self.candidates < _CANDIDATE_LIMIT:
            label = self.label(index)
            if label:
                self.candidates += 1
                if self.is_header_block(index):
                    return self.with_rule_above(index)
        ending = line[-40:].translate(_INVISIBLE).rstrip(" *\t\u00a0")[-1:]
        if ending and ending in ":：՝.։" and self.candidates < _CANDIDATE_LIMIT:
            return self.attribution_at(index, ending)
        return None

    def separator_at(self, index: int) -> int | None:
        plain = self.look(index)
        core = plain.strip(_DASHES + _COLONS)
        is_dashed = plain[:2].strip(_DASHES) == "" and plain[-2:].strip(_DASHES + _COLONS) == ""
        following = self.next_filled(index + 1)
        if core in _SEPARATORS and (is_dashed or plain.endswith(tuple(_COLONS)) or self.has_headers(following)):
            if self.is_quoted(following):
                # The quote has > before its lines, and there may be answers among them.
                self.kinds[index] = _QUOTED
                return None
            return index
        if not core and len(plain) >= 5 and self.candidates < _CANDIDATE_LIMIT:
            self.candidates += 1
            return index if following < len(self.lines) and self.is_header_block(following) else None
        if core and is_dashed and len(core) < 60 and self.candidates < _CANDIDATE_LIMIT:
            self.candidates += 1
            return index if self.is_header_shape(following) else None
        return None

    def has_headers(self, index: int) -> bool:
        return index < len(self.lines) and bool(self.label(index))

    def label(self, index: int) -> frozenset[str]:
        """The roles of the label that begins the line; none where there is no such label."""
        found = _COLON.search(self.look(index), 0, _LABEL_LENGTH + 2)
        if found is None:
            return frozenset()
        return _LABELS.get(self.look(index)[: found.start()].strip(" _|"), frozenset())

    def is_header_block(self, index: int) -> bool:
        """From, Date and one more of To, Subject, within a few lines. A journey ("From: … To: … Date: …") has neither a
        subject nor an address; a form on a web page ("From: … Subject: … Message: …") has no date."""
        roles: set[str] = set()
        labelled, has_address, stray = 0, False, 0
        for at in range(index, min(index + 14, len(self.lines), _LINE_LIMIT)):
            if self.kinds[at] is _QUOTED:
                break
            if self.is_blank(at):
                # Some programs make a paragraph of each header.
                if not self.has_headers(at + 1):
                    break
                continue
            label = self.label(at)
            if label:
                roles |= label
                labelled += 1
                has_address = has_address or _ADDRESS.search(self.look(at)) is not None
            else:
                stray += 1
                if stray > 3:
                    break
        return roles >= {"from", "date"} and labelled >= 3 and ("subject" in roles or has_address) and len(roles) >= 3

    def is_header_shape(self, index: int) -> bool:
        """A header block in a language we do not know: three lines of "word: something", with an address or a time.
        Asked only where something else already points to a quote."""
        shaped, has_fact = 0, False
        for at in range(index, min(index + 10, len(self.lines), _LINE_LIMIT)):
            plain = self.look(at)
            found = _COLON.search(plain, 0, 32)
            if found is not None and found.start() > 0 and not any(c.isdigit() for c in plain[: found.start()]):
                shaped += 1
                has_fact = has_fact or _ADDRESS.search(plain) is not None or _TIME.search(plain) is not None
        return shaped >= 3 and has_fact

    def with_rule_above(self, index: int) -> int:
        """Takes the line of dashes or underscores above a header block with it."""
        above = index - 1
        while above >= max(0, index - 3) and self.is_blank(above):
            above -= 1
        if self.is_open(above) and not self.look(above).strip(_DASHES):
            return above
        return index

    def attribution_at(self, index: int, ending: str) -> int | None:
        plain = self.look(index)
        if ending in ".։" and not plain.rstrip(".։ ").endswith(tuple(_ARMENIAN)):
            return None
        self.candidates += 1
        following = self.next_filled(index + 1)
        has_quote = self.is_quoted(following)
        start = self.attribution_start(index, is_weak=has_quote)
        if start is None:
            return None
        if has_quote:
            for at in range(start, index + 1):
                self.kinds[at] = _QUOTED
            return None
        # Nothing below it: it is the writer's own sentence that ends with a colon.
        return start if following < len(self.lines) else None

    def attribution_start(self, index: int, *, is_weak: bool) -> int | None:
        """The first line of the attribution that ends at `index`; programs wrap it over up to four lines. `is_weak`: a
        quote follows, so little is needed to believe it."""
        joined, best = "", None
        for start in range(index, max(index - 4, -1), -1):
            if not self.is_open(start) or (start != index and _is_sentence_end(self.look(start))):
                break
            joined = f"{self.look(start)} {joined}".strip()
            if len(joined) > 600:
                break
            facts = _facts(joined)
            begins = joined.startswith(_ON) and any(c.isdigit() for c in joined)
            if facts.is_strong and (begins or best is None):
                best = start
                if begins:
                    break
        if best is None and is_weak and _is_weak_attribution(self.look(index)):
            best = index
        return best

    def cut(self, start: int) -> None:
        """All from `start` is quoted, unless nothing was written above: then it is what the mail is about."""
        has_written = any(
            self.kinds[index] is _WRITTEN and not self.is_blank(index) and not self.is_mobile_signature(index)
            for index in range(start)
        )
        is_bare = not has_written and all(self.kinds[index] is not _QUOTED for index in range(start))
        kind = _WRITTEN if is_bare else _QUOTED
        for index in range(start, len(self.lines)):
            self.kinds[index] = kind

    # --- signatures

    def find_signatures(self) -> None:
        end = min(len(self.lines), _LINE_LIMIT)
        start = 0
        before = list(self.kinds)
        while start < end:
            if self.kinds[start] is not _WRITTEN:
                start += 1
                continue
            stop = start
            while stop < end and self.kinds[stop] is not _QUOTED:
                stop += 1
            self.find_signature(start, stop)
            start = stop
        if not any(kind is _WRITTEN and not self.is_blank(index) for index, kind in enumerate(self.kinds)):
            self.kinds = [_WRITTEN if kind is _SIGNATURE else kind for kind in before]

    def find_signature(self, start: int, stop: int) -> None:
        """In the lines from `start` up to `stop`, written in one go: at their end."""
        filled = [index for index in range(max(start, stop - 120), stop) if not self.is_blank(index)]
        first: int | None = None
        for place, index in enumerate(filled):
            if self.kinds[index] is _SIGNATURE:
                continue
            if self.is_mobile_signature(index):
                self.kinds[index] = _SIGNATURE
            elif first is None and self.begins_signature(filled[place:]):
                first = index
        if first is not None:
            for index in range(first, stop):
                self.kinds[index] = _SIGNATURE

    def begins_signature(self, rest: Sequence[int]) -> bool:
        """Whether what is left (filled lines) is a signature from its first line on."""
        raw, plain = self.lines[rest[0]].text, self.look(rest[0])
        if raw.rstrip("\u00a0 ") == "--":
            return 1 < len(rest) <= (40 if raw != "--" else 15)
        if plain.startswith(_DISCLAIMERS):
            return len(rest) <= 40
        if not plain.strip(_DASHES) and len(rest) > 1:
            return self.look(rest[1]).startswith(_DISCLAIMERS) and len(rest) <= 40
        return self.begins_closing(rest)

    def begins_closing(self, rest: Sequence[int]) -> bool:
        plain = self.look(rest[0])
        if len(plain) > 60:
            return False
        head = plain.rstrip(" ,.!;:՝…、。，")
        if head not in _CLOSINGS and not self.is_closing_with_name(rest[0], head):
            return False
        names = 0
        for place, index in enumerate(rest[1:], start=1):
            if self.kinds[index] is _SIGNATURE or self.is_mobile_signature(index):
                continue
            if self.begins_disclaimer(rest[place:]):
                return True
            if not _is_name(self.look(index)):
                return False
            names += 1
        # Longer than a name, a post, a firm, an address and three ways to reach somebody: more than a signature.
        return names <= 8

    def is_closing_with_name(self, index: int, head: str) -> bool:
        """ "Best regards, Ani", or without the comma and with a capital: "Best regards Ani"."""
        closing, _, name = head.partition(",")
        if name:
            return closing.strip() in _CLOSINGS and _is_name(name.strip())
        words = head.split()
        raw = self.lines[index].text.split()
        return any(
            " ".join(words[:-count]) in _CLOSINGS and all(word[:1].isupper() for word in raw[-count:])
            for count in (1, 2, 3)
            if count < len(words) == len(raw)
        )

    def begins_disclaimer(self, rest: Sequence[int]) -> bool:
        plain = self.look(rest[0])
        if not plain.strip(_DASHES) and len(rest) > 1:
            plain = self.look(rest[1])
        return plain.startswith(_DISCLAIMERS)

    def is_mobile_signature(self, index: int) -> bool:
        text = self.lines[index].text
        if not 8 < len(text) < 200 or (len(text) > 110 and "http" not in text):
            return False
        plain = self.look(index).strip(" .!_-")
        if "?" in plain.partition("http")[0] or plain.count(" ") > 12:
            return False
        plain = plain.partition("<http")[0].partition("[http")[0].partition("(http")[0].strip(" .")
        is_shaped = plain.startswith(_SENT_FROM) or plain.endswith(_SENT_BY)
        return is_shaped and _names_device(plain)

    # --- blank lines

    def settled(self) -> list[SpanKind]:
        """Blank lines go with what stands above them, those at the top with what comes first."""
        kinds = self.kinds
        end = min(len(kinds), _LINE_LIMIT)
        last: SpanKind | None = None
        for index in range(end):
            if not self.is_blank(index):
                last = kinds[index]
            elif last is not None:
                kinds[index] = last
        first = next((kinds[index] for index in range(end) if not self.is_blank(index)), _WRITTEN)
        for index in range(end):
            if not self.is_blank(index):
                break
            kinds[index] = first
        if len(kinds) > _LINE_LIMIT:
            kinds[_LINE_LIMIT] = kinds[_LINE_LIMIT - 1]
        return kinds


def _may_be_separator(line: str) -> bool:
    return len(line) < 80 and _plain(line).strip(_DASHES + _COLONS) in _SEPARATORS


@dataclass(frozen=True, slots=True)
class _Facts:
    has_verb: bool
    has_address: bool
    has_time: bool
    has_date: bool

    @property
    def is_strong(self) -> bool:
        """A date, and two of: a verb, an address, a time."""
        return self.has_date and self.has_verb + self.has_address + self.has_time >= 2


def _is_weak_attribution(plain: str) -> bool:
    """Enough where a quote follows: an address, a date with a time, or somebody "wrote" and few words beside it ("Ani
    wrote:"; not "I ask you to look again at what you wrote:")."""
    facts = _facts(plain)
    return facts.has_address or (facts.has_date and facts.has_time) or (facts.has_verb and plain.count(" ") < 5)


def _facts(plain: str) -> _Facts:
    return _Facts(
        has_verb=_WROTE.search(plain) is not None,
        has_address=_ADDRESS.search(plain) is not None,
        has_time=_TIME.search(plain) is not None,
        has_date=_DATE.search(plain) is not None,
    )


# A letter or two before the full stop are an abbreviation ("2026 г.", "a.m.", "нояб."), a longer word ends a sentence.
_SENTENCE_END = re.compile(r"(?:\w{6}[.…]|[!?؟。])$")


def _is_sentence_end(plain: str) -> bool:
    return _SENTENCE_END.search(plain[-20:]) is not None


# Digits belong to a telephone or a web address, or they may be an order's number.
_PHONE = re.compile(r"[+(]?[\d\s().,/+-]{6,40}(?:[a-zа-я. ]{1,8}\d{0,6})?")
_REACH = re.compile(r"@|https?://|www\.|\.(?:com|am|ru|ge|az|ua|de|org|net|eu)(?:$|[/\s])")


def _is_name(plain: str) -> bool:
    if len(plain) > 80 or plain.count(" ") > 9 or plain.startswith(("p.s", "ps", "p. s", "п.с", "з.ы", "n.b", "հ.գ")):
        return False
    if any(mark in plain for mark in "?!;؟՞"):
        return False
    if not any(c.isdigit() for c in plain):
        return not (plain.endswith((".", "։", "。")) and plain.count(" ") > 3)
    if _REACH.search(plain) is not None:
        return True
    word = re.split(r"[\s.:/+(]", plain, maxsplit=1)[0]
    number = plain.removeprefix(word).lstrip(" .:/") if word in PHONE_WORDS else plain
    return _PHONE.fullmatch(number) is not None and (word in PHONE_WORDS or number.startswith(("+", "(", "0")))


def _names_device(plain: str) -> bool:
    return any(device in plain for device in _LONG_DEVICES) or not _SHORT_DEVICES.isdisjoint(plain.split())
