"""Training: what `backend/train.py` goes through, in its order.

`load.py` makes the model, `prepare.py` turns rows into updates of forward passes, `trainer.py` learns from them,
`attention.py` and `loss.py` are the mathematics of one pass, `watching.py` measures and samples at each check,
`checkpoints.py` keeps resume points, `report.py` keeps figures and per-row losses, `result.py` writes what was learned.
"""
