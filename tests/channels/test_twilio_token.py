"""The access token of an agent's page is the one that Twilio's own library would make."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
from twilio.jwt.access_token import AccessToken  # type: ignore[import-untyped]
from twilio.jwt.access_token.grants import VoiceGrant  # type: ignore[import-untyped]

from hub.channels.phone import TwilioLine
from hub.channels.twilio_voice import TOKEN_TTL_S
from tests.channels.lines import APP_SID, KEY_SECRET, KEY_SID, line_account
from tests.channels.support import ACCOUNT_SID, NOW

KEYS = {"api_key_sid": KEY_SID, "twiml_app_sid": APP_SID}


def test_a_page_signs_in_as_twilios_library_would_let_it() -> None:
    ours = TwilioLine(line_account(secret=KEY_SECRET, **KEYS)).browser_token(7, NOW)
    theirs = AccessToken(
        ACCOUNT_SID,
        KEY_SID,
        KEY_SECRET,
        identity="agent_7",
        nbf=int(NOW.timestamp()),
        valid_until=int(NOW.timestamp()) + TOKEN_TTL_S,
    )
    theirs.add_grant(VoiceGrant(incoming_allow=True, outgoing_application_sid=APP_SID))
    assert jwt.get_unverified_header(ours) == jwt.get_unverified_header(theirs.to_jwt())
    mine = jwt.decode(ours, KEY_SECRET, algorithms=["HS256"], options={"verify_nbf": False, "verify_exp": False})
    known = jwt.decode(
        theirs.to_jwt(), KEY_SECRET, algorithms=["HS256"], options={"verify_nbf": False, "verify_exp": False}
    )
    # Only the time in its name differs: Twilio's library reads a clock there.
    assert mine.pop("jti") == f"{KEY_SID}-{int(NOW.timestamp())}"
    known.pop("jti")
    assert mine == known


def test_a_token_ends() -> None:
    line = TwilioLine(line_account(secret=KEY_SECRET, **KEYS))
    claims = jwt.decode(line.browser_token(7, NOW), options={"verify_signature": False})
    assert claims["exp"] == int((NOW + timedelta(hours=1)).timestamp())


@pytest.mark.parametrize("lacking", ["api_key_sid", "twiml_app_sid"])
def test_without_all_keys_there_is_no_telephone_in_the_page(lacking: str) -> None:
    settings = {name: value for name, value in KEYS.items() if name != lacking}
    line = TwilioLine(line_account(secret=KEY_SECRET, **settings))
    assert not line.voice.in_browser
    assert line.browser_token(7, NOW) == ""


def test_without_its_secret_nobody_signs_in() -> None:
    assert TwilioLine(line_account(**KEYS)).browser_token(7, NOW) == ""


def test_with_all_keys_there_is_one() -> None:
    assert TwilioLine(line_account(secret=KEY_SECRET, **KEYS)).voice.in_browser
