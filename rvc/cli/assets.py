"""catalog, download."""

from cyclopts import App

from rvc.cli.output import Narrator, print_json, print_table
from rvc.paths import Home


def register(app: App) -> None:
    for command in (catalog, download):
        app.command(command)


def catalog(*, json: bool = False) -> int:
    """List the base models, embedders and pitch detectors that can be downloaded, and which are installed.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    from rvc.download.catalog import Catalog, state

    home = Home.here()
    assets = Catalog.load().assets
    if json:
        print_json([{"id": one.id, "title": one.title, "kind": one.kind, "state": state(one, home), "size": one.size,
                     "licence": one.licence, "source": one.source} for one in assets])
        return 0
    print_table([("ID", "KIND", "STATE", "WHAT")] + [(one.id, one.kind, state(one, home), one.title) for one in assets])
    return 0


def download(*ids: str) -> int:
    """Download assets of the catalogue.

    Parameters
    ----------
    ids
        Names from `catalog`.
    """
    from rvc.download.catalog import Catalog
    from rvc.download.fetch import fetch

    home, known, narrate = Home.here(), Catalog.load(), Narrator()
    for asset in [known.get(one) for one in ids]:
        for event in fetch(asset, home):
            narrate(event)
        print(f"{asset.id} is installed.")
    return 0 if ids else 2
