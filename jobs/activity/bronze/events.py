"""activity.bronze.events: one row per delivered event, exactly as it was sent.

Source: what applications post to the receiver, one JSON object an event; an event's identity is its sender's id
for the delivery (`webhook-id`), so that one sent twice is stored once.
"""

from medallion import job
from medallion.tables import Bronze

table = Bronze(source="events")

if __name__ == "__main__":
    job.main(__file__)
