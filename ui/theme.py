"""The look of Gradio's own components; everything else is in assets/page/studio.css.

The colours are those of the style sheet: one neutral scale, teal for what is tuned, slate-blue for the base.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, sizes
from gradio.themes.utils.fonts import LocalFont

TUNED = colors.Color(
    c50="#ecf8f5", c100="#d2efe8", c200="#a6dfd2", c300="#70c8b5", c400="#3bb59d", c500="#179a82",
    c600="#0f7a68", c700="#0d6456", c800="#0c5046", c900="#0b433b", c950="#052722", name="tuned",
)  # fmt: skip
NEUTRAL = colors.Color(
    c50="#f7f8f9", c100="#eef1f3", c200="#dfe4e8", c300="#c6ced5", c400="#93a1ae", c500="#5d6b7a",
    c600="#4a5663", c700="#364049", c800="#232c35", c900="#1a2129", c950="#12181e", name="ink",
)  # fmt: skip


def theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=TUNED,
        secondary_hue=TUNED,
        neutral_hue=NEUTRAL,
        text_size=sizes.text_md,
        spacing_size=sizes.spacing_md,
        radius_size=sizes.radius_md,
        # Gradio's semi-bold files hold no Latin letters, so bold stands in for it.
        font=(LocalFont("IBM Plex Sans", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=(LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "Consolas", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="#1c2733",
        body_text_color_dark="#e8edf1",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="#9aa8b5",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_950",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="#2a343e",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#2a343e",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="#9aa8b5",
        block_title_text_color="#1c2733",
        block_title_text_color_dark="#e8edf1",
        block_title_text_weight="600",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="#9aa8b5",
        input_background_fill="#ffffff",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="#3a4651",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="#3a4651",
        button_large_text_weight="600",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        error_text_color="#a3261c",
        error_text_color_dark="#ff9a8f",
    )
