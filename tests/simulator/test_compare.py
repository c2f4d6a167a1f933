"""The comparison: right to the last bit, and blind to nothing."""

import pytest

from netaflux.simulator import Cell, Change, House, Mirror, Row, Store, compare, estate
from netaflux.simulator.compare import channels_of, dew_c, expected_values, h2o_gm3, h2o_oz_ft3, h2o_ppm
from tests.simulator.conftest import NOW

MOIST = ("Temperature", "Humidity")
PORCH = "Netatmo_Porch"


@pytest.mark.parametrize(
    ("rh", "temp_c", "dew", "ppm", "gm3", "oz_ft3"),
    [
        (57, 15.9, 7.40157224031516, 10036.675812664322, 8.065185920890974, 0.008055889751344534),
        (52, 19.7, 9.576029137705353, 11638.076353170214, 9.352025640940353, 0.009341246222237103),
        (53, 18.8, 9.027128005727404, 11213.982566242628, 9.011235990730686, 0.009000849376161042),
        (45, 21.6, 9.166892997498993, 11320.65771505147, 9.096957092452074, 0.009086471673229552),
    ],
)
def test_the_formulas_are_the_notebooks_to_the_last_bit(
    rh: float, temp_c: float, dew: float, ppm: float, gm3: float, oz_ft3: float
) -> None:
    assert dew_c(rh, temp_c) == dew
    assert h2o_ppm(rh, temp_c) == ppm
    assert h2o_gm3(rh, temp_c) == gm3
    assert h2o_oz_ft3(rh, temp_c) == oz_ft3


def test_a_row_of_the_notebook_comes_out_as_printed() -> None:
    rows = [Row(1400506122, (15.9, 57))]

    values = [expected_values(MOIST, rows, channel)[1400506122] for channel in ("Temp_F", "RH", "H2O_ppm")]
    assert values == [60.62, 57, 10036.675812664322]


def test_a_missing_measure_is_a_gap_where_it_is_needed_and_nowhere_else() -> None:
    rows = [Row(1, (20.5, None)), Row(2, (None, 50)), Row(3, (20.5, 0))]

    there = {channel: sorted(expected_values(MOIST, rows, channel)) for channel in channels_of(MOIST)}
    assert there == {
        "Temp_C": [1, 3],
        "Temp_F": [1, 3],
        "RH": [2, 3],
        "Dew_C": [],
        "Dew_F": [],
        "H2O_ppm": [],
        "H2O_gm3": [],
        "H2O_oz_ft3": [],
    }


def test_each_module_fills_what_its_measures_suffice_for() -> None:
    assert channels_of(("Rain",)) == ("Rain",)
    assert "H2O_ppm" not in channels_of(("Temperature", "CO2"))
    assert expected_values(("Rain",), [Row(1, (0,))], "RH") == {}


@pytest.fixture
def house() -> House:
    return estate(NOW, modules=2, days=1, nulls=0.05)


@pytest.fixture
def mirrors(house: House) -> list[Mirror]:
    return [Mirror(PORCH, house.modules[1].id)]


@pytest.fixture
def store(house: House, mirrors: list[Mirror]) -> Store:
    """All that the second module had, and nothing else."""
    full, porch = Store(), house.modules[1]
    rows = house.rows(porch.id, 0, NOW, NOW)
    for channel in channels_of(porch.measures):
        values = expected_values(porch.measures, rows, channel)
        full.put(7, PORCH, (channel,), [[time, value] for time, value in values.items()])
    return full


def test_what_is_equal_is_found_equal(house: House, store: Store, mirrors: list[Mirror]) -> None:
    reports = compare(house, store, 7, mirrors, NOW)

    assert [report.channel for report in reports] == list(channels_of(MOIST))
    assert all(report.equal for report in reports)
    assert min(report.expected for report in reports) > 200


def test_a_missing_a_different_and_an_extra_cell_are_each_found(
    house: House, store: Store, mirrors: list[Mirror]
) -> None:
    values = store.values[Cell(7, PORCH, "H2O_ppm")]
    first, second, *_ = values
    del values[first]
    values[second] *= 1 + 2**-52  # the smallest change there is
    values[NOW + 1] = 5

    unequal = [report for report in compare(house, store, 7, mirrors, NOW) if not report.equal]
    (report,) = unequal
    assert report.channel == "H2O_ppm"
    assert report.missing == [first]
    assert [difference.time for difference in report.different] == [second]
    assert report.different[0].found == values[second] != report.different[0].expected
    assert report.extra == [NOW + 1]


def test_a_value_that_stands_twice_is_extra(house: House, store: Store, mirrors: list[Mirror]) -> None:
    time, value = next(iter(store.values[Cell(7, PORCH, "RH")].items()))
    store.put(7, PORCH, ("RH",), [[time, value], [time, value]])

    assert [r.extra for r in compare(house, store, 7, mirrors, NOW) if not r.equal] == [[time]]


def test_a_device_that_nobody_wanted_is_extra(house: House, store: Store, mirrors: list[Mirror]) -> None:
    store.put(7, "Stray", ("RH",), [[NOW, 1]])
    store.put(8, "Somebody_elses", ("RH",), [[NOW, 1]])

    unequal = [report for report in compare(house, store, 7, mirrors, NOW) if not report.equal]
    assert [(report.device, report.extra) for report in unequal] == [("Stray", [NOW])]


def test_chosen_channels_and_spans_are_all_that_is_expected(house: House) -> None:
    begin, end = NOW - 7200, NOW - 3600
    mirror = Mirror(PORCH, house.modules[1].id, ("RH",), begin, end)

    (report,) = compare(house, Store(), 7, [mirror], NOW)
    assert report.channel == "RH"
    assert 8 <= report.expected == len(report.missing) <= 12
    assert begin <= min(report.missing) <= max(report.missing) < end


def test_what_changes_later_is_expected_later(house: House, store: Store, mirrors: list[Mirror]) -> None:
    row = next(row for row in house.rows(house.modules[1].id, 0, NOW, NOW) if None not in row.values)
    house.change(house.modules[1].id, changes=(Change(row.time, "Humidity", 0, NOW + 5),))

    before = [report.channel for report in compare(house, store, 7, mirrors, NOW + 4) if not report.equal]
    after = [report.channel for report in compare(house, store, 7, mirrors, NOW + 5) if not report.equal]
    assert before == []
    assert after == ["RH", "Dew_C", "Dew_F", "H2O_ppm", "H2O_gm3", "H2O_oz_ft3"]
