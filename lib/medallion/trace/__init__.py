"""Where a figure comes from: from a row down to the payloads behind it, and the row made anew from these alone.

Everything is computed: from the versions that commits say they were made from, from what tables declare, and from
the record ids that silver rows carry. Nothing is stored for it that could disagree with the data.
"""
