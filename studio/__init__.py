"""The language of the product: settings, datasets, batches, runs, events, jobs, workspace.

Nothing in here imports torch, transformers or gradio; `ui` and `backend` both stand on it.
"""

__version__ = "0.1.0"
