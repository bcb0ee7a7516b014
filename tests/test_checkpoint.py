"""Files of tensors: what is read, what is refused and how, and that nothing is changed by a refusal."""

import hashlib
import os
import pickle
import random
import resource
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from rvc import checkpoint
from rvc.errors import FormatError, StorageError


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(2, 3, 5))
        self.up = weight_norm(nn.ConvTranspose1d(3, 2, 4))
        self.linear = nn.Linear(3, 4)


class Evil:
    """Would make a folder when unpickled by a careless loader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def digest(module: nn.Module) -> str:
    return hashlib.sha256(b"".join(one.detach().numpy().tobytes() for one in module.state_dict().values())).hexdigest()


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return checkpoint.state_of(Small())


# -- files ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("mmap", [True, False])
def test_both_formats_of_torch_are_read(tmp_path, state, new_format, mmap):
    path = tmp_path / "a.pth"
    torch.save({"model": state, "iteration": 3}, path, _use_new_zipfile_serialization=new_format)
    content = checkpoint.read(path, mmap=mmap)
    assert content["iteration"] == 3
    assert all(torch.equal(content["model"][name], one) for name, one in state.items())


def test_what_is_written_is_read(tmp_path, state):
    path = tmp_path / "deep" / "a.pth"
    checkpoint.write(path, {"model": state})
    assert torch.equal(checkpoint.read(path)["model"]["linear.weight"], state["linear.weight"])
    assert [one.name for one in path.parent.iterdir()] == ["a.pth"]


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.pth"
    good = {"weight": {"a": torch.randn(40, 40)}}
    torch.save(good, path, _use_new_zipfile_serialization=not kind.startswith("old"))
    data = path.read_bytes()
    match kind:
        case "missing":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "half" | "old_half":
            path.write_bytes(data[: len(data) // 2])
        case "cut" | "old_cut":
            path.write_bytes(data[:-9])
        case "flipped":
            start = data.index(good["weight"]["a"].numpy().tobytes())
            path.write_bytes(data[: start + 100] + bytes([data[start + 100] ^ 1]) + data[start + 101 :])
        case "text":
            path.write_text("<html>404 not found</html>")
        case "noise":
            path.write_bytes(random.Random(0).randbytes(2000))
        case "other_zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "hello")
        case "tensor":
            torch.save(torch.zeros(3), path)
        case "list":
            torch.save([torch.zeros(3)], path)
        case "module":
            torch.save(nn.Linear(2, 2), path)
        case "code" | "old_code":
            torch.save({"weight": Evil(tmp_path / "harm")}, path, _use_new_zipfile_serialization=kind == "code")
        case "pickle":
            path.write_bytes(pickle.dumps({"weight": Evil(tmp_path / "harm")}))
        case "script":
            torch.jit.script(nn.Linear(2, 2)).save(str(path))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("kind", "said"), [
    ("missing", "There is no file"), ("folder", "cannot be read"), ("empty", "is empty"), ("half", "damaged or incomplete"),
    ("cut", "damaged or incomplete"), ("old_half", "damaged or incomplete"), ("old_cut", "damaged or incomplete"),
    ("flipped", "checksum"), ("text", "not a file of torch weights"), ("noise", "not a file of torch weights"),
    ("other_zip", "not a file of torch weights"), ("tensor", "holds a Tensor"), ("list", "holds a list"),
    ("module", r"contains code \(torch.nn.modules.linear.Linear\)"), ("code", r"contains code \(\w+.mkdir\)"),
    ("old_code", r"contains code \(\w+.mkdir\)"), ("pickle", "not a file of torch weights"), ("script", "TorchScript"),
])
def test_a_file_that_is_not_a_dictionary_of_weights_is_refused_in_a_sentence(tmp_path, kind, said):
    path = damaged(tmp_path, kind)
    with pytest.raises(FormatError, match=said) as caught:
        checkpoint.read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists(), "no code was run"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("new_format", [True, False])
def test_no_damage_escapes_as_another_error(tmp_path, new_format):
    path = tmp_path / "a.pth"
    torch.save({"weight": {"a": torch.randn(3, 4).half(), "b": torch.randn(5)}, "config": [1, [2]]}, path,
               _use_new_zipfile_serialization=new_format)
    data, refused = path.read_bytes(), 0
    for seed in range(300):
        draw, changed = random.Random(seed), bytearray(data)
        for _ in range(draw.randrange(1, 5)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        path.write_bytes(changed[: draw.randrange(len(changed))] if seed % 3 == 0 else changed)
        try:
            checkpoint.read(path, mmap=seed % 2 == 0)
        except FormatError:
            refused += 1
    assert refused > 200


def test_a_failed_write_keeps_the_old_file_and_says_why(tmp_path, state):
    path = tmp_path / "a.pth"
    checkpoint.write(path, {"model": state})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # stands for a full disk
    try:
        with pytest.raises(StorageError, match=r"a\.pth was not written"):
            checkpoint.write(path, {"model": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.pth"]


# -- names ---------------------------------------------------------------------------------------------------------------------


def test_files_get_the_old_names_and_both_spellings_mean_the_same(state):
    assert set(state) == {"conv.bias", "conv.weight_g", "conv.weight_v", "up.bias", "up.weight_g", "up.weight_v", "linear.weight",
                          "linear.bias"}
    new = checkpoint.new_names(state)
    assert set(new) == set(Small().state_dict())
    assert list(checkpoint.old_names(new)) == list(state)
    assert checkpoint.old_names(state) == state
    assert checkpoint.new_names(new) == new
    assert state["up.weight_g"].shape == (3, 1, 1), "weight norm goes over all dimensions but the first, also when transposed"


def test_a_tensor_in_both_spellings_is_refused(state):
    with pytest.raises(FormatError, match=r"conv.weight_g is there twice"):
        checkpoint.new_names({**state, "conv.parametrizations.weight.original0": state["conv.weight_g"]})


# -- into a module -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("names", [checkpoint.old_names, checkpoint.new_names])
def test_every_tensor_is_loaded_and_counted_whatever_the_spelling_and_precision(state, names, dtype):
    module = Small()
    report = checkpoint.load_state(module, {name: one.to(dtype) for name, one in names(state).items()}, what="it")
    assert (report.loaded, report.total) == (8, 8)
    for name, one in checkpoint.state_of(module).items():
        assert one.dtype == torch.float32
        assert torch.equal(one, state[name].to(dtype).float()), name


def test_a_loaded_module_shares_nothing_with_what_it_was_loaded_from(state):
    module = Small()
    checkpoint.load_state(module, state, what="it")
    with torch.no_grad():
        module.linear.weight.add_(1)
    assert not torch.equal(module.linear.weight, state["linear.weight"])


def test_tensors_that_may_be_there_are_passed_over(state):
    report = checkpoint.load_state(Small(), {**state, "extra.a": torch.zeros(1)}, what="it", ignore=("extra.",))
    assert (report.loaded, report.total) == (8, 8)


@pytest.mark.parametrize(("change", "said"), [
    (lambda state: {name: one for name, one in state.items() if name != "conv.weight_g"}, r"1 tensor is missing \(conv.weight_g\)"),
    (lambda state: {}, r"8 tensors are missing \(conv.bias, conv.weight_g, conv.weight_v, …\)"),
    (lambda state: {**state, "extra": torch.zeros(1)}, r"1 tensor is unknown \(extra\)"),
    (lambda state: {**state, "conv.bias": torch.zeros(4)}, r"conv.bias has the shape 4, not 3"),
    (lambda state: {**state, "conv.weight_v": torch.zeros(3, 2, 6), "conv.bias": torch.zeros(1)}, r"and so have 1 more"),
    (lambda state: {**state, "conv.bias": torch.zeros(())}, r"a single number"),
    (lambda state: {**state, "conv.bias": torch.zeros(3, dtype=torch.int64)}, r"1 tensor is no tensor of fractions \(conv.bias\)"),
    (lambda state: {**state, "conv.bias": torch.zeros(3, dtype=torch.complex64)}, "no tensor of fractions"),
    (lambda state: {**state, "conv.bias": torch.zeros(3).to_sparse()}, "no tensor of fractions"),
    (lambda state: {**state, "conv.bias": [0.0, 0.0, 0.0]}, "no tensor of fractions"),
    (lambda state: {**{n: o for n, o in state.items() if n != "conv.bias"}, "conv.bias2": torch.zeros(3)}, "missing.*; .*unknown"),
])
def test_what_does_not_fit_is_named_and_the_module_is_left_alone(state, change, said):
    module = Small()
    before = digest(module)
    with pytest.raises(FormatError, match=said) as caught:
        checkpoint.load_state(module, change(state), what="f0G40k.pth")
    assert str(caught.value).startswith("f0G40k.pth does not fit")
    assert digest(module) == before
