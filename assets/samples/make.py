"""How the recordings in this folder were made; README.md says with what. Not part of the studio: run it in an environment of its own
that has hibari-tts and soundfile, on a machine with espeak-ng."""

import subprocess
from pathlib import Path

import numpy as np
import soundfile
from hibari import SAMPLE_RATE, Hibari

HERE = Path(__file__).resolve().parent
PEAK = 0.7  # leaves room; the voice itself comes out at different levels from text to text

# Written for this folder: statements, questions, shouts, lists and numbers, so that pitch and sounds vary. Speed 1 is the voice's own.
DATASET = (
    (1.00, "Every morning the harbour wakes slowly. First the gulls, then the diesel engines, and finally the fishermen, arguing "
           "cheerfully about the weather, the price of fuel, and whose turn it is to buy coffee."),
    (0.95, "Have you ever wondered why a voice is so easy to recognise? Two people may say the very same word, at the very same pitch, "
           "and still we know at once who is speaking."),
    (1.05, "Quick! Shut the window, the rain is coming in! No, not that one, the other one, over by the bookshelf!"),
    (1.00, "She counted aloud: one, two, three, four, five, six, seven, eight, nine, ten. Then she turned around, opened her eyes, and "
           "found that everybody had disappeared."),
    (0.90, "The museum closes at half past six. Please leave your umbrellas at the entrance, switch off your telephones, and do not "
           "touch the paintings, however much they seem to ask for it."),
    (1.00, "I think the judge was just. The measure was a pleasure to hear, the usual azure vision of a treasure that nobody could ever "
           "really measure. Now try to say that three times, quickly!"),
    (1.05, "Oh, what a beautiful surprise! You came all the way from Edinburgh, on a Thursday, through all that snow? Come in, come in, "
           "and tell us everything."),
    (1.00, "Warm bread, yellow butter, a thick slice of cheese, and a jar of plum jam: nothing else was needed. We sat on the wall, "
           "swung our feet, and watched the boats go by."),
    (0.95, "If the current is too strong, do not fight it. Swim sideways, along the shore, and breathe. The river always lets go, "
           "sooner or later, of those who stay calm."),
    (1.00, "Why would a thousand thoughtful people choose to live on top of a volcano? Because the soil is good, the view is "
           "extraordinary, and the next eruption is always somebody else's problem."),
)
SOURCE = "This is another voice. Play it, convert it, and listen: the words stay, but the speaker changes."


def main() -> None:
    voice = Hibari()
    for number, (speed, text) in enumerate(DATASET, start=1):
        save(HERE / "dataset" / f"heart_{number:02}.flac", voice(text, speed=speed, seed=number), SAMPLE_RATE)
    wav = HERE / "source.wav"
    subprocess.run(["espeak-ng", "-v", "en-gb", "-p", "35", "-s", "150", "-w", str(wav), SOURCE], check=True)
    samples, sample_rate = soundfile.read(wav, dtype="float32")
    save(HERE / "source.flac", samples, sample_rate)
    wav.unlink()


def save(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, samples * (PEAK / np.abs(samples).max()), sample_rate, subtype="PCM_16")


if __name__ == "__main__":
    main()
