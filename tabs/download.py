"""The Download tab: what there is to fetch, how far it is, and a place for one's own pretrains."""

import html
from typing import Any

import gradio as gr

from rvc.download.catalog import Asset, state
from rvc.download.pairs import OFFICIAL_EMBEDDER, BasePair, base_pairs, halves
from rvc.train.settings import TrainingSettings
from tabs import pretrains, widgets
from tabs.boundary import handler
from tabs.choices import rate
from tabs.downloads import Transfer
from tabs.page import QUIET, Page
from tabs.studio import Studio

POLL_SECONDS = 0.7
BEST_DETECTOR = "rmvpe"
KINDS = (
    ("base", "Pretrains", "What a training starts from, for one sample rate. A voice made from one needs far fewer recordings."),
    ("embedder", "Embedders", "What turns speech into content, the same for every speaker. A voice needs the one it was trained with. "
     "The built-in one, which comes with Timbre, is for first steps and for machines without a model hub: contentvec with an official "
     "pretrain is the better choice where they can be had."),
    ("detector", "Pitch detectors", "What hears the melody. Without a download there are fcpe, crepe and swift."),
)
_STATES: dict[str, tuple[str, widgets.Tone]] = {
    "installed": ("Installed", "good"),
    "missing": ("Not here", "quiet"),
    "incomplete": ("Incomplete", "quiet"),
    "damaged": ("Damaged", "bad"),
}
# One listener for all buttons of the catalogue; which one it was travels with the event.
_CLICKS = """
element.addEventListener('click', event => {
    const button = event.target.closest('button[data-asset]');
    if (button) trigger('choose', { asset: button.dataset.asset, action: button.dataset.action });
});
"""


def build(studio: Studio, page: Page, tab: gr.Tab) -> None:
    essentials = essential_assets(studio)
    total = widgets.size(sum(one.size or 0 for one in essentials))
    with gr.Row(elem_classes="tm-bar-row"):
        gr.HTML(widgets.lead("What voices are made with", "For a good first voice: " + ", ".join(one.title for one in essentials) + "."))
        start = gr.Button(f"Download these · {total}", variant="primary", scale=0, min_width=260, elem_id="download-essentials")
    common = gr.HTML(catalogue_html(studio, common=True), js_on_load=_CLICKS, elem_id="download-catalogue")
    with gr.Accordion("Other pretrains: v1, and without pitch guidance", open=False, elem_id="download-more"):
        others = gr.HTML(catalogue_html(studio, common=False), js_on_load=_CLICKS, elem_id="download-others")
    with gr.Accordion("Your own pretrains", open=True, elem_id="download-own"):
        files = gr.File(label="G and D files (.pth), and the .json beside them if there is one", file_count="multiple",
                        file_types=[".pth", ".json"], height=140, elem_id="download-files")
        own = gr.HTML(own_pretrains_html(studio), elem_id="download-pairs")
    timer = gr.Timer(POLL_SECONDS, active=False)
    _wire_catalogue(studio, page, tab, start, [common, others, timer])

    @handler
    def add(dropped: list[str] | None) -> list[Any]:
        pretrains.add(dropped or [], studio.home)
        return [None, own_pretrains_html(studio)]

    files.upload(add, [files], [files, own], show_progress="minimal", api_visibility="private")
    tab.select(handler(lambda: own_pretrains_html(studio)), None, own, **QUIET)


def _wire_catalogue(studio: Studio, page: Page, tab: gr.Tab, start: gr.Button, view: list[Any]) -> None:
    """``view``: the two parts of the catalogue and the timer that renews them while something arrives."""
    common, others, timer = view

    def drawn() -> list[Any]:
        return [catalogue_html(studio, common=True), catalogue_html(studio, common=False)]

    @handler
    def now() -> list[Any]:
        """Only starts the timer: the answer to a page that was opening must not stop what a click has begun meanwhile."""
        return [*drawn(), gr.Timer(active=True) if studio.downloads.active else gr.skip()]

    @handler
    def tick() -> list[Any]:
        going = studio.downloads.active  # asked first: what ends meanwhile is drawn as ended
        return [*drawn(), gr.Timer(active=going)]

    @handler
    def chosen(event: gr.EventData) -> list[Any]:
        asked = event._data
        if asked["action"] == "cancel":
            studio.downloads.cancel(asked["asset"])
        else:
            studio.downloads.start(studio.catalog.get(asked["asset"]))
        return now()

    @handler
    def fetch_essentials() -> list[Any]:
        for asset in essential_assets(studio):
            if state(asset, studio.home) != "installed":
                studio.downloads.start(asset)
        return now()

    for part in (common, others):
        part.choose(chosen, None, view, **QUIET)
    start.click(fetch_essentials, None, view, **QUIET)
    timer.tick(tick, None, view, **QUIET)
    tab.select(now, None, view, **QUIET)
    page.demo.load(now, None, view, **QUIET)


