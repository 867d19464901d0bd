"""The laboratory's time. Until the laboratory starts it is everybody's; from then on it may go faster by a factor, so that
what takes minutes at AWS takes seconds in a test. Whatever leaves the laboratory is in everybody's time: the samples of a
metric that was compressed are then closer together."""

import time
from datetime import datetime, timezone


class Clock:
    def __init__(self, factor: float):
        self.factor, self.started = factor, time.time()

    def now(self) -> float:
        return self.of_real(time.time())

    def of_real(self, real: float) -> float:
        return real if real <= self.started else self.started + (real - self.started) * self.factor

    def real(self, lab: float) -> float:
        return lab if lab <= self.started else self.started + (lab - self.started) / self.factor

    def date(self, lab: float) -> datetime:
        """As everybody writes it."""
        return datetime.fromtimestamp(self.real(lab), timezone.utc)

    def ago(self, minutes: float) -> float:
        """So many minutes before the laboratory started."""
        return self.started - minutes * 60
