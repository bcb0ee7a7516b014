import json
import re
import zipfile

import pytest
import torch

from rvc.download.catalog import Catalog, state
from rvc.download.looks import fault_of, is_checkpoint
from rvc.download.pairs import base_pairs
from rvc.errors import MissingAssetError
from rvc.paths import ASSETS
from tests.download.files import checkpoint

CATALOG = Catalog.load()


def test_it_has_every_official_pair_and_the_weights_the_registries_ask_for():
    ids = [asset.id for asset in CATALOG.assets]
    pairs = [f"{version}-{pitch}{khz}k" for version in ("v1", "v2") for pitch in ("f0-", "") for khz in (32, 40, 48)]
    assert sorted(ids) == sorted([*pairs, "contentvec", "spin", "spin-v2", "rmvpe"])


def test_every_weight_file_has_a_hash_and_a_place_of_its_own():
    files = [file for asset in CATALOG.assets for file in asset.files]
    assert len({file.path for file in files}) == len({file.url for file in files}) == len(files)
    for file in files:
        assert file.url.startswith("https://") and file.url.endswith(file.path.rpartition("/")[2])
        assert not file.path.startswith("/") and ".." not in file.path
        if not file.path.endswith(".json"):
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size is None or file.size > 1_000_000
    hashes = [file.sha256 for file in files if file.sha256]
    assert len(set(hashes)) == len(hashes)


def test_nothing_in_the_file_is_lost_on_the_way():
    written = json.loads((ASSETS / "catalog.json").read_text(encoding="utf-8"))["assets"]
    assert [one["id"] for one in written] == [asset.id for asset in CATALOG.assets]
    assert sum(len(one["files"]) for one in written) == sum(len(asset.files) for asset in CATALOG.assets)


def test_an_asset_is_found_by_its_id_and_a_slip_is_answered_with_the_nearest():
    assert CATALOG.get("rmvpe").files[0].path == "predictors/rmvpe.pt"
    with pytest.raises(MissingAssetError, match="Did you mean 'contentvec'"):
        CATALOG.get("contentvek")
    with pytest.raises(MissingAssetError, match="It has v2-f0-40k"):
        CATALOG.get("§§§")


def test_the_size_of_an_asset_is_unknown_when_that_of_a_weight_file_is():
    assert CATALOG.get("v2-f0-40k").size == 73_106_273 + 142_875_703
    assert CATALOG.get("contentvec").size == 378_342_945
    assert CATALOG.get("v2-32k").size is None


def test_installed_official_files_are_the_pairs_of_the_same_names(home):
    for asset in CATALOG.assets:
        for file in asset.files:
            file.target(home).parent.mkdir(parents=True, exist_ok=True)
            file.target(home).touch()
    bases = {asset.id: asset for asset in CATALOG.assets if asset.kind == "base"}
    pairs = base_pairs(home)
    assert {pair.name for pair in pairs} == set(bases)
    for pair in pairs:
        asset = bases[pair.name]
        assert [file.target(home) for file in asset.files] == [pair.g_path, pair.d_path]
        assert (pair.sample_rate, pair.version, pair.pitch_guidance) == (asset.sample_rate, asset.version, asset.pitch_guidance)


def test_the_state_goes_from_missing_over_incomplete_to_installed_and_notices_damage(home):
    asset = CATALOG.get("v2-32k")  # sizes unknown: the form of the files counts
    g, d = (file.target(home) for file in asset.files)
    assert state(asset, home) == "missing"
    g.parent.mkdir(parents=True)
    d.with_name(d.name + ".part").write_bytes(b"some")
    assert state(asset, home) == "incomplete"
    g.write_bytes(checkpoint())
    assert state(asset, home) == "incomplete"
    d.write_bytes(checkpoint())
    assert state(asset, home) == "installed"
    d.write_bytes(checkpoint()[:-200])
    assert state(asset, home) == "damaged"


def test_a_file_of_another_size_than_the_catalogues_is_damaged(home):
    asset = CATALOG.get("rmvpe")
    target = asset.files[0].target(home)
    target.parent.mkdir(parents=True)
    target.write_bytes(checkpoint())
    assert state(asset, home) == "damaged"
    assert "instead of 181,184,272" in asset.files[0].fault(home)


@pytest.mark.parametrize(("name", "content", "fault"), [
    ("a.pth", checkpoint(), None),
    ("a.pth", checkpoint()[:50_000], "is no PyTorch file, or is cut off"),
    ("a.bin", b"\x80\x02" + b"\0" * 100, "is no PyTorch file, or is cut off"),
    ("a.pt", b"", "is empty"),
    ("a.pth", b"\n <!doctype HTML><html>", "is a web page"),
    ("a.json", b'{"a": 1}', None),
    ("a.json", b"[1]", "is no JSON file, or is cut off"),
    ("a.json", b"\xff\xfe{}", "is no JSON file, or is cut off"),
])
def test_a_look_at_a_file_tells_models_from_everything_else(tmp_path, name, content, fault):
    path = tmp_path / name
    path.write_bytes(content)
    assert fault_of(path) == fault


def test_a_file_of_torch_save_is_a_checkpoint_and_another_zip_is_not(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "real.pth")
    with zipfile.ZipFile(tmp_path / "voice.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert is_checkpoint(tmp_path / "real.pth")
    assert not is_checkpoint(tmp_path / "voice.pth")
