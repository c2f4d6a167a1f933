"""A moment on both clocks, so that its age can be told after a restart and after a reboot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks of a boot."""

    monotonic: float
    wall: float
    boot: str

    def age(self, now: "Moment") -> float:
        """Seconds that have passed since, never fewer than none.

        After a reboot only the wall clock can tell, and one that was turned back tells of no age at all.
        """
        if self.boot == now.boot:
            return max(0.0, now.monotonic - self.monotonic)
        return max(0.0, now.wall - self.wall)

    def before(self, seconds: float) -> "Moment":
        """The moment so many seconds earlier."""
        return Moment(self.monotonic - seconds, self.wall - seconds, self.boot)
