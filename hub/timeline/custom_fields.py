"""Custom fields: what an organisation keeps of customers and conversations beyond what everybody does.

A definition is a row; values lie as JSON in the rows they are of, by the definition's key, so that a card or a conversation
is read whole and no list asks twice. What follows from that:

* The key is never changed; the name may be at any time.
* A field that anything has a value of is switched off, not removed, and keeps its kind: nothing is lost, and no value is
  ever of another kind than its field. The same holds for the options of a choice.
* Searching and filtering may rely on the kind: `fields ->> key` is a text, a number, true or false, or a list of keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Table, delete, func, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.domain import card
from hub.domain.events import STAFF, CustomFieldChanged, CustomFieldRemoved
from hub.domain.fields import KEY, Fault, FieldKind, FieldKindOf, FieldOption, FieldValue, Subject, missing, read_value
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import ConversationView, CustomFieldView
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations

_f = tables.custom_field.c

# More of them nobody fills in; each is sent to every screen.
MOST_FIELDS = 100
MOST_OPTIONS = 200
_NAME_LIMIT = 80
_HAS_OPTIONS = (FieldKind.CHOICE, FieldKind.CHOICES)


# --- definitions ----------------------------------------------------------------------------------------------------------


def load_fields(tx: Tx, subject: Subject | None = None) -> list[CustomFieldView]:
    """All of them, also those that are switched off, as forms show them."""
    query = select(tables.custom_field).order_by(_f.subject, _f.position, _f.id)
    return [_view(row) for row in tx.rows(query if subject is None else query.where(_f.subject == subject.value))]


def load_field(tx: Tx, field_id: int) -> CustomFieldView:
    row = tx.first(select(tables.custom_field).where(_f.id == field_id))
    if row is None:
        raise NotFound("there is no such field")
    return _view(row)


def create_field(
    tx: Tx,
    actor: Viewer | None,
    *,
    subject: Subject,
    key: str,
    name: str,
    kind: FieldKind,
    hint: str = "",
    options: Sequence[FieldOption] = (),
    section: str = "",
    required: bool = False,
    editable_by: Role = Role.AGENT,
) -> CustomFieldView:
    """At the end of its section's order. Conflict `key_taken`; InvalidInput naming what is wrong."""
    faults = _faults(subject, key=key, name=name, kind=kind, options=options, required=required)
    if tx.scalar(select(func.count()).select_from(tables.custom_field)) >= MOST_FIELDS:
        faults["name"] = Sentence("there are {count} fields already, and no screen holds more", count=MOST_FIELDS)
    if faults:
        raise InvalidInput("; ".join(f"{field} {fault}" for field, fault in faults.items()), fields=faults)
    last = tx.scalar(select(func.max(_f.position)).where(_f.subject == subject.value))
    made = tx.first(
        tx.insert_if_new(tables.custom_field)
        .values(
            subject=subject.value,
            key=key,
            name=_one_line(name),
            hint=_one_line(hint),
            kind=kind.value,
            options=_stored(options) if kind in _HAS_OPTIONS else [],
            section=_one_line(section),
            position=(last or 0) + 1,
            required=required,
            editable_by=editable_by.value,
            created_at=tx.now,
        )
        .returning(_f.id)
    )
    if made is None:
        raise Conflict("there is a field with this key", code="key_taken", fields={"key": Sentence("is taken")})
    view = _tell(tx, made.id)
    audit.note(
        tx, actor, "custom_field.created", "custom_field", view.id, {"name": view.name, "subject": subject.value}
    )
    return view


def update_field(
    tx: Tx,
    actor: Viewer | None,
    field_id: int,
    *,
    name: str | None = None,
    hint: str | None = None,
    kind: FieldKind | None = None,
    options: Sequence[FieldOption] | None = None,
    section: str | None = None,
    position: int | None = None,
    required: bool | None = None,
    editable_by: Role | None = None,
    active: bool | None = None,
    expected_version: int | None = None,
) -> CustomFieldView:
    """None leaves a thing as it is. Conflict `in_use` for another kind, or an option less, of what has values; it names the
    field. Conflict `version_conflict`."""
    row = tx.first(select(tables.custom_field).where(_f.id == field_id).with_for_update())
    if row is None:
        raise NotFound("there is no such field")
    if expected_version is not None and expected_version != row.version:
        raise Conflict("somebody changed this field meanwhile", code="version_conflict")
    before = _view(row)
    after = replace(
        before,
        name=before.name if name is None else _one_line(name),
        hint=before.hint if hint is None else _one_line(hint),
        kind=kind or before.kind,
        options=before.options if options is None else tuple(options),
        section=before.section if section is None else _one_line(section),
        position=before.position if position is None else position,
        required=before.required if required is None else required,
        editable_by=editable_by or before.editable_by,
        active=before.active if active is None else active,
    )
    if after.kind not in _HAS_OPTIONS:
        after = replace(after, options=())
    faults = _faults(
        after.subject,
        key=after.key,
        name=after.name,
        kind=after.kind,
        options=after.options,
        required=after.required,
    )
    if faults:
        raise InvalidInput("; ".join(f"{field} {fault}" for field, fault in faults.items()), fields=faults)
    _check_values_stay(tx, before, after)
    if after == before:
        return before
    tx.execute(
        update(tables.custom_field)
        .where(_f.id == field_id)
        .values(
            name=after.name,
            hint=after.hint,
            kind=after.kind.value,
            options=_stored(after.options),
            section=after.section,
            position=after.position,
            required=after.required,
            editable_by=after.editable_by.value,
            active=after.active,
            version=_f.version + 1,
        )
    )
    audit.note_change(tx, actor, "custom_field.changed", "custom_field", field_id, before, after)
    return _tell(tx, field_id)


