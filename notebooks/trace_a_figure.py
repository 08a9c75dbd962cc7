# %%
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

# %% [markdown]
# # Where does a figure come from, and why was it another one?
#
# An auditor's questions: what did all tables look like when a run had ended, what has changed since, which deliveries
# changed it, and what is one row made of, down to the bytes that were received. Nothing here writes to a table.
#
# The tables are those of the environment that `MEDALLION_ENVIRONMENT` names, `dev` if it names none. To look at
# what `make demo` leaves behind, start Jupyter or your editor with `MEDALLION_ENVIRONMENT=demo`.

# %%
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

from medallion import conf
from medallion.catalog import as_of, diff, trace, versions

# %% [markdown]
# ## When was it made?
#
# Each version of a table says which run made it, and from which versions of the tables before it.

# %%
history = versions("shop.gold.revenue")
display(history[["version", "at", "standing", "technique", "rows", "reads", "run_id"]])

seen = history[history["standing"].isin(["current", "good"])]
first, last = seen.iloc[-1], seen.iloc[0]

# %% [markdown]
# ## What did it all look like then?
#
# `as_of` opens all tables of a pipeline as a run left them, one consistent cut; without a run, as they stand now.

# %%
then, now = as_of("shop", first["run_id"]), as_of("shop")

parameters = conf.load("shop").pipeline.parameters
sold = ", ".join(f"'{status}'" for status in parameters["sales_statuses"])
question = f"""
    select shipping_region, sum(orders) as orders, sum(revenue) as revenue
    from shop_gold.revenue
    where status in ({sold})
    group by grouping sets ((shipping_region), ())
    order by revenue desc
"""
both = (
    then.sql(question)
    .toPandas()
    .merge(now.sql(question).toPandas(), on="shipping_region", how="outer", suffixes=("_then", "_now"))
)
both["shipping_region"] = both["shipping_region"].fillna("all")
display(both)

regions = both[both["shipping_region"] != "all"].set_index("shipping_region")
axes = regions[["revenue_then", "revenue_now"]].astype(float).plot.barh(color=["lightsteelblue", "darkblue"])
axes.set(title="Revenue by region, then and now", xlabel=parameters["shop_currency"], ylabel="")
plt.show()

# %% [markdown]
# ## What has changed, and which deliveries changed it?
#
# `diff` compares two versions by key. With `why` it looks at what some of the rows are made of at both: records with a
# `+` have come since, those with a `-` are no longer part of it.

# %%
changed = diff("shop.gold.revenue", first["version"], last["version"], why=True)
display(pd.Series(changed.counts, name="rows"))

differing = [
    {"kind": row.kind, **row.key, "column": column, "was": was, "is": is_now, "why": "; ".join(row.why)}
    for row in changed.rows
    for column, (was, is_now) in row.columns.items()
]
with pd.option_context("display.max_colwidth", 200):
    display(pd.DataFrame(differing))

# %% [markdown]
# ## What is one row made of?
#
# `trace` goes down from gold to the payloads; `verify` makes the row anew from these alone, and compares.

# %%
largest = now.sql("select * from shop_gold.revenue order by revenue desc limit 1").first().asDict()
key = {column: largest[column] for column in ("order_date", "shipping_region", "status", "segment")}
found = trace("shop.gold.revenue", verify=True, **key)
display(found.said, found)

# %% [markdown]
# As a table: how many rows of each table had a part in it, and how.

# %%
hops = pd.DataFrame(
    {
        "table": hop.table,
        "version": hop.version,
        "rows": hop.count,
        "part": "; ".join(f"{how} for {reader}" for reader, how in hop.for_),
    }
    for hop in found.hops
)
display(hops)
