"""Datasets: a file as it came becomes a frozen version of rows with ids.

`readers.py` reads any file as records, `formats.py` recognises what they are, `mapping.py` turns a record into what is
learned, `rows.py` names it, `split.py` chooses its side, `importing.py` does it all in order, `store.py` reads it back.
"""
