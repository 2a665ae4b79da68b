"""Skills: what people can do, how well, and what the work of a queue requires.

A skill is a name; a language is one by the name `language:hy`. A person has a level of it, 1 to 5, or does not have it.
Whatever changes here reaches work that already waits: the dispatcher looks again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from unicodedata import normalize

from sqlalchemy import delete, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain.events import STAFF, SkillsChanged
from hub.domain.sentences import Sentence
from hub.domain.views import RequirementView, SkillView
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing.rules_in_force import rules_naming
from hub.store import tables
from hub.store.database import Tx

_s, _h, _r = tables.skill.c, tables.agent_skill.c, tables.queue_skill.c
_u, _a, _q = tables.user_account.c, tables.agent.c, tables.queue.c

LANGUAGE_PREFIX = "language:"
_LANGUAGE = re.compile(r"language:[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class SkillRow:
    """What one person can do: skill's id → level. `version` is that of the person's account."""

    user_id: int
    name: str
    levels: dict[int, int]
    version: int


def language_skill(language: str | None) -> str | None:
    """The name of the skill to speak this language (`hy`, `hy-AM`), or None if that names none."""
    name = LANGUAGE_PREFIX + re.split(r"[-_]", (language or "").strip().lower(), maxsplit=1)[0]
    return name if _LANGUAGE.fullmatch(name) else None


# --- the skills there are -----------------------------------------------------------------------------------------------


def load_skills(tx: Tx) -> list[SkillView]:
    """All, by name."""
    rows = tx.rows(select(_s.id, _s.name, _s.version).order_by(_s.folded_name))
    return [SkillView(row.id, row.name, row.version) for row in rows]


def load_skill(tx: Tx, skill_id: int) -> SkillView:
    row = tx.first(select(_s.id, _s.name, _s.version).where(_s.id == skill_id))
    if row is None:
        raise NotFound("there is no such skill")
    return SkillView(row.id, row.name, row.version)


def create_skill(tx: Tx, name: str, *, actor: Viewer | None = None) -> SkillView:
    """Conflict if there is one of this name; InvalidInput if it is no name."""
    name = _check_name(tx, name, None)
    values = {"name": name, "folded_name": name.casefold(), "created_at": tx.now}
    row = tx.first(tx.insert_if_new(tables.skill).values(**values).returning(_s.id))
    if row is None:  # somebody made it at this very moment
        raise _taken()
    _tell(tx)
    audit.note(tx, actor, "skill.created", "skill", row.id, {"name": name})
    return load_skill(tx, row.id)


def rename_skill(
    tx: Tx, skill_id: int, name: str | None, expected_version: int | None = None, *, actor: Viewer | None = None
) -> SkillView:
    """None leaves the name as it is. Conflict `version_conflict` if somebody changed it since `expected_version`."""
    before = tx.first(select(_s.name, _s.version).where(_s.id == skill_id).with_for_update())
    if before is None:
        raise NotFound("there is no such skill")
    if expected_version is not None and expected_version != before.version:
        raise Conflict("somebody changed this skill meanwhile", code="version_conflict")
    if name is not None and before.name != (name := _check_name(tx, name, skill_id)):
        tx.execute(
            update(tables.skill)
            .where(_s.id == skill_id)
            .values(name=name, folded_name=name.casefold(), version=_s.version + 1)
        )
        audit.note_change(
            tx, actor, "skill.changed", "skill", skill_id, {"name": before.name}, {"name": name}, name=before.name
        )
        _tell(tx)
    return load_skill(tx, skill_id)


def delete_skill(tx: Tx, skill_id: int, *, actor: Viewer | None = None) -> None:
    """Nobody has it any more, and no single conversation requires it. Conflict `in_use`, naming them, while queues or rules
    in force require it."""
    row = tx.first(select(_s.name).where(_s.id == skill_id).with_for_update())
    if row is None:
        raise NotFound("there is no such skill")
    requiring = select(_q.name).join(tables.queue_skill, _r.queue_id == _q.id).where(_r.skill_id == skill_id)
    used = {
        "queues": ", ".join(row.name for row in tx.rows(requiring.order_by(_q.name))),
        "rules": ", ".join(rules_naming(tx, "skill").get(skill_id, ())),
    }
    used = {name: words for name, words in used.items() if words}
    if used:
        raise Conflict(f"required by {'; '.join(used.values())}", code="in_use", fields=used)
    tx.execute(delete(tables.skill).where(_s.id == skill_id))
    audit.note(tx, actor, "skill.removed", "skill", skill_id, {"name": row.name})
    _tell(tx)


def _tell(tx: Tx, user_id: int | None = None) -> None:
    """Open matrices look again, and so does the dispatcher."""
    tx.emit(SkillsChanged(user_id), {STAFF})
    tx.wake("routing")


def _check_name(tx: Tx, name: str, own_id: int | None) -> str:
    """The name as it is kept: languages in small letters."""
    # One form of each letter: "é" and "e" with an accent behind it look the same, and are.
    name = " ".join(normalize("NFC", name).split())
    if not name or not name.isprintable() or len(name) > 60:
        raise InvalidInput("not a name", fields={"name": Sentence("must be 1 to {count} visible characters", count=60)})
    if name.casefold().startswith(LANGUAGE_PREFIX):
        name = name.lower()
        if not _LANGUAGE.fullmatch(name):
            raise InvalidInput(
                "not a language", fields={"name": Sentence("a language is language: and its letters, as language:hy")}
            )
    if tx.scalar(select(_s.id).where(_s.folded_name == name.casefold(), _s.id != (own_id or 0))) is not None:
        raise _taken()
    return name


def _taken() -> Conflict:
    return Conflict("there is a skill with this name", code="name_taken", fields={"name": Sentence("is taken")})


# --- who has them -------------------------------------------------------------------------------------------------------


def load_matrix(tx: Tx, user_ids: Collection[int] | None = None) -> list[SkillRow]:
    """What everybody who works here can do, or those of `user_ids`, by id."""
    people = select(_u.id, _u.name, _u.version).join(tables.agent, _a.user_id == _u.id).where(_u.active).order_by(_u.id)
    held = select(_h.user_id, _h.skill_id, _h.level).order_by(_h.skill_id)
    if user_ids is not None:
        people, held = people.where(_u.id.in_(user_ids)), held.where(_h.user_id.in_(user_ids))
    levels: dict[int, dict[int, int]] = {}
    for row in tx.rows(held):
        levels.setdefault(row.user_id, {})[row.skill_id] = row.level
    return [SkillRow(row.id, row.name, levels.get(row.id, {}), row.version) for row in tx.rows(people)]


def set_agent_skills(
    tx: Tx,
    user_id: int,
    levels: Mapping[int, int],
    expected_version: int | None = None,
    *,
    actor: Viewer | None = None,
) -> SkillRow:
    """Replaces all that a person can do. InvalidInput naming `levels.ID` for what is no skill; Conflict `version_conflict`
    if somebody changed the person since `expected_version`."""
    person = select(_u.version, _u.name).join(tables.agent, _u.id == _a.user_id).where(_a.user_id == user_id, _u.active)
    row = tx.first(person.with_for_update())
    if row is None:
        raise NotFound("there is no such user")
    if expected_version is not None and expected_version != row.version:
        raise Conflict("somebody changed this person's skills meanwhile", code="version_conflict")
    _check_known(tx, {skill_id: f"levels.{skill_id}" for skill_id in levels})
    held = {row.skill_id: row.level for row in tx.rows(select(_h.skill_id, _h.level).where(_h.user_id == user_id))}
    if held != dict(levels):
        tx.execute(delete(tables.agent_skill).where(_h.user_id == user_id))
        tx.insert_new(
            tables.agent_skill,
            [{"user_id": user_id, "skill_id": skill_id, "level": level} for skill_id, level in sorted(levels.items())],
        )
        tx.execute(update(tables.user_account).where(_u.id == user_id).values(version=_u.version + 1))
        _tell(tx, user_id)
        data: dict[str, audit.JSON] = {"name": row.name, "changes": _changed_levels(tx, held, levels)}
        audit.note(tx, actor, "skill.given", "user", user_id, data)
    return load_matrix(tx, [user_id])[0]


def _changed_levels(tx: Tx, held: Mapping[int, int], levels: Mapping[int, int]) -> dict[str, audit.JSON]:
    """By the names of the skills: they may be gone when somebody reads it."""
    names = {row.id: row.name for row in tx.rows(select(_s.id, _s.name).where(_s.id.in_({*held, *levels})))}
    return audit.changes(*({names[each]: level for each, level in sorted(side.items())} for side in (held, levels)))


# --- what work requires -------------------------------------------------------------------------------------------------


def load_requirements(tx: Tx, queue_ids: Collection[int] | None = None) -> dict[int, tuple[RequirementView, ...]]:
    """Queue → what its work requires, by the skill's id; queues that require nothing are left out."""
    query = select(_r.queue_id, _r.skill_id, _r.level).order_by(_r.skill_id)
    if queue_ids is not None:
        query = query.where(_r.queue_id.in_(queue_ids))
    found: dict[int, list[RequirementView]] = {}
    for row in tx.rows(query):
        found.setdefault(row.queue_id, []).append(RequirementView(row.skill_id, row.level))
    return {queue_id: tuple(required) for queue_id, required in found.items()}


