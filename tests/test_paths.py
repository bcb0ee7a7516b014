"""Names, and files that appear whole."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rvc.errors import SettingsError, StorageError
from rvc.paths import Home, checked_name, storage_error, write_text_whole, written_whole


@pytest.mark.parametrize("name", ["demo", "Alice 2", "Jürgen", "声", "v1.5_test-2"])
def test_ordinary_names_are_taken_as_they_are(name):
    assert checked_name(name) == name


def test_blanks_around_a_name_are_trimmed():
    assert checked_name("  demo ") == "demo"


@pytest.mark.parametrize("name", [
    "", "  ", "../x", "..", ".", "a/b", "a\\b", "con", "CON", "con.txt", "Lpt1", "nul", "x" * 300, "声" * 40, "a\0b", "a\nb", "a:b", "a*",
    ".hidden", "-rf", "ends.", "G_voice", "D_voice", "mute", "reference"])
def test_a_name_that_no_folder_can_have_is_refused_in_a_sentence(name):
    with pytest.raises(SettingsError, match="cannot be a run name") as caught:
        checked_name(name)
    assert len(str(caught.value)) < 250


def test_home_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TIMBRE_HOME", str(tmp_path / "a b"))
    assert Home.here().logs == tmp_path / "a b" / "logs"


def test_a_file_appears_whole_and_nothing_else_stays(tmp_path):
    write_text_whole(tmp_path / "new" / "a.txt", "one")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").read_text() == "one"


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_text_whole(tmp_path / "whole", "x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_inside_the_block_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a POSIX matter")
def test_a_disk_that_is_full_keeps_the_old_file_and_says_so(tmp_path):
    """A real limit of the system on how much may be written, in a process of its own."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    program = textwrap.dedent("""
        import resource, signal, sys
        from pathlib import Path
        from rvc.errors import StorageError
        from rvc.paths import written_whole
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with written_whole(Path(sys.argv[1])) as temporary:
                temporary.write_bytes(b"x" * 5000)
        except StorageError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=Path(__file__).parent.parent,
                          check=True)
    assert "was not written" in done.stdout
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named():
    error = storage_error(Path("a/b.pth"), OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, StorageError)
    assert "disk is full" in str(error)
    assert "Free space" in str(error)
