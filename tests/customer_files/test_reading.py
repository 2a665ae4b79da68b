"""Files as spreadsheets and other systems write them, and files that are none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest

from hub.customer_files.reading import RECORD_LIMIT, Examined, Record, examine, records
from hub.domain.csv_cells import harmless, restored
from hub.errors import InvalidInput

TEXT = 'Name;Phone;Note\r\n"Անի; Ани";+374 91 123456;"two\r\nlines"\r\n\r\nБоря;;\r\n'
CYRILLIC = "Имя,Телефон\nОльга,+380501234567\n"


def cut(raw: bytes, size: int = 7) -> Callable[[], Iterable[bytes]]:
    """The bytes in small pieces, so that every sign and line end is cut somewhere."""
    return lambda: (raw[start : start + size] for start in range(0, len(raw), size))


def read(raw: bytes, found: Examined) -> list[Record]:
    return list(records(cut(raw)(), found.encoding, found.delimiter))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_same_text_is_read_in_every_unicode(encoding: str) -> None:
    raw = TEXT.encode(encoding)
    found = examine(cut(raw))
    assert (found.delimiter, found.headings, found.total) == (";", ("Name", "Phone", "Note"), 2)
    assert read(raw, found) == [
        Record(1, ("Name", "Phone", "Note")),
        Record(2, ("Անի; Ани", "+374 91 123456", "two\r\nlines")),
        # An empty line has a number, too.
        Record(4, ("Боря", "", "")),
    ]


def test_what_is_no_unicode_is_windows_1251() -> None:
    raw = CYRILLIC.encode("windows-1251")
    found = examine(cut(raw))
    assert (found.encoding, found.headings, found.sample) == (
        "windows-1251",
        ("Имя", "Телефон"),
        (("Ольга", "+380501234567"),),
    )


@pytest.mark.parametrize("text", ["Name;Town\r\nJürgen Größler;Köln\r\n", "Nom;Ville\r\nZoë;Orléans\r\n"])
def test_accents_among_plain_letters_are_windows_1252(text: str) -> None:
    found = examine(cut(text.encode("windows-1252")))
    assert found.encoding == "windows-1252"
    assert found.sample == (tuple(text.split("\r\n")[1].split(";")),)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter: str, end: str) -> None:
    raw = end.join(delimiter.join(cells) for cells in (("Name", "Town"), ("Ani", "Gyumri"), ("Nino", ""))).encode()
    found = examine(cut(raw, 3))
    assert (found.delimiter, found.total) == (delimiter, 2)
    assert [record.cells for record in read(raw, found)][1:] == [("Ani", "Gyumri"), ("Nino", "")]


def test_an_apostrophe_that_wards_off_formulas_is_taken_off() -> None:
    assert examine(cut(b"Phone,Name\n'+37491123456,'tis Ani\n")).sample == (("+37491123456", "'tis Ani"),)


@pytest.mark.parametrize("text", ["=cmd()", "a;=cmd()", "one\n- two\r\n@three;;+4", ";\t", "a; -b", "x=1;y", "'tis"])
def test_no_cell_begins_a_formula_wherever_a_spreadsheet_cuts_and_comes_back_as_it_was(text: str) -> None:
    kept = harmless(text)
    assert not [part for part in re.split(r"[;\r\n]", kept) if part[:1] in tuple("=+-@\t")]
    assert restored(kept) == text


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"Name,Phone\n", "nothing below"),
        (b'Name,Phone\n"Ani,1\n' + b"x,y\n" * RECORD_LIMIT, "row 2"),
        (b'Name,Phone\nBoris,1\n"Ani,1\nNino,2\n', "row 3"),
        (b"Name\n" + b"a" * (RECORD_LIMIT + 10), "row 2"),
        (b",".join(b"c%d" % n for n in range(400)) + b"\nx\n", "columns"),
    ],
    ids=["empty", "blank", "headings", "open quote", "open quote at the end", "long line", "wide"],
)
def test_what_cannot_be_read_is_said(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        examine(cut(raw, 65_536))
    assert words in caught.value.fields["file"]
