"""optimizers."""

from dataclasses import asdict
from textwrap import wrap
from typing import Any

from cyclopts import App

from rvc.cli.output import print_json, print_table
from rvc.optimizers.registry import OPTIMIZERS, named, of_category
from rvc.optimizers.spec import OptimizerSpec
from rvc.optimizers.verdicts import LABELS

_WIDTH = 120


def register(app: App) -> None:
    app.command(optimizers)


def optimizers(name: str | None = None, /, *, category: str | None = None, json: bool = False) -> int:
    """List the optimizers that a voice can be trained with, or all that is known of one.

    Parameters
    ----------
    name
        Of one optimizer, in whatever case.
    category
        Only those of one kind, such as "LR-free".
    json
        Print one JSON document.
    """
    chosen = [named(name)] if name else of_category(category) if category else list(OPTIMIZERS.values())
    if json:
        print_json([_document(one) for one in chosen])
    elif name:
        _tell(chosen[0])
    else:
        print_table([("NAME", "CATEGORY", "LABEL", "RATE", "BYTES G/D", "WHAT"), *map(_row, chosen)])
    return 0


def _document(spec: OptimizerSpec) -> dict[str, Any]:
    """Every field; the class that is built and the kinds of its labels in words."""
    low, high = spec.sensible()
    return {**asdict(spec), "builds": spec.source.builds, "label": spec.verdict.label, "label_from": spec.verdict.label_from,
            "label_says": LABELS[spec.verdict.label], "worth_trying": [low, high], "hooks": spec.hooks, "state_policy": spec.state_policy,
            "called_with": {role: spec.keywords(role, {}) for role in ("g", "d")}}


def _row(spec: OptimizerSpec) -> tuple[str, ...]:
    return (spec.name, spec.category, spec.verdict.label, f"{spec.rates.generator:g}",
            f"{spec.state.generator:g}/{spec.state.discriminator:g}", spec.description)


def _tell(spec: OptimizerSpec) -> None:
    paper, rates = spec.paper, spec.rates
    where = ", ".join(part for part in (paper.venue, f"arXiv {paper.arxiv}" if paper.arxiv else "") if part)
    print(f"{spec.title} · {spec.category} · {spec.verdict.label}: {LABELS[spec.verdict.label]}\n")
    for line in wrap(f"{spec.description} {spec.sentence}", _WIDTH):
        print(line)
    print()
    rows = [("Paper", f"{paper.authors} {paper.year}, {paper.title}" + (f" ({where})" if where else "")),
            ("Code", f"{spec.source.path} of {spec.source.library} {spec.source.tested or ''}".rstrip()),
            ("Rates", f"fine-tune G {rates.generator:g}, D {rates.discriminator:g}; "
                      f"from scratch G {rates.generator_from_scratch:g}, D {rates.discriminator_from_scratch:g}"),
            ("", rates.reason),
            ("Schedule", spec.schedule_says),
            ("Clip", f"gradient norm at {spec.clip_norm:g}" if spec.clip_norm else "no need"),
            ("Parameters", spec.grouping_says),
            *[("Hooks", one) for one in spec.hooks],
            ("State", spec.state_policy),
            ("Memory", f"{spec.state.generator:g} bytes per parameter of G, {spec.state.discriminator:g} of D; AdamW has 8 and 8")]
    if spec.discriminator:
        rows.append(("For D", f"{spec.discriminator}: {spec.discriminator_reason}"))
    rows += [("Same as", f"{one.name} {one.when}") for one in spec.same_as]
    rows += [(one.name, f"{one.default:g}, from {one.low:g} to {one.high:g}: {one.help}") for one in spec.knobs]
    rows.append(("Label from", spec.verdict.label_from))
    print_table([(key, line) for key, text in rows for key, line in zip([key, *[""] * 9], wrap(text, _WIDTH), strict=False)])
