"""What a column of a file of customers can be, and what its heading suggests. Pure.

Headings are compared by their words alone: small and capital letters, signs between them and `CamelCase` make no difference,
so "Mailing Zip/Postal Code" and `MailingPostalCode` both lead somewhere. They are those of exports of HubSpot ("HubSpot's
default contact properties"), Salesforce ("Field Mapping for Other Data Sources and Organization Import", and the field names
of its object Contact) and Zoho CRM (its exports of the module Contacts), of our own exports, and what people write
themselves in English, Armenian, Russian, Ukrainian, Georgian and Azerbaijani.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Networks of a handle that a column can hold; the same as timeline.customers knows (a test compares).
NETWORKS = ("facebook", "instagram", "linkedin", "messenger", "telegram", "tiktok", "x", "youtube")
# Ways of reaching somebody that a column can say yes or no to.
WAYS = ("sms", "phone", "email")

# `ads.*`: yes allows advertising, no forbids it. `no_ads.*`: yes forbids it, no says nothing. `silence.*`: yes forbids to
# write or to call at all, no says nothing.
TARGETS: tuple[str, ...] = (
    *("name", "first_name", "middle_name", "last_name"),
    *("phone", "email", *(f"handle.{network}" for network in NETWORKS), "external_id"),
    *("company", "job_title", "country", "region", "town", "district", "street", "postcode", "time_zone"),
    *("birthday", "language", "note", "tags", "source", "owner", "preferred_channel"),
    *(f"{what}.{way}" for what in ("ads", "no_ads", "silence") for way in WAYS),
)
# Custom fields: `field.` and their key.
FIELD = "field."
# A file may have several columns of these.
REPEATABLE = frozenset({"phone", "email", "tags", "note", *(f"handle.{network}" for network in NETWORKS)})
# Without one of these nobody can be told from anybody else.
TELLING = frozenset(
    {"name", "first_name", "last_name", "company", "phone", "email", "external_id", *(f"handle.{n}" for n in NETWORKS)}
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Column `column` (from 0) is `target`; an address from there is called `label`."""

    column: int
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Guess:
    """`system`: where the file seems to come from (hubspot, salesforce, zoho), or empty."""

    system: str
    mapping: tuple[Mapped, ...]


