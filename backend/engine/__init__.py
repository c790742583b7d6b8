"""The inference engine: base and tuned models answer side by side, in one process.

`generation.py` makes tokens, `weights.py` holds the models, `engine.py` answers, `server.py` serves it over loopback.
"""

import os

# Before anything imports torch or the hub's library: both read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Threads that wait for each other asleep instead of spinning: on a machine that does something else as well, spinning
# made two threads up to 20 times slower than one (a prefill of 60 tokens 6.4 s instead of 0.26 s).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
