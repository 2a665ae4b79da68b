"""What was said in a conversation, as a document of its own: to print, to keep, to send to the customer. Written while it
is sent, page by page.

It has messages, calls, voice messages and what was filled in before a chat; what only the house is concerned with (who had
it, where it waited) is left out, and so is a blind copy. Notes come along where they are asked for. What was written stands
indented in a text, so that no message can look like another's.

The file that a customer gets of their data tells what was said by the same lines, and their scores as well (privacy.archive).
A transcript has none: it is the talk alone.
"""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select

from hub.agents.viewer import Viewer
from hub.domain.mail import SpanKind
from hub.domain.states import Delivery
from hub.domain.values import AuthorKind, Direction, EntryKind, Happening, SurveyKind
from hub.domain.views import CallView, EntryView
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline import conversations

# Those in which customers are asked for scores (surveys.words); a test compares.
Language = Literal["en", "hy", "ka", "az", "uk", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_e = tables.entry.c

_PAGE = 200
_START: tuple[datetime, int] = (datetime.min.replace(tzinfo=UTC), 0)
_INDENT = "    "

_HEAD = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
{meta}<style>
:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}}
h1{{font-size:1.4rem;margin:0}}dl{{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}}dd{{margin:0}}
h3{{font-size:1rem;margin:1.5rem 0 .5rem}}
h2{{font-size:1rem;margin:2rem 0 .5rem;padding-bottom:.25rem;border-bottom:1px solid #8888}}
h2.talk{{font-size:1.15rem;margin-top:3rem}}
header p,article p{{margin:.15rem 0;white-space:pre-wrap}}article{{margin:.75rem 0;break-inside:avoid-page}}
.ours{{margin-inline-start:2.5rem}}.note{{border-inline-start:3px solid #c80;padding-inline-start:.75rem}}
small{{opacity:.75}}b{{font-weight:600}}
@media print{{:root{{color-scheme:light}}body{{font-size:11pt;margin:0;max-width:none;padding:0}}}}
</style></head><body><header><h1>{title}</h1>
"""

# Nothing in it may run or load, whatever was written; and it has no origin, so that it is nobody's page.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


END = b"</body></html>\n"


class Form(StrEnum):
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    zone: str
    customer: str
    note: str
    call: str
    missed_call: str
    voice_message: str
    filled_in: str
    scored: str
    file: str
    failed: str
    uncertain: str
    empty: str


_WORDS: Mapping[Language, Words] = {
    "en": Words(
        title="Conversation {id} with {name}",
        zone="Times: {zone}",
        customer="Customer",
        note="Note",
        call="Call, {minutes}:{seconds:02}",
        missed_call="Call, nobody spoke",
        voice_message="Voice message, {minutes}:{seconds:02}",
        filled_in="Filled in before the chat",
        scored="Score: {score} of {most}",
        file="File: {name}",
        failed="Was not delivered",
        uncertain="It is not known whether this was delivered",
        empty="Nothing has been said yet.",
    ),
    "hy": Words(
        title="Խոսակցություն {id}՝ {name}",
        zone="Ժամերը՝ {zone}",
        customer="Հաճախորդ",
        note="Նշում",
        call="Զանգ, {minutes}:{seconds:02}",
        missed_call="Զանգ, ոչ ոք չի խոսել",
        voice_message="Ձայնային հաղորդագրություն, {minutes}:{seconds:02}",
        filled_in="Լրացվել է զրույցից առաջ",
        scored="Գնահատական՝ {score} (առավելագույնը՝ {most})",
        file="Ֆայլ՝ {name}",
        failed="Չի հասել հասցեատիրոջը",
        uncertain="Հայտնի չէ՝ հասե՞լ է հասցեատիրոջը",
        empty="Դեռ ոչինչ չի ասվել։",
    ),
    "ka": Words(
        title="საუბარი {id}: {name}",
        zone="დრო: {zone}",
        customer="კლიენტი",
        note="შენიშვნა",
        call="ზარი, {minutes}:{seconds:02}",
        missed_call="ზარი, არავის უსაუბრია",
        voice_message="ხმოვანი შეტყობინება, {minutes}:{seconds:02}",
        filled_in="შეივსო ჩატის წინ",
        scored="შეფასება: {score} (მაქსიმუმ {most})",
        file="ფაილი: {name}",
        failed="ადრესატამდე ვერ მივიდა",
        uncertain="უცნობია, მივიდა თუ არა ადრესატამდე",
        empty="ჯერ არაფერი თქმულა.",
    ),
    "az": Words(
        title="Söhbət {id}: {name}",
        zone="Vaxt: {zone}",
        customer="Müştəri",
        note="Qeyd",
        call="Zəng, {minutes}:{seconds:02}",
        missed_call="Zəng, heç kim danışmayıb",
        voice_message="Səsli mesaj, {minutes}:{seconds:02}",
        filled_in="Çatdan əvvəl doldurulub",
        scored="Qiymət: {score} (ən çox {most})",
        file="Fayl: {name}",
        failed="Çatdırılmayıb",
        uncertain="Çatdırılıb-çatdırılmadığı məlum deyil",
        empty="Hələ heç nə deyilməyib.",
    ),
    "uk": Words(
        title="Розмова {id}: {name}",
        zone="Час: {zone}",
        customer="Клієнт",
        note="Нотатка",
        call="Дзвінок, {minutes}:{seconds:02}",
        missed_call="Дзвінок, ніхто не говорив",
        voice_message="Голосове повідомлення, {minutes}:{seconds:02}",
        filled_in="Заповнено перед чатом",
        scored="Оцінка: {score} з {most}",
        file="Файл: {name}",
        failed="Не доставлено",
        uncertain="Невідомо, чи доставлено",
        empty="Ще нічого не сказано.",
    ),
    "ru": Words(
        title="Разговор {id}: {name}",
        zone="Время: {zone}",
        customer="Клиент",
        note="Заметка",
        call="Звонок, {minutes}:{seconds:02}",
        missed_call="Звонок, никто не говорил",
        voice_message="Голосовое сообщение, {minutes}:{seconds:02}",
        filled_in="Заполнено перед чатом",
        scored="Оценка: {score} из {most}",
        file="Файл: {name}",
        failed="Не доставлено",
        uncertain="Неизвестно, доставлено ли",
        empty="Ещё ничего не сказано.",
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """`language`: of the words around what was said; None: the customer's, if it is one of these, else English."""

    conversation_id: int
    form: Form
    language: Language | None
    with_notes: bool


@dataclass(frozen=True, slots=True)
class Head:
    """`subject`: of the conversation. What stands in `language`, by the clock of `zone`."""

    house: str
    customer_name: str
    subject: str
    language: Language
    zone: ZoneInfo


# What is said below a line of the files that belong to it.
Remarks = Callable[[EntryView], Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Line:
    """`remarks` stand below in small: files, and that it did not arrive. `at` is in the organisation's zone."""

    at: datetime
    who: str
    text: str
    remarks: Sequence[str]
    is_ours: bool
    is_note: bool


# (at, id) of the last line that was read.
Place = tuple[datetime, int]
Page = tuple[list[_Line], Place]


def load_head(tx: Tx, viewer: Viewer, wanted: Wanted) -> Head:
    """NotFound for what the viewer may not see."""
    view = conversations.access_conversation(tx, viewer, wanted.conversation_id)
    house, zone = load_house(tx)
    spoken = tx.scalar(select(tables.customer.c.language).where(tables.customer.c.id == view.customer_id))
    language = wanted.language or language_of(spoken)
    # What the card of an erased customer is called is nobody's name.
    name = "" if view.customer_is_erased else view.customer_name
    return Head(house, name, view.subject or "", language, zone)


def load_house(tx: Tx) -> tuple[str, ZoneInfo]:
    """Its name and its clock."""
    house = tx.first(select(tables.organisation.c.name, tables.organisation.c.time_zone))
    return ("", ZoneInfo("UTC")) if house is None else (house.name, ZoneInfo(house.time_zone))


def language_of(*wanted: str | None) -> Language:
    """The first of these that is spoken here, by what stands before its hyphen ("kab" is not Georgian); else English."""
    return next((each for one in wanted for each in LANGUAGES if each == (one or "").partition("-")[0].lower()), "en")


def words_in(language: Language) -> Words:
    return _WORDS[language]


async def parts(database: Database, viewer: Viewer, wanted: Wanted, head: Head) -> AsyncIterator[bytes]:
    """NotFound where the viewer loses it while it is written."""
    yield _begin(wanted, head).encode(errors="replace")

    def load(tx: Tx, after: Place) -> Page | None:
        view = conversations.access_conversation(tx, viewer, wanted.conversation_id)
        # The lines of one that is a part of another stand there, and say themselves where they came from.
        its = _e.conversation_id == view.id if view.merged_into_id is None else conversations.came_by([view.id])
        return load_page(tx, head, its & conversations.readable_by(viewer), after, with_notes=wanted.with_notes)

    async for part in said(database, wanted.form, head, load):
        yield part
    if wanted.form is Form.HTML:
        yield END


async def said(
    database: Database, form: Form, head: Head, load: Callable[[Tx, Place], Page | None], *, below: str = "h2"
) -> AsyncIterator[bytes]:
    """The lines, under their days; `below`: the element that a day is headed by."""
    day, after = "", _START
    while page := await database.read(load, after):
        lines, after = page
        written: list[str] = []
        for line in lines:
            if (date := f"{line.at:%Y-%m-%d}") != day:
                day = date
                written.append(_day(form, date, below))
            written.append(_written(form, line))
        yield "".join(written).encode(errors="replace")
    if after == _START:
        empty = words_in(head.language).empty
        yield (f"<p>{html.escape(empty)}</p>\n" if form is Form.HTML else f"\n{empty}\n").encode()


def load_page(
    tx: Tx,
    head: Head,
    which: ColumnElement[bool],
    after: Place,
    *,
    with_notes: bool,
    with_scores: bool = False,
    remarks: Remarks | None = None,
) -> Page | None:
    """Of the entries `which`, oldest first, and where the next begins; None at the end. `with_scores`: also what the customer
    answered to surveys."""
    words = words_in(head.language)
    kinds = [EntryKind.MESSAGE.value, *([EntryKind.NOTE.value] if with_notes else [])]
    told = [Happening.CALL.value, Happening.FORM.value, *([Happening.SCORED.value] if with_scores else [])]
    is_said = _e.kind.in_(kinds) | _e.happening.in_(told)
    entries = conversations.load_entries(tx, conversations.entry_page_after(which & is_said, after, _PAGE))
    if not entries:
        return None
    whole = _load_whole(tx, [entry.id for entry in entries if entry.mail is not None and entry.mail.has_more])
    name = remarks or _name_files
    lines = [
        _line(
            words, head, entry, whole.get(entry.id, entry.text), [words.file.format(name=each) for each in name(entry)]
        )
        for entry in entries
    ]
    return lines, (entries[-1].at, entries[-1].id)


def _name_files(entry: EntryView) -> Sequence[str]:
    return [file.name for file in entry.attachments if not file.is_inline]


def _load_whole(tx: Tx, entry_ids: Sequence[int]) -> dict[int, str]:
    """What was written in mails that the timeline shows the beginning of, without what they quote."""
    m = tables.mail.c
    rows = tx.rows(select(m.entry_id, m.spans).where(m.entry_id.in_(entry_ids)))
    written = {
        row.entry_id: "".join(text for kind, text in row.spans if kind == SpanKind.WRITTEN.value).strip()
        for row in rows
    }
    return {entry_id: text for entry_id, text in written.items() if text}


def _line(words: Words, head: Head, entry: EntryView, text: str, remarks: list[str]) -> _Line:
    is_theirs = entry.author.kind is AuthorKind.CUSTOMER
    customer = head.customer_name or words.customer
    # As the card has it now; a mail may be somebody else's who is in the conversation.
    own_name = entry.mail is not None and entry.mail.is_stranger
    who = customer if is_theirs and not own_name else entry.author.name or head.house
    if entry.delivery is not None and entry.delivery.state is Delivery.FAILED:
        remarks.append(words.failed)
    if entry.delivery is not None and entry.delivery.state is Delivery.UNCERTAIN:
        remarks.append(words.uncertain)
    if entry.call is not None:
        is_theirs = entry.call.direction == "in"
        who, text = customer, _called(words, entry.call)
    elif entry.happening is Happening.FORM:
        is_theirs = True
        who, text = f"{customer} · {words.filled_in}", str(entry.data.get("answers") or "")
    elif entry.happening is Happening.SCORED:
        # Its text is the comment. A score without its scale says nothing.
        most = SurveyKind(str(entry.data["survey"])).scale[-1]
        who = f"{customer} · {words.scored.format(score=entry.data['score'], most=most)}"
    is_note = entry.kind is EntryKind.NOTE
    return _Line(
        at=entry.at.astimezone(head.zone),
        who=f"{words.note} · {who}" if is_note else who,
        text=text,
        remarks=remarks,
        is_ours=not is_theirs and entry.direction is not Direction.IN,
        is_note=is_note,
    )


def _called(words: Words, call: CallView) -> str:
    """How long they talked, and what was said after the tone, also if its recording is there no more."""
    told = [_timed(words.voice_message, each.duration_s) for each in call.recordings if each.kind == "voicemail"]
    if call.answered_at is None:
        return "\n".join(told) or words.missed_call
    end = call.hung_up_at or call.ended_at or call.state_since
    return "\n".join([_timed(words.call, (end - call.answered_at).total_seconds()), *told])


def _timed(words: str, duration_s: float) -> str:
    minutes, seconds = divmod(max(0, int(duration_s)), 60)
    return words.format(minutes=minutes, seconds=seconds)


# --- written down -------------------------------------------------------------------------------------------------------


def _begin(wanted: Wanted, head: Head) -> str:
    words = words_in(head.language)
    title = words.title.format(id=wanted.conversation_id, name=head.customer_name or words.customer)
    about = [text for text in (head.house, head.subject, words.zone.format(zone=head.zone.key)) if text]
    if wanted.form is Form.TEXT:
        return "\n".join(map(_in_one_line, [title, *about])) + "\n"
    told = "".join(f"<p><small>{html.escape(text)}</small></p>" for text in about)
    return begin_page(head.language, title) + told + "</header>\n"


def _in_one_line(text: str) -> str:
    """Names and subjects are somebody else's words, too."""
    return " ".join(text.split())


def begin_page(language: Language, title: str, *, policy: str = "") -> str:
    """Up to its heading; what stands beside that is to follow, and `</header>`. `policy`: what the page itself says that it
    may load, where no server does."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n' if policy else ""
    return _HEAD.format(language=language, title=html.escape(title), meta=meta)


def _day(form: Form, date: str, element: str) -> str:
    return f"<{element}>{date}</{element}>\n" if form is Form.HTML else f"\n{date}\n{'-' * len(date)}\n"


def _written(form: Form, line: _Line) -> str:
    if form is Form.TEXT:
        said = [*line.text.splitlines(), *(f"[{_in_one_line(remark)}]" for remark in line.remarks)]
        return f"\n{line.at:%H:%M}  {_in_one_line(line.who)}\n" + "".join(
            f"{_INDENT}{each}\n" if each else "\n" for each in said
        )
    kind = "note" if line.is_note else "ours" if line.is_ours else "theirs"
    remarks = "".join(f"<p><small>{html.escape(remark)}</small></p>" for remark in line.remarks)
    words = f"<p>{html.escape(line.text)}</p>" if line.text else ""
    stamp = f'<time datetime="{line.at.isoformat()}">{line.at:%H:%M}</time>'
    return (
        f'<article class="{kind}"><small>{stamp} · <b>{html.escape(line.who)}</b></small>{words}{remarks}</article>\n'
    )
