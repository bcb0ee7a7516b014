import errno
import hashlib
import io
import threading
import time
from collections import namedtuple
from pathlib import Path

import httpx
import pytest

from rvc.download import fetch as module
from rvc.download.catalog import Asset, AssetFile, state
from rvc.download.fetch import fetch
from rvc.errors import DownloadError, SettingsError, StorageError
from rvc.events import Note, Progress
from tests.download.files import checkpoint

MODEL = checkpoint(300_000)
CONFIG = b'{"hidden_size": 768}'


def asset(**changes) -> Asset:
    weights = AssetFile(**{"url": "https://somewhere.invalid/repo/model.bin", "path": "embedders/x/pytorch_model.bin", "size": len(MODEL),
                           "sha256": hashlib.sha256(MODEL).hexdigest(), **changes})
    config = AssetFile(url="https://somewhere.invalid/repo/config.json", path="embedders/x/config.json")
    return Asset(id="x", title="X", kind="embedder", files=(weights, config), licence="MIT", source="a test")


def serve(site, model: bytes = MODEL) -> None:
    site.files = {"/repo/model.bin": model, "/repo/config.json": CONFIG}


def paths(home) -> tuple[Path, Path]:
    target = home.embedders / "x/pytorch_model.bin"
    return target, target.with_name("pytorch_model.bin.part")


def run(one: Asset, home) -> list:
    return list(fetch(one, home))


def test_files_arrive_byte_for_byte_and_nothing_else_is_left(site, home):
    serve(site)
    assert state(asset(), home) == "missing"
    run(asset(), home)
    target, _ = paths(home)
    assert target.read_bytes() == MODEL
    assert target.with_name("config.json").read_bytes() == CONFIG
    assert state(asset(), home) == "installed"
    assert sorted(one.name for one in target.parent.iterdir()) == ["config.json", "pytorch_model.bin"]


def test_progress_counts_the_bytes_of_the_whole_asset(site, home, monkeypatch):
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    serve(site)
    events = run(asset(), home)
    assert {type(event) for event in events} == {Progress}
    assert {(event.stage, event.unit) for event in events} == {("x", "bytes")}
    done = [event.done for event in events]
    assert done == sorted(done) and len(done) > 4
    assert all(event.done <= event.total for event in events)
    assert events[-1].done == events[-1].total == len(MODEL) + len(CONFIG)


def test_what_is_installed_is_not_fetched_again(site, home):
    serve(site)
    run(asset(), home)
    site.asked.clear()
    assert [event.message for event in fetch(asset(), home)] == ["installed"]
    assert site.asked == []


def test_a_cut_connection_is_taken_up_where_it_broke(site, home):
    serve(site)
    site.cut_after = [100_000, 50_000]
    events = run(asset(), home)
    assert [wanted for path, wanted in site.asked if path.endswith("bin")] == ["", "bytes=100000-", "bytes=150000-"]
    assert paths(home)[0].read_bytes() == MODEL
    assert sum(isinstance(event, Note) for event in events) == 2


def test_a_later_attempt_goes_on_from_what_an_earlier_one_kept(site, home, monkeypatch):
    serve(site)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    site.cut_after = [120_000, 0]
    with pytest.raises(DownloadError, match="are kept"):
        run(asset(), home)
    target, part = paths(home)
    assert part.read_bytes() == MODEL[:120_000] and not target.exists()
    assert state(asset(), home) == "incomplete"
    site.asked.clear()
    run(asset(), home)
    assert site.asked[0] == ("/repo/model.bin", "bytes=120000-")
    assert target.read_bytes() == MODEL and not part.exists()


def test_a_server_that_cannot_resume_sends_the_file_from_its_start(site, home):
    serve(site)
    site.honours_ranges = False
    site.cut_after = [100_000]
    run(asset(), home)
    assert paths(home)[0].read_bytes() == MODEL


