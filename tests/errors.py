"""How the tests look at an error: its type and its message."""

import pytest


def error_of(fn):
    """The type and the message of the exception that fn raises."""
    try:
        result = fn()
    except Exception as error:
        return type(error), str(error)
    pytest.fail(f"nothing raised: {result!r}")


def outcome(fn):
    """What fn returns, or the type and the message of its exception."""
    try:
        return fn()
    except Exception as error:
        return type(error), str(error)
