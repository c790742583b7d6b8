"""The data doctor: what is wrong with the rows of a dataset, how many, why it matters, and what would mend it.

Each family of findings is a module with a check that looks at every row once; `examination.py` takes them over the
rows, `report.py` keeps what they found, `remedies.py` turns a finding into reviews. Nothing here changes a row.
"""
