"""Fetch an asset of the catalogue: each file whole and checked, or not at all.

A file grows as ``NAME.part`` beside its place. What has arrived stays there when the connection is cut, the disk is full or the person
cancels, and the next attempt asks the server for the rest (HTTP Range, RFC 9110 section 14). Only after status, size and hash have been
found right is it renamed.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from filelock import FileLock, Timeout

from rvc.download.catalog import Asset, AssetFile, needed
from rvc.download.looks import fault_of, looks_like_page
from rvc.errors import DownloadError, SettingsError, StorageError
from rvc.events import Event, Note, Progress
from rvc.paths import Home, storage_error

ATTEMPTS = 4  # in a row that bring nothing new; a cut after new bytes starts the count again
PAUSE_SECONDS = 1.0  # before the next attempt, times the attempts that brought nothing
PROGRESS_SECONDS = 0.2
SPARE_BYTES = 64 << 20  # stays free on the disk
TIMEOUTS = httpx.Timeout(20.0)  # to connect, and between two pieces
HEADERS = {"User-Agent": "Timbre", "Accept-Encoding": "identity"}  # lengths and ranges of a compressed answer count something else


@dataclass(frozen=True)
class _Arrived:
    """Bytes of one file; ``total`` is 0 when the server does not say."""

    done: int
    total: int


def fetch(asset: Asset, home: Home) -> Iterator[Event]:
    """Install what is missing or damaged of ``asset``. Progress counts the bytes of the whole asset; closing the generator cancels.

    Errors: ``DownloadError`` (the network, the server or what it sent), ``StorageError`` (the disk), ``SettingsError`` (the mirror).
    """
    home.pretraineds.mkdir(parents=True, exist_ok=True)
    with _alone(asset, home), httpx.Client(follow_redirects=True, timeout=TIMEOUTS, headers=HEADERS) as client:
        wanted = tuple(needed(asset, home))
        _refuse_little_space(home.pretraineds, sum((file.size or 0) - _size(file.part(home)) for file in wanted))
        there = sum(file.target(home).stat().st_size for file in asset.files if file not in wanted)
        for file in wanted:
            for step in _install(client, file, home):
                yield step if isinstance(step, Note) else Progress(stage=asset.id, done=there + step.done, unit="bytes",
                                                                   total=max(asset.size or 0, there + step.total), message=file.path)
            there += _size(file.target(home))
        yield Progress(stage=asset.id, done=there, total=there, unit="bytes", message="installed")


def _install(client: httpx.Client, file: AssetFile, home: Home) -> Iterator[_Arrived | Note]:
    """Receive one file, in as many pieces as the connection allows; check it; put it in its place."""
    target, part = file.target(home), file.part(home)
    target.parent.mkdir(parents=True, exist_ok=True)
    fruitless = 0
    while fruitless < ATTEMPTS:
        before = _size(part)
        try:
            yield from _receive(client, file, part)
            break
        except httpx.RequestError as error:
            fruitless = 0 if _size(part) > before else fruitless + 1
            if fruitless == ATTEMPTS or (isinstance(error, httpx.ConnectError) and not before):
                raise _no_connection(file, part, error) from error
            yield Note(message=f"{file.path}: the connection was cut after {_mb(_size(part))}; going on from there.")
            time.sleep(PAUSE_SECONDS * fruitless)
    _check(file, part, target)
    with _disk(target):
        part.replace(target)


def _receive(client: httpx.Client, file: AssetFile, part: Path) -> Iterator[_Arrived]:
    """The rest of ``part``, or all of it. Without a hash nothing would tell when a server changed the file between the pieces."""
    start = _size(part) if file.sha256 else 0
    if start and start == file.size:
        return
    with client.stream("GET", _mirrored(file.url), headers={"Range": f"bytes={start}-"} if start else {}) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            if _range_total(response) != start:  # what is here is longer than the file ever was: of no use
                part.unlink()
                raise httpx.ReadError("the server has fewer bytes than arrived before", request=response.request)
            return
        _refuse(response, file)
        start = _range_start(response, start)
        total = start + int(response.headers.get("Content-Length", 0))
        if file.size is not None and total > start and total != file.size:
            raise DownloadError(f"{_host(file)} offers {total:,} bytes for {file.path}; the catalogue says {file.size:,}.", fix=_BY_HAND)
        _refuse_little_space(part.parent, total - start)
        yield from _write(response, part, start, total)


def _write(response: httpx.Response, part: Path, start: int, total: int) -> Iterator[_Arrived]:
    done, shown = start, 0.0
    with _disk(part), open(part, "ab" if start else "wb") as out:
        for block in response.iter_bytes():
            if done == 0 and looks_like_page(block[:64]):
                raise _page(response)
            out.write(block)
            done += len(block)
            if time.monotonic() - shown >= PROGRESS_SECONDS:
                shown = time.monotonic()
                yield _Arrived(done, total)
        out.flush()
        os.fsync(out.fileno())
    yield _Arrived(done, total)


def _check(file: AssetFile, part: Path, target: Path) -> None:
    """Remove what is not the file of the catalogue, and say so."""
    fault = _fault(file, part, target)
    if fault:
        part.unlink()
        raise DownloadError(f"What {_host(file)} sent for {file.path} {fault}. It was removed.",
                            fix="Try again. If it stays so, something on the way (a proxy, a mirror) changes files.")


def _fault(file: AssetFile, part: Path, target: Path) -> str | None:
    if file.size is not None and _size(part) != file.size:
        return f"has {_size(part):,} bytes instead of {file.size:,}"
    if file.sha256 is None:
        return fault_of(part, target.name)
    with open(part, "rb") as arrived:
        found = hashlib.file_digest(arrived, "sha256").hexdigest()
    return None if found == file.sha256 else f"has the hash {found[:12]}… instead of {file.sha256[:12]}…"


_BY_HAND = "Look for an update of Timbre, or put the file into pretraineds yourself."
_REFUSALS = {
    401: ("wants a login for {path}", _BY_HAND),
    403: ("refuses to send {path}", _BY_HAND),
    404: ("does not have {path} any more", _BY_HAND),
    410: ("does not have {path} any more", _BY_HAND),
    429: ("is asked too often and wants a pause", "Try again in some minutes."),
}


def _refuse(response: httpx.Response, file: AssetFile) -> None:
    """Every answer that is not the file."""
    code = response.status_code
    if code >= 500:
        raise DownloadError(f"{_host(file)} is in trouble (status {code}).", fix="Try again later; what has arrived is kept.")
    if code not in (200, 206):
        what, fix = _REFUSALS.get(code, ("does not send {path}", _BY_HAND))
        raise DownloadError(f"{_host(file)} {what.format(path=file.path)} (status {code}).", fix=fix)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _page(response)


def _page(response: httpx.Response) -> DownloadError:
    return DownloadError(f"{response.url.host} sent a web page instead of {Path(response.url.path).name}.",
                         fix="Open a web page in your browser: a hotel or company network may want a login first.")


def _no_connection(file: AssetFile, part: Path, error: httpx.RequestError) -> DownloadError:
    kept = f" {_mb(_size(part))} of {file.path} have arrived and are kept." if _size(part) else ""
    return DownloadError(f"No connection to {_host(file)} ({type(error).__name__}: {error or 'no answer'}).{kept}",
                         fix="Check the network and start the download again.")


def _range_start(response: httpx.Response, asked: int) -> int:
    """Where the answer begins: a server may send all of the file although only the rest was asked for."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0
    sent = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not sent or int(sent[1]) != asked:
        raise DownloadError(f"{response.url.host} sent another part of the file than was asked for.", fix="Try again later.")
    return asked


def _range_total(response: httpx.Response) -> int | None:
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _mirrored(url: str) -> str:
    """``url``, or the same path on the server that TIMBRE_MIRROR names."""
    mirror = os.environ.get("TIMBRE_MIRROR")
    if not mirror:
        return url
    if urlsplit(mirror).scheme not in ("http", "https") or not urlsplit(mirror).netloc:
        raise SettingsError(f"TIMBRE_MIRROR is {mirror!r}, which is no web address.", fix="It begins with https://.")
    return mirror.rstrip("/") + urlsplit(url).path


def _host(file: AssetFile) -> str:
    return urlsplit(_mirrored(file.url)).netloc


@contextmanager
def _alone(asset: Asset, home: Home) -> Iterator[None]:
    """Two downloads of one asset would write into each other. The system frees the lock when its process ends."""
    lock = FileLock(home.pretraineds / f".{asset.id}.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise DownloadError(f"{asset.id} is being downloaded already.", fix="Wait for it to end.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def _refuse_little_space(folder: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed_bytes + SPARE_BYTES > free:
        raise StorageError(f"The download needs {_mb(needed_bytes)}, and {_mb(free)} are left on the disk of {folder}.",
                           fix="Free some space and start it again.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
