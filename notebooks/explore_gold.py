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
# # The shop's gold tables
#
# An analyst's questions, each answered with SQL and a plot; then the same figures as they were at an earlier
# version. Nothing here writes to a table.
#
# The tables are those of the environment that `MEDALLION_ENVIRONMENT` names, `dev` if it names none. To look at
# what `make demo` leaves behind, start Jupyter or your editor with `MEDALLION_ENVIRONMENT=demo`.

# %%
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from pyspark.sql import functions as F

from medallion import conf
from medallion.catalog import connect, path, versions

spark = connect("shop")

# %% [markdown]
# Each table is there by its name, at its last version that passed its checks. `medallion tables shop gold.revenue`
# tells what its columns hold.

# %%
display(spark.sql("show tables in shop_gold").select("tableName").toPandas())

# %% [markdown]
# Which orders count as sales is decided in one place, the pipeline's conf; so is the currency of all figures.
# From here on we look at `sales`: revenue of those orders, a row a day, shipping region, status and segment.

# %%
THOUSANDS = "{x:,.0f}"  # how an axis shows money

parameters = conf.load("shop").pipeline.parameters
currency = parameters["shop_currency"]
is_sale = F.col("status").isin(parameters["sales_statuses"])
spark.table("shop_gold.revenue").where(is_sale).createOrReplaceTempView("sales")

pd.set_option("display.max_columns", None, "display.width", 200)  # for tables on a terminal
plt.rcParams.update(
    {
        "figure.figsize": (9, 3.6),
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "legend.frameon": False,
    }
)

# %% [markdown]
# ## How much do we sell a day?
#
# Money is exact in the tables (decimals); for plots it becomes `double`. A day without an order has no row: such
# days are filled in with 0 before the mean is taken. (The demo's second day brings a tenth of all orders at once,
# hence its end.)

# %%
daily = spark.sql("""
    select order_date, sum(orders) as orders, cast(sum(revenue) as double) as revenue
    from sales
    group by order_date
    order by order_date
""").toPandas()
daily = daily.set_index(pd.to_datetime(daily.pop("order_date"))).asfreq("D", fill_value=0)
display(daily.tail(7))

figure, axes = plt.subplots()
axes.bar(daily.index, daily["revenue"], width=1, color="lightsteelblue", label="each day")
axes.plot(daily["revenue"].rolling(7).mean(), color="darkblue", label="mean of the last 7 days")
axes.set(title="Revenue a day", xlabel="day of the order", ylabel=currency)
axes.yaxis.set_major_formatter(THOUSANDS)
axes.legend()
plt.show()

# %% [markdown]
# ## Where do we ship to, and to whom?

# %%
regions = spark.sql("""
    select
        shipping_region,
        sum(orders) as orders,
        sum(revenue) as revenue,
        round(100 * sum(revenue) / sum(sum(revenue)) over (), 1) as revenue_pct
    from sales
    group by shipping_region
    order by revenue desc
""").toPandas()
display(regions)

segments = spark.sql("""
    select shipping_region, segment, cast(sum(revenue) as double) as revenue
    from sales
    group by shipping_region, segment
""").toPandas()
segments = segments.pivot(index="shipping_region", columns="segment", values="revenue")
largest_last = segments.loc[regions["shipping_region"][::-1]]
axes = largest_last.plot.barh(stacked=True, colormap="Blues_r", edgecolor="gray")
axes.set(title="Revenue by shipping region and customer segment", xlabel=currency, ylabel="")
axes.xaxis.set_major_formatter(THOUSANDS)
axes.legend(title="segment")
plt.show()

# %% [markdown]
# ## Are we growing, week over week?
#
# The first and the last week may be short ones. A change is null where the week before had no sale.

# %%
weeks = spark.sql("""
    select week_start, orders, revenue, average_order_value, week_over_week_pct
    from shop_gold.revenue_trends
    order by week_start
""").toPandas()
display(weeks.tail(6))

mondays = pd.to_datetime(weeks["week_start"])
change = weeks["week_over_week_pct"].astype(float)
colors = ["indianred" if pct < 0 else "seagreen" for pct in change]

figure, (upper, lower) = plt.subplots(2, sharex=True, figsize=(9, 5))
upper.bar(mondays, weeks["revenue"].astype(float), width=6, color="steelblue")
upper.set(title="Revenue a week", ylabel=currency)
upper.yaxis.set_major_formatter(THOUSANDS)
lower.bar(mondays, change, width=6, color=colors)
lower.axhline(0, color="black", linewidth=0.8)
lower.set(title="Change against the week before", xlabel="week, by its Monday", ylabel="%")
plt.show()

