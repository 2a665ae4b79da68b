"""The signature is Twilio's own, proven against Twilio's library."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from hub.channels import twilio
from hub.channels.channel import WebhookRequest
from hub.errors import BadRequest, BadSignature
from tests.channels.support import AUTH_TOKEN, NOW, twilio_request

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Fields:
    """A form as Flask hands it to Twilio's validator: names with all their values."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __iter__(self) -> object:
        return iter([name for name, _ in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def getall(self, name: str) -> list[str]:
        return [value for each, value in self._pairs if each == name]


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# Few names, so that they repeat; blank values included.
pairs = st.lists(st.tuples(st.sampled_from(["Body", "From", "MediaUrl0", "ա", ""]) | words, words), max_size=12)
urls = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["hub.example.com", "localhost", "10.0.0.1"]),
    st.sampled_from(["", ":8080", ":443", ":80"]),
    st.sampled_from(["/webhooks/sms-demo/message", "/", "/a%20b/c"]),
    st.sampled_from(["", "?delivery=d-1", "?a=1&b=%2B"]),
)


@given(url=urls, sent=pairs)
def test_our_signature_is_the_one_of_twilios_library(url: str, sent: list[tuple[str, str]]) -> None:
    theirs = RequestValidator(AUTH_TOKEN)
    assert twilio.signature(url, sent, AUTH_TOKEN) == theirs.compute_signature(url, Fields(sent))


@given(url=urls, sent=pairs.filter(lambda sent: any(name or value for name, value in sent)))
def test_what_twilios_library_signs_is_accepted(url: str, sent: list[tuple[str, str]]) -> None:
    body = urlencode(sent).encode()
    signed = RequestValidator(AUTH_TOKEN).compute_signature(url, Fields(sent))
    twilio.check_signature(
        WebhookRequest("message", url, {**FORM, "x-twilio-signature": signed}, body, NOW), AUTH_TOKEN
    )


@given(url=urls, sent=pairs)
def test_what_we_sign_twilios_library_accepts(url: str, sent: list[tuple[str, str]]) -> None:
    assert RequestValidator(AUTH_TOKEN).validate(url, Fields(sent), twilio.signature(url, sent, AUTH_TOKEN))


@given(st.lists(st.sampled_from([b"&", b"=", b"+", b"%", b"%2B", b"%D5%A2", b"%zz", b"a", b"\xc3\xa9", b";", b"\n"])))
def test_a_form_is_read_as_the_standard_library_reads_it(parts: list[bytes]) -> None:
    body = b"".join(parts)
    assert list(twilio.form_pairs(body)) == parse_qsl(body.decode(), keep_blank_values=True)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=1&" * 1_001])
def test_what_is_no_form_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        twilio.form_pairs(body)


@pytest.mark.parametrize(
    ("signed_url", "url"),
    [
        ("https://hub.example.com:443/w", "https://hub.example.com/w"),
        ("https://hub.example.com/w", "https://hub.example.com:443/w"),
        ("http://hub.example.com:80/w?a=b", "http://hub.example.com/w?a=b"),
        ("https://hub.example.com/w", "https://hub.example.com:8443/w"),
    ],
)
def test_the_port_may_be_signed_or_not(signed_url: str, url: str) -> None:
    signed = twilio.signature(signed_url, [("Body", "Hi")], AUTH_TOKEN)
    request = WebhookRequest("message", url, {**FORM, "x-twilio-signature": signed}, b"Body=Hi", NOW)
    twilio.check_signature(request, AUTH_TOKEN)
    assert RequestValidator(AUTH_TOKEN).validate(url, {"Body": "Hi"}, signed)


def json_request(body: bytes, named: str) -> WebhookRequest:
    url = f"https://hub.example.com/webhooks/sms-demo/message?bodySHA256={named}"
    signed = twilio.signature(url, [], AUTH_TOKEN)
    return WebhookRequest("message", url, {"content-type": "application/json", "x-twilio-signature": signed}, body, NOW)


def test_a_json_body_is_covered_by_its_hash_in_the_address() -> None:
    body = b'{"a": "\xd5\xa2"}'
    request = json_request(body, hashlib.sha256(body).hexdigest())
    twilio.check_signature(request, AUTH_TOKEN)
    assert RequestValidator(AUTH_TOKEN).validate(request.url, body.decode(), request.headers["x-twilio-signature"])


@pytest.mark.parametrize("named", ["", hashlib.sha256(b"another body").hexdigest()])
def test_a_body_that_the_signature_does_not_cover_is_refused(named: str) -> None:
    with pytest.raises(BadSignature):
        twilio.check_signature(json_request(b"{}", named), AUTH_TOKEN)


def test_a_form_cannot_pass_as_another_type_to_escape_the_signature() -> None:
    url = "https://hub.example.com/w"
    headers = {"content-type": "text/plain", "x-twilio-signature": twilio.signature(url, [], AUTH_TOKEN)}
    with pytest.raises(BadSignature):
        twilio.check_signature(WebhookRequest("message", url, headers, b"From=%2B1", NOW), AUTH_TOKEN)


@pytest.mark.parametrize("token", ["", "another-token"])
def test_another_token_or_none_is_refused(token: str) -> None:
    request = twilio_request("message_plain")
    unsigned_key = replace(
        request,
        headers={**FORM, "x-twilio-signature": twilio.signature(request.url, twilio.form_pairs(request.body), "")},
    )
    for each in (request, unsigned_key):
        with pytest.raises(BadSignature):
            twilio.check_signature(each, token)


def test_another_delivery_in_the_address_is_refused() -> None:
    request = twilio_request("status_delivered", query="?delivery=d-1")
    twilio.check_signature(request, AUTH_TOKEN)
    with pytest.raises(BadSignature):
        twilio.check_signature(replace(request, url=request.url.replace("d-1", "d-2")), AUTH_TOKEN)
