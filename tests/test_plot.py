"""plot_boundary and plot_history."""

import sys

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="the [demo] extra is not installed")
matplotlib.use("Agg")


@pytest.fixture
def axes():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_the_boundary_is_where_the_score_is_zero(mg, axes):
    def model(x):
        return 2 * mg.Value(x[0]) - 1  # 0 at x1 = 0.5

    points, labels = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.5]]), [-1, 1, 1]
    assert mg.plot_boundary(model, points, labels, axes) is axes
    handles, names = axes.get_legend_handles_labels()
    assert names == ["decision boundary, score 0", "label 0 or below", "label above 0"]
    assert [len(h.get_offsets()) for h in handles[1:]] == [1, 2]
    line = axes.collections[1].get_paths()[0].vertices
    assert line[:, 0] == pytest.approx(0.5)


def test_the_boundary_needs_points_in_the_plane(mg, axes):
    with pytest.raises(ValueError, match=r"got shapes \(1, 3\) and \(1,\)"):
        mg.plot_boundary(lambda x: mg.Value(0.0), [[1, 2, 3]], [1], axes)


def test_the_history_is_the_loss_of_each_step(mg, axes):
    assert mg.plot_history([mg.Value(4.0), 2.0, 1.0], axes) is axes
    assert axes.lines[0].get_xydata().tolist() == [[0.0, 4.0], [1.0, 2.0], [2.0, 1.0]]
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize(
    "losses",
    [np.array([3.0, 2.0]), np.array([3, 2]), [np.float64(3), 2.0], [np.float32(3), np.int8(2)]],
    ids=["float64", "int64", "a list", "other dtypes"],
)
def test_the_history_takes_the_numbers_of_numpy(mg, axes, losses):
    mg.plot_history(losses, axes)
    assert axes.lines[0].get_xydata().tolist() == [[0.0, 3.0], [1.0, 2.0]]


def test_scores_and_losses_are_numbers(mg, axes):
    points = [[0.0, 0.0], [1.0, 1.0]]
    mg.plot_boundary(lambda x: np.float64(x[0]), points, [-1, 1], axes)
    with pytest.raises(TypeError, match="a score must be a real number, not 'list'"):
        mg.plot_boundary(mg.MLP(2, [2]), points, [-1, 1], axes)
    with pytest.raises(TypeError, match="a loss must be a real number, not 'str'"):
        mg.plot_history(["a"], axes)


def test_losses_that_are_not_positive_have_a_linear_axis(mg, axes):
    assert mg.plot_history([1.0, 0.0], axes).get_yscale() == "linear"
    with pytest.raises(ValueError, match="at least one loss"):
        mg.plot_history([], axes)


def test_new_axes_are_made_if_none_are_given(mg):
    import matplotlib.pyplot as plt

    axes = mg.plot_history([1.0])
    assert axes.figure is plt.gcf()
    plt.close(axes.figure)


def test_without_matplotlib_the_error_says_what_to_install(mg, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install \"micrograd-fast\[demo\]\""):
        mg.plot_history([1.0])
