"""What goes into the index, what is asked of it, and what is shown of a text."""

from __future__ import annotations

import pytest

from hub.domain.search_words import (
    RECORD_WORDS,
    document_words,
    fts5,
    has_match,
    parse_query,
    snippet,
    tsquery,
    tsvector,
)


def shown(text: str, query: str, length: int = 180) -> str:
    return "".join(
        f"[{part.text}]" if part.is_match else part.text for part in snippet([text], parse_query(query), length)
    )


@pytest.mark.parametrize(
    ("query", "for_sqlite", "for_postgresql"),
    [
        ("maria", '("maria" * OR "\ue000maria" *)', "(('maria':*) | ('\ue000maria':*))"),
        ('"my parcel"', '("my parcel")', "(('my' <-> 'parcel'))"),
        ("a", '("a" OR "\ue000a")', "(('a') | ('\ue000a'))"),
        ("anna@mail.am", '("anna mail am" *)', "(('anna' <-> 'mail' <-> 'am':*))"),
        ("4711", '("4711" * OR "\ue0014711" *)', "(('4711':*) | ('\ue0014711':*))"),
        ('"a" "b"', '("a") AND ("b")', "(('a')) & (('b'))"),
    ],
)
def test_one_question_in_the_words_of_either_database(query: str, for_sqlite: str, for_postgresql: str) -> None:
    wanted = parse_query(query)
    assert (fts5(wanted), tsquery(wanted)) == (for_sqlite, for_postgresql)


def test_places_of_words_are_kept_for_phrases_and_texts_do_not_run_into_each_other() -> None:
    assert tsvector(("a", "b", "a")) == "'a':1,3 'b':2"
    words = document_words(["one two", "three"])
    assert words[1:4] == ("two", "\ue002", "three")


def test_a_long_record_counts_as_far_as_positions_go() -> None:
    words = document_words(["x " * 50_000])
    assert len(words) == RECORD_WORDS
    assert max(map(int, tsvector(words).partition(":")[2].split(","))) < 16_384


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Where is my parcel?", "parc", "Where is my [parcel]?"),
        ("Call +374 77 12-34-56 now", "077123456", "Call +[374 77 12-34-56] now"),
        ("Հովհաննես եկավ", "hovhannes", "[Հովհաննես] եկավ"),
        ("café\n\n  CAFÉ", "cafe", "[café] [CAFÉ]"),
        ("my own parcel, my parcel", '"my parcel"', "my own parcel, [my parcel]"),
        ("<b>parcel</b>", "parcel", "<b>[parcel]</b>"),
        ("nothing here", "parcel", "nothing here"),
    ],
)
def test_what_was_meant_is_marked(text: str, query: str, expected: str) -> None:
    assert shown(text, query) == expected


def test_of_a_long_text_the_piece_is_shown_where_most_of_it_stands_together() -> None:
    text = "parcel " + "lorem ipsum " * 60 + "the blue parcel came " + "dolor " * 60
    piece = shown(text, "blue parcel", 100)
    assert piece.startswith("…")
    assert piece.endswith("…")
    assert "the [blue] [parcel] came" in piece
    assert len(piece) < 120


def test_the_text_that_has_most_of_it_is_shown() -> None:
    parts = snippet(["nothing", "a blue thing", "a blue parcel"], parse_query("blue parcel"))
    assert "".join(part.text for part in parts) == "a blue parcel"
    assert snippet(["", "  "], parse_query("x")) == []


def test_a_half_typed_name_is_marked() -> None:
    assert has_match("Խաչատրյան", parse_query("khach"))
    assert not has_match("Խաչատրյան", parse_query('"khach"'))
