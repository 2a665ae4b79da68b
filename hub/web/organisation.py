"""The organisation: what it is called and where it is, which account its own mails leave from, what is kept how long."""

from __future__ import annotations

from hub.agents import retention, set_up
from hub.agents.retention import Kept
from hub.agents.set_up import House
from hub.domain.permissions import Permission
from hub.settings import Settings
from hub.store.database import Tx
from hub.timeline import house_mail
from hub.web.api import Context, endpoint
from hub.web.schemas import (
    MailAccount,
    OrganisationBefore,
    OrganisationSettings,
    OrganisationView,
    RetentionView,
    SaveOrganisation,
    SaveRetention,
    SetMailAccount,
)


@endpoint(
    "GET", "/organisation", access=Permission.MANAGE_SETTINGS, summary="The organisation, and how it writes mails"
)
async def get_organisation(context: Context) -> OrganisationSettings:
    return await context.hub.database.read(_load)


@endpoint("PUT", "/organisation", access=Permission.MANAGE_SETTINGS, summary="Change the organisation")
async def save_organisation(context: Context, body: SaveOrganisation) -> OrganisationView:
    """With another time zone days begin at other instants: figures are made anew. 409 `version_conflict` if it is not what
    `expected` says any more."""
    expected = None if body.expected is None else house_of(body.expected)
    return view_of(
        await context.hub.database.transaction(
            set_up.save_house, house_of(body), actor=context.viewer, expected=expected
        )
    )


@endpoint(
    "PUT",
    "/organisation/mail-account",
    access=Permission.MANAGE_SETTINGS,
    summary="Choose the account that the hub's own mails leave from",
)
async def set_mail_account(context: Context, body: SetMailAccount) -> OrganisationSettings:
    """Invitations, new passwords, reports and alerts. While the chosen one cannot send, and with null, the hub takes one that
    can. 422 for a channel that cannot send mail."""

    def choose(tx: Tx) -> OrganisationSettings:
        house_mail.choose_mail_channel(tx, body.channel_id, actor=context.viewer)
        return _load(tx)

    return await context.hub.database.transaction(choose)


@endpoint("GET", "/organisation/retention", access=Permission.MANAGE_SETTINGS, summary="What is kept for how long")
async def get_retention(context: Context) -> list[RetentionView]:
    """At most what the environment says. Recordings of calls are kept as their queues say."""
    return await context.hub.database.read(_load_retention, context.hub.settings)


@endpoint("PUT", "/organisation/retention", access=Permission.MANAGE_SETTINGS, summary="Say what is kept for how long")
async def set_retention(context: Context, body: SaveRetention) -> list[RetentionView]:
    """Null: as the environment says. What is older is deleted within the hour, for good. 422 names each that is out of its
    bounds."""
    settings = context.hub.settings
    chosen = {Kept(name): getattr(body, name) for name in body.model_fields_set}

    def change(tx: Tx) -> list[RetentionView]:
        retention.save(tx, settings, chosen, actor=context.viewer)
        return _load_retention(tx, settings)

    return await context.hub.database.transaction(change)


def house_of(body: SaveOrganisation | OrganisationBefore) -> House:
    return House(body.name, body.time_zone, body.country, tuple(body.languages))


def view_of(house: House) -> OrganisationView:
    return OrganisationView(
        name=house.name, time_zone=house.time_zone, country=house.country, languages=list(house.languages)
    )


def _load(tx: Tx) -> OrganisationSettings:
    return OrganisationSettings(
        organisation=view_of(set_up.load_house(tx)),
        mail_channel_id=house_mail.load_chosen(tx),
        mail_from=house_mail.find_mail_channel(tx),
        mail_accounts=[
            MailAccount(channel_id=each.channel_id, name=each.name, address=each.address, is_down=each.is_down)
            for each in house_mail.load_accounts(tx)
        ],
    )


def _load_retention(tx: Tx, settings: Settings) -> list[RetentionView]:
    return [
        RetentionView(
            kept=each.kept,
            days=each.days,
            chosen=each.chosen,
            least=each.least,
            limit=each.limit,
            variable=each.variable,
        )
        for each in retention.load(tx, settings).values()
    ]
