"""The heavy libraries: imported without looking for garbage, and left out where a worker has no use for one."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from studio.libraries import heavy_imports

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_is_looked_through_within_and_all_is_as_before_after_it() -> None:
    with heavy_imports():
        assert not gc.isenabled()
    assert gc.isenabled() and gc.get_freeze_count() > 0
    with pytest.raises(ImportError), heavy_imports():
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with heavy_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_without_bitsandbytes_no_library_finds_it() -> None:
    """In a process of its own, as it holds for all of one."""
    asked = """
from studio.libraries import do_without_bitsandbytes
do_without_bitsandbytes()
import peft, sys, transformers
from peft.import_utils import is_bnb_available
print(is_bnb_available(), transformers.utils.is_bitsandbytes_available(), "torch._inductor.compile_fx" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False", "False"]
