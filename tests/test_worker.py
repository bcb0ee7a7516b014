"""What a worker prints beside the events that it writes."""

from rvc.events import EventLog, Note, Progress
from rvc.worker import _Log


class _Run:
    def __init__(self, folder) -> None:
        self.events = EventLog(folder / "events.jsonl")


def test_progress_is_printed_about_ten_times_a_stage_and_logged_always(tmp_path, capsys):
    log = _Log(_Run(tmp_path))
    for stage in ("preprocess", "extract"):
        for i in range(300):
            log(Progress(stage=stage, done=i + 1, total=300))
    log(Note(message="done"))
    printed = capsys.readouterr().out.splitlines()
    assert 20 <= len(printed) <= 23
    assert printed[-2].endswith("extract 300/300 files")
    assert printed[-1].endswith("done")
    assert len(EventLog(tmp_path / "events.jsonl").read()[0]) == 601
