"""What is written into the search index, what is asked of it, and which part of a text is shown for it.

    document_words(texts, names)   the words of one record, in order
    parse_query("anna «to pay» 077 12 34")   what must all be there (Wanted)
    fts5(wanted), tsquery(wanted)  the same as each database says it
    snippet(texts, wanted)         the best piece of the texts, in parts that are matches or not

The words stand as they are on both databases: none cuts texts by rules of its own. Two kinds of words are made besides those
that were written, each begun with a letter of Unicode's private use area, which no written word has: keys of names, and the
ends of long numbers, so that a number is found by any part of it however either was written.

A query: words that must all be there, the last of them perhaps not finished; "quoted" words stand together; so do words that
are joined by anything but a space (an e-mail address).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hub.domain.folding import (
    beginning_keys,
    composed,
    name_keys,
    number_without_prefix,
    numbers_in,
    words_in,
)
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput

# The largest query, in characters and in things that must be there. Nobody types more; each costs the database a look.
QUERY_LENGTH, QUERY_TERMS = 400, 16
# Words of one record that count. A position of PostgreSQL's tsvector ends at 16,383 (its documentation, 12.11).
RECORD_WORDS = 10_000
_RECORD_NUMBERS = 100
# As much of a text as is looked at for a snippet, and as much as is shown.
_SNIPPET_SOURCE, SNIPPET_LENGTH = 40_000, 180
_LEAD = 50

_KEY, _NUMBER, _BREAK = "\ue000", "\ue001", "\ue002"
# A number is found by any part of it that has so many digits; shorter ones are found whole.
_NUMBER_PART, _LONG_NUMBER = 4, 7
# Less than this of a word is not a beginning: it would find a tenth of everything.
_BEGINNING = 2

_QUOTED = re.compile(r'"([^"]*)"|«([^»]*)»|“([^”]*)”|„([^“”]*)[“”]')
_TYPED_NUMBER = re.compile(r"(?<![^\W\d_])\+?\(?\d(?:[ \u00a0().\-–/]{0,3}\d){3,}(?![^\W\d_])")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that must be there: `words` next to each other (the last one begun, if `is_begun`), or one of `keys` (of a
    name), or a number that has one of `numbers` in it."""

    words: tuple[str, ...]
    is_begun: bool = False
    keys: frozenset[str] = frozenset()
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnippetPart:
    text: str
    is_match: bool


Wanted = tuple[Term, ...]


# --- into the index -----------------------------------------------------------------------------------------------------


def document_words(texts: Iterable[str], names: Iterable[str] = ()) -> tuple[str, ...]:
    """The words of a record; empty if it has none. `names` are texts, too, and are found by their keys besides."""
    written: list[str] = []
    numbers: dict[str, None] = {}
    keys: dict[str, None] = {}
    names = [composed(name) for name in names if name]
    for text in [*names, *(composed(text) for text in texts if text)]:
        if len(written) >= RECORD_WORDS:
            break
        if written:
            written.append(_BREAK)
        written += [word.folded for word in words_in(text)][: RECORD_WORDS - len(written)]
        for number in numbers_in(text):
            if len(numbers) < _RECORD_NUMBERS * 10:
                numbers |= dict.fromkeys(_ends(number.digits))
    for name in names:
        for word in words_in(name):
            keys |= dict.fromkeys(sorted(name_keys(name[word.start : word.end])))
    return (*written, *(_NUMBER + number for number in numbers), *(_KEY + key for key in keys))


def _ends(digits: str) -> list[str]:
    if len(digits) < _LONG_NUMBER:
        return [digits]
    return [digits[start:] for start in range(len(digits) - _NUMBER_PART + 1)]


# --- out of it ----------------------------------------------------------------------------------------------------------