def arrange(tx: Tx, field_ids: Sequence[int]) -> list[CustomFieldView]:
    """Gives the fields of one subject the order of `field_ids`; those that are not named come after them, as they were."""
    known = {view.id: view for view in load_fields(tx)}
    subjects = {known[each].subject for each in field_ids if each in known}
    if len(subjects) != 1 or len(set(field_ids)) != len(field_ids) or any(each not in known for each in field_ids):
        raise InvalidInput("not an order", fields={"field_ids": Sentence("must name fields of one subject, each once")})
    (subject,) = subjects
    rest = [each.id for each in known.values() if each.subject is subject and each.id not in field_ids]
    for position, field_id in enumerate([*field_ids, *rest], start=1):
        if known[field_id].position != position:
            tx.execute(
                update(tables.custom_field).where(_f.id == field_id).values(position=position, version=_f.version + 1)
            )
            _tell(tx, field_id)
    return load_fields(tx, subject)


def remove_field(tx: Tx, actor: Viewer | None, field_id: int) -> None:
    """Conflict `in_use` if anything has a value of it: then it can be switched off."""
    row = tx.first(select(tables.custom_field).where(_f.id == field_id).with_for_update())
    if row is None:
        raise NotFound("there is no such field")
    if count_uses(tx, _view(row)):
        raise Conflict("it has values: switch it off instead", code="in_use")
    tx.execute(delete(tables.custom_field).where(_f.id == field_id))
    audit.note(tx, actor, "custom_field.removed", "custom_field", field_id, {"name": row.name})
    tx.emit(CustomFieldRemoved(field_id), {STAFF})


def count_uses(tx: Tx, field: CustomFieldView, *, most: int = 1_000) -> int:
    """How many cards or conversations have a value of it; `most` stands for so many and more."""
    table = _table(field.subject)
    has_one = table.c.fields[field.key].as_string().is_not(None)
    some = select(table.c.id).where(has_one).limit(most).subquery()
    return int(tx.scalar(select(func.count()).select_from(some)) or 0)


def _check_values_stay(tx: Tx, before: CustomFieldView, after: CustomFieldView) -> None:
    kept = {option.key for option in after.options}
    gone = [option for option in before.options if option.key not in kept]
    if after.kind is not before.kind:
        if count_uses(tx, before, most=1):
            raise Conflict(
                "there are values of this kind: make another field",
                code="in_use",
                fields={"kind": Sentence("cannot change while there are values")},
            )
        return
    if not gone:
        return
    table = _table(before.subject)
    # Few have a value of any one field; a list in JSON has no index that both databases share.
    held = tx.rows(
        select(table.c.fields[before.key].label("value")).where(table.c.fields[before.key].as_string().is_not(None))
    )
    used = {each for row in held for each in (row.value if isinstance(row.value, list) else [row.value])}
    for option in gone:
        if option.key in used:
            raise Conflict(
                f"{option.label} is chosen somewhere: switch it off instead",
                code="in_use",
                fields={
                    "options": Sentence("“{label}” is chosen somewhere: switch it off instead", label=option.label)
                },
            )


def _faults(
    subject: Subject, *, key: str, name: str, kind: FieldKind, options: Sequence[FieldOption], required: bool
) -> dict[str, str]:
    faults: dict[str, str] = {}
    if not KEY.fullmatch(key):
        faults["key"] = Sentence("must begin with a small letter and have small letters, digits and _ only, 40 at most")
    if not _is_name(name):
        faults["name"] = Sentence("must be 1 to {count} visible characters", count=_NAME_LIMIT)
    if required and subject is not Subject.CONVERSATION:
        faults["required"] = Sentence("is for fields of conversations")
    if kind in _HAS_OPTIONS:
        labels = [_one_line(option.label).casefold() for option in options]
        if not 1 <= len(options) <= MOST_OPTIONS:
            faults["options"] = Sentence("must be 1 to {count}", count=MOST_OPTIONS)
        elif not all(map(_is_name, labels)):
            faults["options"] = Sentence("must each be 1 to {count} visible characters", count=_NAME_LIMIT)
        elif not all(KEY.fullmatch(option.key) for option in options):
            faults["options"] = Sentence("must each have a key of small letters, digits and _")
        elif len(set(labels)) < len(labels) or len({option.key for option in options}) < len(options):
            faults["options"] = Sentence("must differ from each other")
    return faults


