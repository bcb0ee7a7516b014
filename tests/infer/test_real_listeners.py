"""The conversion with the detector and the embedder that come with the installation."""

import numpy as np
import pytest
import soundfile

from rvc import audio
from rvc.infer.converter import Converted, Converter
from rvc.infer.settings import ConversionSettings
from tests.sounds import singing


@pytest.fixture
def converter(home) -> Converter:
    return Converter(home)


def convert(converter, source, output, **values) -> Converted:
    settings = ConversionSettings(index_rate=0, device="cpu", f0_method="fcpe", **values)
    *_, last = converter.convert(source, output, "ada", settings)
    return last


def test_a_song_is_converted_with_fcpe_and_the_builtin_embedder(converter, song):
    event = convert(converter, song, song.with_name("out.wav"))
    assert (event.f0_method, event.embedder, event.seconds) == ("fcpe", "builtin", 2.0)
    result = audio.load(event.output)
    assert (len(result), result.sample_rate) == (80_000, 40_000)
    assert result.peak > 0.001


def test_pieces_stay_near_the_unsplit_conversion(converter, tmp_path):
    """Of the listeners only the pitch detector looks further than the context of a piece."""
    source = tmp_path / "long.wav"
    soundfile.write(source, singing(16.0, 16_000), 16_000)
    results = []
    for chunk_seconds in (5, 120):
        event = convert(converter, source, tmp_path / "out.wav", chunk_seconds=chunk_seconds)
        results.append(audio.load(event.output).samples)
    split, whole = results
    assert event.pieces == 1
    assert np.sqrt(((split - whole) ** 2).mean() / (whole**2).mean()) < 0.03
