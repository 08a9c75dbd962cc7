from decimal import Decimal

import pytest

from jobs.community.silver import comments, posts, users

USER = {
    "id": 1,
    "name": " Leanne Graham ",
    "username": "Bret",
    "email": " Sincere@April.BIZ ",
    "address": {
        "street": "Kulas Light",
        "suite": "Apt. 556",
        "city": "Gwenborough",
        "zipcode": "92998-3874",
        "geo": {"lat": "-37.3159", "lng": "81.1496"},
    },
    "phone": "1-770-736-8031 x56442",
    "website": "Hildegard.org",
    "company": {"name": "Romaguera-Crona", "catchPhrase": "Multi-layered", "bs": "harness"},
}
POST = {"userId": 1, "id": 7, "title": "on foxes", "body": "🦊 naïve\u00a0façade\nsaid  twice"}
COMMENT = {"postId": 7, "id": 70, "name": "well", "email": "A@b.org", "body": "said and done"}


def user(**changed):
    return {**USER, **changed}


def address(**changed):
    return user(address={**USER["address"], **changed})


def test_a_user_is_flattened_trimmed_and_typed(read):
    (row,) = read(users.table, USER)

    assert (row["user_id"], row["name"], row["username"]) == (1, "Leanne Graham", "Bret")
    assert (row["email"], row["email_domain"], row["website"]) == ("sincere@april.biz", "april.biz", "hildegard.org")
    assert (row["latitude"], row["longitude"]) == (Decimal("-37.3159"), Decimal("81.1496"))
    assert [row[name] for name in ("street", "suite", "city", "zipcode")] == [
        "Kulas Light", "Apt. 556", "Gwenborough", "92998-3874"
    ]  # fmt: skip
    assert (row["company_name"], row["company_catch_phrase"], row["company_bs"]) == (
        "Romaguera-Crona", "Multi-layered", "harness"
    )  # fmt: skip
    assert (row["quality_score"], row["quality_grade"], row["_problems"]) == (100, "A", [])


def test_a_user_of_nothing_but_an_id_is_read(read):
    (row,) = read(users.table, {"id": "2", "email": None, "address": None, "company": {}})

    assert row["user_id"] == 2
    assert {row[name] for name in ("name", "email", "email_domain", "city", "latitude", "company_name")} == {None}
    assert (row["completeness"], row["validity"], row["consistency"], row["_problems"]) == (0, 100, 100, [])


@pytest.mark.parametrize("email", ["nobody", "@example.org", "a@b", "a b@example.org", "a@b..org", "a@b@c.org"])
def test_an_email_that_is_none_stays_without_a_domain(read, email):
    (row,) = read(users.table, user(email=email))

    assert (row["email"], row["email_domain"]) == (email, None)
    assert (row["validity"], row["_problems"]) == (75, [])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (address(geo={"lat": "north", "lng": "1"}), "lat: cannot read 'north'"),
        (address(geo={"lat": "1", "lng": "0.0123456789"}), "lng: cannot read '0.0123456789'"),  # would be rounded
        (address(geo="here"), "geo: cannot read 'here'"),
        (user(address=["here"]), "address: cannot read '[\"here\"]'"),
        (user(company="Acme"), "company: cannot read 'Acme'"),
        (user(id="one"), "id: cannot read 'one'"),
        (user(id=1.5), "id: cannot read '1.5'"),
    ],
)
def test_what_cannot_be_read_is_told(read, changed, told):
    (row,) = read(users.table, changed)

    assert row["_problems"] == [told]


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        (user(phone="ask me"), (100, 75, 100)),
        (user(website="here"), (100, 75, 100)),
        (address(zipcode="?"), (100, 75, 100)),
        (user(website="HTTPS://a-b.Example/x"), (100, 100, 100)),
        (user(phone=" "), (90, 100, 100)),
        (address(geo={"lat": "1"}), (90, 100, 66)),
        (address(city=""), (90, 100, 66)),
        (user(company={"bs": "harness"}), (90, 100, 66)),
    ],
)
def test_a_user_loses_what_is_wrong(read, changed, parts):
    (row,) = read(users.table, changed)

    assert (row["completeness"], row["validity"], row["consistency"]) == parts


def test_a_post_is_measured_in_characters_and_words(read):
    (row,) = read(posts.table, POST)

    assert (row["post_id"], row["user_id"], row["title_length"], row["title_words"]) == (7, 1, 8, 2)
    assert (row["body_length"], row["body_words"]) == (len(POST["body"]), len(POST["body"].split())) == (26, 5)
    assert row["quality_score"] == 100


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"title": None, "body": " "}, (33, 100, 100)),
        ({"body": "on foxes"}, (100, 100, 50)),
        ({"body": "foxes"}, (100, 50, 50)),
        ({"title": "a\nb"}, (100, 50, 100)),
    ],
)
def test_a_post_loses_what_is_wrong(read, changed, parts):
    (row,) = read(posts.table, {**POST, **changed})

    assert (row["completeness"], row["validity"], row["consistency"]) == parts


def test_a_post_without_texts_has_no_length(read):
    (row,) = read(posts.table, {"id": 7, "userId": "Ada"})

    assert [row[name] for name in ("title_length", "title_words", "body_length", "body_words")] == [0, 0, 0, 0]
    assert row["_problems"] == ["userId: cannot read 'Ada'"]


def test_a_comment_is_typed_and_scored(read):
    sound, blank, nobody = read(comments.table, COMMENT, {**COMMENT, "body": ""}, {"id": 71, "email": "x"})

    assert [sound[name] for name in ("comment_id", "post_id", "title", "email", "email_domain", "body_words")] == [
        70, 7, "well", "a@b.org", "b.org", 3
    ]  # fmt: skip
    assert sound["quality_score"] == 100
    assert (blank["body"], blank["body_words"], blank["completeness"]) == (None, 0, 75)
    assert (nobody["post_id"], nobody["email_domain"], nobody["validity"]) == (None, None, 0)
