import datetime as dt
from decimal import Decimal

from pyspark.sql import functions as F

from jobs.activity.gold import daily_user_activity, user_milestones
from jobs.activity.gold.recent_user_activity import recent_user_activity
from jobs.activity.gold.signup_funnel import signup_funnel
from jobs.activity.gold.user_cohorts import user_cohorts
from jobs.activity.gold.user_sessions import user_sessions

MONDAY = dt.date(2026, 1, 5)


def add_up(table, rows):
    dimensions = [F.expr(sql).alias(name) for name, sql in table.dimensions.items()]
    return rows.groupBy(*dimensions).agg(*[F.expr(m.sql).alias(name) for name, m in table.measures.items()])


def test_a_day_of_a_user_has_its_events_types_first_and_last(spark, events):
    rows = events(
        ("u1", "login", "2026-01-05 10:00"),
        ("u1", "page_view", "2026-01-05 09:00"),
        ("u1", "page_view", "2026-01-05 23:59"),
        ("u1", "login", "2026-01-06 00:00"),
        ("u2", "login", "2026-01-05 10:00"),
    )

    found = add_up(daily_user_activity.table, rows).withColumns(
        {name: F.date_format(name, "HH:mm") for name in ("first_at", "last_at")}
    )

    assert sorted(map(tuple, found.collect())) == [
        ("u1", MONDAY, 3, 2, "09:00", "23:59"),
        ("u1", dt.date(2026, 1, 6), 1, 1, "00:00", "00:00"),
        ("u2", MONDAY, 1, 1, "10:00", "10:00"),
    ]


def test_recent_days_end_with_the_runs_date(spark):
    days = [MONDAY + dt.timedelta(days=n) for n in (-30, -29, -1, 0, 1)]
    schema = "user_id string, event_date date, events bigint, event_types bigint, first_at timestamp, last_at timestamp"
    rows = spark.createDataFrame([("u1", day, 1, 1, None, None) for day in days] + [(None,) * 6], schema)

    found = recent_user_activity(rows, run_date=MONDAY, recent_days=30)

    assert [row.event_date for row in found.orderBy("event_date").collect()] == days[1:4]


def test_a_session_ends_where_the_pause_is_longer(spark, events):
    rows = events(
        ("u1", "login", "2026-01-05 23:50"),
        ("u1", "page_view", "2026-01-06 00:20"),  # 30 minutes later: not longer
        ("u1", "page_view", "2026-01-06 00:50:01"),  # a second longer
        ("u2", "login", "2026-01-05 23:55"),
    )

    found = user_sessions(rows, session_minutes=30).orderBy("user_id", "session_number").collect()

    shown = [(r.user_id, r.session_number, r.session_date, r.duration_seconds, r.events, r.event_types) for r in found]
    assert shown == [
        ("u1", 1, MONDAY, 1800, 2, 2),
        ("u1", 2, dt.date(2026, 1, 6), 0, 1, 1),
        ("u2", 1, MONDAY, 0, 1, 1),
    ]


def test_the_funnel_counts_who_did_all_steps_in_order_and_in_time(spark, events):
    rows = events(
        ("all", "signup", "2026-01-05 10:00"),
        ("all", "activate", "2026-01-05 10:00"),
        ("all", "purchase", "2026-01-12 10:00"),
        ("late", "signup", "2026-01-05 10:00"),
        ("late", "activate", "2026-01-12 10:01"),  # a minute after seven days
        ("backwards", "activate", "2026-01-05 09:00"),
        ("backwards", "signup", "2026-01-05 10:00"),
        ("skips", "signup", "2026-01-11 23:59"),
        ("skips", "purchase", "2026-01-11 23:59"),
        ("next week", "signup", "2026-01-12 00:00"),
        ("never", "purchase", "2026-01-05 10:00"),
    )

    found = signup_funnel(add_up(user_milestones.table, rows), funnel_days=7)

    assert sorted(map(tuple, found.collect()), key=lambda row: (row[0], row[2])) == [
        (MONDAY, "signed_up", 1, 4, Decimal("100.00"), Decimal("100.00")),
        (MONDAY, "activated", 2, 1, Decimal("25.00"), Decimal("25.00")),
        (MONDAY, "purchased", 3, 1, Decimal("25.00"), Decimal("100.00")),
        (dt.date(2026, 1, 12), "signed_up", 1, 1, Decimal("100.00"), Decimal("100.00")),
        (dt.date(2026, 1, 12), "activated", 2, 0, Decimal("0.00"), Decimal("0.00")),
        (dt.date(2026, 1, 12), "purchased", 3, 0, Decimal("0.00"), None),
    ]


def test_a_cohort_is_followed_week_by_week(spark):
    days = [
        ("u1", "2026-01-05"),
        ("u1", "2026-01-11"),  # the same week
        ("u1", "2026-01-26"),
        ("u2", "2026-01-06"),
        ("u3", "2026-01-12"),
    ]
    rows = spark.createDataFrame(
        [(user, dt.date.fromisoformat(day)) for user, day in days], "user_id string, event_date date"
    )

    found = sorted(map(tuple, user_cohorts(rows).collect()))

    assert found == [
        (MONDAY, 0, 2, 2, Decimal("100.00")),
        (MONDAY, 3, 2, 1, Decimal("50.00")),
        (dt.date(2026, 1, 12), 0, 1, 1, Decimal("100.00")),
    ]
