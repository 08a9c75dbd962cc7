"""community.silver.users: one row per user_id, as the service last gave the user.

E-mail and website are lower-cased. An e-mail that is none stays, without a domain and at a lower score; a
place that cannot be read or is none on earth sends the row to quarantine. A user whom the service no longer
gives stays as last seen: a snapshot says nothing of what is not in it.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.community.quality import COLUMNS, Wanted, with_quality
from jobs.community.words import EMAIL, domain_of
from medallion import job
from medallion.parse import exact_decimal, field, json_object, problems, unreadable, whole_number
from medallion.tables import CARRIED, Silver

USER = (
    "id string, name string, username string, email string, phone string, website string, "
    "address string, company string"
)
ADDRESS = "street string, suite string, city string, zipcode string, geo string"
GEO = "lat string, lng string"
COMPANY = "name string, catchPhrase string, bs string"

WANTED = Wanted(
    fields=(
        "name", "username", "email", "phone", "website", "street", "city", "zipcode",
        "latitude", "longitude", "company_name",
    ),
    forms={
        "email": f"email RLIKE r'{EMAIL}'",
        "phone": "regexp_count(phone, '[0-9]') >= 7",
        "website": "website RLIKE r'^(https?://)?[a-z0-9-]+([.][a-z0-9-]+)+(/.*)?$'",
        "zipcode": "zipcode RLIKE '^[A-Za-z0-9][A-Za-z0-9 -]{1,9}$'",
    },
    rules=(
        "(latitude IS NULL) = (longitude IS NULL)",
        "city IS NOT NULL OR coalesce(street, suite, zipcode) IS NULL",
        "company_name IS NOT NULL OR coalesce(company_catch_phrase, company_bs) IS NULL",
    ),
)  # fmt: skip

table = Silver(
    reads="community.bronze.users",
    key=("user_id",),
    sequence=("_delivery", "_position"),
    personal=(
        "user_id",
        "name",
        "username",
        "email",
        "phone",
        "website",
        "street",
        "suite",
        "city",
        "zipcode",
        "latitude",
        "longitude",
    ),
    columns={
        "user_id": ("bigint", "the service's id of the user"),
        "name": ("string", "trimmed; null where blank"),
        "username": ("string", "what the user is called in the community, trimmed"),
        "email": ("string", "trimmed and lower-cased; null where none is known"),
        "email_domain": ("string", "what follows the @; null where the e-mail is none"),
        "phone": ("string", "as given, trimmed"),
        "website": ("string", "trimmed and lower-cased"),
        "street": ("string", "street of the address"),
        "suite": ("string", "suite or flat of the address"),
        "city": ("string", "city of the address"),
        "zipcode": ("string", "postal code of the address"),
        "latitude": ("decimal(12,9)", "degrees north, exact"),
        "longitude": ("decimal(12,9)", "degrees east, exact"),
        "company_name": ("string", "the company the user works for"),
        "company_catch_phrase": ("string", "what it calls itself"),
        "company_bs": ("string", "what it says it does"),
        **COLUMNS,
        "received_at": ("timestamp", "when this version was published in landing, UTC"),
    },
)


@table.transform
def users(versions: DataFrame, *, quality_weights: Mapping[str, int], quality_grades: Mapping[str, int]) -> DataFrame:
    """Read each version of a user, and score it."""
    return (
        versions.withColumn("user", F.from_json("payload", USER))
        .withColumn("address", F.from_json("user.address", ADDRESS))
        .withColumns({"geo": F.from_json("address.geo", GEO), "company": F.from_json("user.company", COMPANY)})
        .withColumns(_read())
        .transform(with_quality, WANTED, quality_weights, quality_grades)
        .withColumn("received_at", F.col("_received_at"))
        .select(*table.columns, *CARRIED, _unreadable_fields())
    )


def _read() -> dict[str, Column]:
    email = F.lower(field("user.email"))
    return {
        "user_id": whole_number(field("user.id")),
        "name": field("user.name"),
        "username": field("user.username"),
        "email": email,
        "email_domain": domain_of(email),
        "phone": field("user.phone"),
        "website": F.lower(field("user.website")),
        **{part: field(f"address.{part}") for part in ("street", "suite", "city", "zipcode")},
        "latitude": exact_decimal(field("geo.lat"), 12, 9),
        "longitude": exact_decimal(field("geo.lng"), 12, 9),
        "company_name": field("company.name"),
        "company_catch_phrase": field("company.catchPhrase"),
        "company_bs": field("company.bs"),
    }


def _unreadable_fields() -> Column:
    return problems(
        unreadable("id", field("user.id"), F.col("user_id")),
        unreadable("lat", field("geo.lat"), F.col("latitude")),
        unreadable("lng", field("geo.lng"), F.col("longitude")),
        *[_no_object(path) for path in ("user.address", "address.geo", "user.company")],
    )


def _no_object(path: str) -> Column:
    """Return what to tell about a nested part that is given but is no object: its fields would all be null."""
    return unreadable(path.partition(".")[2], F.col(path), json_object(path))


if __name__ == "__main__":
    job.main(__file__)
