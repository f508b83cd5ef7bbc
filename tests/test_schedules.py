"""Learning-rate schedules."""

import math

import pytest
from errors import error_of

SCHEDULES = ["linear_schedule", "cosine_schedule"]
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


@every_schedule
def test_a_schedule_starts_at_the_rate_and_ends_at_0(mg, name):
    schedule = getattr(mg, name)
    rates = [schedule(step, 100, 0.1) for step in range(102)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert rates[50] == pytest.approx(0.05, rel=1e-15)
    assert rates[99] > 0.0
    assert rates[100:] == [0.0, 0.0]


@every_schedule
def test_a_warmup_rises_to_the_rate(mg, name):
    schedule = getattr(mg, name)
    assert [schedule(step, 10, 8.0, warmup=3) for step in range(4)] == [2.0, 4.0, 6.0, 8.0]
    rest = [schedule(step, 10, 8.0, 3) for step in range(3, 11)]
    assert rest == [schedule(step, 7, 8.0) for step in range(8)]


def test_schedules_have_their_formulas(mg):
    for step in range(7):
        assert mg.linear_schedule(step, 7, 0.3) == 0.3 * (1.0 - step / 7)
        cosine = mg.Value(math.pi * (step / 7)).cos().data
        assert mg.cosine_schedule(step, 7, 0.3) == 0.3 * (0.5 * (1.0 + cosine))


@every_schedule
def test_an_optimizer_follows_a_schedule(mg, name):
    p = mg.Value(0.0)
    optimizer = mg.SGD([p], 1.0)
    for step in range(4):
        optimizer.lr = getattr(mg, name)(step, 4, 1.0)
        p.grad = -1.0
        optimizer.step()
    assert p.data == pytest.approx(2.5)  # 1 + 0.75 + 0.5 + 0.25; a cosine's are as far in sum


@every_schedule
@pytest.mark.parametrize(
    ("step", "steps", "warmup"), [(-1, 5, 0), (0, 0, 0), (0, 5, 5), (0, 5, -1), (3, -1, 0)]
)
def test_a_schedule_names_what_is_out_of_range(mg, name, step, steps, warmup):
    assert error_of(lambda: getattr(mg, name)(step, steps, 0.1, warmup)) == (
        ValueError,
        "a schedule expects a step of at least 0, and a warmup of at least 0 and less than steps, "
        f"got step {step}, warmup {warmup} and steps {steps}",
    )


@every_schedule
def test_a_schedule_refuses_what_is_no_number(mg, name):
    schedule = getattr(mg, name)
    assert error_of(lambda: schedule(0.5, 5, 0.1))[0] is TypeError
    assert error_of(lambda: schedule(0, 5, "1")) == (
        TypeError,
        "lr must be a real number, not 'str'",
    )
    assert error_of(lambda: schedule(0, 5, -1)) == (
        ValueError,
        "lr must be at least 0 and below inf, got -1.0",
    )
