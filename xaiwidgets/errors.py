"""Small helpers for errors that say what came and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from operator import index


def unknown(argument: str, came: object, known: Iterable[str], *, most: int = 8) -> ValueError:
    """An error for a name that is not known, with the nearest names that are."""
    names = list(known)
    near = get_close_matches(str(came), names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {_either(near)}?"
    else:
        hint = f"choose from {', '.join(repr(name) for name in names[:most])}" + (", …" if len(names) > most else "")
    return ValueError(f"{argument}={came!r} is not known; {hint}")


def whole(argument: str, value: object, least: int | None = None, *, also: str = "") -> int:
    """A whole number as an int, whatever kind it is of: numpy's and torch's too, but no bool.

    Args:
        argument, value: what a person gave. least: the smallest that will do.
        also: what else the argument takes, for the message, such as ", or None".

    Raises:
        ValueError: another kind of thing, or a number below ``least``.
    """
    try:
        number = None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of at least {least}"
        raise ValueError(f"{argument}={value!r} must be a whole number{bound}{also}")
    return number


def whole_or_none(argument: str, value: object, least: int | None = None) -> int | None:
    """The same where None may be given, which stays."""
    return None if value is None else whole(argument, value, least, also=", or None")


def check_keywords(call: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise TypeError for the first keyword that a call does not take."""
    for name in given:
        if name not in known:
            near = get_close_matches(name, list(known), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            raise TypeError(f"{call} takes no keyword {name!r}; {hint}")


def _either(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
