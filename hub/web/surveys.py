"""Surveys: what each queue asks, what customers answered, and who saw to the low scores."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime
from sqlalchemy import select

from hub.channels.channel import OutgoingMessage
from hub.domain.mail import Mailbox, MailKind, OutgoingMail
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import SurveyState
from hub.domain.values import ChannelKind, ContactKind, SurveyKind
from hub.domain.views import SurveyView
from hub.errors import InvalidInput, ProviderError, Refused, Unavailable
from hub.store import tables
from hub.store.database import Tx
from hub.surveys import links, lists, settings, words
from hub.surveys.lists import Wanted
from hub.surveys.settings import SurveySetting
from hub.timeline import customers
from hub.timeline.threads import new_thread
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import (
    FollowUp,
    Page,
    SaveSurveySetting,
    SurveyPreview,
    SurveySettingView,
    SurveyWords,
    TestSent,
    TestSurvey,
)
from hub.web.throttle import Throttle

# Tests go out past the outbox, to whatever number somebody types: more than this is no test.
_tests = Throttle(20, 3600.0, "too many tests for now")


@endpoint("GET", "/survey-settings", access=Access.SUPERVISOR, summary="What each queue asks")
async def list_survey_settings(context: Context) -> Page[SurveySettingView]:
    """Of every queue, by name; those that never saved any ask nobody."""
    return Page([_setting_view(each) for each in await context.hub.database.read(settings.load_settings)])


@endpoint("PUT", "/survey-settings/{queue_id}", access=Permission.MANAGE_SETTINGS, summary="Say what a queue asks")
async def save_survey_setting(context: Context, queue_id: int, body: SaveSurveySetting) -> SurveySettingView:
    """409 `version_conflict` if somebody changed them meanwhile. What is planned already goes by the new settings."""
    wanted = SurveySetting(
        queue_id=queue_id,
        queue_name="",
        enabled=body.enabled,
        kind=body.kind,
        questions=tuple(body.questions.items()),
        language=body.language,
        channels=tuple(dict.fromkeys(ChannelKind(kind) for kind in body.channels)),
        delay_s=body.delay_s,
        throttle_days=body.throttle_days,
        open_h=body.open_h,
        low_score=body.low_score,
        told=None if body.told is None else tuple(sorted(set(body.told))),
        scores_for_agents=body.scores_for_agents,
    )
    saved = await context.hub.database.transaction(
        settings.save_setting, wanted, body.expected_version, actor=context.viewer
    )
    return _setting_view(saved)


@endpoint("POST", "/surveys/preview", access=Permission.MANAGE_SETTINGS, summary="What customers would read")
async def preview_survey(context: Context, body: SurveyWords) -> Page[SurveyPreview]:
    """In every language; nothing is saved."""
    questions = _own_words(body)
    shown = []
    for language in words.LANGUAGES:
        asked = words.asked(body.kind, language, questions)
        shown.append(
            SurveyPreview(
                language=language,
                question=asked.question,
                usual=words.asked(body.kind, language).question,
                low=asked.low,
                high=asked.high,
                sms=words.sms(body.kind, language, questions),
            )
        )
    return Page(shown)


@endpoint("POST", "/surveys/test", access=Permission.MANAGE_SETTINGS, summary="Send yourself a test")
async def test_survey(context: Context, body: TestSurvey) -> TestSent:
    """Past timeline and figures; whatever is answered is not stored."""
    hub, questions = context.hub, _own_words(body)
    _tests.check(f"user {context.viewer.user_id}")
    channel = await hub.channels.get(body.channel_id)
    kind = ChannelKind(channel.account.kind)
    question = words.asked(body.kind, body.language, questions).question
    if kind is ChannelKind.EMAIL:
        address = await hub.database.read(_own_address, context.viewer.user_id)
        url = f"{hub.settings.public_url}/s/{links.test_token(hub.vault, body.kind, body.language)}"
        message = OutgoingMessage(
            delivery_id=secrets.token_urlsafe(18),
            recipient=address,
            text=f"{words.page(body.language).test}\n\n{words.letter(body.kind, body.language, question, url)}",
            created_at=hub.database.clock(),
            mail=OutgoingMail(
                kind=MailKind.ACKNOWLEDGEMENT,
                subject=words.page(body.language).title,
                thread=new_thread(),
                to=(Mailbox(address, context.viewer.name),),
                language=body.language,
            ),
        )
    elif kind is ChannelKind.SMS:
        address = customers.parse_address(ContactKind.PHONE, body.address or "", channel.account.default_region)
        text = words.sms_of_test(body.kind, body.language, questions)
        message = OutgoingMessage(secrets.token_urlsafe(18), address, text, created_at=hub.database.clock())
    else:
        raise InvalidInput("no test here", fields={"channel_id": Sentence("tests go by mail or by text message")})
    try:
        await channel.send(message)
    except Refused as error:
        raise InvalidInput(error.message, fields={"channel_id": error.message}) from error
    except ProviderError as error:
        raise Unavailable(error.message, code=error.code) from error
    return TestSent(address=address)


@endpoint("GET", "/surveys", access=Access.AGENT, summary="What customers answered")
async def list_surveys(
    context: Context,
    state: SurveyState = SurveyState.ANSWERED,
    queue_id: int | None = None,
    agent_id: int | None = None,
    channel_id: str | None = None,
    customer_id: int | None = None,
    conversation_id: int | None = None,
    kind: SurveyKind | None = None,
    low: bool = False,
    follow_up: Literal["open", "done"] | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[SurveyView]:
    """Newest first. Agents see those about their own work, and of queues that show all scores to all. `since` and `until`
    are of the instant by which the list is in order: answered, sent, or due."""
    wanted = Wanted(
        state=state,
        queue_id=queue_id,
        agent_id=agent_id,
        channel_id=channel_id,
        customer_id=customer_id,
        conversation_id=conversation_id,
        kind=kind,
        low=low,
        follow_up=follow_up,
        since=since,
        until=until,
    )
    before = read_cursor(cursor, datetime, int)
    items = await context.hub.database.read(lists.load_page, context.viewer, wanted, before, limit)
    more = write_cursor(lists.moment_of(items[-1]), items[-1].id) if len(items) == limit else None
    return Page(items, next_cursor=more)


@endpoint(
    "PUT", "/surveys/{survey_id}/follow-up", access=Permission.ACT_ON_BOARD, summary="Say that a low score is seen to"
)
async def follow_up_survey(context: Context, survey_id: int, body: FollowUp) -> SurveyView:
    """409 `nothing_to_follow_up` for a score that was never low."""
    return await context.hub.database.transaction(lists.set_followed_up, context.viewer, survey_id, done=body.done)


def _own_words(body: SurveyWords) -> dict[str, str]:
    return {str(language): words for language, words in body.questions.items()}


def _own_address(tx: Tx, user_id: int) -> str:
    return str(tx.scalar(select(tables.user_account.c.email).where(tables.user_account.c.id == user_id)))


def _setting_view(setting: SurveySetting) -> SurveySettingView:
    return SurveySettingView(
        queue_id=setting.queue_id,
        queue_name=setting.queue_name,
        enabled=setting.enabled,
        kind=setting.kind,
        questions=dict(setting.questions),
        language=setting.language,
        channels=list(setting.channels),
        delay_s=setting.delay_s,
        throttle_days=setting.throttle_days,
        open_h=setting.open_h,
        low_score=setting.low_score,
        told=None if setting.told is None else list(setting.told),
        scores_for_agents="all" if setting.scores_for_agents == "all" else "own",
        version=setting.version,
    )
