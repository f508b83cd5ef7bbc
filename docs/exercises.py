"""Write exercises.ipynb from solutions.ipynb: python docs/exercises.py

The solutions are what stands between the lines BEGIN SOLUTION and END SOLUTION. Change
solutions.ipynb, in Jupyter, and run this; a test compares the two.
"""

import json
import re
from pathlib import Path

SOLUTIONS = Path(__file__).parent / "solutions.ipynb"
EXERCISES = Path(__file__).parent / "exercises.ipynb"
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.MULTILINE | re.DOTALL)


def unsolved(notebook):
    """The notebook without the solutions, and without what running it left behind."""
    cells = []
    for cell in notebook["cells"]:
        source = SOLUTION.sub(r"\1pass  # your code here", "".join(cell["source"]))
        source = source.replace("# Exercises, solved", "# Exercises")
        cells.append({**cell, "source": source.splitlines(keepends=True)})
        if cell["cell_type"] == "code":
            cells[-1] |= {"execution_count": None, "outputs": []}
    return {**notebook, "cells": cells}


if __name__ == "__main__":
    notebook = unsolved(json.loads(SOLUTIONS.read_text(encoding="utf-8")))
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    EXERCISES.write_text(text, encoding="utf-8")
