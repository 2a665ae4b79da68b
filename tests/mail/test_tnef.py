"""winmail.dat, whole and broken."""

import base64
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mail.parse import extract_part, parse_mail
from hub.mail.tnef import TnefUnreadable, read_tnef
from tests.mail.corpus import message

HEAD = struct.pack("<IH", 0x223E9F78, 1)


def attribute(key: int, value: bytes) -> bytes:
    return struct.pack("<BII", 2, key, len(value)) + value + b"\0\0"


def stream() -> bytes:
    """The stream of the corpus's message, as it was wrapped there."""
    encoded = message("winmail_dat").split(b'filename="winmail.dat"\r\n\r\n')[1].split(b"\r\n--")[0]
    return base64.b64decode(encoded)


def test_files_come_with_their_long_names_and_types() -> None:
    found = read_tnef(stream())
    assert [(file.name, file.media_type, file.content[:4]) for file in found.files] == [
        ("Договір №5.pdf", "application/pdf", b"%PDF"),
        ("звіт.txt", "", b"1234"),
    ]
    assert found.text == "Текст у winmail.dat"


def test_files_inside_have_numbers_of_the_message() -> None:
    raw = message("winmail_dat")
    assert [part.number for part in parse_mail(raw).parts] == [1, 2]
    assert extract_part(raw, 2) == ("звіт.txt", "text/plain", b"12345")


def test_a_stream_that_is_cut_gives_what_came_before() -> None:
    whole = stream()
    assert [file.name for file in read_tnef(whole[:-30]).files][:1] == ["Договір №5.pdf"]


def test_html_and_compressed_text_are_found_among_the_properties() -> None:
    html = "<p>Привет</p>".encode("cp1251")
    properties = (
        struct.pack("<I", 2) + struct.pack("<HHII", 0x0102, 0x1013, 1, len(html)) + html + b"\0" * (-len(html) % 4)
    )
    properties += struct.pack("<HHII", 0x0102, 0x1009, 1, 4) + b"LZFu"
    found = read_tnef(HEAD + attribute(0x00069007, struct.pack("<I", 1251)) + attribute(0x00069003, properties))
    assert found.html == "<p>Привет</p>"
    assert found.rtf == b"LZFu"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        HEAD,
        HEAD + b"\2\2\x90\0\0",
        HEAD + struct.pack("<BII", 2, 0x00069003, 0xFFFFFFFF),
        HEAD + attribute(0x00069003, b"\xff" * 400),
        HEAD + attribute(0x00069003, struct.pack("<IHHI", 1, 0x1102, 0x1000, 0xFFFFFFFF)),
    ],
)
def test_what_holds_nothing_is_refused_in_its_own_words(content: bytes) -> None:
    with pytest.raises(TnefUnreadable):
        read_tnef(content)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    for raw in (
        content,
        HEAD + content,
        HEAD + attribute(0x00069003, content),
        HEAD + attribute(0x00069002, b"") + attribute(0x00069005, content),
    ):
        try:
            read_tnef(raw)
        except TnefUnreadable:
            continue


def test_no_flipped_byte_raises_anything_else() -> None:
    chance = random.Random(7)
    whole = stream()
    for _ in range(2_000):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(6, len(broken))] = chance.randrange(256)
        try:
            read_tnef(bytes(broken))
        except TnefUnreadable:
            continue