def _is_name(text: str) -> bool:
    line = _one_line(text)
    return 0 < len(line) <= _NAME_LIMIT and line.isprintable()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _stored(options: Sequence[FieldOption]) -> list[dict[str, Any]]:
    return [{"key": each.key, "label": _one_line(each.label), "active": each.active} for each in options]


def _table(subject: Subject) -> Table:
    return tables.customer if subject is Subject.CUSTOMER else tables.conversation


def _tell(tx: Tx, field_id: int) -> CustomFieldView:
    view = load_field(tx, field_id)
    tx.emit(CustomFieldChanged(view), {STAFF})
    return view


def _view(row: Row[Any]) -> CustomFieldView:
    return CustomFieldView(
        id=row.id,
        subject=Subject(row.subject),
        key=row.key,
        name=row.name,
        hint=row.hint,
        kind=FieldKind(row.kind),
        options=tuple(FieldOption(each["key"], each["label"], each["active"]) for each in row.options),
        section=row.section,
        position=row.position,
        required=row.required,
        editable_by=Role(row.editable_by),
        active=row.active,
        version=row.version,
    )


# --- values ---------------------------------------------------------------------------------------------------------------


def read_values(
    tx: Tx, viewer: Viewer, subject: Subject, wanted: Mapping[str, Any], held: Mapping[str, Any]
) -> tuple[dict[str, FieldValue | None], dict[str, str]]:
    """Values in their normal form (None: to be taken away), and what is wrong: `fields.key` → words. Forbidden naming a field
    that is for others to write."""
    if not wanted:
        return {}, {}
    known = {field.key: field for field in load_fields(tx, subject)}
    values: dict[str, FieldValue | None] = {}
    faults: dict[str, str] = {}
    for key, value in wanted.items():
        field = known.get(key)
        if field is None or (not field.active and value is not None and value != held.get(key)):
            faults[f"fields.{key}"[:80]] = Sentence("is not a field") if field is None else Sentence("is switched off")
            continue
        if not viewer.covers(field.editable_by) and value != held.get(key):
            raise Forbidden(
                f"“{field.name}” is not yours to write", fields={f"fields.{key}": Sentence("is for others to write")}
            )
        read = read_value(FieldKindOf(field.kind, field.options), value, held.get(key))
        if isinstance(read, Fault):
            faults[f"fields.{key}"] = read.words
        else:
            values[key] = read
    return values, faults


def with_changes(held: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept from now on; None: nothing."""
    values = {key: value for key, value in {**held, **changes}.items() if value is not None}
    return values or None


def change_conversation(
    tx: Tx, viewer: Viewer, conversation_id: int, wanted: Mapping[str, Any], seen: Mapping[str, Any]
) -> ConversationView:
    """Writes the named fields of a conversation, as cards.change_card does those of a customer."""
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    values, faults = read_values(tx, viewer, Subject.CONVERSATION, wanted, before.fields)
    if faults:
        raise InvalidInput("; ".join(f"{name} {fault}" for name, fault in faults.items()), fields=faults)
    merged = card.merge(before.fields, values, seen)
    if merged.conflicts:
        told = {
            f"fields.{key}": Sentence("says by now: {value}", value=str(value))
            for key, value in merged.conflicts.items()
        }
        raise Conflict("a colleague changed this meanwhile", code="field_conflict", fields=told)
    if not merged.changes:
        return before
    view = conversations.change(tx, before.id, fields=with_changes(before.fields, merged.changes))
    conversations.emit_conversation(tx, view)
    return view


def find_gaps(tx: Tx, view: ConversationView) -> dict[str, str]:
    """What must be filled in before this is resolved: key → name."""
    required = tx.rows(
        select(_f.key, _f.name)
        .where(_f.subject == Subject.CONVERSATION.value, _f.required, _f.active)
        .order_by(_f.position, _f.id)
    )
    return missing([(row.key, row.name) for row in required], view.fields)


def check_complete(tx: Tx, view: ConversationView) -> None:
    """Conflict `fields_missing` naming what must be filled in before this is resolved."""
    gaps = find_gaps(tx, view)
    if gaps:
        raise Conflict(
            f"fill in first: {', '.join(gaps.values())}",
            code="fields_missing",
            fields={f"fields.{key}": Sentence("is needed before this is resolved") for key in gaps},
        )
