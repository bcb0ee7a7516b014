"""Events as lines of text, for logs and terminals."""

from rvc.events import Ended, Event, Finding, Metrics, Note, Progress, Saved, Scored, Stage, Started


def in_words(event: Event) -> str:
    """One line for a log or a terminal; empty for what is better drawn."""
    match event:
        case Started():
            return f"Worker {event.pid} started."
        case Stage(status="started"):
            return f"{event.stage} …"
        case Stage(status="skipped"):
            return f"{event.stage}: up to date."
        case Stage():
            return f"{event.stage}: done."
        case Progress():
            return f"{event.stage} {event.done}/{event.total} {event.unit} {event.message}".rstrip()
        case Metrics():
            values = event.values
            judged = f"d {values['loss/d/adv']:.3f} " if "loss/d/adv" in values else ""  # the generator may be alone at first
            return (f"epoch {event.epoch}/{event.epochs} step {event.step}/{event.total_steps} "
                    f"g {values['loss/g/total']:.3f} mel {values['loss/g/mel']:.3f} {judged}"
                    f"{event.steps_per_second:.2f} it/s")
        case Saved():
            return f"Saved {event.what} {event.path}."
        case Finding():
            return f"Run doctor, step {event.step}: {event.message} {event.advice}"
        case Scored():
            return f"Epoch {event.epoch} scored: " + ", ".join(f"{name} {value:.3f}" for name, value in event.scores.items()) + "."
        case Note(level="warning"):
            return f"Warning: {event.message}"
        case Note():
            return event.message
        case Ended():
            return f"{event.outcome.capitalize()}. {event.message} {event.fix or ''}".rstrip()
    return ""


def tenth(event: Metrics | Progress) -> tuple[str, int]:
    """Which tenth of which stage this is: a line for each is enough where lines stay."""
    if isinstance(event, Metrics):
        return "fit", 10 * event.step // max(event.total_steps, 1)
    return event.stage, 10 * event.done // max(event.total, 1)
