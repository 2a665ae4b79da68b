"""Channel accounts: everybody sees that they are there, administrators set them up. Secrets go in and never come
out."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Row

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.calls import line_tests
from hub.channels.channel import Channel, CheckResult, OutgoingMessage
from hub.channels.email import EmailChannel
from hub.channels.registry import CHANNEL_TYPES, LINE_TYPES
from hub.channels.voice import LegOrder, VoiceChannel
from hub.domain.calls import LegEnd
from hub.domain.mail import Mailbox, MailKind, OutgoingMail
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import ChannelKind, ContactKind
from hub.domain.views import ChannelView
from hub.errors import Conflict, InvalidInput, ProviderError, Refused, Unavailable
from hub.store.database import Tx
from hub.timeline import channels, consents, customers, outbox
from hub.timeline.adapters import is_line
from hub.timeline.channels import ChannelSetup
from hub.timeline.fetching import check_mailbox
from hub.timeline.threads import new_thread
from hub.web.api import Access, Context, HubLike, endpoint
from hub.web.languages import in_language
from hub.web.schemas import (
    ChannelDetail,
    ChannelField,
    ChannelKindInfo,
    LineTestView,
    NewChannel,
    Page,
    TestCall,
    TestCallBegun,
    TestChannel,
    TestSent,
    UpdateChannel,
)
from hub.web.throttle import Throttle


@endpoint(
    "GET",
    "/channel-kinds",
    access=Permission.MANAGE_CHANNELS,
    summary="What kinds of channel there are, and what they need",
)
async def list_channel_kinds(context: Context) -> Page[ChannelKindInfo]:
    return Page(
        [
            ChannelKindInfo(
                kind=kind.kind,
                provider=kind.provider,
                label=in_language(kind.label, context.language),
                description=in_language(kind.description, context.language),
                fields=[
                    ChannelField(
                        name=field.name,
                        label=in_language(field.label, context.language),
                        help=in_language(field.help, context.language),
                        required=field.required,
                        secret=field.secret,
                        example=field.example,
                        pattern=field.pattern,
                        options=list(field.options),
                        group=in_language(field.group, context.language),
                        multiline=field.multiline,
                    )
                    for field in kind.fields
                    if not field.managed
                ],
                webhooks=list(kind.webhooks),
            )
            for kind in (*CHANNEL_TYPES.values(), *LINE_TYPES.values())
        ]
    )


@endpoint("GET", "/channels", access=Access.AGENT, summary="All channels")
async def list_channels(context: Context) -> Page[ChannelView]:
    return Page(await context.hub.database.read(channels.load_channel_views))


@endpoint("POST", "/channels", access=Permission.MANAGE_CHANNELS, status=201, summary="Set up a channel")
async def create_channel(context: Context, body: NewChannel) -> ChannelDetail:
    """Faulty settings are named as `settings.NAME` and `secrets.NAME`. 409 `id_taken` if there is one with this id."""
    hub = context.hub

    def create(tx: Tx) -> ChannelSetup:
        channels.create_channel(
            tx,
            hub.vault,
            channel_id=body.id,
            kind=ChannelKind(body.kind),
            name=body.name,
            queue_id=body.queue_id,
            settings=body.settings,
            secrets=body.secrets,
            default_region=body.default_region,
            reopen_window_s=body.reopen_window_s,
            provider=body.provider,
            flow_id=body.flow_id,
            actor=context.viewer,
        )
        return _load(tx, hub, body.id)

    setup = await hub.database.transaction(create)
    await hub.channels.reload(body.id)
    return _detail(hub, setup)


@endpoint("GET", "/channels/{channel_id}", access=Permission.MANAGE_CHANNELS, summary="One channel with its settings")
async def get_channel(context: Context, channel_id: str) -> ChannelDetail:
    return _detail(context.hub, await context.hub.database.read(_load, context.hub, channel_id))


@endpoint(
    "POST", "/channels/{channel_id}/check", access=Permission.MANAGE_CHANNELS, summary="Try a channel's connections"
)
async def check_channel(context: Context, channel_id: str) -> Page[CheckResult]:
    """Signs in where mail is sent and fetched, and sends nothing; the channel's health is what it found. 409
    `nothing_to_check` for other kinds of channel."""
    channel = await context.hub.channels.find(channel_id)
    if not isinstance(channel, EmailChannel):
        raise Conflict("this kind of channel signs in nowhere by itself", code="nothing_to_check")
    results = await channel.check()
    await context.hub.database.transaction(_note_check, channel_id, results)
    mailbox = await check_mailbox(channel)
    return Page(results if mailbox is None else [*results, mailbox])


# Tests go out past the outbox, to whatever address somebody types: more than this is no test.
_tests = Throttle(20, 3600.0, "too many tests for now")


@endpoint(
    "POST", "/channels/{channel_id}/test", access=Permission.MANAGE_CHANNELS, summary="Send a test through a channel"
)
async def test_channel(context: Context, channel_id: str, body: TestChannel) -> TestSent:
    """One message, past timelines and figures, by mail and text message; who tried it is in the audit log, without the
    address. 409 `opted_out` for who asked for silence, `nothing_to_send` for other kinds of channel; 422 with `address` or
    `text` where the provider refuses; 503 with its code where it is away. The channel's health is what was found."""
    hub = context.hub
    _tests.check(f"user {context.viewer.user_id}")
    channel = await hub.channels.get(channel_id)
    message = _test_message(hub, channel, body)
    await hub.database.transaction(_note_test, context.viewer, channel, message.recipient)
    try:
        channel.check_outgoing(message)
        await channel.send(message)
    except Refused as error:
        raise InvalidInput(error.message, fields={"address": error.message}) from error
    except ProviderError as error:
        await hub.database.transaction(outbox.note_failure, channel_id, error)
        raise Unavailable(error.message, code=error.code) from error
    await hub.database.transaction(outbox.note_success, channel_id)
    return TestSent(address=message.recipient)


