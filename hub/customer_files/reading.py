"""Bytes of a CSV file to its lines, without holding more than one of them.

    examine(chunks)                       which encoding and delimiter, the headings, the first lines, how many there are
    records(chunks, encoding, delimiter)  the lines one by one, the headings among them

Encodings: UTF-8 with or without its mark, UTF-16 by its mark or by its many zero bytes, else one of the two in which
spreadsheets write when they do not write Unicode: Windows-1251 for Cyrillic, Windows-1252 for letters with accents.
Delimiters: comma, semicolon, tab. A quoted cell may hold line ends. `chunks` are bytes in any pieces; whoever has a file
gives it three times at most.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from hub.domain.csv_cells import restored
from hub.domain.sentences import Sentence
from hub.errors import InvalidInput

UTF_8, UTF_8_MARKED, UTF_16, WINDOWS = "utf-8", "utf-8-sig", "utf-16", "windows-1251"
WINDOWS_WESTERN = "windows-1252"
_UTF_16_LE, _UTF_16_BE = "utf-16-le", "utf-16-be"
ENCODINGS = (UTF_8, UTF_8_MARKED, UTF_16, _UTF_16_LE, _UTF_16_BE, WINDOWS, WINDOWS_WESTERN)
DELIMITERS = (",", ";", "\t")
# In characters. A quote that is never closed makes one line of all that follows: it ends here.
RECORD_LIMIT = 200_000
MOST_COLUMNS = 300
MOST_LINES = 500_000
# Empty ones among them: so many as the largest sheet of a spreadsheet has.
MOST_ROWS = 1_048_576
# So many lines are looked at to find the delimiter, and kept to be shown.
_LOOKED_AT, SAMPLE = 20, 5
_HEAD_BYTES = 64 * 1024
# Letters beyond ASCII in both Windows encodings, and those of ASCII. In Cyrillic words no ASCII letter stands.
_FAR_LETTERS, _NEAR_LETTERS = bytes(range(0xC0, 0x100)), b"a-zA-Z"
_MIXED_WORD = re.compile(b"[%b][%b]|[%b][%b]" % (_NEAR_LETTERS, _FAR_LETTERS, _FAR_LETTERS, _NEAR_LETTERS))
_FAR_WORD = re.compile(b"[%b]{2}" % _FAR_LETTERS)
_LINE_END = re.compile(r"\r\n|\n|\r")

Chunks = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Examined:
    """`total`: lines after the headings that say anything."""

    encoding: str
    delimiter: str
    headings: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Record:
    """A line that says something. `number` is its row in a spreadsheet: the headings are row 1."""

    number: int
    cells: tuple[str, ...]


def examine(chunks: Chunks) -> Examined:
    """Reads the file up to three times, whole. InvalidInput naming `file` if it cannot be read as CSV."""
    head = _head(chunks())
    if not head.strip(b"\0 \r\n\t"):
        raise _fault(Sentence("is empty"))
    encoding = _encoding(head, chunks)
    delimiter = _delimiter(head, encoding)
    found = records(chunks(), encoding, delimiter)
    first = next(found, None)
    if first is None:
        raise _fault(Sentence("has no headings"))
    headings = first.cells
    if len(headings) > MOST_COLUMNS:
        raise _fault(Sentence("has more than {count} columns", count=MOST_COLUMNS))
    sample = tuple(record.cells for record in islice(found, SAMPLE))
    total = len(sample)
    for _ in found:
        total += 1
        if total > MOST_LINES:
            raise _fault(Sentence("has more than {limit} lines: divide it", limit=f"{MOST_LINES:,}"))
    if not total:
        raise _fault(Sentence("has headings and nothing below them"))
    return Examined(encoding, delimiter, headings, sample, total)


def records(chunks: Iterable[bytes], encoding: str, delimiter: str) -> Iterator[Record]:
    """Lines with at least one cell that is not empty, the headings first. InvalidInput naming `file` and the line where it
    cannot be read."""
    size = row = 0
    is_over = False

    def measured() -> Iterator[str]:
        nonlocal size, is_over
        for line in _lines(_texts(chunks, encoding)):
            size += len(line)
            if size > RECORD_LIMIT:
                raise _fault(
                    Sentence(
                        "row {row} is longer than {limit} characters: is a quote never closed?",
                        row=row + 1,
                        limit=f"{RECORD_LIMIT:,}",
                    )
                )
            yield line
        is_over = True

    reader = csv.reader(measured(), delimiter=delimiter)
    try:
        for row, cells in enumerate(reader, 1):
            size = 0
            if row > MOST_ROWS:
                raise _fault(Sentence("has more than {limit} rows: divide it", limit=f"{MOST_ROWS:,}"))
            if is_over:
                # Only a cell that goes on makes the reader look beyond the last line.
                raise _fault(Sentence("has a quote in row {row} that is never closed", row=row))
            if any(cell.strip() for cell in cells):
                yield Record(row, tuple([restored(cell.strip()) for cell in cells]))
    except csv.Error:
        raise _fault(Sentence("row {row} is not CSV: is a quote never closed?", row=row + 1)) from None
    except UnicodeError:
        raise _fault(Sentence("is not {encoding} after row {row}", encoding=encoding, row=row)) from None


def _fault(words: str) -> InvalidInput:
    return InvalidInput(Sentence("the file {words}", words=words), code="unreadable_file", fields={"file": words})


def _head(chunks: Iterable[bytes]) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD_BYTES:
            break
    return head[:_HEAD_BYTES]


def _encoding(head: bytes, chunks: Chunks) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return UTF_8_MARKED
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return UTF_16
    # Without a mark: of ASCII letters, which stand in any such file, every second byte is zero.
    zeros = head.count(0)
    if zeros > len(head) // 8:
        return _UTF_16_LE if head[1::2].count(0) > zeros // 2 else _UTF_16_BE
    # All of it: a name with an accent may come late.
    decoder = codecs.getincrementaldecoder(UTF_8)()
    try:
        for chunk in chunks():
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _windows(chunks)
    return UTF_8


def _windows(chunks: Chunks) -> str:
    """Western if letters beyond ASCII stand among ASCII letters ("Jürgen") more often than beside each other."""
    mixed = far = 0
    for chunk in chunks():
        mixed += len(_MIXED_WORD.findall(chunk))
        far += len(_FAR_WORD.findall(chunk))
    return WINDOWS_WESTERN if mixed > far else WINDOWS


def _delimiter(head: bytes, encoding: str) -> str:
    """The one by which the first lines have most cells, all alike."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if len(head) == _HEAD_BYTES:
        text = text.rpartition("\n")[0] or text
    best, most = DELIMITERS[0], (0, 0)
    for delimiter in DELIMITERS:
        try:
            lines = [cells for cells in islice(csv.reader(_lines([text]), delimiter=delimiter), _LOOKED_AT) if cells]
        except csv.Error:
            continue
        if not lines:
            continue
        width = len(lines[0])
        alike = sum(len(cells) == width for cells in lines)
        if width > 1 and (alike, width) > most:
            best, most = delimiter, (alike, width)
    return best


def _texts(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    # The mark names the order of bytes and is no text; what is not a sign of the encoding stops the reader.
    decoder = codecs.getincrementaldecoder(encoding)("replace" if encoding in (WINDOWS, WINDOWS_WESTERN) else "strict")
    for chunk in chunks:
        # No database of ours keeps a NUL in a text.
        yield decoder.decode(chunk).replace("\0", "")
    yield decoder.decode(b"", final=True)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """With their ends, of whichever kind. A line that is longer than may be is handed on in pieces, to be refused."""
    rest = ""
    for text in texts:
        rest += text
        # A carriage return at the end may be half of a line end.
        until = len(rest) - rest.endswith("\r")
        begin = 0
        for match in _LINE_END.finditer(rest, 0, until):
            yield rest[begin : match.end()]
            begin = match.end()
        rest = rest[begin:]
        if len(rest) > RECORD_LIMIT:
            yield rest
            rest = ""
    if rest:
        # A carriage return that ends the file is a line end, too.
        yield rest
