"""The pictures of an HTML report with the figures that stand below each of them, and its calendar."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from retention.core.text import format_duration
from retention.render.charts import Bars, draw_bars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retention.reports.sections import AgeCount, DayCount, Sections

DAYS_DRAWN = 62
"""The most days that get a bar each; a longer period gets one for each month."""

BARS_OF_GAMES = 12
"""The most games with a bar; the table below has more."""

_LABEL_EVERY = 5


class Picture(NamedTuple):
    """A picture as an svg element, and its figures: the names of their columns, and a row for each bar.

    The last column is a number. Without `rows`, another table of the page has the figures.
    """

    title: str
    svg: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Week(NamedTuple):
    """A week of the calendar: its name as ISO 8601 has it, and its days from Monday on; None is outside the period."""

    name: str
    days: tuple[DayCount | None, ...]


def pictures_of(totals: Sequence[Any], sections: Sections) -> tuple[Picture, ...]:
    """Draw the pictures of a report; none without a round."""
    return tuple(_pictures(totals, sections)) if sections.markets else ()


def weeks_of(days: Sequence[DayCount]) -> tuple[Week, ...]:
    """Lay out days as weeks."""
    weeks = []
    for (year, week), group in groupby(days, key=lambda one: one.day.isocalendar()[:2]):
        by_weekday = {one.day.weekday(): one for one in group}
        weeks.append(Week(f"{year}-W{week:02}", tuple(by_weekday.get(weekday) for weekday in range(7))))
    return tuple(weeks)


def _pictures(totals: Sequence[Any], sections: Sections) -> Iterator[Picture]:
    if sections.days:
        yield _drawn(_by_day(sections.days), ())
    ages = [(_age(one), one.rounds) for one in sections.ages]
    yield _drawn(Bars("age", "Age at the cancel", *_unzip(ages), sideways=True), ("age",), ages)
    markets = [(one.market, one.rounds) for one in sections.markets]
    markets.sort(key=lambda pair: -pair[1])
    yield _drawn(
        Bars("markets", "Rounds by market", *_unzip(markets[:BARS_OF_GAMES]), sideways=True), ("market",), markets
    )
    outcomes = Counter[str]()
    for total in totals:
        outcomes[total.outcome] += total.count
    bars = Bars("outcomes", "Outcomes", *_unzip(outcomes.most_common()), sideways=True)
    yield _drawn(bars, ("outcome",), outcomes.most_common())
    games = [((one.market, one.game_id or "unknown game"), one.rounds) for one in sections.games]
    drawn = [(" ".join(names), rounds) for names, rounds in games[:BARS_OF_GAMES]]
    rest = [(("all", "other games"), sections.other_games)] if sections.other_games else []
    bars = Bars("games", "Rounds by market and game", *_unzip(drawn), sideways=True)
    yield _drawn(bars, ("market", "game"), [*games, *rest])


def _drawn(bars: Bars, columns: tuple[str, ...], figures: Sequence[tuple[Any, int]] = ()) -> Picture:
    rows = tuple((*((names,) if isinstance(names, str) else names), f"{rounds:,}") for names, rounds in figures)
    svg = Markup(draw_bars(bars))  # noqa: S704 - draw_bars escapes each label
    return Picture(bars.title, svg, (*columns, "rounds") if columns else (), rows)


def _by_day(days: Sequence[DayCount]) -> Bars:
    if len(days) > DAYS_DRAWN:
        months = Counter[str]()
        for one in days:
            months[f"{one.day:%Y-%m}"] += one.rounds or 0
        every = 1 + len(months) // 7
        labels = [name if nth % every == 0 else "" for nth, name in enumerate(months)]
        return Bars("days", "Rounds per month", labels, list(months.values()))
    every = 1 if len(days) <= _LABEL_EVERY + 2 else 1 + len(days) // (_LABEL_EVERY + 1)
    labels = [f"{one.day.day} {one.day:%b}" if nth % every == 0 else "" for nth, one in enumerate(days)]
    return Bars("days", "Rounds per day", labels, [one.rounds or 0 for one in days])


def _age(one: AgeCount) -> str:
    if one.least is None:
        return f"under {_span(one.below)}"
    return f"{_span(one.least)} or more" if one.below is None else f"{_span(one.least)} to {_span(one.below)}"


def _span(span: timedelta | None) -> str:
    return format_duration(span or timedelta())


def _unzip(pairs: Sequence[tuple[str, int]]) -> tuple[list[str], list[int]]:
    return [label for label, _ in pairs], [count for _, count in pairs]
