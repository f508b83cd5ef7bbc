"""Parameters in a file: saved, loaded, and what is refused."""

import math
import os
import pickle
import random

import numpy as np
import pytest
from bits import bits

import micrograd_ref


def test_saved_parameters_come_back_with_their_bits(mg, tmp_path):
    random.seed(1)
    model, other = mg.MLP(3, [4, 2]), mg.MLP(3, [4, 2])
    model.parameters()[0].data, model.parameters()[1].data = -0.0, 5e-324
    model.save(tmp_path / "model.npz")
    other.load(str(tmp_path / "model.npz"))
    assert [bits(p.data) for p in other.parameters()] == [bits(p.data) for p in model.parameters()]
    assert os.listdir(tmp_path) == ["model.npz"]


def test_the_packages_read_each_others_files(mg, tmp_path):
    import micrograd_fast

    for writer, reader in ((micrograd_ref, micrograd_fast), (micrograd_fast, micrograd_ref)):
        model, other = writer.MLP(1, [2]), reader.MLP(1, [2])
        model.save(tmp_path / "model")
        other.load(tmp_path / "model")
        assert [p.data for p in other.parameters()] == [p.data for p in model.parameters()]


def refused(model, path, message):
    before = [p.data for p in model.parameters()]
    with pytest.raises(ValueError, match=message):
        model.load(path)
    assert [p.data for p in model.parameters()] == before


def test_what_does_not_fit_is_refused_and_changes_nothing(mg, tmp_path):
    path = tmp_path / "model.npz"
    mg.MLP(2, [3, 1]).save(path)
    refused(
        mg.MLP(2, [4, 1]), path, "expected 17 parameters of float64, got an array of shape .13,"
    )
    refused(mg.MLP(2, [3, 1], activation="tanh"), path, "holds the parameters of MLP of .*ReLU")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("something in the file was executed",)


def test_another_file_is_refused_and_nothing_in_it_is_executed(mg, tmp_path):
    model, path = mg.MLP(1, [1]), tmp_path / "file.npz"
    path.write_bytes(b"no archive")
    refused(model, path, "is not a file that Module.save wrote")
    path.write_bytes(pickle.dumps(Bomb()))
    refused(model, path, "is not a file that Module.save wrote")
    np.savez(path, weights=np.zeros(2))
    refused(model, path, "is not a file that Module.save wrote")
    name = np.array(repr(model))
    with open(path, "wb") as file:
        np.savez(file, module=name, parameters=np.array([Bomb(), Bomb()]))
    refused(model, path, "allow_pickle=False")
    np.savez(path, module=name, parameters=np.zeros(2, dtype=np.float32))
    refused(model, path, "dtype float32")
    np.savez(path, module=name, parameters=np.zeros(1000))
    refused(model, path, "holds more than 2 parameters")
    np.savez(path, module=name, parameters=np.array([0.0, math.nan]))
    refused(model, path, "cannot load: parameter 1 is nan")


def test_a_failed_save_leaves_the_old_file_whole(mg, tmp_path, monkeypatch):
    model, path = mg.MLP(1, [1]), tmp_path / "model.npz"
    model.save(path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    monkeypatch.undo()
    model.parameters()[1].data = math.inf
    with pytest.raises(ValueError, match="cannot save: parameter 1 is inf"):
        model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.npz"]


def damaged(data, how):
    """The bytes of a file that save wrote, changed in a way that zipfile or NumPy stumbles over."""
    at = data.index(b"NUMPY", data.index(b"parameters.npy"))
    if how == "a flipped bit":
        return data[: at + 200] + bytes([data[at + 200] ^ 1]) + data[at + 201 :]
    if how == "no array":
        return data.replace(b"\x93NUMPY", b"\x92NUMPY")
    if how == "another compression":
        central = data.index(b"PK\x01\x02")
        return data[: central + 10] + b"\x63\x00" + data[central + 12 :]
    if how == "encrypted":
        central = data.index(b"PK\x01\x02")
        return data[: central + 8] + b"\x01\x00" + data[central + 10 :]
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    "how", ["a flipped bit", "no array", "another compression", "encrypted", "half of it"]
)
def test_a_damaged_file_is_refused_and_changes_nothing(mg, tmp_path, how):
    model, path = mg.MLP(2, [3, 1]), tmp_path / "model.npz"
    model.save(path)
    path.write_bytes(damaged(path.read_bytes(), how))
    before = [p.data for p in model.parameters()]
    with pytest.raises(ValueError, match=r"is not a file that Module\.save wrote"):
        model.load(path)
    assert [p.data for p in model.parameters()] == before


def test_one_number_is_no_array_of_one_parameter(mg, tmp_path):
    class Single(mg.Module):
        def __init__(self):
            self.w = mg.Value(0.5)

        def parameters(self):
            return [self.w]

    path, module = tmp_path / "single.npz", Single()
    module.save(path)
    name = np.load(path)["module"]
    np.savez(path, module=name, parameters=np.float64(2.0))
    with pytest.raises(ValueError, match=r"expected 1 parameters of float64, .* shape \(\)"):
        module.load(path)
    assert module.w.data == 0.5


def test_a_module_without_a_repr_of_its_own_is_known_by_its_class(mg, tmp_path):
    class Net(mg.Module):
        def __init__(self, x):
            self.w = mg.Value(x)

        def parameters(self):
            return [self.w]

    class Other(Net):
        pass

    path, net = os.fsencode(tmp_path / "net.npz"), Net(0.5)
    net.save(path)
    again = Net(0.0)
    again.load(path)
    assert again.w.data == 0.5
    with pytest.raises(ValueError, match=r"holds the parameters of .*Net, not of .*Other"):
        Other(0.0).load(path)


@pytest.mark.skipif(os.name == "nt", reason="links and modes are another thing there")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_load_reads_regular_files_only(mg, tmp_path):
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    for path in (str(pipe), os.devnull):
        with pytest.raises(ValueError, match="it is not a regular file"):
            mg.MLP(1, [1]).load(path)


def test_save_follows_a_link_and_keeps_the_mode(mg, tmp_path):
    model, path, link = mg.Neuron(1), tmp_path / "model.npz", tmp_path / "link.npz"
    model.save(path)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    link.symlink_to(path)
    model.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(x.name for x in tmp_path.iterdir()) == ["link.npz", "model.npz", "plain"]
