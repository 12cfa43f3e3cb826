"""The parts that plots share: the drawing, its scales, its axes.

Colours and lines are those of the classes in `static/style.css`, because the pages allow no style
in an element. ElementTree escapes all texts.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from app.producer.ui.formats import number

WIDTH, HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 12, 10, 46
_CHARACTERS = 24  # of a label
_MOST_NAMED = 5  # texts that have room below an axis


@dataclass(frozen=True)
class Plot:
    """A drawing, what it shows in a sentence, and the numbers behind it as a table."""

    title: str
    description: str
    svg: Markup
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Scale:
    """Maps numbers from `low` to `high` to places from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def of(cls, values: Iterable[float], begin: float, end: float) -> "Scale":
        """Return the scale that has room for the finite ones of `values`."""
        finite = [each for each in values if math.isfinite(each)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if low / 2 == high / 2:
            room = abs(low) / 2 or 1.0
            low, high = low - room, high + room
        return cls(low, high, begin, end)

    def __call__(self, value: float) -> float:
        """Return the place of a finite number."""
        # Halved first, because the difference of two huge numbers may be infinite.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self, count: int = 5) -> list[float]:
        """Return round numbers inside of the scale, about `count`."""
        span = self.high / 2 - self.low / 2
        rough = 2 * (span / count)
        if not math.isfinite(rough) or rough < 1e-300:
            return [self.low, self.high]
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(each for each in (1, 2, 5, 10) if each * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        if last - first > 2 * count:  # the numbers are too close to each other to be told apart
            return [self.low, self.high]
        return [
            round(place * step, 12) if step > 1e-9 else place * step
            for place in range(first, last + 1)
        ]


def drawing(title: str, width: float = WIDTH, height: float = HEIGHT) -> Element:
    """Return an empty drawing; its title is what a screen reader says."""
    size = f"0 0 {width:g} {height:g}"
    made = Element("svg", {"viewBox": size, "role": "img", "aria-label": title})
    SubElement(made, "title").text = title
    return made


def described(svg: Element, description: str) -> Markup:
    """Return a drawing, with its description, as HTML."""
    desc = Element("desc")
    desc.text = description
    svg.insert(1, desc)
    return Markup(tostring(svg, encoding="unicode"))  # noqa: S704  ElementTree has escaped it


def x_scale(values: Iterable[float]) -> Scale:
    """Return a scale from the left to the right."""
    return Scale.of(values, _LEFT, WIDTH - _RIGHT)


def y_scale(values: Iterable[float]) -> Scale:
    """Return a scale from the bottom to the top."""
    return Scale.of(values, HEIGHT - _BOTTOM, _TOP)


def axes(
    svg: Element, x: Scale, y: Scale, x_name: str, y_name: str, texts: Sequence[str] = ()
) -> None:
    """Draw both axes with their names and ticks.

    `texts` stand at 0, 1, ... of the x axis. Many have no room there: the table has them.
    """
    for tick in y.ticks():
        line(svg, "grid", (x.begin, y(tick)), (x.end, y(tick)))
        text(svg, x.begin - 6, y(tick) + 4, _tick(tick), anchor="end")
    if not texts:
        for tick in x.ticks():
            text(svg, x(tick), y.begin + 16, _tick(tick), anchor="middle")
    elif len(texts) <= _MOST_NAMED:
        for place, each in enumerate(texts):
            text(svg, x(place), y.begin + 16, each, anchor="middle", most=11)
    else:
        x_name = f"{x_name} (in the order of the table)"
    line(svg, "axis", (x.begin, y.end), (x.begin, y.begin), (x.end, y.begin))
    text(svg, (x.begin + x.end) / 2, y.begin + 36, x_name, anchor="middle", kind="soft")
    label = text(svg, 0, 0, y_name, anchor="middle", kind="soft")
    label.set("transform", f"translate(12 {(y.begin + y.end) / 2:g}) rotate(-90)")


def _tick(value: float) -> str:
    """Return a number that has room between an axis and its name."""
    return number(value) if abs(value) < 1e6 else f"{value:.4g}"


def line(svg: Element, kind: str, *points: tuple[float, float]) -> Element:
    """Draw a line through points."""
    places = " ".join(f"{x:g},{y:g}" for x, y in points)
    return SubElement(svg, "polyline", {"class": kind, "points": places})


def dots(svg: Element, points: Iterable[tuple[float, float]]) -> None:
    """Draw points, of which those at one place count once, as one path."""
    places = dict.fromkeys(f"M{x:.0f} {y:.0f}h0" for x, y in points)
    SubElement(svg, "path", {"class": "dots", "d": "".join(places)})


def box(svg: Element, kind: str, x: float, y: float, width: float, height: float) -> Element:
    """Draw a rectangle."""
    place = {"x": x, "y": y, "width": max(width, 0.5), "height": max(height, 0.5)}
    return SubElement(svg, "rect", {"class": kind, **{k: f"{v:g}" for k, v in place.items()}})


def text(
    svg: Element,
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    kind: str = "",
    most: int = _CHARACTERS,
) -> Element:
    """Write a text, cut if it has more than `most` characters."""
    cut = said if len(said) <= most else f"{said[: most - 1]}…"
    placed = {"x": f"{x:g}", "y": f"{y:g}", "text-anchor": anchor}
    made = SubElement(svg, "text", {**placed, **({"class": kind} if kind else {})})
    made.text = cut
    return made
