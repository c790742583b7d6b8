"""Compare."""

from __future__ import annotations

import gradio as gr

from studio.workspace import Workspace


def build(workspace: Workspace) -> None:
    gr.HTML("<ft-compare></ft-compare>", apply_default_css=False)
