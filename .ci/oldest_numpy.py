"""Install the oldest NumPy that the installed micrograd-fast allows for this Python."""

import subprocess
import sys
from importlib.metadata import requires

from packaging.requirements import Requirement

for requirement in map(Requirement, requires("micrograd-fast")):
    if requirement.name == "numpy" and requirement.marker.evaluate({"extra": ""}):
        (oldest,) = (clause.version for clause in requirement.specifier)
        wanted = f"numpy=={oldest}"
        print(f"with {wanted}", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--only-binary", "numpy", wanted]
        subprocess.run(pip, check=True)
