"""The examples under docs/ run on small settings, refuse bad ones, and stop when asked to."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import micrograd_fast

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
DEMO = {"scikit-learn": "sklearn", "matplotlib": "matplotlib", "tqdm": "tqdm"}
MISSING = [name for name, module in DEMO.items() if not importlib.util.find_spec(module)]

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="docs/ is not beside tests/"),
    pytest.mark.skipif(bool(MISSING), reason=f"the [demo] extra lacks {', '.join(MISSING)}"),
]

TINY = {
    "gpt": ["--steps", "5", "--samples", "3"],
    "digits": ["--epochs", "2", "--hidden", "8"],
    "regression": ["--steps", "5", "--members", "2", "--points", "20"],
    "pinn": ["--steps", "20"],
    "newton": ["--steps", "200"],
}
LONG = {  # newton is done before it can be stopped
    "gpt": ["--steps", "1000000"],
    "digits": ["--epochs", "1000000"],
    "regression": ["--steps", "1000000"],
    "pinn": ["--steps", "1000000"],
}


def environment():
    """With the packages under test within reach, installed or not."""
    env = {k: v for k, v in os.environ.items() if k != "MICROGRAD_BACKEND"}
    env["PYTHONPATH"] = str(Path(micrograd_fast.__file__).parent.parent)
    return env


def run(name, *options, cwd):
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *options],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def output(name, *options, cwd):
    done = run(name, *options, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "100%" in done.stderr  # the progress bar
    return done.stdout


def error(name, *options, cwd):
    done = run(name, *options, cwd=cwd)
    assert done.returncode == 2, done.stderr
    return done.stderr.splitlines()[-1]


def test_the_gpt_makes_up_names_that_it_did_not_learn(tmp_path):
    out = output("gpt", *TINY["gpt"], cwd=tmp_path)
    names = re.search(r"^made up: +(\w+, \w+, \w+)$", out, re.MULTILINE)
    assert names, out
    assert list(tmp_path.iterdir()) == []


def test_the_gpt_says_the_same_with_both_packages(tmp_path):
    tiny = ["--steps", "1", "--samples", "1"]
    ref, fast = (output("gpt", *tiny, "--backend", b, cwd=tmp_path) for b in ("ref", "fast"))
    assert ref == fast


def test_the_gpt_of_modules_is_the_one_that_is_written_out():
    program = """
        import micrograd_fast as mg
        from gpt_model import GPT
        import gpt_written_out

        models = GPT(), gpt_written_out.GPT(mg.Value, mg.dot, mg.sum)
        losses = [model.loss("ab") for model in models]
        for loss in losses:
            loss.backward()
        first, second = [[p.data for p in model.parameters()] for model in models]
        assert first == second
        assert len(first) == 4080
        first, second = [[p.grad for p in model.parameters()] for model in models]
        assert max(map(abs, first)) > 0.01
        assert all(abs(a - b) < 1e-15 for a, b in zip(first, second, strict=True))
        assert abs(losses[0].data - losses[1].data) < 1e-14
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=EXAMPLES,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_digits_are_learned(tmp_path):
    out = output("digits", *TINY["digits"], cwd=tmp_path)
    accuracy = float(re.search(r"^test accuracy: +([\d.]+)%", out, re.MULTILINE)[1])
    assert accuracy > 50  # after two epochs; a guess is right one time in ten


def test_the_regression_writes_its_plot(tmp_path):
    plot = tmp_path / "new folder" / "plot.png"
    out = output("regression", *TINY["regression"], "--out", str(plot), cwd=tmp_path)
    assert f"{plot}\n" in out
    assert plot.read_bytes().startswith(b"\x89PNG\r\n")


def test_the_network_learns_its_equation(tmp_path):
    out = output("pinn", "--steps", "1500", cwd=tmp_path)
    error = float(re.search(r"^error: +(\S+) root mean square", out, re.MULTILINE)[1])
    assert error < 0.1  # the curve itself has 0.3
    assert (tmp_path / "pinn.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_newtons_method_reaches_the_least_value_where_descent_does_not(tmp_path):
    out = output("newton", *TINY["newton"], cwd=tmp_path)
    assert re.search(r"^gradient descent: +200 steps to ", out, re.MULTILINE)
    assert re.search(r"^Newton's method: +20 steps to f\(1.00000, 1.00000\)", out, re.MULTILINE)
    assert (tmp_path / "newton.png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pinn", ["--steps", "0"], "--steps: expected a whole number of at least 1, got '0'"),
        ("newton", ["--steps", "x"], "--steps: expected a whole number of at least 1, got 'x'"),
        ("gpt", ["--steps", "0"], "--steps: expected a whole number of at least 1, got '0'"),
        ("gpt", ["--samples", "-1"], "--samples: expected a whole number of at least 0, got '-1'"),
        ("gpt", ["--temperature", "nan"], "--temperature: expected a number above 0, got 'nan'"),
        ("gpt", ["--temperature", "hot"], "--temperature: expected a number above 0, got 'hot'"),
        ("digits", ["--epochs", "x"], "--epochs: expected a whole number of at least 1, got 'x'"),
        ("digits", ["--batch", "1.5"], "--batch: expected a whole number of at least 1, got '1.5'"),
        (
            "digits",
            ["--seed", "4294967296"],
            "--seed: expected a whole number from 0 to 4294967295, got '4294967296'",
        ),
        (
            "regression",
            ["--members", "1"],
            "--members: expected a whole number of at least 2, got '1'",
        ),
    ],
)
def test_a_bad_option_is_refused(name, options, message, tmp_path):
    assert error(name, *options, cwd=tmp_path) == f"{name}.py: error: argument {message}"


def test_a_plot_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").touch()
    last = error("regression", "--out", "file/plot.png", cwd=tmp_path)
    assert last.startswith("regression.py: error: argument --out: cannot write to 'file/plot.png':")
    last = error("regression", "--out", ".", cwd=tmp_path)
    assert last.endswith("cannot write to '.': it is a folder")


@pytest.mark.parametrize("name", TINY)
def test_a_missing_extra_is_named_in_one_line(name, tmp_path):
    program = (
        "import runpy, sys; sys.modules['tqdm'] = None; sys.path.insert(0, sys.argv.pop(1)); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(EXAMPLES), str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == 'this example needs tqdm: pip install -e ".[demo]"\n'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_stops_training_without_a_traceback(name, tmp_path):
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *LONG[name]],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            seen = ""
            while "loss" not in seen:  # in the progress bar, once training is under way
                character = process.stderr.read(1)
                assert character, seen
                seen += character
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert rest.endswith("stopped\n")
    assert "Traceback" not in rest
