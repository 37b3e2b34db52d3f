"""Products of tensors by the letters of their axes, in the words of `einsum`: brought into one form, and transposed.

The form: two tensors, each with one letter an axis; a letter in one of them only stands in the result too. Then the way back to either
factor is an einsum of the same kind.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Equation", "matmul_equation", "parsed", "tensordot_equation"]


@dataclass(frozen=True, slots=True)
class Equation:
    """Letters of each factor's axes and of the result's."""

    factors: tuple[str, ...]
    result: str

    @classmethod
    def read(cls, text: str) -> Equation:
        """From "ab,bc->ac"."""
        factors, result = text.split("->")
        return cls(tuple(factors.split(",")), result)

    def __str__(self) -> str:
        return f"{','.join(self.factors)}->{self.result}"

    def applied(self, place: int) -> str:
        """The product of a value in the place of one factor with the other; the value may have further axes in front."""
        return f"...{self.factors[place]},{self.factors[1 - place]}->...{self.result}"

    def transposed(self, place: int) -> str:
        """From the result back to one factor, given the other."""
        return f"...{self.result},{self.factors[1 - place]}->...{self.factors[place]}"


def parsed(equation: str, ranks: Sequence[int]) -> Equation:
    """An equation as people write it (dots, no arrow, spaces) for tensors with so many axes, with a letter for every axis."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    given = left.split(",")
    unused = [letter for letter in string.ascii_letters if letter not in equation]
    hidden = [rank - len(factor.replace("...", "")) for factor, rank in zip(given, ranks, strict=True)]
    most = max((count for factor, count in zip(given, hidden, strict=True) if "..." in factor), default=0)
    dots = "".join(unused[:most])
    factors = [
        factor.replace("...", dots[most - count :] if count else "")
        for factor, count in zip(given, hidden, strict=True)
    ]
    if not arrow:
        once = sorted(letter for letter in set("".join(given)) - set(".") if left.count(letter) == 1)
        result = "..." + "".join(once)
    return Equation(tuple(factors), result.replace("...", dots))


def matmul_equation(left: int, right: int) -> Equation:
    """That of `matmul` for tensors with so many axes, leading ones broadcast."""
    batch = string.ascii_lowercase[: max(left, right, 2) - 2]
    a = batch[len(batch) - (left - 2) :] + "XY" if left > 1 else "Y"
    b = batch[len(batch) - (right - 2) :] + "YZ" if right > 1 else "Y"
    return Equation((a, b), batch + ("X" if left > 1 else "") + ("Z" if right > 1 else ""))


def tensordot_equation(left: int, right: int, over_left: Sequence[int], over_right: Sequence[int]) -> Equation:
    """That of `tensordot` over pairs of axes."""
    a = list(string.ascii_lowercase[:left])
    b = list(string.ascii_uppercase[:right])
    for i, j in zip(over_left, over_right, strict=True):
        b[j % right] = a[i % left]
    summed = {a[i % left] for i in over_left}
    free = [letter for letter in (*a, *b) if letter not in summed]
    return Equation(("".join(a), "".join(b)), "".join(free))