def parse_query(text: str) -> Wanted:
    """What must all be there; empty if there is no word in it. InvalidInput naming `q` if it is too long."""
    if len(text) > QUERY_LENGTH:
        raise InvalidInput(
            "too long", fields={"q": Sentence("must have at most {count} characters", count=QUERY_LENGTH)}
        )
    text = composed(text)
    terms: list[Term] = []
    place = 0
    for quoted in _QUOTED.finditer(text):
        terms += _loose(text[place : quoted.start()])
        phrase = tuple(word.folded for word in words_in(next(group for group in quoted.groups() if group is not None)))
        if phrase:
            terms.append(Term(phrase))
        place = quoted.end()
    rest = text[place:]
    terms += _loose(rest, is_last=bool(rest.strip()))
    if len(terms) > QUERY_TERMS:
        raise InvalidInput(
            "too many words", fields={"q": Sentence("must have at most {count} words", count=QUERY_TERMS)}
        )
    return tuple(dict.fromkeys(terms))


def _loose(text: str, *, is_last: bool = False) -> list[Term]:
    """Terms of what stands outside of quotation marks."""
    terms: list[Term] = []
    place = 0
    for number in _TYPED_NUMBER.finditer(text):
        terms += _chunks(text[place : number.start()])
        digits = "".join(found.digits for found in numbers_in(number.group())) or "".join(
            word.folded for word in words_in(number.group())
        )
        words = tuple(word.folded for word in words_in(number.group()))
        place = number.end()
        terms.append(Term(words, is_last and not text[place:].strip(), numbers=number_without_prefix(digits)))
    terms += _chunks(text[place:], is_last=is_last)
    return terms


def _chunks(text: str, *, is_last: bool = False) -> list[Term]:
    chunks = [(chunk, list(words_in(chunk))) for chunk in text.split()]
    chunks = [(chunk, words) for chunk, words in chunks if words]
    terms = []
    for number, (chunk, words) in enumerate(chunks, 1):
        is_begun = is_last and number == len(chunks) and len(words[-1].folded) >= _BEGINNING
        # A name with a hyphen is found by its phrase; keys are of single words.
        only = chunk[words[0].start : words[0].end] if len(words) == 1 else ""
        keys = frozenset[str]() if not only else beginning_keys(only) if is_begun else name_keys(only)
        terms.append(Term(tuple(word.folded for word in words), is_begun, keys))
    return terms


def fts5(wanted: Wanted) -> str:
    """The expression for SQLite's MATCH; `wanted` is not empty. Sources: sqlite.org/fts5.html, section 3."""

    def phrase(words: Sequence[str], is_begun: bool) -> str:
        return f'"{" ".join(words)}"{" *" if is_begun else ""}'

    return " AND ".join(f"({' OR '.join(phrase(*way) for way in _ways(term))})" for term in wanted)


def tsquery(wanted: Wanted) -> str:
    """The text of a tsquery for PostgreSQL, to be cast, not parsed (its documentation, 8.11.2)."""

    def phrase(words: Sequence[str], is_begun: bool) -> str:
        quoted = [f"'{word}'" for word in words]
        quoted[-1] += ":*" if is_begun else ""
        return f"({' <-> '.join(quoted)})"

    return " & ".join(f"({' | '.join(phrase(*way) for way in _ways(term))})" for term in wanted)


def _ways(term: Term) -> list[tuple[tuple[str, ...], bool]]:
    """Words are letters and digits alone, so nothing of them has to be escaped."""
    return [
        (term.words, term.is_begun),
        *(((_KEY + key,), term.is_begun) for key in sorted(term.keys)),
        *(((_NUMBER + number,), True) for number in term.numbers),
    ]


def without_keys(wanted: Wanted) -> Wanted:
    """For records that have no names: the keys would be looked up for nothing."""
    return tuple(replace(term, keys=frozenset()) for term in wanted)


def without_begins(wanted: Wanted) -> Wanted:
    """With whole words alone."""
    return tuple(replace(term, is_begun=False) for term in wanted)


