"""What Module.save writes and Module.load reads: the parameters' data, and nothing that runs."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def save(module: Any, path: str | os.PathLike[str]) -> None:
    import shutil

    import numpy as np

    data = np.array([p.data for p in module.parameters()], dtype=np.float64)
    check_finite(data, "cannot save")
    path = os.path.realpath(os.fsdecode(path))  # a link stays one
    beside = os.path.join(os.path.dirname(path), f".{os.urandom(8).hex()}.npz")
    with open(beside, "xb") as file:
        try:
            np.savez(file, module=np.array(name_of(module)), parameters=data)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            if os.path.exists(path):
                shutil.copymode(path, beside)
            os.replace(beside, path)
        except BaseException:
            file.close()
            os.unlink(beside)
            raise


def load(module: Any, path: str | os.PathLike[str]) -> None:
    import stat
    import zipfile

    import numpy as np

    path = os.fsdecode(path)
    parameters = tuple(module.parameters())
    wrong = f"{path!r} is not a file that Module.save wrote"
    if not stat.S_ISREG(os.stat(path).st_mode):  # a device may have no end, a pipe no beginning
        raise ValueError(f"{wrong}: it is not a regular file")
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                found = {info.filename: info.file_size for info in archive.infolist()}
            if set(found) != {"module.npy", "parameters.npy"}:
                raise zipfile.BadZipFile("it holds something else")
            # An array of this size and a header: no file makes load read more.
            large = (
                found["parameters.npy"] > 8 * len(parameters) + 4096
                or found["module.npy"] > 1 << 28
            )
            if not large:
                file.seek(0)
                with np.load(file, allow_pickle=False) as arrays:
                    name, data = str(arrays["module"]), np.asarray(arrays["parameters"])
        except Exception as error:  # zipfile, its decompressors and NumPy: each damage has its own
            raise ValueError(f"{wrong}: {error}") from error
    if large:
        raise ValueError(f"{path!r} holds more than {len(parameters)} parameters")
    if data.shape != (len(parameters),) or data.dtype != np.float64:
        raise ValueError(
            f"expected {len(parameters)} parameters of float64, "
            f"got an array of shape {data.shape} and dtype {data.dtype}"
        )
    if name != name_of(module):
        raise ValueError(f"the file holds the parameters of {name}, not of {name_of(module)}")
    check_finite(data, "cannot load")
    for p, x in zip(parameters, data.tolist(), strict=True):
        p.data = x


def name_of(module: Any) -> str:
    """What a file says of its module: the repr, or the class of one that has none of its own."""
    kind: Any = type(module)
    return kind.__qualname__ if kind.__repr__ is object.__repr__ else repr(module)


def check_finite(data: NDArray[np.float64], what: str) -> None:
    for i, x in enumerate(data.tolist()):
        if not math.isfinite(x):
            raise ValueError(f"{what}: parameter {i} is {x}")
