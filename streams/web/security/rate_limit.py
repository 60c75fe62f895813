"""How often may somebody ask?

So often in each second, minute or hour, counted by the process that answers.
"""

import time

PERIODS = {"second": 1, "minute": 60, "hour": 3600}


class Rate:
    """A rate such as `120/minute`, for everybody by themselves.

    All counts begin anew with each period, so none is kept for long.
    """

    def __init__(self, said: str) -> None:
        often, _, period = said.partition("/")
        self.said = said
        self.seconds = PERIODS[period]
        self._often = int(often)
        self._period = -1.0
        self._counts: dict[str, int] = {}

    def allows(self, who: str) -> bool:
        """Count a question; whether it is not one too many."""
        period = time.monotonic() // self.seconds
        if period != self._period:
            self._period, self._counts = period, {}
        self._counts[who] = count = self._counts.get(who, 0) + 1
        return count <= self._often
