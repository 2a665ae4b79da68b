"""Access tokens from a real local token endpoint."""

from __future__ import annotations

import asyncio
import base64

import pytest

from hub.channels.oauth import (
    SCOPES,
    TOKEN_URLS,
    TokenSource,
    encoded_xoauth2,
    token_source,
    token_url_problem,
    xoauth2,
)
from hub.channels.tls import is_loopback
from hub.errors import DatabaseAway, Unavailable
from tests.channels.provider import Fault, Provider, Reply, running_provider

SECRET = "client secret"


def granted(token: str, **more: object) -> Reply:
    return Reply.json(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3599, **more})


def source(provider: Provider, *, client_secret: str = SECRET, scope: str = "") -> TokenSource:
    return TokenSource(f"{provider.url}/token", "client&id", client_secret, "refresh+token", scope=scope)


@pytest.mark.anyio
async def test_a_token_is_asked_for_once_and_kept() -> None:
    async with running_provider() as provider:
        provider.play(granted("first"), granted("second"))
        tokens = source(provider, scope="mail offline_access")
        assert await asyncio.gather(*(tokens.access_token() for _ in range(10))) == ["first"] * 10
        assert await tokens.access_token() == "first"
    (seen,) = provider.seen
    assert (seen.method, seen.path) == ("POST", "/token")
    assert dict(seen.form) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh+token",
        "client_id": "client&id",
        "client_secret": "client secret",
        "scope": "mail offline_access",
    }


@pytest.mark.anyio
async def test_an_account_without_a_client_secret_sends_none() -> None:
    async with running_provider() as provider:
        provider.play(granted("first"))
        await source(provider, client_secret="").access_token()
    assert {name for name, _ in provider.seen[0].form} == {"grant_type", "refresh_token", "client_id"}


@pytest.mark.anyio
async def test_a_token_that_is_about_to_expire_is_replaced() -> None:
    async with running_provider() as provider:
        provider.play(granted("first", expires_in=1e-9), granted("second"))
        tokens = source(provider)
        assert [await tokens.access_token() for _ in range(3)] == ["first", "second", "second"]


@pytest.mark.anyio
async def test_a_token_that_a_server_refused_is_forgotten() -> None:
    async with running_provider() as provider:
        provider.play(granted("first"), granted("second"))
        tokens = source(provider)
        await tokens.access_token()
        tokens.forget("another")
        assert await tokens.access_token() == "first"
        tokens.forget("first")
        assert await tokens.access_token() == "second"


@pytest.mark.anyio
async def test_a_rotated_refresh_token_is_used_from_then_on() -> None:
    async with running_provider() as provider:
        provider.play(granted("first", expires_in=1e-9, refresh_token="rotated"), granted("second"))
        tokens = source(provider)
        await tokens.access_token()
        await tokens.access_token()
    assert [dict(seen.form)["refresh_token"] for seen in provider.seen] == ["refresh+token", "rotated"]


@pytest.mark.anyio
@pytest.mark.parametrize("expires_in", [None, "3599", "soon", -5, 0, True, 10**30, [], "9" * 5_000])
async def test_a_strange_life_is_an_hour(expires_in: object) -> None:
    async with running_provider() as provider:
        provider.play(granted("first", expires_in=expires_in), granted("second"))
        tokens = source(provider)
        assert [await tokens.access_token() for _ in range(2)] == ["first", "first"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Reply.json(400, {"error": "invalid_grant", "error_description": "Token has been expired"}), "account_refused"),
        (Reply.json(401, {"error": "invalid_client"}), "account_refused"),
        (Reply.json(400, {"error": "unauthorized_client"}), "account_refused"),
        (Reply(404, b"<html>"), "account_refused"),
        (Reply(429, b"{}", {"Retry-After": "7"}), "unavailable"),
        (Reply(500, b"oops"), "unavailable"),
        (Reply(503, b"{}"), "unavailable"),
        (Reply(200, b"not json"), "unavailable"),
        (Reply(200, b"[]"), "unavailable"),
        (Reply(200, b"[" * 50_000), "unavailable"),
        (Reply.json(200, {"access_token": ""}), "unavailable"),
        (Reply.json(200, {"access_token": 5}), "unavailable"),
        (Reply(302, b"", {"Location": "https://evil.example/"}), "unavailable"),
        (Fault.RESET, "no_answer"),
        (Fault.HANG_UP, "no_answer"),
        (Fault.BREAK_OFF, "no_answer"),
    ],
)
async def test_each_failure_says_whether_a_person_must_help(answer: Reply | Fault, code: str) -> None:
    async with running_provider() as provider:
        provider.play(answer)
        with pytest.raises(Unavailable) as caught:
            await source(provider).access_token()
    assert caught.value.code == code
    assert "refresh+token" not in caught.value.message


@pytest.mark.anyio
async def test_a_refused_grant_is_not_knocked_on_again_at_once() -> None:
    async with running_provider() as provider:
        provider.play(Reply.json(400, {"error": "invalid_grant"}))
        tokens = source(provider)
        for _ in range(5):
            with pytest.raises(Unavailable) as caught:
                await tokens.access_token()
            assert caught.value.code == "account_refused"
    assert len(provider.seen) == 1


