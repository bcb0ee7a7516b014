"""Loss curves as small drawings of their own, one per loss: each has its own scale, so that one does not flatten the others.

Drawn here as SVG from the points the server has anyway: nothing is loaded for it, it follows the theme, and it fits a phone.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 300, 90  # of the drawing area, in its own units; stretched to the card
SMOOTHED_SHARE = 1 / 15  # of the curve's points, over which the running mean looks back: short curves are smoothed little

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """What a tag is called on the page, and what it means in one sentence."""

    tag: str
    title: str
    meaning: str


CURVES = (
    Curve("loss/g/mel", "Mel", "How far the spectrum of the generated sound is from the recording's: clarity."),
    Curve("loss/g/fm", "Feature matching", "How alike real and generated sound look to the discriminator: realism."),
    Curve("loss/g/kl", "KL", "How well the content describes the sound. It should stay above zero."),
    Curve("loss/g/adv", "Generator", "How well the discriminator sees through the generator."),
    Curve("loss/d/adv", "Discriminator", "How well the discriminator tells real from generated."),
    Curve("loss/g/total", "Total", "All losses of the generator together. Its lowest point is not the best voice: listen."),
)
TAGS = tuple(curve.tag for curve in CURVES)


def drawn(points: Sequence[dict[str, Any]]) -> str:
    """HTML of all curves from points ``{step, tag, value}``; empty before there are two of any."""
    by_tag: dict[str, list[Point]] = {}
    for point in points:
        if math.isfinite(point["value"]):
            by_tag.setdefault(point["tag"], []).append((point["step"], point["value"]))
    cards = [_card(curve, by_tag[curve.tag]) for curve in CURVES if len(by_tag.get(curve.tag, ())) > 1]
    return f'<div class="tm-curves">{"".join(cards)}</div>' if cards else ""


@dataclass(frozen=True)
class Compared:
    """Curves of one thing among several: each attempt, and their mean."""

    title: str
    attempts: Sequence[Sequence[Point]]
    mean: Sequence[Point]


def side_by_side(several: Sequence[Compared]) -> str:
    """HTML of a drawing each, all on one scale, so that heights can be compared; empty without any."""
    points = [point for one in several for line in (*one.attempts, one.mean) for point in line]
    if not points:
        return ""
    frame = _Frame(min(step for step, _ in points), max(step for step, _ in points), min(value for _, value in points),
                   max(value for _, value in points))
    return f'<div class="tm-curves">{"".join(_compared_card(one, frame) for one in several)}</div>'


def _compared_card(one: Compared, frame: "_Frame") -> str:
    title, end = html.escape(one.title, quote=True), one.mean[-1][1]
    thin = "".join(f'<path class="tm-raw" d="{frame.path(line)}"/>' for line in one.attempts if len(one.attempts) > 1)
    return (
        f'<figure class="tm-curve" data-title="{title}"><figcaption><span>{title}</span><b>{end:.3f}</b></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{title}: {end:.3f} at the end">'
        f'{thin}<path class="tm-smooth" d="{frame.path(one.mean)}"/></svg>'
        f"<footer><span>{frame.low:.2f} – {frame.high:.2f}</span><span>step {frame.last:g}</span></footer></figure>")


def smoothed(points: Sequence[Point], weight: float | None = None) -> list[Point]:
    """Running mean that forgets exponentially, without the pull towards zero at the start (as in Adam, Kingma & Ba 2015).

    weight: of the past, as TensorBoard's slider counts it; by default what suits the number of points.
    """
    weight = 1 - 1 / max(1.0, len(points) * SMOOTHED_SHARE) if weight is None else weight
    result, mean = [], 0.0
    for number, (step, value) in enumerate(points, start=1):
        mean = weight * mean + (1 - weight) * value
        result.append((step, mean / (1 - weight**number)))
    return result


def _card(curve: Curve, points: list[Point]) -> str:
    low, high = min(value for _, value in points), max(value for _, value in points)
    frame = _Frame(points[0][0], points[-1][0], low, high)
    smooth = smoothed(points)
    label = html.escape(f"{curve.title}: {points[-1][1]:.3g} at step {points[-1][0]}. {curve.meaning}", quote=True)
    return (
        f'<figure class="tm-curve" title="{html.escape(curve.meaning, quote=True)}" data-tag="{curve.tag}">'
        f"<figcaption><span>{curve.title}</span><b>{smooth[-1][1]:.3g}</b></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<path class="tm-raw" d="{frame.path(points)}"/><path class="tm-smooth" d="{frame.path(smooth)}"/></svg>'
        f"<footer><span>{low:.3g} – {high:.3g}</span><span>step {points[-1][0]}</span></footer></figure>"
    )


@dataclass(frozen=True)
class _Frame:
    """From steps and values to the units of the drawing, y downwards."""

    first: float
    last: float
    low: float
    high: float

    def path(self, points: Sequence[Point]) -> str:
        wide, tall = (self.last - self.first) or 1, (self.high - self.low) or 1
        places = [((step - self.first) / wide * WIDTH, HEIGHT - (value - self.low) / tall * HEIGHT) for step, value in points]
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