# %% [markdown]
# ## Which products sell best?

# %%
products = spark.sql("""
    select
        product_title,
        category,
        category_rank,
        orders,
        units,
        revenue,
        round(average_price, 2) as average_price,
        round(average_discount_pct, 2) as average_discount_pct
    from shop_gold.product_performance
    order by revenue desc
    limit 10
""").toPandas()
display(products)

best_last = products.astype({"revenue": float})[::-1]
axes = best_last.plot.barh("product_title", "revenue", color="steelblue", legend=False)
axes.set(title="The ten products with the highest revenue", xlabel=currency, ylabel="")
axes.xaxis.set_major_formatter(THOUSANDS)
plt.show()

# %% [markdown]
# ## How much do we owe to our best customers?
#
# Tiers follow the lifetime value: revenue so far, and what is expected over the year to come.

# %%
tiers = spark.sql("""
    select
        tier,
        count(*) as customers,
        sum(revenue) as revenue,
        round(avg(lifetime_value), 2) as mean_lifetime_value,
        cast(100 * count(*) / sum(count(*)) over () as double) as customers_pct,
        cast(100 * sum(revenue) / sum(sum(revenue)) over () as double) as revenue_pct
    from shop_gold.customer_lifetime_value
    group by tier
    order by mean_lifetime_value desc
""").toPandas()
display(tiers.round(1))

shares = tiers.set_index("tier")[["customers_pct", "revenue_pct"]]
axes = shares.plot.bar(rot=0, color=["lightsteelblue", "darkblue"])
axes.set(title="Share of each tier", xlabel="tier", ylabel="%")
axes.legend(["customers", "revenue so far"])
plt.show()

# %% [markdown]
# ## What goes together?
#
# The first recommendation for each of the ten best sellers. `confidence` is the share of the orders with the one that
# also hold the other; `lift` above 1 says: more often than by chance.

# %%
pairs = spark.sql("""
    select
        best.product_title as who_buys,
        also.title as also_buys,
        pair_orders,
        round(100 * confidence, 1) as confidence_pct,
        round(lift, 2) as lift
    from shop_gold.product_performance as best
    join shop_gold.product_recommendations as pair using (product_id)
    join shop_silver.products as also on also.product_id = pair.recommended_product_id
    where recommendation_rank = 1
    order by best.revenue desc
    limit 10
""").toPandas()
display(pairs)

# %% [markdown]
# ## What did we believe before?
#
# A table keeps its versions, and each says when it was made, why, and from which versions of the tables before it.
# `medallion history shop.gold.revenue` tells the same on a terminal.

# %%
history = versions("shop.gold.revenue")
display(history[["version", "at", "standing", "technique", "reason", "rows", "reads"]])

# %% [markdown]
# Any of them can be read, by the table's place and `version as of`. These are the last two that readers saw:

# %%
seen = history[history["standing"].isin(["current", "good"])]["version"]
now, before = seen.iloc[0], seen.iloc[:2].iloc[-1]
revenue = path("shop.gold.revenue")

for name, version in (("sales_before", before), ("sales_now", now)):
    then = spark.sql(f"select * from delta.`{revenue}` version as of {version}")
    then.where(is_sale).createOrReplaceTempView(name)

totals = spark.sql(f"""
    select {before} as version, max(order_date) as last_day, sum(orders) as orders, sum(revenue) as revenue
    from sales_before
    union all
    select {now}, max(order_date), sum(orders), sum(revenue)
    from sales_now
""").toPandas()
display(totals)

# %% [markdown]
# New days were added. But which days of the past have another revenue now, because orders came late, were cancelled
# or changed?

# %%
changes = spark.sql("""
    with before as (
        select order_date, sum(orders) as orders, sum(revenue) as revenue
        from sales_before
        group by order_date
    ), now as (
        select order_date, sum(orders) as orders, sum(revenue) as revenue
        from sales_now
        group by order_date
    )
    select
        order_date,
        before.revenue as revenue_before,
        now.revenue as revenue_now,
        now.orders - before.orders as orders_added,
        now.revenue - before.revenue as revenue_added
    from before
    join now using (order_date)
    where now.revenue <> before.revenue
    order by order_date
""").toPandas()
display(changes)

figure, axes = plt.subplots()
days = pd.to_datetime(changes["order_date"])
axes.bar(days, changes["revenue_added"].astype(float), width=1.5, color="steelblue")
axes.axhline(0, color="black", linewidth=0.8)
axes.set(title=f"Revenue of past days: version {now} less version {before}")
axes.set(xlabel="day of the order", ylabel=currency)
plt.show()
