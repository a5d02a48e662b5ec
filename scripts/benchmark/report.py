"""The figures of a run as medians, ratios to the baseline, and a table with the targets."""

import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# scenario -> target -> figure -> its values, one per round
Measured = Mapping[str, Mapping[str, Mapping[str, list[float]]]]


class Row(NamedTuple):
    """A line of the table: its figure and the target, which is a ratio unless `absolute`."""

    title: str
    scenario: str
    figure: str
    bound: float | None  # None is shown beside what it explains
    unit: str
    absolute: bool = False
    at_least: bool = False


ROWS = (
    Row("streamed text, CPU per event", "text", "cpu_us_per_event", 1.8, "µs"),
    Row("the same through the Responses API", "responses", "cpu_us_per_event", 2.7, "µs"),
    Row("streamed text, upstream's writes coalesced", "coalesced", "cpu_us_per_event", 8, "µs"),
    Row("streamed tool arguments, CPU per event", "tool", "cpu_us_per_event", 2.2, "µs"),
    Row("streamed thinking, CPU per event", "thinking", "cpu_us_per_event", 2.2, "µs"),
    Row("200 paced streams, CPU", "paced", "cpu_s", 0.9, "s"),
    Row("200 paced streams, first token p50", "paced", "first_token_p50_ms", 2, "ms"),
    Row("200 paced streams, first token p99", "paced", "first_token_p99_ms", 10, "ms"),
    Row("200 paced streams, token delay p50", "paced", "token_delay_p50_ms", 4, "ms"),
    Row("200 paced streams, token delay p99", "paced", "token_delay_p99_ms", 4, "ms"),
    Row("not streamed, one at a time, p50", "single", "p50_ms", 1.6, "ms"),
    Row("not streamed, 64 at a time", "parallel", "requests_per_s", 0.8, "/s", at_least=True),
    Row("the same, CPU per request", "parallel", "cpu_ms_per_request", None, "ms"),
    Row("1 MB request, 400 messages, tools, p50", "big", "p50_ms", 3, "ms"),
    Row("the same, CPU per request", "big", "cpu_ms_per_request", None, "ms"),
    Row("`claude-proxy start` until it answers", "start", "seconds", 0.8, "s", absolute=True),
    Row("memory, idle", "held", "rss_before_mb", 50, "MB", absolute=True),
    Row("memory, 200 open streams", "held", "rss_200_mb", 65, "MB", absolute=True),
    Row("memory, 1,000 open streams", "held", "rss_1000_mb", 120, "MB", absolute=True),
)


class Line(NamedTuple):
    """A row with its medians."""

    row: Row
    direct: float | None
    baseline: float | None
    daemon: float
    compared: float  # the ratio, or the figure itself when it is absolute

    @property
    def is_met(self) -> bool | None:
        if self.row.bound is None:
            return None
        return self.compared >= self.row.bound if self.row.at_least else self.compared <= self.row.bound


def lines(measured: Measured) -> list[Line]:
    """Every measured row. The ratio is the median of the rounds' ratios: a round's noise affects both sides."""
    return [line for row in ROWS if (line := _line(row, measured.get(row.scenario, {})))]


def _line(row: Row, targets: Mapping[str, Mapping[str, list[float]]]) -> Line | None:
    values = {name: figures[row.figure] for name, figures in targets.items() if row.figure in figures}
    if "daemon" not in values:
        return None
    medians = {name: statistics.median(each) for name, each in values.items()}
    if row.absolute:
        compared = medians["daemon"]
    elif "pass" in values:
        compared = statistics.median(
            ours / theirs for ours, theirs in zip(values["daemon"], values["pass"], strict=True)
        )
    else:
        return None
    return Line(row, medians.get("direct"), medians.get("pass"), medians["daemon"], compared)


def table(measured: Measured) -> str:
    """The lines as a Markdown table."""
    head = ["", "direct", "pass-through", "claude-proxy", "ratio", "target", ""]
    rows = [head, ["---", *["---:"] * 5, "---"], *map(_cells, lines(measured))]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(line: Line) -> Iterable[str]:
    row = line.row
    bound = "" if row.bound is None else f"{'≥' if row.at_least else '≤'} {row.bound:g}"
    if row.absolute:
        bound += f" {row.unit}"
    ratio = "" if row.absolute else f"{line.compared:.2f}"
    figures = [_figure(value, row.unit) for value in (line.direct, line.baseline, line.daemon)]
    return [row.title, *figures, ratio, bound, {True: "met", False: "missed", None: ""}[line.is_met]]


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
