"""Mails with a link that lets somebody in: an invitation, or a link to set a new password.

Whoever invites waits for the mail server's word and is told if it did not take the mail: they hold the link and can hand it
over otherwise. Whoever has forgotten their password is answered before anything is looked up, so that neither words nor time
tell which addresses have an account: `Forgotten` looks and sends afterwards. What it has not sent when the process ends is
lost; whoever waits for it asks again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape

from hub.agents import access_links, accounts
from hub.agents.access_links import IssuedLink
from hub.domain.languages import StaffLanguage, staff_language
from hub.errors import DatabaseAway, HubError
from hub.store import tables
from hub.store.database import Database, Tx
from hub.timeline.adapters import Adapters
from hub.timeline.house_mail import HouseMail, find_mail_channel, send_house_mail

log = logging.getLogger(__name__)

# More than anybody forgets at once; a flood is dropped and not kept.
_WAITING_LIMIT = 100
# The address, and a name for the others in the sentence; each language has them all.
_WORDS: Mapping[StaffLanguage, Mapping[str, str]] = {
    "en": {
        "invitation": "{who} invites you to {house}",
        "invitation_text": "{who} invites you to work in the hub of {house}. Choose your name and a password here:",
        "invitation_button": "Join {house}",
        "password": "A new password for {house}",
        "password_text": "Set a new password for your account {email} here:",
        "password_button": "Set a new password",
        "ends": "The link works once, until {until}.",
        "not_you": "If you did not expect this mail, do nothing: nothing happens without you.",
        "nobody": "An administrator",
    },
    "hy": {
        "invitation": "{who} հրավիրում է ձեզ՝ {house}",
        "invitation_text": "{who} հրավիրում է ձեզ աշխատել «{house}» համակարգում։ Այստեղ ընտրեք ձեր անունն ու գաղտնաբառը՝",
        "invitation_button": "Միանալ՝ {house}",
        "password": "Նոր գաղտնաբառ՝ {house}",
        "password_text": "Այստեղ սահմանեք նոր գաղտնաբառ {email} հաշվի համար՝",
        "password_button": "Սահմանել նոր գաղտնաբառ",
        "ends": "Հղումը գործում է մեկ անգամ՝ մինչև {until}։",
        "not_you": "Եթե չէիք սպասում այս նամակին, ոչինչ մի արեք․ առանց ձեզ ոչինչ չի լինի։",
        "nobody": "Ադմինիստրատորը",
    },
    "uk": {
        "invitation": "{who} запрошує вас до {house}",
        "invitation_text": "{who} запрошує вас працювати в системі «{house}». Виберіть тут своє імʼя та пароль:",
        "invitation_button": "Приєднатися: {house}",
        "password": "Новий пароль: {house}",
        "password_text": "Задайте тут новий пароль для облікового запису {email}:",
        "password_button": "Задати новий пароль",
        "ends": "Посилання діє один раз, до {until}.",
        "not_you": "Якщо ви не чекали цього листа, нічого не робіть: без вас нічого не станеться.",
        "nobody": "Адміністратор",
    },
    "ka": {
        "invitation": "{who} გიწვევთ: {house}",
        "invitation_text": "{who} გიწვევთ სამუშაოდ სისტემაში „{house}“. აირჩიეთ აქ თქვენი სახელი და პაროლი:",
        "invitation_button": "შეერთება: {house}",
        "password": "ახალი პაროლი: {house}",
        "password_text": "აქ დააყენეთ ახალი პაროლი ანგარიშისთვის {email}:",
        "password_button": "ახალი პაროლის დაყენება",
        "ends": "ბმული მოქმედებს ერთხელ, {until}-მდე.",
        "not_you": "თუ ამ წერილს არ ელოდით, არაფერი გააკეთოთ: თქვენ გარეშე არაფერი მოხდება.",
        "nobody": "ადმინისტრატორი",
    },
    "az": {
        "invitation": "{who} sizi dəvət edir: {house}",
        "invitation_text": "{who} sizi “{house}” sistemində işləməyə dəvət edir. Adınızı və parolunuzu burada seçin:",
        "invitation_button": "Qoşulun: {house}",
        "password": "Yeni parol: {house}",
        "password_text": "{email} hesabı üçün yeni parolu burada təyin edin:",
        "password_button": "Yeni parol təyin et",
        "ends": "Keçid bir dəfə işləyir, {until} tarixinədək.",
        "not_you": "Bu məktubu gözləmirdinizsə, heç nə etməyin: sizsiz heç nə baş verməyəcək.",
        "nobody": "Administrator",
    },
}


def write_mail(issued: IssuedLink, url: str, house: str, now: datetime) -> HouseMail:
    link = issued.link
    language = staff_language(link.language)
    words = _WORDS[language]
    named = {
        "who": link.created_by_name or words["nobody"],
        "house": house,
        "email": link.email,
        # Rounded up: nobody is told a time that is over.
        "until": f"{link.expires_at - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC",
    }
    subject, said, button, ends, not_you = (
        words[line].format(**named)
        for line in (link.kind, f"{link.kind}_text", f"{link.kind}_button", "ends", "not_you")
    )
    return HouseMail(
        delivery_id=secrets.token_urlsafe(18),
        address=link.email,
        name=link.name,
        # A name may hold whatever somebody typed; a subject is one line.
        subject=" ".join(subject.split()),
        text=f"{said}\n\n{url}\n\n{ends}\n{not_you}\n",
        html=f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(subject)}'
        f'</title></head><body><p>{escape(said)}</p><p><a href="{escape(url)}">{escape(button)}</a></p>'
        f"<p>{escape(ends)}<br>{escape(not_you)}</p></body></html>",
        created_at=now,
    )


async def send_link(database: Database, adapters: Adapters, public_url: str, issued: IssuedLink) -> IssuedLink:
    """Sends the link to whom it is for, if the hub has an account to write from, and keeps what became of it. Never raises
    what a mail server says."""
    channel_id, house = await database.read(_load_sender)
    if channel_id is None:
        return issued
    code = None
    mail = write_mail(issued, access_links.url_of(public_url, issued), house, database.clock())
    try:
        await send_house_mail(adapters, channel_id, mail)
    except DatabaseAway:
        raise
    except HubError as error:
        code = error.code
        log.info("link.mail_failed", extra={"channel": channel_id, "code": code})
    link = await database.transaction(access_links.note_mail, issued.link.id, code)
    return IssuedLink(link, issued.token)


def can_send(tx: Tx) -> bool:
    return find_mail_channel(tx) is not None


def _load_sender(tx: Tx) -> tuple[str | None, str]:
    name = tx.scalar(tables.organisation.select().with_only_columns(tables.organisation.c.name))
    return find_mail_channel(tx), str(name or "")


class Forgotten:
    """Sends links to those who have forgotten their passwords, one after the other."""

    def __init__(self, database: Database, adapters: Adapters, public_url: str) -> None:
        self._database = database
        self._adapters = adapters
        self._public_url = public_url
        self._asked: asyncio.Queue[str] = asyncio.Queue(_WAITING_LIMIT)

    def ask(self, email: str) -> None:
        """Returns at once; nothing happens for an address that is nobody's here."""
        try:
            self._asked.put_nowait(email)
        except asyncio.QueueFull:
            log.warning("forgotten.too_many")

    async def run(self) -> None:
        while True:
            await self.step(await self._asked.get())

    async def step(self, email: str) -> None:
        try:
            issued = await self._database.transaction(_issue, email)
            if issued is not None:
                await send_link(self._database, self._adapters, self._public_url, issued)
        except DatabaseAway:
            log.warning("forgotten.lost")
        except Exception:
            # One address that breaks an adapter must not take the process down.
            log.exception("forgotten.failed")


def _issue(tx: Tx, email: str) -> IssuedLink | None:
    """None if nobody who may sign in has this address, or there is no account to write from."""
    user = accounts.find_user_by_email(tx, email)
    if user is None or not user.active or not can_send(tx):
        return None
    return access_links.ask_new_password(tx, None, user.id)