def test_a_connection_that_never_brings_anything_ends_with_a_sentence(site, home):
    serve(site)
    site.cut_after = [0] * 50
    with pytest.raises(DownloadError, match="No connection to 127"):
        run(asset(), home)
    assert len(site.asked) == module.ATTEMPTS


def test_a_file_with_the_wrong_hash_is_removed_and_not_installed(site, home):
    serve(site, MODEL[:-1] + bytes([MODEL[-1] ^ 1]))
    with pytest.raises(DownloadError, match="has the hash") as caught:
        run(asset(), home)
    assert "removed" in str(caught.value)
    assert not any(path.exists() for path in paths(home))


def test_a_part_that_belongs_to_another_file_is_found_out_and_removed(site, home):
    serve(site)
    target, part = paths(home)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * 1000)
    with pytest.raises(DownloadError, match="has the hash"):
        run(asset(), home)
    assert not part.exists() and not target.exists()
    run(asset(), home)
    assert target.read_bytes() == MODEL


def test_a_part_longer_than_the_file_is_thrown_away(site, home):
    serve(site)
    target, part = paths(home)
    part.parent.mkdir(parents=True)
    part.write_bytes(MODEL + b"more")
    run(asset(), home)
    assert target.read_bytes() == MODEL


def test_a_part_that_is_already_whole_is_checked_and_installed_without_asking(site, home):
    serve(site)
    target, part = paths(home)
    part.parent.mkdir(parents=True)
    part.write_bytes(MODEL)
    run(asset(), home)
    assert target.read_bytes() == MODEL
    assert [path for path, _ in site.asked] == ["/repo/config.json"]


def test_a_server_that_offers_another_size_is_refused_before_the_first_byte(site, home):
    serve(site, MODEL + b"longer")
    with pytest.raises(DownloadError, match="the catalogue says 300,"):
        run(asset(), home)
    assert not any(path.exists() for path in paths(home))


def test_without_a_known_size_the_server_may_say_it(site, home):
    serve(site)
    events = run(asset(size=None), home)
    assert paths(home)[0].read_bytes() == MODEL
    assert events[0].total == len(MODEL)


def test_a_server_that_says_no_length_is_believed_when_the_hash_is_right(site, home):
    serve(site)
    site.sends_lengths = False
    run(asset(), home)
    assert paths(home)[0].read_bytes() == MODEL


def test_without_a_hash_a_file_that_is_no_model_is_removed(site, home):
    serve(site, b"not a model" * 100)
    with pytest.raises(DownloadError, match="is no PyTorch file"):
        run(asset(size=None, sha256=None), home)
    assert not any(path.exists() for path in paths(home))


def test_a_configuration_that_is_no_json_is_removed_and_the_weights_stay(site, home):
    serve(site)
    site.files["/repo/config.json"] = b'{"hidden_size": '
    with pytest.raises(DownloadError, match="is no JSON file"):
        run(asset(), home)
    target, _ = paths(home)
    assert [one.name for one in target.parent.iterdir()] == ["pytorch_model.bin"]
    assert state(asset(), home) == "incomplete"


@pytest.mark.parametrize(("status", "words"), [(404, "does not have embedders/x/pytorch_model.bin"), (403, "refuses to send"),
                                               (401, "wants a login"), (429, "wants a pause"), (503, "is in trouble"),
                                               (418, "does not send")])
def test_each_refusal_is_a_sentence_with_a_fix(site, home, status, words):
    site.status = status
    with pytest.raises(DownloadError, match=words) as caught:
        run(asset(), home)
    assert caught.value.fix
    assert f"status {status}" in caught.value.message
    assert not any(path.exists() for path in paths(home))


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_login_page_is_not_taken_for_a_model(site, home, content_type):
    page = b"<!DOCTYPE html><title>Welcome to our hotel</title>"
    serve(site, page)
    site.content_type = content_type
    with pytest.raises(DownloadError, match=r"sent a web page instead of model\.bin"):
        run(asset(size=len(page)), home)
    target, part = paths(home)
    assert not target.exists() and (not part.exists() or part.read_bytes() == b"")


