"""Lines fit their width, whatever the text."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.lines import Line, Span, fields, fit, line, merge_spans, pad, spread, width_of, wrap

TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30)
LINES = st.lists(TEXTS.map(Span), max_size=5).map(tuple)


@given(LINES, st.integers(0, 60))
def test_fit_never_exceeds_the_width(spans: Line, width: int) -> None:
    assert width_of(fit(spans, width)) <= width


@given(LINES, st.integers(0, 60))
def test_pad_is_exact(spans: Line, width: int) -> None:
    assert width_of(pad(spans, width)) == width


@given(LINES, LINES, st.integers(0, 60))
def test_spread_never_exceeds_the_width(left: Line, right: Line, width: int) -> None:
    assert width_of(spread(left, right, width)) <= width


def test_fit_marks_what_was_cut() -> None:
    assert fit(line("GeForce RTX 4090"), 8) == (Span("GeForce"), Span("…"))
    assert fit(line("short"), 8) == line("short")


def test_fit_cuts_before_a_wide_character_that_does_not_fit() -> None:
    cut = fit(line("ab漢字"), 4)
    assert "".join(span.text for span in cut) == "ab …"


def test_spread_keeps_the_right_end() -> None:
    spans = spread(line("a long name of a device"), line("vfio-pci"), 20)
    assert "".join(span.text for span in spans) == "a long nam… vfio-pci"


def test_fields_keep_their_columns_whatever_the_values() -> None:
    def rows(value: str) -> list[str]:
        pairs = [("Temp", line(value)), ("Fan", line("30 %")), ("Power", line("35 W"))]
        return ["".join(s.text for s in row) for row in fields(pairs, 40, 18, 6)]

    short, long = rows("9 °C"), rows("100 °C and more than fits")
    assert short[0].index("Fan") == long[0].index("Fan") == 20
    assert len(short) == 2


@given(st.lists(TEXTS, max_size=8).map(" ".join), st.integers(10, 60))
def test_wrap_keeps_every_character(text: str, width: int) -> None:
    rows = ["".join(span.text for span in row) for row in wrap(text, width)]
    assert "".join(rows).replace(" ", "") == "".join(text.split())
    assert all(cell_len(row) <= width for row in rows)


@given(LINES)
def test_merging_spans_keeps_the_text(spans: Line) -> None:
    fewer = merge_spans(spans)
    assert "".join(s.text for s in fewer) == "".join(s.text for s in spans)
    assert len(fewer) <= len(spans)


def test_merging_spans_joins_blanks_to_the_span_before() -> None:
    spans = line(Span("Temp  ", "label"), "54 °C", "   ", Span("Fan", "label"), Span("30", "label"))
    assert merge_spans(spans) == line(Span("Temp  ", "label"), "54 °C   ", Span("Fan30", "label"))


def test_a_path_is_broken_after_a_slash() -> None:
    rows = ["".join(s.text for s in row) for row in wrap("echo x > /sys/bus/pci/drivers_probe", 16)]
    assert rows == ["echo x >", "/sys/bus/pci/", "drivers_probe"]
