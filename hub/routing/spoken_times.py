"""An instant as people say it: weekday, day and month, and the time on the clock. Pure.

In the languages of those we work for; to others it is written in numbers. The words are those in which a date is said in
running text ("30 November", "30 листопада").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class _Words:
    """`pattern` has {weekday}, {day}, {month}, {clock}."""

    pattern: str
    weekdays: tuple[str, ...]
    months: tuple[str, ...]


_WORDS: Mapping[str, _Words] = {
    "en": _Words(
        "{weekday} {day} {month}, {clock}",
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        (
            *("January", "February", "March", "April", "May", "June"),
            *("July", "August", "September", "October", "November", "December"),
        ),
    ),
    "hy": _Words(
        "{weekday}, {month} {day}, {clock}",
        ("երկուշաբթի", "երեքշաբթի", "չորեքշաբթի", "հինգշաբթի", "ուրբաթ", "շաբաթ", "կիրակի"),
        (
            *("հունվարի", "փետրվարի", "մարտի", "ապրիլի", "մայիսի", "հունիսի"),
            *("հուլիսի", "օգոստոսի", "սեպտեմբերի", "հոկտեմբերի", "նոյեմբերի", "դեկտեմբերի"),
        ),
    ),
    "ka": _Words(
        "{weekday}, {day} {month}, {clock}",
        ("ორშაბათი", "სამშაბათი", "ოთხშაბათი", "ხუთშაბათი", "პარასკევი", "შაბათი", "კვირა"),
        (
            *("იანვარი", "თებერვალი", "მარტი", "აპრილი", "მაისი", "ივნისი"),
            *("ივლისი", "აგვისტო", "სექტემბერი", "ოქტომბერი", "ნოემბერი", "დეკემბერი"),
        ),
    ),
    "az": _Words(
        "{day} {month}, {weekday}, {clock}",
        ("bazar ertəsi", "çərşənbə axşamı", "çərşənbə", "cümə axşamı", "cümə", "şənbə", "bazar"),
        (
            *("yanvar", "fevral", "mart", "aprel", "may", "iyun"),
            *("iyul", "avqust", "sentyabr", "oktyabr", "noyabr", "dekabr"),
        ),
    ),
    "uk": _Words(
        "{weekday}, {day} {month}, {clock}",
        ("понеділок", "вівторок", "середа", "четвер", "п'ятниця", "субота", "неділя"),
        (
            *("січня", "лютого", "березня", "квітня", "травня", "червня"),
            *("липня", "серпня", "вересня", "жовтня", "листопада", "грудня"),
        ),
    ),
    "ru": _Words(
        "{weekday}, {day} {month}, {clock}",
        ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
        (
            *("января", "февраля", "марта", "апреля", "мая", "июня"),
            *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
        ),
    ),
}


def spoken_time(at: datetime, zone: str, language: str | None) -> str:
    """`Monday 30 November, 09:00` as the clocks in `zone` show it; `language` as customers carry it (`hy`, `hy-AM`)."""
    there = at.astimezone(ZoneInfo(zone))
    words = _WORDS.get((language or "").strip().lower().replace("_", "-").partition("-")[0])
    if words is None:
        return f"{there:%Y-%m-%d %H:%M}"
    return words.pattern.format(
        weekday=words.weekdays[there.weekday()],
        day=there.day,
        month=words.months[there.month - 1],
        clock=f"{there:%H:%M}",
    )