def tsvector(words: Sequence[str]) -> str:
    """The text of a tsvector: each word with its places."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words, 1):
        # A word keeps its first 256 places (8.11.1); a text that repeats one more often is found by those.
        found = places.setdefault(word, [])
        if len(found) < 255:
            found.append(min(place, 16_383))
    return " ".join(f"'{word}':{','.join(map(str, found))}" for word, found in places.items())


# --- what is shown ------------------------------------------------------------------------------------------------------


def snippet(texts: Iterable[str], wanted: Wanted, length: int = SNIPPET_LENGTH) -> list[SnippetPart]:
    """The piece in which most of what was wanted stands together, from the first text that has most of it; the begin of the
    first text if none has any. White space is one space, and … says that something was left out."""
    best: tuple[int, str, list[tuple[int, int, int]]] | None = None
    for each in texts:
        text = composed(each[:_SNIPPET_SOURCE])
        matches = _matches(text, wanted)
        worth = len({term for _, _, term in matches})
        if text.strip() and (best is None or worth > best[0]):
            best = (worth, text, matches)
    if best is None:
        return []
    _, text, matches = best
    start, end = _window(text, matches, length)
    parts: list[SnippetPart] = [SnippetPart("…", False)] if start > 0 else []
    place = start
    for begins, ends, _ in matches:
        if begins < place or ends > end:
            continue
        parts += [SnippetPart(text[place:begins], False), SnippetPart(text[begins:ends], True)]
        place = ends
    parts.append(SnippetPart(text[place:end], False))
    if end < len(text):
        parts.append(SnippetPart("…", False))
    return [SnippetPart(_SPACE.sub(" ", part.text), part.is_match) for part in parts if part.text]


def has_match(text: str, wanted: Wanted) -> bool:
    return bool(_matches(composed(text[:_SNIPPET_SOURCE]), wanted))


def _matches(text: str, wanted: Wanted) -> list[tuple[int, int, int]]:
    """(begin, end, which term) in the order of the text; none overlaps another."""
    found: list[tuple[int, int, int]] = []
    for number in numbers_in(text):
        for index, term in enumerate(wanted):
            if any(digits in number.digits for digits in term.numbers):
                found.append((number.start, number.end, index))
    words = list(words_in(text))
    for index, term in enumerate(wanted):
        last = len(term.words) - 1
        for place in range(len(words) - last):
            fits = all(words[place + step].folded == term.words[step] for step in range(last))
            final = words[place + last].folded
            if fits and (final.startswith(term.words[last]) if term.is_begun else final == term.words[last]):
                found.append((words[place].start, words[place + last].end, index))
            elif term.keys and _meets(name_keys(text[words[place].start : words[place].end]), term):
                found.append((words[place].start, words[place].end, index))
    found.sort(key=lambda match: (match[0], -match[1]))
    kept: list[tuple[int, int, int]] = []
    for match in found:
        if not kept or match[0] >= kept[-1][1]:
            kept.append(match)
    return kept


def _meets(keys: frozenset[str], term: Term) -> bool:
    if term.is_begun:
        return any(key.startswith(begin) for key in keys for begin in term.keys)
    return not keys.isdisjoint(term.keys)


def _window(text: str, matches: Sequence[tuple[int, int, int]], length: int) -> tuple[int, int]:
    """Of the text, as much as is shown: at the begin, or around where most terms stand together, cut between words."""
    if len(text) <= length:
        return 0, len(text)
    anchor, worth = 0, 0
    for begins, _, _ in matches:
        terms = {term for other, ends, term in matches if other >= begins and ends <= begins + length - _LEAD}
        if len(terms) > worth:
            anchor, worth = begins, len(terms)
    start = 0 if anchor <= _LEAD else _after_space(text, anchor - _LEAD, anchor)
    end = min(len(text), start + length)
    if end < len(text):
        cut = text.rfind(" ", start + length // 2, end)
        end = cut if cut != -1 else end
    return start, end


def _after_space(text: str, start: int, limit: int) -> int:
    for place in range(start, limit):
        if text[place].isspace():
            return place + 1
    return start
