"""Data."""

from __future__ import annotations

import gradio as gr

from studio.workspace import Workspace


def build(workspace: Workspace) -> None:
    gr.HTML("<ft-data></ft-data>", apply_default_css=False)
