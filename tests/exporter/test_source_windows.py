"""Windows of a model upstream, whatever comes and goes while they are read."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import NEWEST
from exporter.sources import SourceFailed
from exporter.sources.windows import OFFSETS, PAGE, Page, read_all

FIRST_ID = 10**6
SIZES = st.one_of(
    st.integers(0, 3 * PAGE),
    st.builds(
        lambda pages, more: max(0, pages * PAGE + more), st.integers(0, 36), st.integers(-1, 1)
    ),
)
"""Also around the ends of pages and windows."""


class Model:
    """Details by id, as published: newest first, behind a marker, an offset, fifty at most."""

    def __init__(self, rows: int) -> None:
        self.there = list(range(FIRST_ID, FIRST_ID + rows))
        self.ever = rows
        self.answers: list[tuple[str, int]] = []

    def come(self, rows: int) -> None:
        """New details, with ids above all there ever were."""
        self.there += range(FIRST_ID + self.ever, FIRST_ID + self.ever + rows)
        self.ever += rows

    def go(self, place: float) -> None:
        """A detail goes."""
        if self.there:
            del self.there[int(place * len(self.there))]

    def answer(self, marker: str, offset: int) -> Page:
        """One call."""
        assert 0 <= offset <= 500
        self.answers.append((marker, offset))
        behind = [each for each in reversed(self.there) if f"{each:024x}" < marker]
        rows = behind[offset : offset + PAGE]
        marker = f"{rows[-1]:024x}" if rows else None
        return Page([(str(each),) for each in rows], len(self.there), marker)


def asking(model, before_each, order=None):
    """Asks for pages in any order, each call after whatever happens before it."""

    def ask(marker, offsets):
        yield []
        pages = {}
        for offset in order(list(offsets)) if order else offsets:
            before_each()
            pages[offset] = model.answer(marker, offset)
        return [pages[offset] for offset in offsets]

    return ask


def read(model, before_each=lambda: None, order=None):
    """The ids that were read, in the order in which they came."""
    return [int(row[0]) for row in chain.from_iterable(read_all(asking(model, before_each, order)))]


def shuffled(data):
    return lambda offsets: data.draw(st.permutations(offsets))


@pytest.mark.parametrize("rows", [0, 1, 49, 50, 51, 100, 599, 600, 601, 650, 1150, 1151])
def test_all_details_are_read_newest_first(rows):
    model = Model(rows)
    assert read(model) == list(reversed(model.there))


def test_no_page_is_asked_for_that_nothing_can_be_on():
    model = Model(120)
    read(model)
    assert [offset for _, offset in model.answers] == [0, 0, 50]
    model = Model(PAGE)
    read(model)
    assert [offset for _, offset in model.answers] == [0, 0]


def test_eleven_pages_are_asked_for_at_once():
    asked = []
    model = Model(50 + 550 + 20)

    def ask(marker, offsets):
        asked.append(tuple(offsets))
        return [model.answer(marker, offset) for offset in offsets]
        yield

    assert sum(map(len, read_all(ask))) == 620
    assert asked == [(0,), OFFSETS, (0,)]


@settings(deadline=None)
@given(rows=SIZES, data=st.data())
def test_details_that_come_while_it_is_read_change_nothing(rows, data):
    model = Model(rows)
    before_first = data.draw(st.integers(0, 60))
    coming = iter([before_first])

    def come():
        fallback = data.draw(st.sampled_from([0, 0, 1, 49, 50, 51])) if len(model.answers) else 0
        model.come(next(coming, fallback))

    got = read(model, come, shuffled(data))
    assert got == list(reversed(range(FIRST_ID, FIRST_ID + rows + before_first)))


@settings(deadline=None)
@given(rows=SIZES, data=st.data())
def test_of_details_that_go_none_that_stays_is_lost_and_none_is_read_twice(rows, data):
    model = Model(rows)

    def go():
        for place in data.draw(st.lists(st.floats(0, 1, exclude_max=True), max_size=3)):
            model.go(place)

    got = read(model, go, shuffled(data))
    assert got == sorted(set(got), reverse=True)
    assert set(model.there) <= set(got)


@settings(deadline=None)
@given(rows=SIZES, data=st.data())
def test_none_that_stays_is_lost_or_read_twice_while_others_come_and_go(rows, data):
    """As long as the count tells: as many that come as go, between two calls, it does not show."""
    model = Model(rows)
    before = set(model.there)

    def both():
        come = data.draw(st.integers(0, 2))
        model.come(come)
        for _ in range(data.draw(st.integers(0, 3).filter(lambda go: go != come))):
            model.go(data.draw(st.floats(0, 1, exclude_max=True)))

    got = read(model, both, shuffled(data))
    assert got == sorted(set(got), reverse=True)
    assert before & set(model.there) <= set(got)


def test_a_window_in_which_details_went_is_read_page_by_page():
    model = Model(700)
    left = iter([0] * 7 + [1])

    def go_once():
        if next(left, 0):
            model.go(0.6)  # on a page of the first window that has been read already

    got = read(model, go_once)
    assert set(model.there) <= set(got)
    assert len(model.answers) > len(set(model.answers)), "it was read again"


@pytest.mark.parametrize("marker", [None, "above", "same"])
def test_markers_that_do_not_fall_end_the_reading(marker):
    model = Model(200)

    def ask(before, offsets):
        pages = [model.answer(before, offset) for offset in offsets]
        if before == NEWEST:
            return pages
        wrong = {None: None, "above": NEWEST, "same": before}[marker]
        return [Page(page.rows, page.count, wrong) for page in pages]
        yield

    with pytest.raises(SourceFailed, match="do not fall") as failed:
        list(read_all(ask))
    assert not failed.value.passing
