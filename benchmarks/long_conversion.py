"""How much memory and time a long conversion takes, and how far its pieces are from an unsplit conversion.

    python benchmarks/long_conversion.py --minutes 60

Makes a recording and a v2 voice at 40 kHz with random weights in a temporary home, converts it in a process of its own
(embedder builtin, pitch detector fcpe, CPU), and prints one JSON document. The comparison converts ``--compare-seconds`` of the
same recording once in pieces and once unsplit.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

RATE = 16_000
JOIN_CONTEXT_SECONDS = 0.1  # around a join: what "away from joins" leaves out


def main() -> None:
    arguments = parsed()
    if arguments.convert:
        print(json.dumps(converted(Path(arguments.home), Path(arguments.convert), arguments.chunk_seconds)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        home = Path(folder)
        make_voice(home, arguments.size)
        report = {"minutes": arguments.minutes, "chunk_seconds": arguments.chunk_seconds, "size": arguments.size}
        if arguments.minutes:
            make_recording(home / "long.wav", arguments.minutes * 60)
            report |= in_own_process(home, home / "long.wav", arguments.chunk_seconds)
        if arguments.compare_seconds:
            report["comparison"] = compared(home, arguments.compare_seconds, arguments.compare_chunk_seconds)
        print(json.dumps(report, indent=2))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the recording; 0: only compare")
    parser.add_argument("--chunk-seconds", type=float, default=30.0)
    parser.add_argument("--compare-seconds", type=float, default=60.0, help="0: do not compare; unsplit up to 180")
    parser.add_argument("--compare-chunk-seconds", type=float, default=20.0)
    parser.add_argument("--size", choices=("standard", "tiny"), default="standard",
                        help="of the voice; tiny tells in minutes what length does to everything but the synthesizer")
    parser.add_argument("--folder", default=None, help="where the temporary home is made")
    parser.add_argument("--home", help=argparse.SUPPRESS)
    parser.add_argument("--convert", help=argparse.SUPPRESS)
    return parser.parse_args()


def make_voice(home: Path, size: str = "standard") -> None:
    """Random weights take the time and memory that trained ones do."""
    import torch

    from rvc.export import VoiceFacts, export_voice
    from rvc.models.config import config_for
    from rvc.models.synthesizer import Synthesizer

    torch.manual_seed(0)
    config = config_for("v2", 40_000, size=size)
    path = home / "logs" / "random" / "random.pth"
    path.parent.mkdir(parents=True)
    export_voice(Synthesizer(config), config, path, VoiceFacts(name="random", embedder="builtin"))


def make_recording(path: Path, seconds: float) -> None:
    """Syllables of a gliding tone with breaths and pauses between them; nothing repeats."""
    from rvc.audio import AudioWriter

    random = np.random.default_rng(0)
    phase = 0.0
    with AudioWriter(path, RATE) as writer:
        for second in range(round(seconds)):
            time = second + np.arange(RATE) / RATE
            f0_hz = 160 * 2 ** (0.5 * np.sin(0.9 * time) + 0.2 * np.sin(5.1 * time))
            cycles = phase + np.cumsum(f0_hz) / RATE
            phase = cycles[-1] % 1
            tone = sum(np.sin(2 * np.pi * h * cycles) / h for h in range(1, 12))
            syllables = np.clip(np.sin(2 * np.pi * 2.3 * time) + 0.5 + 0.6 * np.sin(0.37 * time), 0, 1)
            breath = random.standard_normal(RATE) * (0.02 + 0.1 * np.clip(np.sin(2 * np.pi * 1.1 * time) - 0.8, 0, 1))
            writer.write((0.15 * tone * syllables + 0.3 * breath).astype(np.float32))


def converted(home: Path, source: Path, chunk_seconds: float) -> dict:
    """In this process: the conversion's own report, and the most memory that the process ever held."""
    from rvc.infer.converter import Converted, Converter
    from rvc.infer.settings import ConversionSettings
    from rvc.paths import Home

    settings = ConversionSettings(f0_method="fcpe", device="cpu", chunk_seconds=chunk_seconds, index_rate=0)
    for event in Converter(Home(home)).convert(source, home / f"out_{chunk_seconds:g}.wav", "random", settings):
        last = event
    assert isinstance(last, Converted)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"audio_seconds": last.seconds, "rtf": round(last.rtf, 4), "pieces": last.pieces, "peak_rss_gb": round(peak / 1e9, 3),
            "stage_seconds": {stage: round(spent, 2) for stage, spent in last.stage_seconds.items()}}


def in_own_process(home: Path, source: Path, chunk_seconds: float) -> dict:
    command = [sys.executable, __file__, "--home", str(home), "--convert", str(source), "--chunk-seconds", str(chunk_seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def compared(home: Path, seconds: float, chunk_seconds: float) -> dict:
    """The same recording in pieces and unsplit: how far apart the samples are, away from the joins and everywhere."""
    from rvc.audio import load

    source = home / "short.wav"
    make_recording(source, seconds)
    split, whole = in_own_process(home, source, chunk_seconds), in_own_process(home, source, 120)
    assert whole["pieces"] == 1, "too long to be converted unsplit"
    ours, reference = load(home / f"out_{chunk_seconds:g}.wav"), load(home / "out_120.wav")
    difference = np.abs(ours.samples - reference.samples)
    near = near_joins(source, len(difference), ours.sample_rate, chunk_seconds)
    rms = float(np.sqrt(np.mean(reference.samples**2)))
    return {
        "seconds": seconds, "chunk_seconds": chunk_seconds, "pieces": split["pieces"], "unsplit_peak_rss_gb": whole["peak_rss_gb"],
        "result_rms": rms,
        "largest_difference_away_from_joins": float(difference[~near].max()),
        "largest_difference_near_joins": float(difference[near].max()),
        "rms_difference_relative": float(np.sqrt(np.mean(difference**2))) / rms,
    }


def near_joins(source: Path, length: int, sample_rate: int, chunk_seconds: float) -> np.ndarray:
    from rvc import audio
    from rvc.infer.recording import SampleFile, decoded
    from rvc.infer.segments import pieces

    with SampleFile(source) as samples:
        work = decoded(source, audio.probe(source), samples)
        while True:
            try:
                next(work)
            except StopIteration as end:
                recording = end.value
                break
        found = pieces(recording.read, len(recording), len(recording) // 160, chunk_seconds)
    near = np.zeros(length, bool)
    for piece in found[1:]:
        middle, reach = piece.start * sample_rate // 100, round(JOIN_CONTEXT_SECONDS * sample_rate)
        near[middle - reach:middle + reach] = True
    return near


if __name__ == "__main__":
    main()