def essential_assets(studio: Studio) -> list[Asset]:
    """What a training with the defaults would take if it were there."""
    settings = TrainingSettings()
    wanted = (settings.data.sample_rate, settings.model.version, settings.model.pitch_guidance)
    return [asset for asset in studio.catalog.assets
            if asset.id in (OFFICIAL_EMBEDDER, BEST_DETECTOR)
            or (asset.kind == "base" and (asset.sample_rate, asset.version, asset.pitch_guidance) == wanted)]


def catalogue_html(studio: Studio, *, common: bool) -> str:
    """The catalogue as it is now: what most people look for, or the other pretrains."""
    transfers = studio.downloads.transfers
    groups = []
    for kind, title, meaning in KINDS:
        assets = [asset for asset in studio.catalog.assets if asset.kind == kind and _is_common(asset) == common]
        rows = "".join(_row(asset, state(asset, studio.home), transfers.get(asset.id)) for asset in assets)
        if rows:
            head = f"<h3>{title}</h3><p>{meaning}</p>" if common else ""
            groups.append(f'<section>{head}<div class="tm-assets">{rows}</div></section>')
    return f'<div class="tm-catalogue">{"".join(groups)}</div>'


def _is_common(asset: Asset) -> bool:
    return asset.kind != "base" or (asset.version == "v2" and bool(asset.pitch_guidance))


def _row(asset: Asset, now: str, transfer: Transfer | None) -> str:
    going = transfer is not None and transfer.active
    pill, tone = ("Waiting" if transfer.status == "waiting" else "Fetching", "going") if going else _STATES[now]
    about = " · ".join(part for part in (widgets.size(asset.size) if asset.size else "", asset.licence, asset.source) if part)
    return (
        f'<div class="tm-asset" data-asset="{html.escape(asset.id, quote=True)}" data-state="{now}">'
        f"<h4>{html.escape(asset.title)}</h4><div><p>{html.escape(about)}</p>{_files(asset)}</div>"
        f'<span class="tm-pill" data-tone="{tone}">{pill}</span>{_button(asset, now, going)}{_progress(transfer)}</div>'
    )


def _files(asset: Asset) -> str:
    lines = []
    for file in asset.files:
        digest = f'sha256 <code title="{file.sha256}">{file.sha256[:16]}…</code>' if file.sha256 else "sha256 not published"
        lines.append(f"<p><code>{html.escape(file.path)}</code> · {digest}</p>")
    return "".join(lines)


def _button(asset: Asset, now: str, going: bool) -> str:
    if now == "installed" and not going:
        return ""
    action, title = ("cancel", "Cancel") if going else ("start", {"missing": "Download", "incomplete": "Go on", "damaged": "Again"}[now])
    which, label = html.escape(asset.id, quote=True), html.escape(f"{title} {asset.title}", quote=True)
    return f'<button type="button" data-asset="{which}" data-action="{action}" aria-label="{label}">{title}</button>'


def _progress(transfer: Transfer | None) -> str:
    if transfer is None or transfer.status in ("finished", "cancelled", "waiting"):
        return ""
    if transfer.status == "failed":
        return f'<footer>{widgets.note(transfer.message, "bad")}</footer>'
    said = f"{widgets.size(transfer.done)} of {widgets.size(transfer.total)}" if transfer.total else widgets.size(transfer.done)
    return f'<footer>{said}{widgets.bar(transfer.done / transfer.total if transfer.total else None)}</footer>'


def own_pretrains_html(studio: Studio) -> str:
    """The pairs in pretraineds_custom, and files that miss their other half."""
    rows = [_own_row(pair.name, _about(pair), rate(pair.sample_rate), "bad" if pair.complaint else "good")
            for pair in base_pairs(studio.home) if pair.source == "custom"]
    rows += [_own_row(half.path.name, f"{half.sentence} A pretrain is a G and a D file whose names differ in that letter.", "Alone", "bad")
             for half in halves(studio.home) if half.path.is_relative_to(studio.home.custom_pretraineds)]
    if not rows:
        return widgets.note("Drop the G and the D file of a pretrain here, or put them into pretraineds/pretraineds_custom. "
                            "They are paired by their names and can then be picked in the Train tab.")
    return f'<div class="tm-assets">{"".join(rows)}</div>'


def _about(pair: BasePair) -> str:
    """Its files, and what the JSON beside them says, or why that is not believed."""
    about, files = pair.sidecar, f"{pair.g_path.name} + {pair.d_path.name}"
    if about is None:
        return f"{files}. {pair.complaint}".removesuffix(" ")
    return (f"{files}. {about.vocoder}, {about.version}, {about.embedder}; {about.hours:g} hours of {about.speakers} "
            f"speaker{'' if about.speakers == 1 else 's'}, started from {about.started_from}.")


def _own_row(title: str, about: str, pill: str, tone: widgets.Tone) -> str:
    return (f'<div class="tm-asset"><h4>{html.escape(title)}</h4><div><p>{html.escape(about)}</p></div>'
            f'<span class="tm-pill" data-tone="{tone}">{pill}</span></div>')
