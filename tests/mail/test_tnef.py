"""winmail.dat, whole and broken."""

import base64
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mail.parse import MailUnreadable, extract_part, parse_mail
from hub.mail.rtf import unpack_rtf
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


# MS-OXRTFCP, sections 3.1 and 3.2: a plain example, and one whose run repeats itself.
SIMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
REPEATING = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


def test_a_rich_text_letter_is_unpacked() -> None:
    assert unpack_rtf(SIMPLE) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert unpack_rtf(REPEATING) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def test_a_rich_text_letter_is_a_file_that_word_processors_read() -> None:
    properties = struct.pack("<I", 1) + struct.pack("<HHII", 0x0102, 0x1009, 1, len(SIMPLE)) + SIMPLE
    raw = (
        b"From: a@example.com\nContent-Type: application/ms-tnef\n\n"
        + HEAD
        + attribute(0x00069003, properties + b"\0" * 3)
    )
    assert [(part.name, part.media_type) for part in parse_mail(raw).parts] == [("message.rtf", "application/rtf")]
    assert extract_part(raw, 1)[2].startswith(b"{\\rtf1")


@given(st.binary(max_size=300))
def test_no_packed_bytes_raise(content: bytes) -> None:
    unpack_rtf(content)
    unpack_rtf(struct.pack("<IIII", len(content), 5_000, 0x75465A4C, 0) + content)


def test_a_wrapping_of_thousands_of_files_is_refused() -> None:
    stream_of_many = HEAD + attribute(0x00069002, b"") * 199
    parts = b"".join(b"--b\nContent-Type: application/ms-tnef\n\n" + stream_of_many + b"\n" for _ in range(40))
    with pytest.raises(MailUnreadable) as caught:
        parse_mail(b"From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n" + parts)
    assert caught.value.code == "too_many_parts"
