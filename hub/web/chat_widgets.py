"""How a chat's window is set up, for administrators: looks, forms, when nobody is there, and who is signed in."""

from __future__ import annotations

from hub.domain.permissions import Permission
from hub.domain.widget import Asked, AskedField, Offline, OfflineWhen, Position, Scheme, Widget
from hub.timeline import widgets
from hub.timeline.widgets import WidgetSetup
from hub.web.api import Context, endpoint
from hub.web.channels import embed_line
from hub.web.schemas import ChatWidget, IdentitySecret, SaveChatWidget, WidgetFieldView, WidgetOfflineView


@endpoint(
    "GET", "/channels/{channel_id}/widget", access=Permission.MANAGE_CHANNELS, summary="How a chat's window is set up"
)
async def get_chat_widget(context: Context, channel_id: str) -> ChatWidget:
    """404 if there is no such chat."""
    hub = context.hub
    return _answer(context, await hub.database.read(widgets.load_widget, hub.vault, channel_id))


@endpoint("PUT", "/channels/{channel_id}/widget", access=Permission.MANAGE_CHANNELS, summary="Change a chat's window")
async def save_chat_widget(context: Context, channel_id: str, body: SaveChatWidget) -> ChatWidget:
    """Takes effect with each visitor's next visit. 409 `version_conflict` if somebody changed the channel meanwhile."""
    hub = context.hub
    setup = await hub.database.transaction(
        widgets.save_widget,
        hub.vault,
        channel_id,
        _widget(body),
        {"title": body.title, "greeting": body.greeting, "colour": body.colour},
        expected_version=body.expected_version,
        actor=context.viewer,
    )
    await hub.channels.reload(channel_id)
    return _answer(context, setup)


@endpoint(
    "POST",
    "/channels/{channel_id}/identity-secret",
    access=Permission.MANAGE_CHANNELS,
    summary="Make a new identity secret",
)
async def roll_identity_secret(context: Context, channel_id: str) -> IdentitySecret:
    """The answer is the only place where it is ever shown. The one before ends at once, and with it whoever came in by it."""
    hub = context.hub
    secret = await hub.database.transaction(widgets.roll_secret, hub.vault, channel_id, actor=context.viewer)
    await hub.channels.reload(channel_id)
    return IdentitySecret(secret=secret)


@endpoint(
    "DELETE",
    "/channels/{channel_id}/identity-secret",
    access=Permission.MANAGE_CHANNELS,
    summary="Remove the identity secret",
)
async def remove_identity_secret(context: Context, channel_id: str) -> None:
    """Nobody is known by the page's signed word any more."""
    hub = context.hub
    await hub.database.transaction(widgets.drop_secret, hub.vault, channel_id, actor=context.viewer)
    await hub.channels.reload(channel_id)


def _widget(body: SaveChatWidget) -> Widget:
    return Widget(
        position=Position(body.position),
        scheme=Scheme(body.scheme),
        launcher=body.launcher,
        form_enabled=body.form_enabled,
        intro=body.intro,
        fields=tuple(
            AskedField(Asked(each.name), each.required, each.label, tuple(each.options)) for each in body.fields
        ),
        offline=Offline(
            enabled=body.offline.enabled,
            channel_id=body.offline.channel_id,
            when=OfflineWhen(body.offline.when),
            text=body.offline.text,
        ),
    )


def _answer(context: Context, setup: WidgetSetup) -> ChatWidget:
    widget = setup.widget
    return ChatWidget(
        channel_id=setup.channel_id,
        name=setup.name,
        title=setup.look["title"],
        greeting=setup.look["greeting"],
        colour=setup.look["colour"],
        position=widget.position.value,
        scheme=widget.scheme.value,
        launcher=widget.launcher,
        form_enabled=widget.form_enabled,
        intro=widget.intro,
        fields=[
            WidgetFieldView(name=each.name.value, required=each.required, label=each.label, options=list(each.options))
            for each in widget.fields
        ],
        offline=WidgetOfflineView(
            enabled=widget.offline.enabled,
            channel_id=widget.offline.channel_id,
            when=widget.offline.when.value,
            text=widget.offline.text,
        ),
        allowed_origins=setup.allowed_origins.split(),
        has_identity_secret=setup.has_secret,
        embed=embed_line(context.hub.settings.public_url, setup.channel_id),
        version=setup.version,
    )
