import pytest

from jobs.community.quality import COLUMNS, PARTS, Wanted, with_quality

WEIGHTS = {"completeness": 40, "validity": 40, "consistency": 20}
GRADES = {"A": 90, "B": 75, "C": 50}
WANTED = Wanted(
    fields=("name", "low", "high"),
    forms={"name": "name LIKE 'n%'", "low": "low >= 0"},
    rules=("low <= high", "name <> 'nobody'", "high < 100"),
)


def scored(spark, *rows, weights=WEIGHTS):
    made = spark.createDataFrame(list(rows), "name string, low int, high int")
    return [tuple(row)[3:] for row in with_quality(made, WANTED, weights, GRADES).collect()]


def test_a_row_without_fault_has_all_points(spark):
    assert scored(spark, ("nina", 1, 2)) == [(100, 100, 100, 100, "A")]


@pytest.mark.parametrize(
    ("row", "parts", "score"),
    [
        ((None, 1, 2), (66, 100, 100), (66, 100, 100)),  # two of three, rounded down
        (("paul", 1, 2), (100, 50, 100), (100, 50, 100)),
        (("nina", 3, 2), (100, 100, 66), (100, 100, 66)),
        (("nobody", 300, 200), (100, 100, 0), (100, 100, 0)),
        ((None, None, None), (0, 100, 100), (0, 100, 100)),  # nothing given: nothing of a wrong form, no rule broken
    ],
)
def test_each_part_is_its_own_share(spark, row, parts, score):
    (found,) = scored(spark, row)

    assert found[:3] == parts
    assert found[3] == (40 * score[0] + 40 * score[1] + 20 * score[2]) // 100


def test_a_grade_begins_with_its_least_score(spark):
    rows = [("nina", 1, 2), (None, 1, 2), (None, -1, -2), (None, -1, 300)]
    only = {"completeness": 100, "validity": 0, "consistency": 0}

    assert [row[3:] for row in scored(spark, *rows, weights=only)] == [(100, "A"), (66, "C"), (66, "C"), (66, "C")]
    only = {"completeness": 0, "validity": 90, "consistency": 10}
    assert [row[3:] for row in scored(spark, *rows, weights=only)] == [
        (100, "A"), (100, "A"), (6, "D"), (6, "D")
    ]  # fmt: skip


def test_a_grade_is_reached_exactly(spark):
    made = scored(spark, ("paul", 1, 2), weights={"completeness": 80, "validity": 20, "consistency": 0})

    assert made == [(100, 50, 100, 90, "A")]


def test_weights_need_not_come_to_a_hundred(spark):
    (found,) = scored(spark, ("paul", 1, 2), weights={"completeness": 1, "validity": 1, "consistency": 1})

    assert found[3] == 250 // 3


def test_the_columns_are_documented(spark):
    made = with_quality(spark.createDataFrame([], "name string, low int, high int"), WANTED, WEIGHTS, GRADES)

    assert dict(made.dtypes[3:]) == {name: type_ for name, (type_, _) in COLUMNS.items()}
    assert list(COLUMNS)[:3] == list(PARTS)
