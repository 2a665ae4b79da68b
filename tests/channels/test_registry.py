"""The registry: what each channel must be told, and what is said of wrong settings."""

from __future__ import annotations

import re

import pytest

from hub.channels.channel import ChannelAccount
from hub.channels.registry import CHANNEL_TYPES, check_settings, create
from hub.domain.values import ChannelKind
from hub.errors import InvalidInput, Misconfigured
from tests.channels.support import ACCOUNT_SID, AUTH_TOKEN, NUMBER, SERVICE_SID

SMS = {"account_sid": ACCOUNT_SID, "from_number": NUMBER}
TOKEN = {"auth_token": AUTH_TOKEN}


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
        (ChannelKind.PHONE, {}, {}, {"kind"}),
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
        assert re.fullmatch(field.pattern or ".*", field.example) or not field.example
        assert not (field.check and field.example and field.check(field.example))