@pytest.mark.anyio
async def test_after_a_moment_without_network_the_next_try_counts() -> None:
    async with running_provider() as provider:
        provider.play(Fault.RESET, granted("first"))
        tokens = source(provider)
        with pytest.raises(Unavailable) as caught:
            await tokens.access_token()
        assert caught.value.retry_after_s is None
        assert await tokens.access_token() == "first"


@pytest.mark.anyio
async def test_how_long_to_wait_is_passed_on() -> None:
    async with running_provider() as provider:
        provider.play(Reply(429, b"{}", {"Retry-After": "7"}))
        with pytest.raises(Unavailable) as caught:
            await source(provider).access_token()
    assert caught.value.retry_after_s == 7.0


@pytest.mark.anyio
async def test_a_refresh_token_goes_nowhere_unencrypted() -> None:
    tokens = TokenSource("http://login.example.com/token", "client", "", "refresh")
    with pytest.raises(Unavailable) as caught:
        await tokens.access_token()
    assert caught.value.code == "account_refused"


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://login.example.com/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://[::1]/token", True),
        ("http://login.example.com/token", False),
        ("http://127.0.0.1.example.com/", False),
        ("https://user:secret@login.example.com/", False),
        ("https://", False),
        ("https://[::1", False),
        ("ftp://login.example.com", False),
    ],
)
def test_where_tokens_may_be_asked_for(url: str, is_fine: bool) -> None:
    assert (token_url_problem(url) is None) is is_fine


def test_loopback_is_this_very_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example.com", "", "0.0.0.0")))


def test_an_accounts_settings_name_its_token_source() -> None:
    secrets = {"oauth_refresh_token": "refresh", "oauth_client_secret": "secret"}
    assert token_source({}, secrets) is None
    assert token_source({"oauth_provider": "other", "oauth_client_id": "x"}, secrets) is None
    assert token_source({"oauth_provider": "google", "oauth_client_id": "x"}, secrets) is not None
    assert all(token_url_problem(url) is None for url in TOKEN_URLS.values())
    assert "offline_access" in SCOPES["microsoft"]


@pytest.mark.anyio
async def test_an_account_at_which_nobody_has_signed_in_yet_says_so() -> None:
    tokens = token_source({"oauth_provider": "google", "oauth_client_id": "x"}, {})
    assert tokens is not None
    with pytest.raises(Unavailable, match="Nobody has signed in") as refused:
        await tokens.access_token()
    assert refused.value.code == "account_refused"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("provider_name", "kept_tokens"), [("google", ["r0"]), ("microsoft", ["r0"]), ("other", ["r0", "r1", "r2"])]
)
async def test_a_renewed_refresh_token_is_kept_once_a_day_or_at_once_where_each_is_good_for_once(
    provider_name: str, kept_tokens: list[str]
) -> None:
    kept: list[tuple[str, str]] = []

    async def keep(name: str, value: str) -> None:
        kept.append((name, value))

    async with running_provider() as provider:
        provider.play(*(granted(f"a{number}", refresh_token=f"r{number}") for number in range(3)))
        settings = {"oauth_provider": provider_name, "oauth_client_id": "x", "oauth_token_url": f"{provider.url}/token"}
        tokens = token_source(settings, {"oauth_refresh_token": "r"}, keep)
        assert tokens is not None
        for number in range(3):
            assert await tokens.access_token() == f"a{number}"
            tokens.forget(f"a{number}")
    assert kept == [("oauth_refresh_token", token) for token in kept_tokens]
    assert [dict(seen.form)["refresh_token"] for seen in provider.seen] == ["r", "r0", "r1"]


@pytest.mark.anyio
async def test_a_renewed_refresh_token_that_could_not_be_kept_is_kept_when_the_database_is_back() -> None:
    kept: list[str] = []
    is_away = [True]

    async def keep(_name: str, value: str) -> None:
        if is_away.pop():
            raise DatabaseAway("away")
        kept.append(value)

    async with running_provider() as provider:
        provider.play(granted("a", refresh_token="only once"))
        settings = {"oauth_provider": "other", "oauth_client_id": "x", "oauth_token_url": f"{provider.url}/token"}
        tokens = token_source(settings, {"oauth_refresh_token": "r"}, keep)
        assert tokens is not None
        assert await tokens.access_token() == "a"
        is_away.append(False)
        assert await tokens.access_token() == "a"
    assert kept == ["only once"]


def test_the_words_of_xoauth2() -> None:
    # The example of developers.google.com/workspace/gmail/imap/xoauth2-protocol, made with our own names.
    assert xoauth2("ani@example.am", "token") == "user=ani@example.am\x01auth=Bearer token\x01\x01"
    assert base64.b64decode(encoded_xoauth2("ani@example.am", "token")).decode() == xoauth2("ani@example.am", "token")
