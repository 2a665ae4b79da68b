"""What happens on the floor that `hub bench board` looks at: real changes over the API, in an open loop.

Change n is due at begin + n / rate, whether or not those before it were answered, and whoever sees it counts from then: a hub
that stalls is charged for all it kept waiting (no coordinated omission).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from time import monotonic

import httpx2

_Sent = Coroutine[None, None, httpx2.Response]

_OTHER = {"away": "busy", "busy": "away"}


@dataclass(frozen=True, slots=True)
class Due:
    """Something that was due at an instant (monotonic clock): somebody's state is `state` from then on, or, where that is
    None, they have handled a text more (`texts` in all)."""

    user_id: int
    at: float
    state: str | None = None
    texts: int = 0


@dataclass(slots=True)
class Run:
    """`late_ms`: how late the generator itself was at the worst; `span_s`: until the last change was answered."""

    due: list[Due] = field(default_factory=list)
    refused: int = 0
    span_s: float = 0.0
    late_ms: float = 0.0

    @property
    def per_s(self) -> float:
        return len(self.due) / self.span_s


@dataclass(slots=True)
class Floor:
    """The agents whose states change, each in turn. `held`: conversations that are passed on among `near`, one each `every`
    changes, from the one that has it to the next; `near` are more than `held`."""

    agents: Sequence[int]
    near: Sequence[int] = ()
    held: Sequence[int] = ()
    every: int = 0
    states: dict[int, str] = field(default_factory=dict)
    _texts: dict[int, int] = field(default_factory=dict)
    _turned: int = 0
    _passed: int = 0

    async def hand_out(self, client: httpx2.AsyncClient) -> None:
        for conversation_id, user_id in zip(self.held, self.near, strict=False):
            answer = await client.post(f"/api/v1/conversations/{conversation_id}/transfer", json={"agent_id": user_id})
            answer.raise_for_status()

    async def run(self, client: httpx2.AsyncClient, rate: float, seconds: float) -> Run:
        begun = monotonic() + 0.1
        run = Run()
        changes = []
        for number in range(int(rate * seconds)):
            at = begun + number / rate
            await asyncio.sleep(max(0.0, at - monotonic()))
            run.late_ms = max(run.late_ms, (monotonic() - at) * 1e3)
            is_pass = self.every > 0 and number % self.every == self.every - 1
            changes.append(
                asyncio.create_task(self._pass_on(client, at, run) if is_pass else self._turn(client, at, run))
            )
        run.refused = sum(answer.status_code >= 400 for answer in await asyncio.gather(*changes))
        run.span_s = monotonic() - begun
        return run

    def _turn(self, client: httpx2.AsyncClient, at: float, run: Run) -> _Sent:
        user_id = self.agents[self._turned % len(self.agents)]
        self._turned += 1
        state = self.states[user_id] = _OTHER[self.states.get(user_id, "away")]
        run.due.append(Due(user_id, at, state))
        return client.put(f"/api/v1/agents/{user_id}/state", json={"state": state})

    def _pass_on(self, client: httpx2.AsyncClient, at: float, run: Run) -> _Sent:
        of, turn = self._passed % len(self.held), self._passed // len(self.held)
        self._passed += 1
        giver, taker = (self.near[(of + turn + step) % len(self.near)] for step in (0, 1))
        self._texts[giver] = self._texts.get(giver, 0) + 1
        run.due.append(Due(giver, at, texts=self._texts[giver]))
        return client.post(f"/api/v1/conversations/{self.held[of]}/transfer", json={"agent_id": taker})
