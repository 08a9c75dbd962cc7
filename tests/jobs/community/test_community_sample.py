import json

import pytest

from jobs.community.sample import COMMENT_DIRT, POST_DIRT, RESOURCES, USER_DIRT, community, deliveries
from medallion.cli import main


def by_id(day, resource, **options):
    return {row["id"]: row for row in community(day, **options)[resource] if isinstance(row, dict) and row.get("id")}


def test_the_same_seed_makes_the_same_and_another_another_community():
    assert list(deliveries(0)) == list(deliveries(0))
    assert list(deliveries(0)) != list(deliveries(0, seed=8))


def test_an_extract_is_one_list_in_a_file():
    found = {delivery.source: json.loads(delivery.files[0][1]) for delivery in deliveries(1)}

    assert found == community(1)
    assert tuple(found) == RESOURCES


def test_every_kind_of_dirt_is_there():
    rows = community(0)
    ids = {name: [row["id"] for row in rows[name] if isinstance(row, dict) and row["id"] is not None] for name in rows}

    assert {number // 2 % len(USER_DIRT) for number in range(2, 31, 2)} == set(range(len(USER_DIRT)))
    assert {int(n) // 10 % len(POST_DIRT) for n in ids["posts"] if int(n) % 10 == 0} >= set(range(len(POST_DIRT) - 1))
    assert {int(n) // 10 % len(COMMENT_DIRT) for n in ids["comments"] if int(n) % 10 == 0} == set(
        range(len(COMMENT_DIRT))
    )
    assert any(isinstance(user, str) for user in rows["users"])
    assert any(isinstance(user, dict) and user["id"] is None for user in rows["users"])


def test_a_day_changes_some_adds_some_and_lets_one_go():
    before, after = by_id(0, "users"), by_id(5, "users")
    both = before.keys() & after.keys()
    changed = [number for number in both if before[number] != after[number]]

    assert before.keys() - after.keys() and after.keys() - before.keys()
    assert 0 < len(changed) < len(both) / 2 + 5
    posts_before, posts_after = by_id(0, "posts"), by_id(5, "posts")
    assert any(posts_before[n] != posts_after[n] for n in posts_before.keys() & posts_after.keys())


@pytest.mark.parametrize(("day", "options"), [(-1, {}), (0, {"users": 0})])
def test_a_size_that_makes_none_is_refused(day, options):
    with pytest.raises(ValueError, match="wanted a day from 0 and at least one user"):
        list(deliveries(day, **options))


def test_an_option_of_another_sample_is_refused(capsys):
    assert main(["sample", "community", "--orders", "5", "runtime.dry_run=true"]) == 2

    assert capsys.readouterr().err == "sample of community: found orders; wanted one of users, seed\n"
