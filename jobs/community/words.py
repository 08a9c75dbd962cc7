"""What users and comments have in common in their texts: e-mail addresses and the count of words."""

from pyspark.sql import Column
from pyspark.sql import functions as F

EMAIL = r"^[^@\s]+@[^@\s.]+([.][^@\s.]+)+$"  # something, @, a name with a dot in it


def domain_of(email: Column) -> Column:
    """Return what follows the @ of an e-mail address; null where it is none."""
    return F.when(email.rlike(EMAIL), F.substring_index(email, "@", -1))


def words_in(text: Column) -> Column:
    """Return how many words a text has, parted by white space of any kind; 0 for a text that is null."""
    return F.coalesce(F.regexp_count(text, F.lit(r"(?U)\S+")), F.lit(0))


def length_of(text: Column) -> Column:
    """Return how many characters a text has; 0 for a text that is null."""
    return F.coalesce(F.length(text), F.lit(0))
