"""Letting the hub into a mailbox: out to a real local provider and back, and nobody else's way in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from hub.domain.values import ChannelKind, Role
from hub.store import tables
from tests.channels.provider import Provider, Reply, running_provider
from tests.support.running_hub import Api, House, Person, run_hub

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    return await running.empty()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as running_one:
        yield running_one


@pytest.fixture
async def ada(house: House, provider: Provider) -> Person:
    await house.channel(
        "mail",
        ChannelKind.EMAIL,
        oauth_provider="other",
        oauth_client_id="client",
        oauth_token_url=f"{provider.url}/token",
        oauth_authorise_url=f"{provider.url}/authorize",
    )
    return await house.person("Ada", Role.ADMIN)


async def begin(house: House, person: Person) -> dict[str, str]:
    """What the provider is asked."""
    answer = await house.api(person).post("/channels/mail/sign-in", {})
    assert answer.status_code == 200, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.json()["url"]).query).items()}


async def come_back(house: House, person: Person | None, **query: str) -> str:
    headers = {"cookie": person.cookie} if person is not None else {}
    answer = await house.client.get("/oauth/callback", params=query, headers=headers)
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def secrets_of(house: House) -> dict[str, str]:
    sealed = await house.hub.database.read(lambda tx: tx.scalar(select(tables.channel.c.secrets).filter_by(id="mail")))
    return house.hub.vault.unseal(sealed)


async def test_the_owner_allows_it_and_the_token_is_sealed(house: House, provider: Provider, ada: Person) -> None:
    asked = await begin(house, ada)
    assert (asked["client_id"], asked["response_type"]) == ("client", "code")
    assert asked["redirect_uri"] == house.url + "/oauth/callback"
    provider.play(Reply.json(200, {"access_token": "a", "refresh_token": "granted"}))
    assert await come_back(house, ada, code="code", state=asked["state"]) == ("/admin/channels?sign_in=ok&channel=mail")
    form = dict(provider.seen[0].form)
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert 43 <= len(form["code_verifier"]) <= 128
    assert (form["grant_type"], form["code"]) == ("authorization_code", "code")
    assert (await secrets_of(house))["oauth_refresh_token"] == "granted"
    detail = (await house.api(ada).get("/channels/mail")).json()
    assert "granted" not in str(detail)
    assert "oauth_refresh_token" in detail["secrets_set"]


async def test_a_refusal_changes_nothing_and_says_so(house: House, provider: Provider, ada: Person) -> None:
    state = (await begin(house, ada))["state"]
    assert "sign_in=refused" in await come_back(house, ada, error="access_denied", state=state)
    provider.play(Reply.json(400, {"error": "invalid_grant"}))
    assert "sign_in=failed" in await come_back(house, ada, code="stale", state=state)
    assert "oauth_refresh_token" not in await secrets_of(house)


async def test_whoever_comes_back_must_be_the_one_who_left(house: House, provider: Provider, ada: Person) -> None:
    state = (await begin(house, ada))["state"]
    other = await house.person("Other", Role.ADMIN)
    for somebody in (None, other, await house.person("Nare")):
        assert "sign_in=expired" in await come_back(house, somebody, code="code", state=state)
    assert provider.seen == []


@pytest.mark.parametrize("state", ["", "mail.1.9999999999.AAAA", "....", "mail"])
async def test_a_forged_state_goes_nowhere(house: House, provider: Provider, ada: Person, state: str) -> None:
    assert await come_back(house, ada, code="code", state=state) == "/admin/channels?sign_in=failed"
    assert provider.seen == []


async def test_only_an_administrator_begins_and_a_missing_setting_is_named(house: House, ada: Person) -> None:
    nare: Api = house.api(await house.person("Nare"))
    assert (await nare.post("/channels/mail/sign-in", {})).status_code == 403
    await house.channel("plain", ChannelKind.EMAIL)
    answer = await house.api(ada).post("/channels/plain/sign-in", {})
    assert answer.status_code == 422
    assert "settings.oauth_provider" in answer.json()["fields"]
    assert (await house.api(ada).post("/channels/loop/sign-in", {})).status_code == 409