# Target → headings, in words. Of two columns for one target the one that stands first in this list is taken.
_HEADINGS: Mapping[str, str] = {
    "name": (
        "name, full name, contact full name, contact name, customer, customer name, client, client name, "
        "անուն ազգանուն, հաճախորդ, имя и фамилия, фио, клиент, піб, клієнт, повне ім я, სახელი და გვარი, "
        "კლიენტი, ad soyad, müştəri"
    ),
    "first_name": "first name, firstname, given name, անուն, имя, ім я, სახელი, ad",
    "middle_name": (
        "middle name, middlename, additional name, հայրանուն, отчество, по батькові, მამის სახელი, ata adı"
    ),
    "last_name": "last name, lastname, surname, family name, ազգանուն, фамилия, прізвище, გვარი, soyad",
    "phone": (
        "phone, phone number, mobile, mobile phone, mobile phone number, business phone, home phone, work "
        "phone, other phone, cell, cell phone, telephone, tel, whatsapp number, phone 1, phone 2, phone 3, "
        "phone number 1, phone number 2, whatsapp phone number, հեռախոս, հեռախոսահամար, բջջային, телефон, "
        "номер телефона, мобильный, мобильный телефон, номер телефону, мобільний, мобільний телефон, "
        "ტელეფონი, ტელეფონის ნომერი, მობილური, telefon, telefon nömrəsi, mobil"
    ),
    "email": (
        "email, e mail, email address, e mail address, work email, secondary email, additional email "
        "addresses, other email, mail, email 1, email 2, էլ փոստ, էլ հասցե, էլեկտրոնային հասցե, эл почта, "
        "электронная почта, почта, ел пошта, електронна пошта, пошта, ელფოსტა, ელ ფოსტა, e poçt, elektron "
        "poçt"
    ),
    "external_id": (
        "record id contact, record id, contact id, customer id, client id, external id, id, կոդ, код клиента, "
        "код клієнта"
    ),
    "company": (
        "company, company name, account name, organization, organisation, associated company, employer, "
        "ընկերություն, կազմակերպություն, компания, организация, компанія, організація, კომპანია, ორგანიზაცია, "
        "şirkət"
    ),
    "job_title": "job title, title, position, role, պաշտոն, должность, посада, თანამდებობა, vəzifə",
    "country": (
        "mailing country, country region, country, mailing country code, country code, երկիր, страна, країна, "
        "ქვეყანა, ölkə"
    ),
    "region": (
        "mailing state province, mailing state, state region, state province, state, province, region, մարզ, "
        "область, регион, регіон, რეგიონი, rayon, region"
    ),
    "town": "mailing city, city, town, քաղաք, город, місто, ქალაქი, şəhər",
    "district": "district, համայնք, район, უბანი",
    "street": (
        "mailing street, street address, street, address, mailing address, address line 1, հասցե, փողոց, "
        "адрес, улица, адреса, вулиця, მისამართი, ქუჩა, ünvan, küçə"
    ),
    "postcode": (
        "mailing zip postal code, mailing postal code, mailing zip, postal code, zip, zip code, zip postal "
        "code, postcode, փոստային դասիչ, ինդեքս, почтовый индекс, индекс, поштовий індекс, індекс, საფოსტო "
        "ინდექსი, poçt indeksi"
    ),
    "time_zone": "time zone, timezone, ժամային գոտի, часовой пояс, часовий пояс, სასაათო სარტყელი, saat qurşağı",
    "birthday": (
        "date of birth, birthdate, birthday, birth date, ծննդյան օր, ծննդյան ամսաթիվ, дата рождения, день "
        "рождения, дата народження, день народження, დაბადების თარიღი, doğum tarixi"
    ),
    "language": "preferred language, language, contact language, լեզու, язык, мова, ენა, dil",
    "note": (
        "contact description, description, notes, note, comment, comments, նշում, նշումներ, заметка, "
        "примечание, комментарий, нотатка, примітка, коментар, შენიშვნა, qeyd"
    ),
    "tags": "tags, tag, labels, groups, պիտակներ, պիտակ, теги, метки, мітки, ტეგები, teqlər",
    "source": (
        "lead source, original source, original traffic source, source, contact source, աղբյուր, источник, "
        "джерело, წყარო, mənbə"
    ),
    "owner": (
        "contact owner, owner, owner email, contact owner email, assigned to, record owner, պատասխանատու, "
        "ответственный, відповідальний, პასუხისმგებელი, məsul şəxs"
    ),
    "preferred_channel": (
        "preferred channel, preferred contact method, preferred way of contact, նախընտրելի կապ, "
        "предпочтительный канал, бажаний канал"
    ),
    "ads.email": "advertising by email allowed, email opt in, email consent, marketing email consent",
    "ads.sms": "advertising by sms allowed, sms opt in, sms consent",
    "ads.phone": "advertising by phone allowed, phone consent",
    "no_ads.email": (
        "email opt out, has opted out of email, unsubscribed from all email, opted out of all email, opted "
        "out of email, no advertising by email"
    ),
    "no_ads.sms": "sms opt out, opted out of sms, no advertising by sms",
    "no_ads.phone": "has opted out of phone, no advertising by phone",
    "silence.phone": "do not call, never call",
    "silence.sms": "do not sms, do not text, never text",
    "silence.email": "never email",
    **{f"handle.{network}": f"{network}, {network} username, {network} handle, {network} id" for network in NETWORKS},
    "handle.x": "x handle, x username, twitter, twitter username, twitter handle",
    "handle.linkedin": "linkedin, linkedin handle",
}
# What is said of an address by its heading, which its label keeps.
_LABELS: Mapping[str, str] = {
    "mobile": "Mobile",
    "cell": "Mobile",
    "home": "Home",
    "work": "Work",
    "business": "Work",
    "secondary": "Other",
    "other": "Other",
    "additional": "Other",
}
# Headings that only this system writes, or that are together in none of the others.
_SYSTEMS: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    (
        "zoho",
        (frozenset({"contact owner id"}), frozenset({"record id", "mailing street"}), frozenset({"account name id"})),
    ),
    ("hubspot", (frozenset({"record id contact"}), frozenset({"record id"}), frozenset({"lifecycle stage"}))),
    (
        "salesforce",
        (
            frozenset({"mailing zip postal code"}),
            frozenset({"contact id", "account name"}),
            frozenset({"mailing postal code"}),
            frozenset({"account name", "last name"}),
        ),
    ),
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BETWEEN = re.compile(r"[\W_]+")


def words_of(heading: str) -> str:
    """The heading's words in small letters, a space between each two."""
    return _BETWEEN.sub(" ", _CAMEL.sub(" ", heading.strip())).strip().casefold()


_RANKS: Mapping[str, tuple[str, int]] = {
    words_of(heading): (target, rank)
    for target, headings in reversed(list(_HEADINGS.items()))
    for rank, heading in enumerate(headings.split(","))
}


def guess(headings: Sequence[str], fields: Iterable[tuple[str, str]] = ()) -> Guess:
    """What the columns are, as far as their headings say. `fields`: (key, name) of custom fields; one that is called like a
    column is meant by it."""
    words = [words_of(heading) for heading in headings]
    found: dict[int, tuple[str, int]] = {}
    named = {words_of(name): FIELD + key for key, name in fields} | {words_of(key): FIELD + key for key, _ in fields}
    for column, said in enumerate(words):
        if said in named:
            found[column] = (named[said], -1)
        elif said in _RANKS:
            found[column] = _RANKS[said]
    best: dict[str, int] = {}
    for column, (target, rank) in found.items():
        if target not in best or rank < found[best[target]][1]:
            best[target] = column
    mapping = [
        Mapped(column, target, _label(words[column]) if target in ("phone", "email") else "")
        for column, (target, _) in sorted(found.items())
        if target in REPEATABLE or best[target] == column
    ]
    all_words = set(words)
    system = next((name for name, signs in _SYSTEMS if any(sign <= all_words for sign in signs)), "")
    return Guess(system, tuple(mapping))


def _label(words: str) -> str:
    return next((label for word, label in _LABELS.items() if word in words.split()), "")
