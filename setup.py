"""The extension modules; everything else about the package stands in pyproject.toml."""

import os
import sys
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

# A fused multiply-add rounds once where the reference rounds twice: it must never be contracted.
if sys.platform == "win32":
    flags = ["/O2", "/fp:precise"]
else:
    flags = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-g0"]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"micrograd_fast.{name}",
                [f"micrograd_fast/{name}.pyx", *c_sources],
                extra_compile_args=flags,
                depends=glob("micrograd_fast/*.h"),
            )
            for name, c_sources in (
                ("engine", ["micrograd_fast/rounded.c"]),
                ("gradients", []),
                ("nn", []),
                ("optim", []),
                ("tape", ["micrograd_fast/kernels.c", "micrograd_fast/rounded.c"]),
            )
        ],
        compiler_directives={"language_level": 3, "cdivision": True},
    ),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
