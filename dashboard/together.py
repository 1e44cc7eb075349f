"""Which question is asked once where many ask the same at the same moment?

When something changes every open page asks again, and most pages show the same. Whoever asks while the same question is
under way waits for the next time it is asked, together with all who came meanwhile. So an answer was never begun before
it was asked for: nothing is kept, and nothing can be out of date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Together:
    """The questions that are under way, by what they are about: whoever gives equal keys gets the same answer."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, key: Hashable, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Give an answer that was begun now or later; the question runs as whoever of them came first.

        So the key must tell apart everything on which the answer depends, the asker's rights included.
        """
        turn = self._waiting.get(key)
        if turn is None:
            turn = self._waiting[key] = asyncio.create_task(self._turn(key, question))
            turn.add_done_callback(_was_looked_at)
        # one who goes away does not take the answer from the others
        answer: T = await asyncio.shield(turn)
        return answer

    async def _turn(self, key: Hashable, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        before = self._running.get(key)
        if before is not None:
            await asyncio.wait([before])
        self._running[key] = self._waiting.pop(key)
        try:
            return await question()
        finally:
            del self._running[key]


def _was_looked_at(turn: asyncio.Task[Any]) -> None:
    """Take an error as seen where all who asked have gone away meanwhile."""
    if not turn.cancelled():
        turn.exception()
