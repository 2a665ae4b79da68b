"""A request that is sent again is carried out once: keys chosen by the client, kept per user.

    earlier = once(tx, user_id, key, request_hash)      first of all in the unit of work
    if earlier is not None: return load(tx, earlier)    the same request came before: its answer
    …                                                   else do the work, and at its end
    record_answer(tx, user_id, key, answer_id)

`once` inserts the key's row, so of two equal requests at the same moment the second waits for the first's commit and
then finds its answer. If the work fails, the row goes with it and the key is free again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from hub.errors import Conflict
from hub.store import tables
from hub.store.database import Tx

_i = tables.idempotency.c


def once(tx: Tx, user_id: int, key: str | None, request_hash: str) -> int | None:
    """What `record_answer` kept for this key, or None if the work is to be done now. Without a key it always is.

    Conflict `idempotency_mismatch` if the key was used with another request.
    """
    if key is None:
        return None
    row_key = _row_key(user_id, key)
    row = {"key": row_key, "user_id": user_id, "request_hash": request_hash, "answer_id": None, "at": tx.now}
    if tx.insert_new(tables.idempotency, [row])[0]:
        return None
    found = tx.first(select(_i.request_hash, _i.answer_id).where(_i.key == row_key))
    if found is None or found.request_hash != request_hash:
        raise Conflict("this Idempotency-Key was used with another request", code="idempotency_mismatch")
    if found.answer_id is None:
        raise Conflict("this Idempotency-Key was used before, and its answer was not kept", code="idempotency_mismatch")
    return int(found.answer_id)


def record_answer(tx: Tx, user_id: int, key: str | None, answer_id: int) -> None:
    if key is not None:
        tx.execute(update(tables.idempotency).where(_i.key == _row_key(user_id, key)).values(answer_id=answer_id))


def forget_keys(tx: Tx, before: datetime) -> int:
    """Deletes keys older than `before`; returns how many."""
    return int(tx.execute(delete(tables.idempotency).where(_i.at < before)).rowcount)


def _row_key(user_id: int, key: str) -> str:
    return f"{user_id}:{key}"
