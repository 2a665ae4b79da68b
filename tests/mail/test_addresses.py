"""Addresses out of headers as they are found."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.mail import Mailbox
from hub.mail.addresses import MAILBOX_LIMIT, normal_address, parse_mailboxes


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" <ann@example.com> ", "ann@example.com"),
        ("mailto:ann@example.com?subject=x", "ann@example.com"),
        ("ann@example.com.", "ann@example.com"),
        ("a+b_c.d-e@mail.example.com", "a+b_c.d-e@mail.example.com"),
        ('"ann"@example.com', "ann@example.com"),
        ('"ann lee"@example.com', '"ann lee"@example.com'),
        ("root@localhost", "root@localhost"),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("info@xn--e1afmkfd.xn--p1ai", "info@пример.рф"),
        ("INFO@ПРИМЕР.РФ", "info@пример.рф"),
        ("գոռ@փոստ.example", "գոռ@փոստ.example"),
        ("cafe\u0301@example.com", "café@example.com"),
        # A forged form of another name stays what it is.
        ("a@xn--example-.com", None),
        ("a@xn--a-a.com", "a@xn--a-a.com"),
        ("ann", None),
        ("@example.com", None),
        ("ann@", None),
        ("", None),
        ("ann@exa mple.com", None),
        ("an n@example.com", None),
        ("ann@example..com", None),
        ("ann@-example.com", None),
        ("ann @ example.com", "ann@example.com"),
        ("a\0b@example.com", None),
        ("a\ud800@example.com", None),
        ("a" * 400 + "@example.com", None),
    ],
)
def test_an_address_has_one_normal_form(text: str, normal: str | None) -> None:
    assert normal_address(text) == normal


@pytest.mark.parametrize(
    ("header", "mailboxes"),
    [
        ("ann@example.com", [("ann@example.com", "")]),
        ("<ann@example.com>", [("ann@example.com", "")]),
        ("Ann Lee <ann@example.com>", [("ann@example.com", "Ann Lee")]),
        ('"Lee, Ann" <ann@example.com>', [("ann@example.com", "Lee, Ann")]),
        (r'"Ann \"the\" Lee" <ann@example.com>', [("ann@example.com", 'Ann "the" Lee')]),
        ("ann@example.com (Ann Lee)", [("ann@example.com", "Ann Lee")]),
        ("Ann (a (nested) comment) <ann@example.com>", [("ann@example.com", "Ann")]),
        ("Ann Lee ann@example.com", [("ann@example.com", "Ann Lee")]),
        ("ann@example.com; bob@example.com", [("ann@example.com", ""), ("bob@example.com", "")]),
        ("undisclosed-recipients:;", []),
        ("Undisclosed recipients:", []),
        ("Team: ann@example.com, Bob <b@example.com>;, c@example.com",
         [("ann@example.com", ""), ("b@example.com", "Bob"), ("c@example.com", "")]),
        ("=?utf-8?B?0JDQvdC90LA=?= <anna@example.com>", [("anna@example.com", "Анна")]),
        ('"=?utf-8?B?0JDQvdC90LA=?=" <anna@example.com>', [("anna@example.com", "Анна")]),
        ("=?utf-8?Q?Lee=2C_Ann?= <ann@example.com>", [("ann@example.com", "Lee, Ann")]),
        ("=?utf-8?B?0JDQvdC90LAgPGFubmFAZXhhbXBsZS5jb20+?=", [("anna@example.com", "Анна")]),
        ("'Ann' <ann@example.com>", [("ann@example.com", "Ann")]),
        ("<mailto:ann@example.com>", [("ann@example.com", "")]),
        ("<@relay.example,@other.example:ann@example.com>", [("ann@example.com", "")]),
        ("Ann <ann@example.com", [("ann@example.com", "Ann")]),
        ("Ann <ann@example.com, Bob <bob@example.com>", [("ann@example.com", "Ann"), ("bob@example.com", "Bob")]),
        ('"Ann <ann@example.com>, bob@example.com', [("ann@example.com", "Ann"), ("bob@example.com", "")]),
        ("Ann (never closed <ann@example.com>", [("ann@example.com", "Ann (never closed")]),
        ('"ann lee"@example.com', [('"ann lee"@example.com', "")]),
        ("ann@example.com ann@example.com", [("ann@example.com", "")]),
        ("ann@example.com <ann@example.com>", [("ann@example.com", "ann@example.com")]),
        (",,;,", []),
        ("<>", []),
        ("", []),
        ("nobody, somewhere", []),
        ("Ann\u202egnp <ann@example.com>", [("ann@example.com", "Anngnp")]),
        ("A\0n\r\n n <ann@example.com>", [("ann@example.com", "A\ufffdn n")]),
    ],
)  # fmt: skip
def test_a_header_gives_its_mailboxes(header: str, mailboxes: list[tuple[str, str]]) -> None:
    assert parse_mailboxes(header) == tuple(Mailbox(address, name) for address, name in mailboxes)


def test_eight_bit_names_are_read_by_their_letters() -> None:
    assert parse_mailboxes("Наталья Петрова <n@example.com>".encode("cp1251")) == (
        Mailbox("n@example.com", "Наталья Петрова"),
    )
    assert parse_mailboxes("Անի <a@example.com>".encode()) == (Mailbox("a@example.com", "Անի"),)


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normal_address(text)
    assert once is None or normal_address(once) == once


@given(st.text(alphabet='aé"\\<>()@,;: .=?[]\n', max_size=60))
def test_no_header_raises_and_every_address_is_normal(header: str) -> None:
    for mailbox in parse_mailboxes(header):
        assert normal_address(mailbox.address) == mailbox.address


@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9.]{0,8}[a-z0-9]@[a-z]{2,8}\.test", fullmatch=True), max_size=8),
    st.text(alphabet=st.characters(categories=["Lu", "Ll"]), max_size=20),
)
def test_written_mailboxes_are_read_again(addresses: list[str], name: str) -> None:
    header = ", ".join(f'"{name}" <{address}>' for address in addresses)
    told = unicodedata.normalize("NFC", name)
    assert [(box.address, unicodedata.normalize("NFC", box.name)) for box in parse_mailboxes(header)] == [
        (address, told) for address in addresses
    ]


@pytest.mark.parametrize(
    "piece",
    ['"', "(", "()", "<", "<>", ",", ":", "a:;", "@", "@ ", "a@b.c ", '"\\', '\\"', "<@a,", "<a@b,", "=?", "=?utf-8?q?x?= ",
     "a@xn--a-ab.c,", "a@b."],
)  # fmt: skip
def test_half_a_megabyte_of_one_sign_is_read_in_time(piece: str) -> None:
    started = time.process_time()
    parse_mailboxes("x" + piece * (500_000 // len(piece)))
    assert time.process_time() - started < 3


def test_thousands_of_addresses_are_cut_at_a_stated_number() -> None:
    header = ", ".join(f'"Number {number}" <n{number}@example.com>' for number in range(10_000))
    mailboxes = parse_mailboxes(header)
    assert len(mailboxes) == MAILBOX_LIMIT
    assert mailboxes[-1] == Mailbox(f"n{MAILBOX_LIMIT - 1}@example.com", f"Number {MAILBOX_LIMIT - 1}")
