"""What `launch.py benchmark NAME` measures, one module a name; `studio/benchmarks.py` lists them."""
