"""Blocks are kept or left out whole, by their rank."""

from hypothesis import given
from hypothesis import strategies as st

from widgets.blocks import Ranked, fitted
from widgets.lines import line

BLOCKS = st.lists(
    st.builds(Ranked, st.integers(0, 3), st.integers(0, 4).map(lambda n: [line("x")] * n)),
    max_size=6,
)


def test_the_lowest_ranks_get_their_rows_first() -> None:
    big, small, last = Ranked(2, [(), ()]), Ranked(1, [()]), Ranked(3, [()])
    assert fitted([big, small, last], 2) == [(), small.lines, last.lines]
    assert fitted([big, small, last], 3) == [big.lines, small.lines, ()]


@given(BLOCKS, st.integers(0, 12))
def test_never_more_rows_than_there_are_and_never_a_part(blocks: list[Ranked], height: int) -> None:
    found = fitted(blocks, height)
    assert sum(map(len, found)) <= height
    assert all(lines in ((), block.lines) for lines, block in zip(found, blocks, strict=True))
