"""The lessons room: what a lesson's exercises ask, and whether an answer is right, without giving it away.

It may import every room but the widgets. A lesson's exercises stand in a module of their own, ``lesson1`` and so on.
"""

from xaiwidgets.lessons.exercises import Verdict, check

__all__ = ["Verdict", "check"]