@endpoint(
    "POST",
    "/channels/{channel_id}/test-calls",
    access=Permission.MANAGE_CHANNELS,
    status=201,
    summary="Ring somebody through a telephone line",
)
async def begin_test_call(context: Context, channel_id: str, body: TestCall) -> TestCallBegun:
    """The hub rings, says one sentence and hangs up, past timelines and figures; ask for its course below. Who tried it is in
    the audit log, without the number. 409 `test_running` while another goes on through this line, `calls_refused` for who
    asked not to be called; 429 for more than twenty an hour; 503 with its code where the hub's own line does not answer."""
    hub = context.hub
    line = await _get_line(hub, channel_id)
    if line.voice.by_connect:
        if body.offer is None:
            raise InvalidInput("no sound", fields={"offer": Sentence("must be given: this line rings browsers")})
        address = ""
    else:
        if body.address is None:
            raise InvalidInput("whom?", fields={"address": Sentence("must be given: this line rings telephones")})
        address = customers.parse_address(ContactKind.PHONE, body.address, line.account.default_region)

    def begin(tx: Tx) -> tuple[Row[Any], LegOrder]:
        row = line_tests.begin(tx, context.viewer, channel_id, address=address, language=body.language)
        return row, line_tests.order_of(tx, row)

    row, order = await hub.database.transaction(begin)
    if body.offer is None or address:
        return TestCallBegun(test=_test_view(row), answer=None)
    try:
        answer = await line.connect(order, body.offer)
    except ProviderError as error:
        if isinstance(error, Unavailable) and not error.channel_works:
            await hub.database.transaction(outbox.note_failure, channel_id, error)
        await hub.database.transaction(line_tests.note_over, row.token, LegEnd.FAILED, error)
        if isinstance(error, Refused):
            raise InvalidInput(error.message, fields={"offer": error.message}) from error
        raise Unavailable(error.message, code=error.code) from error
    await hub.database.transaction(line_tests.note_dialled, row.token, row.token, None, None)
    return TestCallBegun(test=_test_view(row), answer=answer)


@endpoint(
    "GET",
    "/channels/{channel_id}/test-calls/{test_id}",
    access=Permission.MANAGE_CHANNELS,
    summary="How far a test call is",
)
async def get_test_call(context: Context, channel_id: str, test_id: int) -> LineTestView:
    """Kept for an hour after its end."""
    return _test_view(await context.hub.database.read(line_tests.load, channel_id, test_id))


@endpoint(
    "POST",
    "/channels/{channel_id}/test-calls/{test_id}/hang-up",
    access=Permission.MANAGE_CHANNELS,
    summary="End a test call",
)
async def end_test_call(context: Context, channel_id: str, test_id: int) -> LineTestView:
    """Twice is the same as once."""
    return _test_view(await context.hub.database.transaction(line_tests.cancel, channel_id, test_id))


