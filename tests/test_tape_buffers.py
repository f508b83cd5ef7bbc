"""Python code that runs inside a Tape and takes the rows away does no harm."""

import numpy as np
import pytest


def square(mg, kind=None):
    x = (kind or mg.Value)(0.0)
    return mg.Tape(x * x, [x]), np.ones((300_000 if mg.__name__ == "micrograd_fast" else 300, 1))


def test_a_seed_that_resizes_the_rows_is_refused(mg):
    tape, rows = square(mg)
    n = len(rows)
    tape.forward(rows)

    class Seed:
        def __array__(self, dtype=None, copy=None):
            rows.resize((1, 1), refcheck=False)
            return np.ones(n)

    with pytest.raises(ValueError, match=r"rows had the shape .* in forward, now \(1, 1\)"):
        tape.backward(Seed())


def test_a_label_property_of_a_subclass_is_not_asked(mg):
    class Labelled(mg.Value):
        @property
        def label(self):
            pytest.fail("a Tape asked for the label")

    tape, rows = square(mg, Labelled)
    with mg.detect_anomaly():
        assert tape.forward(rows[:10]).tolist() == [1.0] * 10


def test_a_count_of_inputs_is_a_number(mg):
    with pytest.raises(ValueError, match="MLP expects 1 inputs, got 0"):
        mg.MLP(True, [1])([])