def set_requirements(tx: Tx, queue_id: int, required: Collection[RequirementView]) -> bool:
    """Replaces what the work of a queue requires; True if that changed anything. InvalidInput naming `required`."""
    levels = {each.skill_id: each.level for each in required}
    if len(levels) < len(required):
        raise InvalidInput("a skill twice", fields={"required": Sentence("names a skill more than once")})
    _check_known(tx, dict.fromkeys(levels, "required"))
    held = {row.skill_id: row.level for row in tx.rows(select(_r.skill_id, _r.level).where(_r.queue_id == queue_id))}
    if held == levels:
        return False
    tx.execute(delete(tables.queue_skill).where(_r.queue_id == queue_id))
    tx.insert_new(
        tables.queue_skill,
        [{"queue_id": queue_id, "skill_id": skill_id, "level": level} for skill_id, level in sorted(levels.items())],
    )
    return True


def _check_known(tx: Tx, field_of: Mapping[int, str]) -> None:
    """InvalidInput under its field's name for each that is no skill. Those that are cannot be removed until the commit."""
    query = select(_s.id).where(_s.id.in_(field_of)).order_by(_s.id).with_for_update(read=True)
    known = {row.id for row in tx.rows(query)} if field_of else set()
    faults = {
        field_of[skill_id]: Sentence("there is no skill {ids}", ids=skill_id)
        for skill_id in sorted(field_of.keys() - known)
    }
    if faults:
        raise InvalidInput("there is no such skill", fields=faults)