async def _get_line(hub: HubLike, channel_id: str) -> VoiceChannel:
    line = await hub.channels.find(channel_id)
    if not is_line(line):
        raise Conflict("this kind of channel carries no calls", code="nothing_to_ring")
    return line


def _test_view(row: Row[Any]) -> LineTestView:
    return LineTestView(
        id=row.id,
        state=row.state,
        is_answered=row.answered_at is not None,
        is_heard=row.heard_at is not None,
        end=row.end_reason,
        code=row.error_code,
        reason=row.error,
    )


def _test_message(hub: HubLike, channel: Channel, body: TestChannel) -> OutgoingMessage:
    kind = _TESTED.get(channel.account.kind)
    if kind is None:
        raise Conflict("tests go by mail and by text message", code="nothing_to_send")
    address = customers.parse_address(kind, body.address, channel.account.default_region)
    mail = OutgoingMail(
        kind=MailKind.ACKNOWLEDGEMENT,
        subject=body.text.splitlines()[0][:80],
        thread=new_thread(),
        to=(Mailbox(address, ""),),
    )
    return OutgoingMessage(
        delivery_id=secrets.token_urlsafe(18),
        recipient=address,
        text=body.text,
        created_at=hub.database.clock(),
        mail=mail if kind is ContactKind.EMAIL else None,
    )


_TESTED = {ChannelKind.SMS: ContactKind.PHONE, ChannelKind.EMAIL: ContactKind.EMAIL}


def _note_test(tx: Tx, actor: Viewer, channel: Channel, address: str) -> None:
    account = channel.account
    consents.check_may_try(tx, _TESTED[account.kind], address)
    (view,) = channels.load_channel_views(tx, {account.id})
    audit.note(tx, actor, "channel.tested", "channel", account.id, {"name": view.name})


def _note_check(tx: Tx, channel_id: str, results: list[CheckResult]) -> None:
    """Of sending alone: whoever fetches looks after the health of fetching."""
    failed = next((result for result in results if not result.ok), None)
    if failed is None:
        outbox.note_success(tx, channel_id)
    else:
        outbox.note_failure(tx, channel_id, Unavailable(failed.detail, code=failed.code))


@endpoint("PATCH", "/channels/{channel_id}", access=Permission.MANAGE_CHANNELS, summary="Change a channel")
async def update_channel(context: Context, channel_id: str, body: UpdateChannel) -> ChannelDetail:
    """Takes effect at once. New settings or secrets are a new start: what waits to be sent is tried again."""
    hub = context.hub

    def change(tx: Tx) -> ChannelSetup:
        channels.update_channel(
            tx,
            hub.vault,
            channel_id,
            name=body.name,
            queue_id=body.queue_id,
            enabled=body.enabled,
            settings=body.settings,
            secrets=body.secrets,
            default_region=body.default_region,
            reopen_window_s=body.reopen_window_s,
            flow_id=body.flow_id,
            changes_flow="flow_id" in body.model_fields_set,
            actor=context.viewer,
        )
        return _load(tx, hub, channel_id)

    setup = await hub.database.transaction(change)
    await hub.channels.reload(channel_id)
    return _detail(hub, setup)


def _load(tx: Tx, hub: HubLike, channel_id: str) -> ChannelSetup:
    return channels.load_channel_setup(tx, hub.vault, hub.settings.public_url, channel_id)


def _embed(public_url: str, channel: ChannelView) -> str | None:
    if channel.kind is not ChannelKind.CHAT:
        return None
    return embed_line(public_url, channel.id)


def embed_line(public_url: str, channel_id: str) -> str:
    """The line that puts a chat into a web page."""
    # Neither can hold a character that means something in HTML: ids are letters, digits and dashes, the address is a URL.
    return f'<script src="{public_url}/widget.js" data-channel="{channel_id}" async></script>'


def _detail(hub: HubLike, setup: ChannelSetup) -> ChannelDetail:
    return ChannelDetail(
        channel=setup.view,
        settings=setup.settings,
        secrets_set=list(setup.secrets_set),
        webhook_urls=setup.webhook_urls,
        embed=_embed(hub.settings.public_url, setup.view),
        default_region=setup.default_region,
        reopen_window_s=setup.reopen_window_s,
    )
