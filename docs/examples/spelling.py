"""The names that a GPT learns to spell, and their letters as tokens."""

from __future__ import annotations

from pathlib import Path

END = 0  # the token before and after each name; the letters a to z are 1 to 26
VOCABULARY = 27
LONGEST = 9  # positions: a name of up to eight letters, and END


def read_names() -> list[str]:
    """The invented names of names.txt."""
    return Path(__file__).with_name("names.txt").read_text().split()


def encode(name: str) -> list[int]:
    """The tokens of a name, with END on both sides."""
    return [END, *(ord(letter) - ord("a") + 1 for letter in name), END]


def decode(tokens: list[int]) -> str:
    """The name of tokens, without END."""
    return "".join(chr(ord("a") + token - 1) for token in tokens if token != END)
