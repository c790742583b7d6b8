"""One of the processes that train a run: python -m backend.training FOLDER (backend/keeper.py starts it)."""

from backend.keeper import live
from backend.train import main

live(main)
