"""The audit: ten invariants held against versions that are pinned first; it reads, and writes nothing.

What could not be looked at is said to be *not checked*, never to be well. A module a group of invariants; each takes
what is pinned (`pins`) and a `Result` to note down what it found, and what it did not look at.
"""
