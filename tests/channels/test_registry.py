"""The registry: what each channel must be told, and what is said of wrong settings."""

from __future__ import annotations

import re

import pytest

from hub.channels.channel import ChannelAccount
from hub.channels.registry import CHANNEL_TYPES, LINE_TYPES, check_settings, create, create_line
from hub.domain.values import ChannelKind
from hub.errors import InvalidInput, Misconfigured
from tests.channels.support import ACCOUNT_SID, AUTH_TOKEN, NUMBER, SERVICE_SID

SMS = {"account_sid": ACCOUNT_SID, "from_number": NUMBER}
TOKEN = {"auth_token": AUTH_TOKEN}
EMAIL = {"address": "support@example.com", "smtp_host": "smtp.example.com", "smtp_username": "support@example.com"}
PASSWORD = {"smtp_password": "secret"}
IMAP = {"imap_host": "imap.example.com"}
OAUTH = {"oauth_provider": "google", "oauth_client_id": "client"}
OTHER = {"oauth_provider": "other", "oauth_client_id": "client", "oauth_token_url": "https://login.example.com/token"}
REFRESH = {"oauth_refresh_token": "refresh"}


@pytest.mark.parametrize(
    ("kind", "settings", "secrets"),
    [
        (ChannelKind.SMS, SMS, TOKEN),
        (ChannelKind.SMS, {"account_sid": ACCOUNT_SID, "messaging_service_sid": SERVICE_SID}, TOKEN),
        (ChannelKind.SMS, {**SMS, "from_number": "72975", "api_base": "", "stop_words": "СТОП, ԿԱՆԳ"}, TOKEN),
        (ChannelKind.SMS, {**SMS, "api_base": "https://twilio.example.com/proxy"}, TOKEN),
        (ChannelKind.SMS, {**SMS, "api_base": "http://127.0.0.1:8080"}, TOKEN),
        (ChannelKind.SMS, {**SMS, "api_base": "http://localhost:8080/carrier"}, TOKEN),
        (ChannelKind.SMS, {**SMS, "api_base": "http://[::1]:8080"}, TOKEN),
        (ChannelKind.CHAT, {}, {}),
        (
            ChannelKind.CHAT,
            {"allowed_origins": "https://a.example https://b.example:8443", "title": "Ask us", "colour": "#2456d6"},
            {},
        ),
        (ChannelKind.LOOPBACK, {}, {"signing_key": "12345678"}),
        (ChannelKind.EMAIL, {"address": "support@example.com"}, {}),
        (ChannelKind.EMAIL, EMAIL, PASSWORD),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_security": "tls", "smtp_port": "465", "per_minute": "30"}, PASSWORD),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_host": "127.0.0.1", "smtp_security": "none"}, PASSWORD),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP}, PASSWORD),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_username": "other"}, {**PASSWORD, "imap_password": "other"}),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_after": "move", "imap_move_to": "Archive"}, PASSWORD),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_since": "2026-11-01", "imap_folder": "Поддержка"}, PASSWORD),
        (ChannelKind.EMAIL, {"address": "support@example.com", "imap_host": "imap.gmail.com", **OAUTH}, REFRESH),
        # One signs in after saving.
        (ChannelKind.EMAIL, {**EMAIL, **OAUTH}, {}),
        (ChannelKind.EMAIL, {**EMAIL, **OTHER, "oauth_authorise_url": "https://login.example.com/in"}, {}),
        (ChannelKind.EMAIL, {**EMAIL, **OTHER}, REFRESH),
        (
            ChannelKind.EMAIL,
            {
                "address": "օգնություն@օրինակ.հայ",
                "display_name": "Խանութ",
                "aliases": "a@example.com, b@example.com c@example.com",
                "form_senders": "forms@example.com",
                "plus_addressing": "on",
                "acknowledgement": "Thank you.\nWe have your mail.",
            },
            {"webhook_key": "12345678"},
        ),
    ],
)
def test_right_settings_pass_and_make_a_channel(
    kind: ChannelKind, settings: dict[str, str], secrets: dict[str, str]
) -> None:
    check_settings(kind, settings, secrets)
    account = ChannelAccount("some-id", kind, settings, secrets)
    assert create(account).account is account


