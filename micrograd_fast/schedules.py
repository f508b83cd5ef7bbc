"""Learning-rate schedules: functions of the step, for optimizer.lr = ... before each of them."""

from micrograd_ref.schedules import cosine_schedule, linear_schedule

__all__ = ["cosine_schedule", "linear_schedule"]
