"""Is a question asked once for all who wait for it, and is nobody given an answer that was begun before they asked?"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.together import Together


class Slow:
    """A question that is answered when it is told to, with how often it has been begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Semaphore(0)

    async def __call__(self) -> int:
        self.begun += 1
        mine = self.begun
        await self.go.acquire()
        return mine


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@given(st.lists(st.sampled_from(["ask", "answer"]), max_size=40))
def test_no_answer_was_begun_before_it_was_asked_for_and_few_are_begun(steps: list[str]) -> None:
    async def run() -> None:
        together, slow = Together(), Slow()
        asked: list[tuple[int, asyncio.Task[int]]] = []
        for step in steps:
            if step == "ask":
                asked.append((slow.begun, asyncio.create_task(together.ask("list", slow))))
            elif slow.begun:
                slow.go.release()
            await settle()
        for _ in asked:
            slow.go.release()
        answers = [(before, await task) for before, task in asked]
        assert all(answer > before for before, answer in answers)
        # never more than one under way and one to follow
        assert slow.begun <= steps.count("answer") + 2

    asyncio.run(run())


def test_all_who_come_while_it_is_under_way_share_the_next_one() -> None:
    async def run() -> None:
        together, slow = Together(), Slow()
        first = asyncio.create_task(together.ask("list", slow))
        await settle()
        others = [asyncio.create_task(together.ask("list", slow)) for _ in range(50)]
        elsewhere = asyncio.create_task(together.ask("another list", slow))
        await settle()
        assert slow.begun == 2, "the first one, and that of the other list"
        for _ in range(3):
            slow.go.release()
        assert await first == 1
        assert await elsewhere == 2
        assert {await other for other in others} == {3}

    asyncio.run(run())


def test_an_error_reaches_everybody_and_the_next_question_is_asked_anew() -> None:
    async def fails() -> int:
        raise ConnectionError("gone")

    async def succeeds() -> int:
        return 7

    async def run() -> None:
        together = Together()
        found = await asyncio.gather(*(together.ask("list", fails) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [ConnectionError] * 3
        assert await together.ask("list", succeeds) == 7

    asyncio.run(run())


def test_one_who_goes_away_does_not_take_the_answer_from_the_others() -> None:
    async def run() -> None:
        together, slow = Together(), Slow()
        first = asyncio.create_task(together.ask("list", slow))
        second = asyncio.create_task(together.ask("list", slow))
        await settle()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        slow.go.release()
        assert await second == 1

    asyncio.run(run())
