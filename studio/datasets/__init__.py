"""Datasets: a file as it came becomes a frozen version of rows with ids, which people look at, mend and share out.

The way of a row: `reading/` opens any file as records, `importing/` makes rows of them and freezes version 1,
`store.py` reads a version back, `browsing/` shows it, `reviewing/` keeps what people do to its rows, `splitting/`
chooses their sides, `versions/` freezes all that as the next version, `mixing/` joins datasets, `saving/` takes one
elsewhere.
`rows.py` says what a row is; `additions.py` keeps rows that are in no version yet, `writing.py` has a model write them.
"""