def test_redirects_are_followed_with_the_range(site, home):
    serve(site)
    site.redirects["/repo/model.bin"] = f"{site.address}/cdn/model.bin"
    site.files["/cdn/model.bin"] = MODEL
    site.cut_after = [100_000]
    run(asset(), home)
    assert ("/cdn/model.bin", "bytes=100000-") in site.asked
    assert paths(home)[0].read_bytes() == MODEL


def test_no_server_at_all_ends_with_a_sentence_at_once(site, home, monkeypatch):
    monkeypatch.setenv("TIMBRE_MIRROR", "http://127.0.0.1:9")  # the discard port: nobody listens
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"No connection to 127\.0\.0\.1:9") as caught:
        run(asset(), home)
    assert "network" in caught.value.fix
    assert time.monotonic() - began < 3


def test_a_server_that_does_not_answer_is_given_up(site, home, monkeypatch):
    serve(site)
    monkeypatch.setattr(module, "TIMEOUTS", httpx.Timeout(0.05))
    site.stall_seconds = 0.5
    with pytest.raises(DownloadError, match="ReadTimeout"):
        run(asset(), home)


def test_a_mirror_that_is_no_address_is_named(site, home, monkeypatch):
    monkeypatch.setenv("TIMBRE_MIRROR", "mirror.example")
    with pytest.raises(SettingsError, match="TIMBRE_MIRROR"):
        run(asset(), home)


def test_two_downloads_of_one_asset_do_not_write_into_each_other(site, home):
    serve(site)
    site.hold = threading.Event()
    first = fetch(asset(), home)
    next(first)
    with pytest.raises(DownloadError, match="is being downloaded already"):
        run(asset(), home)
    site.hold.set()
    list(first)
    assert paths(home)[0].read_bytes() == MODEL


def test_closing_the_generator_cancels_and_keeps_what_arrived(site, home):
    serve(site)
    site.hold = threading.Event()
    begun = fetch(asset(), home)
    next(begun)
    begun.close()
    site.hold.set()
    target, part = paths(home)
    kept = part.read_bytes()
    assert 0 < len(kept) < len(MODEL) and kept == MODEL[: len(kept)] and not target.exists()
    site.hold = None
    run(asset(), home)  # the lock was given back too
    assert target.read_bytes() == MODEL


def test_a_damaged_file_is_replaced_and_stays_until_the_new_one_is_whole(site, home, monkeypatch):
    serve(site)
    run(asset(), home)
    target, _ = paths(home)
    target.write_bytes(b"short")
    assert state(asset(), home) == "damaged"
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    site.cut_after = [1000, 0]
    with pytest.raises(DownloadError):
        run(asset(), home)
    assert target.read_bytes() == b"short"
    run(asset(), home)
    assert target.read_bytes() == MODEL


def test_a_disk_with_too_little_room_is_noticed_before_anything_is_asked(site, home, monkeypatch):
    serve(site)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 1000))
    with pytest.raises(StorageError, match=r"needs 0\.3 MB"):
        run(asset(), home)
    assert site.asked == [] and not any(path.exists() for path in paths(home))


def test_a_disk_that_fills_up_keeps_what_arrived_for_the_next_attempt(site, home, monkeypatch):
    serve(site)
    target, part = paths(home)
    monkeypatch.setattr(module, "open", _FullDisk, raising=False)
    with pytest.raises(StorageError, match="disk is full"):
        run(asset(), home)
    arrived = part.stat().st_size
    assert 0 < arrived < len(MODEL) and not target.exists()
    monkeypatch.delattr(module, "open")
    site.asked.clear()
    run(asset(), home)
    assert site.asked[0] == ("/repo/model.bin", f"bytes={arrived}-")
    assert target.read_bytes() == MODEL


class _FullDisk(io.FileIO):
    """A file on a disk with room for 200,000 bytes."""

    def write(self, block) -> int:
        room = 200_000 - self.tell()
        super().write(block[:room])
        if len(block) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(block)
