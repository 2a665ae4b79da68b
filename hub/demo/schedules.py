"""Schedules of the demo's agents: the weeks that demo.history had them work, and two to come, so that schedules and adherence
show something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hub.staffing.schedule import Activity, PieceText
from hub.staffing.shifts import save_day, save_week
from hub.store.database import Tx

_AHEAD_DAYS = 14
_SATURDAY = 5


def write_schedules(tx: Tx, agent_ids: Sequence[int], today: date, days: int) -> None:
    """From so many days before `today` on. Weekdays repeat; at weekends people take turns, as in demo.history."""
    began = today - timedelta(days=days)
    monday = began - timedelta(days=began.weekday())
    for number, agent_id in enumerate(agent_ids):
        day = _day(number)
        save_week(tx, agent_id, monday, [day, day, day, day, day, [], []])
        for step in range(days + _AHEAD_DAYS + 1):
            on = began + timedelta(days=step)
            if on.weekday() >= _SATURDAY and (on.toordinal() + number) % 2 == 0:
                save_day(tx, agent_id, on, day)


def _day(number: int) -> list[PieceText]:
    """Nine to six, with lunch one after the other."""
    hour, minute = divmod(13 * 60 + 15 * number, 60)
    back, past = divmod(13 * 60 + 15 * number + 45, 60)
    lunch = PieceText(f"{hour:02}:{minute:02}", f"{back:02}:{past:02}", Activity.BREAK.value)
    return [PieceText("09:00", "18:00", Activity.WORK.value), lunch]
