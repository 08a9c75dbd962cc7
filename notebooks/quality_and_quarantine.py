# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Can we trust it today, and what was kept out?
#
# A data engineer's questions: which expectations were missed in the last run, is quality getting better or worse, which
# rows are in quarantine and why, and what exactly was received. Nothing here writes to a table.
#
# The tables are those of the environment that `MEDALLION_ENVIRONMENT` names, `dev` if it names none. To look at
# what `make demo` leaves behind, start Jupyter or your editor with `MEDALLION_ENVIRONMENT=demo`.

# %%
import json

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

from medallion import conf
from medallion.catalog import connect, path

PIPELINE = "shop"
spark = connect(PIPELINE)
ops = conf.load(PIPELINE).root("ops")

pd.set_option("display.max_columns", None, "display.width", 200, "display.max_colwidth", 80)
plt.rcParams.update({"figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## Which expectations were missed?
#
# Every run appends what it found to a table for people to read. An expectation has a severity: `fail` keeps the new
# version from readers, `quarantine` keeps rows out, `warn` only tells. `passed` minds its tolerance.

# %%
quality = spark.sql(f"select * from delta.`{ops}/{PIPELINE}/quality`").toPandas()
quality["missed_pct"] = (100 * quality["failed"] / quality["total"].where(quality["total"] > 0)).astype(float)
newest = quality.sort_values("started_at").groupby(["table", "label"], as_index=False).last()
missed = newest[newest["failed"] > 0].sort_values("missed_pct", ascending=False)
display(missed[["table", "label", "severity", "failed", "total", "missed_pct", "passed", "example"]].round(2))

largest_last = missed.head(12)[::-1]
figure, axes = plt.subplots(figsize=(9, 1 + 0.35 * len(largest_last)))
colors = largest_last["severity"].map({"fail": "firebrick", "quarantine": "darkorange", "warn": "lightsteelblue"})
axes.barh(largest_last["table"] + "  " + largest_last["label"], largest_last["missed_pct"], color=colors)
axes.set(title="Rows that missed an expectation when it was last judged", xlabel="% of rows")
plt.show()

# %% [markdown]
# ## Is it getting better?
#
# A table's score is the share of rows that missed nothing, in per cent, run by run.

# %%
runs = spark.sql(f"""
    select started_at, `table`, score
    from delta.`{ops}/{PIPELINE}/runs`
    where score is not null
    order by started_at
""").toPandas()
scores = runs.pivot_table(index="started_at", columns="table", values="score")
display(scores.tail(10).round(2))

axes = scores.plot(marker="o", figsize=(9, 3.6))
axes.set(title="Quality score of silver tables", xlabel="run", ylabel="% of rows")
axes.legend(frameon=False, fontsize="small")
plt.show()

# %% [markdown]
# ## What is in quarantine, and why?
#
# Each silver table with rejected rows has a quarantine beside it, which holds what is rejected *now*: rows leave it
# once they pass. A row may have missed several expectations.

# %%
entries = spark.sql(f"select * from delta.`{path(f'{PIPELINE}.quarantine.orders')}`")
entries.createOrReplaceTempView("quarantine_of_orders")

reasons = spark.sql("""
    select outcome, reason.rule, count(*) as rows, max(reason.found) as example
    from quarantine_of_orders
    lateral view outer explode(reasons) as reason
    group by outcome, reason.rule
    order by rows desc
""").toPandas()
display(reasons)

axes = reasons[::-1].plot.barh("rule", "rows", color="darkorange", legend=False, figsize=(9, 1 + 0.35 * len(reasons)))
axes.set(title="Rows of orders in quarantine, by reason", xlabel="rows", ylabel="")
plt.show()

# %% [markdown]
# ## When did they come?

# %%
deliveries = spark.sql("""
    select _delivery as delivery, outcome, count(*) as rows
    from quarantine_of_orders
    group by _delivery, outcome
    order by _delivery
""").toPandas()
display(deliveries.pivot(index="delivery", columns="outcome", values="rows").fillna(0).astype(int))

# %% [markdown]
# ## What exactly was received?
#
# The payload is kept as it came, with the file and row of its delivery in landing.

# %%
worst = spark.sql("""
    select _record_id, landing_file, _position, reasons, payload
    from quarantine_of_orders
    order by size(reasons) desc, _record_id
    limit 1
""").first()
display(pd.Series(worst.asDict()).drop(["reasons", "payload"]).to_frame("where it is from"))
display(pd.DataFrame([reason.asDict() for reason in worst["reasons"]]))
try:
    display(json.loads(worst["payload"]))
except ValueError:  # which may be why it is here
    display(worst["payload"])

# %% [markdown]
# ## And then?
#
# After a fix of the code or of conf, `medallion reprocess shop.bronze.orders --record ...` shows what this record would
# become, in silver and in all of gold, and does it with `--yes`. `medallion replay shop` judges all of the quarantine
# again; `medallion backfill shop --quarantine --rows 10000` does so in batches.
