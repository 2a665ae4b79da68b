"""Tokens: what comes back in any case finds its place, and nothing else does."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mail.addresses import normal_address
from hub.mail.tokens import Tokens

KEY = b"k" * 32
DELIVERY = "Zk3v_0aQ-8sT1yWb2LxNcDeF"
THREAD = "k7m2q9"

tokens = Tokens(KEY, "support@example.com")


def test_an_answer_finds_its_conversation_by_our_reply_address() -> None:
    assert tokens.find_thread([tokens.reply_address(THREAD)], []) == THREAD


def test_an_answer_finds_its_conversation_by_our_message_id() -> None:
    assert tokens.find_thread(["support@example.com"], [tokens.message_id(DELIVERY, THREAD)]) == THREAD


def test_the_address_counts_before_the_message_id() -> None:
    assert tokens.find_thread([tokens.reply_address("first1")], [tokens.message_id(DELIVERY, "second2")]) == "first1"


@pytest.mark.parametrize(
    ("addresses", "names"),
    [
        ([tokens.bounce_address(DELIVERY)], []),
        ([], [tokens.envelope_id(DELIVERY)]),
        ([], [tokens.message_id(DELIVERY, THREAD)]),
        ([], [f"<{tokens.message_id(DELIVERY, THREAD)}>"]),
        (["ani@example.am", tokens.bounce_address(DELIVERY)], ["1@example.am"]),
    ],
)
def test_a_report_finds_its_delivery(addresses: list[str], names: list[str]) -> None:
    assert tokens.find_delivery(addresses, names) == DELIVERY


@given(value=st.text(min_size=1, max_size=60), case=st.sampled_from([str.upper, str.lower, str.swapcase]))
def test_every_token_survives_a_change_of_case(value: str, case: object) -> None:
    assert callable(case)
    value = value.encode("utf-8", "replace").decode()
    assert tokens.find_thread([], [case(tokens.message_id(value, value))]) == value
    assert tokens.find_delivery([], [case(tokens.message_id(value, value))]) == value
    assert tokens.find_delivery([], [case(tokens.envelope_id(value))]) == value


def test_every_delivery_id_of_the_outbox_fits_into_an_address() -> None:
    for _ in range(100):
        delivery_id = secrets.token_urlsafe(18)
        address = tokens.bounce_address(delivery_id)
        assert len(address.partition("@")[0]) <= 64
        assert tokens.find_delivery([address.upper()], []) == delivery_id


def test_a_token_that_does_not_fit_is_left_out() -> None:
    long_name = Tokens(KEY, f"{'a' * 40}@example.com")
    assert long_name.bounce_address(DELIVERY) == f"{'a' * 40}@example.com"
    assert long_name.find_delivery([long_name.bounce_address(DELIVERY)], []) is None


def test_our_addresses_are_in_normal_form() -> None:
    for address in (tokens.reply_address(THREAD), tokens.bounce_address(DELIVERY)):
        assert normal_address(address) == address


def test_two_accounts_do_not_read_each_others_tokens() -> None:
    other = Tokens(b"another key", "support@example.com")
    assert other.find_thread([tokens.reply_address(THREAD)], [tokens.message_id(DELIVERY, THREAD)]) is None
    assert other.find_delivery([tokens.bounce_address(DELIVERY)], [tokens.envelope_id(DELIVERY)]) is None


def _changed(text: str, place: int) -> str:
    letter = "a" if text[place] != "a" else "b"
    return text[:place] + letter + text[place + 1 :]


@pytest.mark.parametrize("place", range(len(tokens.reply_address(THREAD).partition("@")[0])))
def test_a_changed_letter_makes_a_reply_address_worthless(place: int) -> None:
    # What stands before the plus sign is the account's own name and signs nothing.
    expected = THREAD if place < len("support") else None
    assert tokens.find_thread([_changed(tokens.reply_address(THREAD), place)], []) == expected


@pytest.mark.parametrize("place", range(len(tokens.message_id(DELIVERY, THREAD).partition("@")[0])))
def test_a_changed_letter_makes_a_message_id_worthless(place: int) -> None:
    changed = _changed(tokens.message_id(DELIVERY, THREAD), place)
    assert tokens.find_thread([], [changed]) is None
    assert tokens.find_delivery([], [changed]) is None


def test_a_token_of_one_purpose_is_none_of_another() -> None:
    reply, bounce = tokens.reply_address(THREAD), tokens.bounce_address(THREAD)
    assert tokens.find_delivery([reply], []) is None
    assert tokens.find_thread([bounce], []) is None
    assert tokens.find_thread([reply.replace("+c-", "+b-")], []) is None
    assert tokens.find_thread([bounce.replace("+b-", "+c-")], []) is None


def test_the_parts_of_two_message_ids_cannot_be_joined() -> None:
    first = tokens.message_id(DELIVERY, "first1").partition("@")[0].split(".")
    second = tokens.message_id("AAAA", "second2").partition("@")[0].split(".")
    for mixed in ([first[0], second[1], first[2]], [first[0], second[1], second[2]], [second[0], first[1], first[2]]):
        assert tokens.find_thread([], [".".join(mixed) + "@example.com"]) is None


def test_without_a_key_nothing_is_signed_and_nothing_found() -> None:
    keyless = Tokens(b"", "support@example.com")
    assert keyless.reply_address(THREAD) == keyless.bounce_address(DELIVERY) == "support@example.com"
    assert keyless.envelope_id(DELIVERY) == ""
    message_id = keyless.message_id(DELIVERY, THREAD)
    assert message_id == keyless.message_id(DELIVERY, THREAD)
    assert message_id.endswith("@example.com")
    assert DELIVERY not in message_id
    forged = Tokens(b"\0", "support@example.com")
    for given_ in (tokens, forged):
        assert keyless.find_thread([given_.reply_address(THREAD)], [given_.message_id(DELIVERY, THREAD)]) is None


@given(st.lists(st.text(max_size=200), max_size=5), st.lists(st.text(max_size=200), max_size=5))
def test_whatever_stands_in_a_mail_is_no_token(addresses: list[str], message_ids: list[str]) -> None:
    assert tokens.find_thread(addresses, message_ids) is None
    assert tokens.find_delivery(addresses, message_ids) is None


@pytest.mark.parametrize(
    "text", ["c-a-aaaaaaaaaaaaaaaa", "x+c--aaaaaaaaaaaaaaaa@y", "+" * 1_000, "x" * 100_000, "+@", ""]
)
def test_what_looks_nearly_like_a_token_is_none(text: str) -> None:
    assert tokens.find_thread([text], [text]) is None
    assert tokens.find_delivery([text], [text]) is None
