"""When the next try or poll is due: pure."""

SHORTEST_BACK_OFF = 30.0
LONGEST_BACK_OFF = 600.0


def backed_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 30 s, doubled each time, at most ten minutes.

    Ten minutes is a station's own rhythm: waiting longer would cost freshness and spare nobody.
    """
    return min(LONGEST_BACK_OFF, SHORTEST_BACK_OFF * 2.0 ** min(failures - 1, 10))
