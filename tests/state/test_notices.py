"""Notices on disk: what was told is known to the next process."""

from dataclasses import replace
from pathlib import Path

from netaflux.core.notices import Kind, Matter, Notice
from netaflux.state.open import State, open_state
from tests.state.samples import StillClock

MATTER = Matter(Kind.LAG, "Porch")
NOTICE = Notice(
    matter=MATTER,
    name="Porch",
    text="Porch is “late”",
    remedy="look",
    over="",
    opened_at=1.5,
    told=frozenset({"url"}),
)


async def test_a_notice_is_there_for_the_next_process(directory: Path, clock: StillClock) -> None:
    async with open_state(directory, clock) as state:
        await state.notices.save({MATTER: NOTICE})

    async with open_state(directory, clock) as state:
        assert await state.notices.load() == [NOTICE]


async def test_a_notice_is_replaced_and_forgotten(state: State) -> None:
    await state.notices.save({MATTER: NOTICE})
    await state.notices.save({MATTER: replace(NOTICE, over_at=2.0)})
    assert [notice.over_at for notice in await state.notices.load()] == [2.0]

    await state.notices.save({MATTER: None})

    assert await state.notices.load() == []


async def test_a_notice_that_cannot_be_read_costs_itself_alone(state: State) -> None:
    await state.notices.save({MATTER: NOTICE})
    for kind, record in (("lag", "{"), ("lag", "[]"), ("lag", "{}"), ("from the future", "{}")):
        await state.database.run(
            lambda connection, row=(kind, record): (
                connection.execute(  # type: ignore[misc]
                    "INSERT OR REPLACE INTO notices VALUES (?, 'odd', ?)", row
                ).rowcount
            )
        )

        assert await state.notices.load() == [NOTICE]