@pytest.mark.parametrize(
    ("kind", "settings", "secrets", "fields"),
    [
        (ChannelKind.SMS, {}, {}, {"account_sid", "auth_token", "from_number"}),
        (ChannelKind.SMS, {**SMS, "account_sid": "AC123"}, TOKEN, {"account_sid"}),
        (ChannelKind.SMS, {**SMS, "account_sid": ACCOUNT_SID + "\n"}, TOKEN, {"account_sid"}),
        (ChannelKind.SMS, {**SMS, "from_number": "091234567"}, TOKEN, {"from_number"}),
        (ChannelKind.SMS, {**SMS, "from_number": "MyBank"}, TOKEN, {"from_number"}),
        (ChannelKind.SMS, {**SMS, "from_number": " ", "messaging_service_sid": ""}, TOKEN, {"from_number"}),
        (ChannelKind.SMS, {**SMS, "messaging_service_sid": "MG1"}, TOKEN, {"messaging_service_sid"}),
        (ChannelKind.SMS, {**SMS, "api_base": "http://twilio.example.com"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "api_base": "http://127.0.0.1.example.com"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "api_base": "http://10.0.0.1"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "api_base": "https://a.example/?x=1"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "api_base": "https://u:p@a.example"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "api_base": "http://[::1"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "api_base": "https://a.example:99999"}, TOKEN, {"api_base"}),
        (ChannelKind.SMS, {**SMS, "stop_words": "x" * 2_001}, TOKEN, {"stop_words"}),
        (
            ChannelKind.SMS,
            {**SMS, "colour": "#000000"},
            {**TOKEN, "signing_key": "12345678"},
            {"colour", "signing_key"},
        ),
        # A secret among the settings would be shown to everybody.
        (ChannelKind.SMS, {**SMS, **TOKEN}, TOKEN, {"auth_token"}),
        (ChannelKind.CHAT, {"allowed_origins": "https://a.example b.example"}, {}, {"allowed_origins"}),
        (ChannelKind.CHAT, {"allowed_origins": "https://a.example/page"}, {}, {"allowed_origins"}),
        (ChannelKind.CHAT, {"allowed_origins": "*"}, {}, {"allowed_origins"}),
        (ChannelKind.CHAT, {"colour": "red; background: url(//evil)"}, {}, {"colour"}),
        (ChannelKind.CHAT, {"title": "x" * 61, "greeting": "x" * 301}, {}, {"title", "greeting"}),
        (ChannelKind.LOOPBACK, {}, {}, {"signing_key"}),
        (ChannelKind.LOOPBACK, {}, {"signing_key": "short"}, {"signing_key"}),
        (ChannelKind.PHONE, {}, {}, {"provider"}),
        (ChannelKind.EMAIL, {}, {}, {"address"}),
        (ChannelKind.EMAIL, {"address": "support"}, {}, {"address"}),
        (ChannelKind.EMAIL, {"address": "Support <support@example.com>"}, {}, {"address"}),
        (ChannelKind.EMAIL, {"address": "a@example.com b@example.com"}, {}, {"address"}),
        (ChannelKind.EMAIL, {**EMAIL, "display_name": "x\r\nBcc: y"}, PASSWORD, {"display_name"}),
        (ChannelKind.EMAIL, {**EMAIL, "aliases": "a@example.com nonsense"}, PASSWORD, {"aliases"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_host": "smtp example"}, PASSWORD, {"smtp_host"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_host": "https://smtp.example.com"}, PASSWORD, {"smtp_host"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_host": ""}, PASSWORD, {"smtp_host"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_port": "65536"}, PASSWORD, {"smtp_port"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_port": "0"}, PASSWORD, {"smtp_port"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_security": "ssl"}, PASSWORD, {"smtp_security"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_security": "none"}, PASSWORD, {"smtp_security"}),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_security": "none"}, PASSWORD, {"imap_security"}),
        (ChannelKind.EMAIL, EMAIL, {}, {"smtp_password"}),
        (ChannelKind.EMAIL, {**EMAIL, "smtp_username": ""}, PASSWORD, {"smtp_username"}),
        (ChannelKind.EMAIL, {**EMAIL, "per_minute": "0"}, PASSWORD, {"per_minute"}),
        (ChannelKind.EMAIL, {"address": "a@example.com", **IMAP}, {}, {"imap_username"}),
        (ChannelKind.EMAIL, {"address": "a@example.com", **IMAP, "imap_username": "x"}, {}, {"imap_password"}),
        (ChannelKind.EMAIL, {**EMAIL, "imap_port": "993"}, PASSWORD, {"imap_host"}),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_after": "delete"}, PASSWORD, {"imap_after"}),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_after": "move"}, PASSWORD, {"imap_move_to"}),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_since": "2026-02-30"}, PASSWORD, {"imap_since"}),
        (ChannelKind.EMAIL, {**EMAIL, **IMAP, "imap_since": "yesterday"}, PASSWORD, {"imap_since"}),
        (ChannelKind.EMAIL, {**EMAIL, **OTHER}, {}, {"oauth_authorise_url"}),
        (ChannelKind.EMAIL, {**EMAIL, **OAUTH, "oauth_client_id": ""}, REFRESH, {"oauth_client_id"}),
        (ChannelKind.EMAIL, {**EMAIL, **OAUTH, "oauth_provider": "other"}, REFRESH, {"oauth_token_url"}),
        (ChannelKind.EMAIL, {**EMAIL, **OAUTH, "oauth_provider": ""}, REFRESH, {"oauth_provider"}),
        (ChannelKind.EMAIL, {**EMAIL, **OAUTH, "oauth_token_url": "http://a.am/t"}, REFRESH, {"oauth_token_url"}),
        (ChannelKind.EMAIL, {**EMAIL, "form_senders": "nobody"}, PASSWORD, {"form_senders"}),
        (ChannelKind.EMAIL, {**EMAIL, "plus_addressing": "yes"}, PASSWORD, {"plus_addressing"}),
        (ChannelKind.EMAIL, EMAIL, {**PASSWORD, "webhook_key": "short"}, {"webhook_key"}),
    ],
)
def test_wrong_settings_name_every_faulty_field(
    kind: ChannelKind, settings: dict[str, str], secrets: dict[str, str], fields: set[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_settings(kind, settings, secrets)
    assert set(caught.value.fields) == fields
    assert all(caught.value.fields.values())


def test_a_secret_is_never_repeated_in_an_error() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_settings(ChannelKind.LOOPBACK, {}, {"signing_key": "hunter2"})
    assert "hunter2" not in str(caught.value) + str(caught.value.fields)


def test_a_kind_without_an_adapter_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        create(ChannelAccount("x", ChannelKind.PHONE, {}, {}))


@pytest.mark.parametrize("kind", CHANNEL_TYPES)
def test_every_field_can_be_shown(kind: ChannelKind) -> None:
    channel_type = CHANNEL_TYPES[kind]
    names = [field.name for field in channel_type.fields]
    assert len(names) == len(set(names))
    for field in channel_type.fields:
        assert field.label
        assert not (field.options and (field.pattern or field.multiline))
        assert re.fullmatch(field.pattern or ".*", field.example) or not field.example
        assert not (field.check and field.example and field.check(field.example))


# --- telephone lines ----------------------------------------------------------------------------------------------------

TWILIO_LINE = {"account_sid": ACCOUNT_SID, "number": NUMBER}
PAGE = {"api_key_sid": "SK" + "0" * 32, "twiml_app_sid": "AP" + "0" * 32}
PAGE_SECRET = {**TOKEN, "api_key_secret": "secret-of-the-key"}


@pytest.mark.parametrize(("settings", "secrets"), [(TWILIO_LINE, TOKEN), ({**TWILIO_LINE, **PAGE}, PAGE_SECRET)])
def test_right_settings_make_a_twilio_line(settings: dict[str, str], secrets: dict[str, str]) -> None:
    check_settings(ChannelKind.PHONE, settings, secrets, "twilio")
    account = ChannelAccount("some-id", ChannelKind.PHONE, settings, secrets, provider="twilio")
    assert create_line(account).account is account


@pytest.mark.parametrize(
    ("settings", "secrets", "fields"),
    [
        ({}, {}, {"account_sid", "auth_token", "number"}),
        ({**TWILIO_LINE, "number": "091234567"}, TOKEN, {"number"}),
        ({**TWILIO_LINE, "from_number": NUMBER}, TOKEN, {"from_number"}),
        ({**TWILIO_LINE, **PAGE}, TOKEN, {"api_key_secret"}),
        ({**TWILIO_LINE, "api_key_sid": "SK" + "0" * 32}, TOKEN, {"api_key_secret", "twiml_app_sid"}),
        ({**TWILIO_LINE, **PAGE, "twiml_app_sid": "AP1"}, PAGE_SECRET, {"twiml_app_sid"}),
        ({**TWILIO_LINE, "api_base": "http://twilio.example.com"}, TOKEN, {"api_base"}),
    ],
)
def test_wrong_settings_of_a_twilio_line_are_named(
    settings: dict[str, str], secrets: dict[str, str], fields: set[str]
) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_settings(ChannelKind.PHONE, settings, secrets, "twilio")
    assert set(raised.value.fields) == fields


def test_a_twilio_line_can_what_it_says() -> None:
    line = LINE_TYPES["twilio"].voice
    assert line is not None
    assert (line.dials, line.in_browser, line.by_connect, line.hears_words) == (True, True, False, True)
