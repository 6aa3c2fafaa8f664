"""“Why?”: one person's facts, from the very plan of the next run, to an outcome and the one thing that would change it.

Pure: what is asked of the directory and of the portal is gathered by `connectors.sync`, and shown by the views.
"""

from __future__ import annotations

from connectors.why.chain import explain
from connectors.why.survey import Survey, survey
from connectors.why.values import Answer, Decision, Door, Fact, Facts, LastChange, Licences, Memory, Wait

__all__ = [
    "Answer",
    "Decision",
    "Door",
    "Fact",
    "Facts",
    "LastChange",
    "Licences",
    "Memory",
    "Survey",
    "Wait",
    "explain",
    "survey",
]
