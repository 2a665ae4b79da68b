"""SMS: Twilio's payloads in our values, the words of consent, addresses, segments."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.channels import twilio
from hub.channels.channel import Consent, MessageArrival, ReceiptArrival, WebhookRequest
from hub.channels.sms import CONSENT_WORDS, SmsChannel, count_segments, normalise_address, read_consent, read_stop_words
from hub.domain.states import Delivery
from hub.domain.values import ContactKind
from hub.errors import BadRequest
from tests.channels.support import ACCOUNT_SID, CUSTOMER, NOW, PAYLOADS, sms_account, twilio_request


def message(name: str) -> MessageArrival:
    (arrival,) = SmsChannel(sms_account()).parse(twilio_request(f"message_{name}"))
    assert isinstance(arrival, MessageArrival)
    return arrival


def receipt(name: str, query: str = "") -> ReceiptArrival:
    (arrival,) = SmsChannel(sms_account()).parse(twilio_request(f"status_{name}", query=query))
    assert isinstance(arrival, ReceiptArrival)
    return arrival


# --- messages ---------------------------------------------------------------------------------------------------------


def test_a_plain_text_arrives_whole() -> None:
    request = twilio_request("message_plain")
    arrival = message("plain")
    assert arrival.text == "Hello, where is my order #1042? Cost: 100% & more + tax"
    assert arrival.sender == CUSTOMER
    assert arrival.contact_kind is ContactKind.PHONE
    assert arrival.provider_id == dict(twilio.form_pairs(request.body))["MessageSid"]
    assert arrival.raw == request.body.decode()
    assert arrival.received_at == NOW
    assert arrival.media == ()
    assert arrival.consent is None


@pytest.mark.parametrize(
    ("name", "text"), [("armenian", "Բարև Ձեզ, ե՞րբ կգա պատվերս"), ("emoji", "Thanks 👍🏽"), ("three_media", "")]
)
def test_any_script_and_no_text_at_all_arrive(name: str, text: str) -> None:
    assert message(name).text == text


def test_media_come_with_their_types_and_addresses() -> None:
    media = message("three_media").media
    assert [medium.media_type for medium in media] == ["image/png", "video/mp4", "text/x-vcard"]
    assert all(medium.url and f"/Accounts/{ACCOUNT_SID}/Messages/MM" in medium.url for medium in media)
    assert len({medium.url for medium in media}) == 3


def test_a_profile_name_is_kept() -> None:
    assert message("with_profile_name").sender_name == "Անի"
    assert message("plain").sender_name is None


@pytest.mark.parametrize(("name", "sender"), [("from_short_code", "72975"), ("from_name", "DHL")])
def test_senders_that_are_no_phone_numbers_stay_as_they_are(name: str, sender: str) -> None:
    assert message(name).sender == sender


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"From=%2B37491234567&Body=Hi", "MessageSid"),
        (b"MessageSid=SM%00&From=%2B37491234567", "MessageSid"),
        (b"MessageSid=SM1&Body=Hi", "From"),
        (b"MessageSid=SM1&From=%2B1&NumMedia=two", "NumMedia"),
        (b"MessageSid=SM1&From=%2B1&NumMedia=1", "MediaUrl0"),
    ],
)
def test_a_payload_without_what_it_must_have_names_the_field(body: bytes, field: str) -> None:
    request = WebhookRequest("message", "https://hub.example.com/w", {}, body, NOW)
    with pytest.raises(BadRequest) as caught:
        SmsChannel(sms_account()).parse(request)
    assert set(caught.value.fields) == {field}


def test_the_answer_is_empty_twiml() -> None:
    answer = SmsChannel(sms_account()).answer(twilio_request("message_plain"))
    assert answer.media_type == "text/xml"
    assert answer.body.endswith(b"<Response/>")


# --- consent ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "consent"),
    [
        ("stop_advanced", Consent.STOP),
        ("start_advanced", Consent.START),
        ("help_advanced", Consent.HELP),
        ("stop_word", Consent.STOP),
        ("stop_in_sentence", None),
        ("plain", None),
    ],
)
def test_consent_is_read_from_the_payload(name: str, consent: Consent | None) -> None:
    assert message(name).consent is consent


@pytest.mark.parametrize(
    ("text", "consent"),
    [
        ("STOP", Consent.STOP),
        ("StopAll", Consent.STOP),
        ("unsubscribe.", Consent.STOP),
        (" Quit! ", Consent.STOP),
        ("REVOKE", Consent.STOP),
        ("OPTOUT", Consent.STOP),
        ("OPT OUT", None),
        ("Yes", Consent.START),
        ("UNSTOP", Consent.START),
        ("info", Consent.HELP),
        ("ԿԱՆԳ։", Consent.STOP),
        ("կանգ", Consent.STOP),
        ("стоп", Consent.STOP),
        ("стоп кран", None),
        ("", None),
    ],
)
def test_words_of_consent_are_the_whole_text_in_any_case(text: str, consent: Consent | None) -> None:
    assert read_consent(text, "", read_stop_words("СТОП, ԿԱՆԳ")) is consent


def test_twilios_own_verdict_comes_first() -> None:
    assert read_consent("stop", "START", frozenset()) is Consent.START
    assert read_consent("stop", "SOMETHING", frozenset()) is Consent.STOP


def test_every_word_of_consent_is_written_as_it_is_compared() -> None:
    assert all(word == word.casefold().strip() for word in CONSENT_WORDS)


# --- receipts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state", "reason", "detail"),
    [
        ("accepted", Delivery.SENT, None, None),
        ("scheduled", Delivery.SENT, None, None),
        ("queued", Delivery.SENT, None, None),
        ("sending", Delivery.SENT, None, None),
        ("sent", Delivery.SENT, None, None),
        ("delivered", Delivery.DELIVERED, None, None),
        ("read", Delivery.READ, None, None),
        ("canceled", Delivery.FAILED, None, None),
        ("failed", Delivery.FAILED, "queue_overflow", "30001"),
        ("undelivered", Delivery.FAILED, "unreachable", "30005 Unknown destination handset"),
        ("undelivered_unknown_code", Delivery.FAILED, "unknown", "39999"),
    ],
)
def test_each_status_word_has_its_state(name: str, state: Delivery, reason: str | None, detail: str | None) -> None:
    arrival = receipt(name)
    assert (arrival.state, arrival.reason, arrival.detail) == (state, reason, detail)


def test_a_receipt_finds_its_message_by_our_own_id() -> None:
    assert receipt("delivered", "?delivery=d%2F1%20x").delivery_id == "d/1 x"
    assert receipt("delivered").delivery_id is None
    assert receipt("delivered").message_provider_id == receipt("sent").message_provider_id


def test_the_key_of_a_receipt_is_message_word_and_error() -> None:
    sid = receipt("delivered").message_provider_id
    assert receipt("delivered").provider_id == f"{sid}:delivered"
    assert receipt("undelivered").provider_id == f"{sid}:undelivered:30005"
    assert receipt("delivered", "?delivery=d-1").provider_id == f"{sid}:delivered"


def test_a_receipt_without_a_word_is_a_bad_request() -> None:
    request = twilio_request("status_sent")
    with pytest.raises(BadRequest) as caught:
        SmsChannel(sms_account()).parse(replace(request, body=b"MessageSid=SM1"))
    assert set(caught.value.fields) == {"MessageStatus"}


def test_every_fault_has_a_machine_word() -> None:
    assert all(fault.reason.replace("_", "").isalpha() and fault.reason.islower() for fault in twilio.FAULTS.values())
    assert twilio.fault_reason("21610") == "opted_out"
    assert twilio.fault_reason("0") is twilio.fault_reason("") is twilio.fault_reason(None) is None
    assert twilio.fault_reason("not a number") == twilio.UNKNOWN


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("+37491234567", "+37491234567"),
        (" +374 91 234-567 ", "+37491234567"),
        ("091234567", "+37491234567"),
        ("+1 (500) 555-0006", "+15005550006"),
        ("72975", "72975"),
        ("123456", "123456"),
        ("MyBank", "MyBank"),
        ("+999999", "+999999"),
        ("whatsapp:+37491234567", "whatsapp:+37491234567"),
    ],
)
def test_phone_numbers_become_e164_and_others_stay(address: str, normal: str) -> None:
    assert normalise_address(address, "AM") == normal


def test_a_national_number_without_a_region_stays() -> None:
    assert normalise_address("091234567", None) == "091234567"


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(address: str) -> None:
    once = normalise_address(address, "AM")
    assert normalise_address(once, "AM") == once


# --- segments ---------------------------------------------------------------------------------------------------------

VECTORS = json.loads((PAYLOADS / "segments.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_segments_are_counted_as_the_console_counts_them(vector: dict[str, object]) -> None:
    counted = count_segments(str(vector["text"]))
    told = {"text": vector["text"], "encoding": counted.encoding, "units": counted.units, "segments": counted.segments}
    assert told == vector


def test_the_vectors_reach_all_corners() -> None:
    assert len(VECTORS) >= 20
    assert {vector["encoding"] for vector in VECTORS} == {"gsm7", "ucs2"}


@given(st.text(max_size=400))
def test_segments_hold_all_units_and_waste_little(text: str) -> None:
    counted = count_segments(text)
    room = {"gsm7": 153, "ucs2": 67}[counted.encoding]
    assert counted.segments <= 1 or counted.units <= counted.segments * room
    # A character of two units may leave one free at the end of each part.
    assert counted.segments <= 1 or counted.units > (counted.segments - 1) * (room - 1)
