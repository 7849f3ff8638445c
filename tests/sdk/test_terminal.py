import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo.cli import terminal
from amparo.cli.terminal import (
    Progress,
    box,
    display_width,
    fit,
    printable,
    table,
    timeline,
    use_colour,
    wrap,
)

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
SAFE = st.text(max_size=40).map(printable)


class Screen(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("tty", "environ", "colour"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "0"}, False),
    ],
)
def test_colour_is_decided_by_stream_and_environment(tty, environ, colour):
    assert use_colour(Screen() if tty else io.StringIO(), environ) is colour


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("abc", 3), ("héllo", 5), ("he\u0301llo", 5), ("日本", 4), ("বাংলা", 5), ("😀", 2), ("👍🏽", 2),
        ("👨\u200d👩\u200d👧", 2), ("❤\ufe0f", 1), ("", 0), ("Ωμέγα", 5),
    ],
)  # fmt: skip
def test_display_width(text, width):
    assert display_width(text) == width


def test_foreign_text_cannot_steer_the_terminal():
    for text in ("a\x1b[31mb", "a\u202eb", "a\rb", "a\x07b", "a\ud83db", "a\u2028b", "a\x9bb"):
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\ud800-\udfff]", printable(text)) is None
    for drawn in (
        table(["n\x1b"[:1]], [["a\x1b[31m"]]),
        box("t\x1b", ["p\x1b\ny"]),
        timeline([(1, "s\x1b")]),
    ):
        assert "\x1b" not in drawn


@given(SAFE, st.integers(2, 30))
@settings(deadline=None)
def test_fit_gives_exactly_the_columns_asked_for(text, columns):
    assert display_width(fit(text, columns)) == columns


@given(SAFE, st.integers(2, 30))
@settings(deadline=None)
def test_wrap_stays_within_the_columns_and_loses_nothing(text, columns):
    lines = wrap(text, columns)
    assert all(display_width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrap_of_a_huge_word_is_quick():
    assert len(wrap("x" * 100_000, 50)) == 2000


def test_table():
    drawn = table(["name", "n", "risk"], [["日本", 3, 0.5], ["Ада", 12, None]])
    assert drawn.split("\n") == [
        "name  n   risk",
        "────  ──  ────",
        "日本   3   0.5",
        "Ада   12     –",
    ]
    assert table(["a"], []) == "a\n─"
    assert ESCAPE.sub("", table(["a"], [[1]], colour=True)) == table(["a"], [[1]])


@given(SAFE, st.lists(st.text(max_size=60), max_size=3), st.integers(0, 60))
@settings(deadline=None)
def test_every_line_of_a_box_is_as_wide(title, paragraphs, columns):
    lines = ESCAPE.sub("", box(title, paragraphs, columns=columns, colour=True)).split("\n")
    assert {display_width(line) for line in lines} == {max(columns, 12)}


def test_timeline_shows_marks_senders_and_a_legend():
    drawn = timeline([(0, "contact"), (0, "child"), (1, "contact"), (2, "contact"), (3, None)])
    marks, who, legend = drawn.split("\n")
    assert marks == "··▂▅█"
    assert who == "abaac"
    assert all(
        word in legend for word in ("calm", "notice", "concern", "urgent", "a contact", "b child", "c ?")
    )
    coloured = timeline([(3, "contact")], colour=True)
    assert "\x1b[91m█" in coloured and ESCAPE.sub("", coloured) == timeline([(3, "contact")])


def test_a_long_timeline_stays_compact_and_keeps_its_peak():
    points = [(0, "a")] * 2000
    points[777] = (3, "b")
    drawn = timeline(points, columns=50, max_rows=4)
    assert drawn.count("\n") == 8
    assert drawn.split("   ")[0].count("█") == 1 + 1  # the mark and the legend's
    assert "one mark: 10 messages" in drawn


def test_timeline_of_nothing_and_of_many_senders():
    assert "calm" in timeline([])
    many = timeline([(0, f"s{i}") for i in range(40)])
    assert "+" in many and "s25" in many and "s26" not in many


def test_progress_lives_on_a_terminal():
    screen, clock = Screen(), Clock()
    with Progress("conversations", screen, total=4000, clock=clock) as progress:
        for _ in range(1000):
            clock.now += 0.01
            progress.step()
    lines = screen.getvalue().split("\r\x1b[K")
    assert 80 < len(lines) < 110
    assert " of 4,000 conversations  100.0/s  0:35 left" in lines[50]
    assert lines[-1] == "1,000 of 4,000 conversations  100.0/s  0:30 left  in 0:10\n"


def test_progress_elsewhere_writes_one_closing_line():
    log, clock = io.StringIO(), Clock()
    with pytest.raises(KeyError), Progress("messages", log, clock=clock) as progress:
        progress.step(5)
        clock.now = 2.0
        raise KeyError
    assert log.getvalue() == "5 messages  2.5/s  stopped after 2.0 s\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (9.94, "9.9 s"), (65, "1:05"), (7400, "2:03:20")]
)
def test_duration(seconds, text):
    assert terminal.duration(seconds) == text


def test_write_survives_a_narrow_encoding():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    terminal.write(stream, "тир █ \ud83d")
    stream.flush()
    assert raw.getvalue() == b"??? ? ?\n"
