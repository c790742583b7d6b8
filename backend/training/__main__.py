"""One of the processes that train a run: python -m backend.training FOLDER (backend/keeper.py starts it)."""

import sys
from pathlib import Path

from backend.keeper import live
from backend.train import main
from backend.training.settings import needs_bitsandbytes
from studio.libraries import do_without_bitsandbytes

if not needs_bitsandbytes(Path(sys.argv[1])):
    do_without_bitsandbytes()
live(main)
