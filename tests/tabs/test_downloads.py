"""Downloads of the page go on by themselves, one after the other, and always come to an end that is shown."""

import hashlib
import threading
import time

import pytest

from rvc.download.catalog import Asset, AssetFile, Catalog, state
from rvc.download.sidecar import Sidecar
from tabs import download, widgets
from tabs.downloads import Downloads, Transfer
from tabs.studio import Studio
from tests.download.conftest import site  # noqa: F401 - a fixture: a server on this machine
from tests.download.files import checkpoint


def asset(site, name: str, content: bytes, *, sha256: str | None = None) -> Asset:  # noqa: F811
    site.files[f"/{name}.pth"] = content
    file = AssetFile(url=f"https://example.org/{name}.pth", path=f"hifi-gan/{name}.pth", size=len(content),
                     sha256=sha256 or hashlib.sha256(content).hexdigest())
    return Asset(id=name, title=f"The {name}", kind="base", files=(file,), licence="MIT", source="here", sample_rate=40000, version="v2",
                 pitch_guidance=True)


def ended(downloads: Downloads, name: str) -> Transfer:
    deadline = time.monotonic() + 20
    while downloads.transfers[name].active:
        assert time.monotonic() < deadline, downloads.transfers
        time.sleep(0.02)
    return downloads.transfers[name]


def test_a_download_ends_installed(site, home):  # noqa: F811
    downloads, wanted = Downloads(home), asset(site, "one", checkpoint())
    downloads.start(wanted)
    assert ended(downloads, "one").status == "finished"
    assert state(wanted, home) == "installed"
    assert not downloads.active


def test_what_the_server_does_not_have_is_told_in_a_sentence(site, home):  # noqa: F811
    downloads, wanted = Downloads(home), asset(site, "one", checkpoint())
    site.files.clear()
    downloads.start(wanted)
    outcome = ended(downloads, "one")
    assert outcome.status == "failed"
    assert "404" in outcome.message
    assert state(wanted, home) == "missing"


def test_a_wrong_hash_is_told_and_nothing_is_installed(site, home):  # noqa: F811
    downloads, wanted = Downloads(home), asset(site, "one", checkpoint(), sha256="0" * 64)
    downloads.start(wanted)
    assert "hash" in ended(downloads, "one").message
    assert state(wanted, home) == "missing"


def test_a_second_click_while_it_runs_changes_nothing(site, home):  # noqa: F811
    site.hold = threading.Event()
    downloads, wanted = Downloads(home), asset(site, "one", checkpoint())
    downloads.start(wanted)
    downloads.start(wanted)
    site.hold.set()
    assert ended(downloads, "one").status == "finished"
    assert len(site.asked) == 1


def test_the_second_waits_for_the_first_and_can_be_cancelled_meanwhile(site, home):  # noqa: F811
    site.hold = threading.Event()
    downloads = Downloads(home)
    first, second = asset(site, "one", checkpoint()), asset(site, "two", checkpoint())
    downloads.start(first)
    while downloads.transfers["one"].status != "running":
        time.sleep(0.01)
    downloads.start(second)
    assert downloads.transfers["two"].status == "waiting"
    downloads.cancel("two")
    site.hold.set()
    assert ended(downloads, "one").status == "finished"
    assert ended(downloads, "two").status == "cancelled"
    assert state(second, home) != "installed"


def test_an_unforeseen_error_does_not_leave_the_page_waiting(site, home, monkeypatch):  # noqa: F811
    def broken(asset, home):
        raise ZeroDivisionError
        yield

    monkeypatch.setattr("tabs.downloads.fetch", broken)
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    downloads = Downloads(home)
    downloads.start(asset(site, "one", checkpoint()))
    outcome = ended(downloads, "one")
    assert outcome.status == "failed"
    assert "log of the studio" in outcome.message


# -- how it is shown -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(home):
    return Studio(home)


def test_every_asset_is_shown_once_with_its_size_licence_and_hash(studio):
    shown = download.catalogue_html(studio, common=True) + download.catalogue_html(studio, common=False)
    for one in studio.catalog.assets:
        assert shown.count(f'class="tm-asset" data-asset="{one.id}"') == 1
        assert one.licence in shown
        for file in one.files:
            assert file.path in shown
            assert not file.sha256 or f'title="{file.sha256}"' in shown


def test_what_the_defaults_would_take_is_one_click_away(studio):
    essentials = download.essential_assets(studio)
    assert {one.kind for one in essentials} == {"base", "embedder", "detector"}
    base, = (one for one in essentials if one.kind == "base")
    assert (base.sample_rate, base.version, base.pitch_guidance) == (40000, "v2", True)


def test_a_running_download_offers_to_cancel_and_a_finished_one_offers_nothing(site, home):  # noqa: F811
    site.hold = threading.Event()
    studio, wanted = Studio(home), asset(site, "one", checkpoint())
    studio.catalog = Catalog((wanted,))
    assert 'data-action="start"' in download.catalogue_html(studio, common=True)
    studio.downloads.start(wanted)
    while studio.downloads.transfers["one"].status != "running":
        time.sleep(0.01)
    running = download.catalogue_html(studio, common=True)
    assert 'data-action="cancel"' in running
    assert 'role="progressbar"' in running
    assert f"of {widgets.size(wanted.size)}" in running
    site.hold.set()
    ended(studio.downloads, "one")
    shown = download.catalogue_html(studio, common=True)
    assert 'data-state="installed"' in shown
    assert "<button" not in shown


def test_a_failed_download_says_why_beside_its_asset(site, home):  # noqa: F811
    studio, wanted = Studio(home), asset(site, "one", checkpoint())
    studio.catalog = Catalog((wanted,))
    site.status = 503
    studio.downloads.start(wanted)
    ended(studio.downloads, "one")
    assert "503" in download.catalogue_html(studio, common=True)


def test_own_pretrains_are_listed_with_their_sample_rate(home):
    home.custom_pretraineds.mkdir(parents=True)
    for letter in "GD":
        (home.custom_pretraineds / f"{letter}_Mine_32k.pth").write_bytes(checkpoint())
    (home.custom_pretraineds / "G_lonely.pth").write_bytes(checkpoint())
    shown = download.own_pretrains_html(Studio(home))
    assert "32 kHz" in shown
    assert "G_lonely.pth" in shown
    assert "There is G_lonely.pth but no D_lonely.pth" in shown


def test_what_the_json_beside_a_pretrain_says_is_listed_and_a_damaged_one_told(home):
    home.custom_pretraineds.mkdir(parents=True)
    about = Sidecar(name="a", sample_rate=32000, version="v2", pitch_guidance=True, vocoder="RefineGAN", embedder="spin",
                    model_size="standard", hours=60, speakers=1, steps=1, epochs=1, started_from="scratch", datasets=("a",), created="",
                    sha256={"G": "0", "D": "1"})
    for name, text in (("a", about.text()), ("b", "{")):
        (home.custom_pretraineds / f"{name}.json").write_text(text, encoding="utf-8")
        for letter in "GD":
            (home.custom_pretraineds / f"{letter}_{name}.pth").write_bytes(checkpoint())
    shown = download.own_pretrains_html(Studio(home))
    assert "RefineGAN, v2, spin; 60 hours of 1 speaker, started from scratch." in shown
    assert "b.json is damaged" in shown
