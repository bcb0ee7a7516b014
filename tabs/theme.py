"""How the page looks: Gradio's theme values here, the rest in ``assets/theme``. System fonts only, so nothing is fetched for them."""

from pathlib import Path

import gradio as gr

from rvc.paths import ASSETS

FOLDER = ASSETS / "theme"
CSS: tuple[Path, ...] = (FOLDER / "studio.css",)
SCRIPT = FOLDER / "studio.js"
FAVICON = FOLDER / "timbre.svg"

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK JP", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]

INK = gr.themes.Color(name="ink", c50="#eef6f5", c100="#d5e9e7", c200="#add4d0", c300="#7db9b4", c400="#4d9a95", c500="#2f7f7b",
                      c600="#236663", c700="#1e5351", c800="#1b4341", c900="#183836", c950="#0b2120")
PAPER = gr.themes.Color(name="paper", c50="#faf9f7", c100="#f3f1ee", c200="#e6e3de", c300="#d3cfc8", c400="#a5a099", c500="#78736c",
                        c600="#57534e", c700="#403d39", c800="#292624", c900="#1c1a19", c950="#131211")

WAVE = {"waveform_color": "#7db9b4", "waveform_progress_color": "#236663"}  # INK, which the browser's canvas does not know by name


def theme() -> gr.themes.Base:
    base = gr.themes.Base(primary_hue=INK, secondary_hue=INK, neutral_hue=PAPER, font=FONT, font_mono=MONO,
                          radius_size=gr.themes.sizes.radius_md, text_size=gr.themes.sizes.text_md)
    return base.set(
        body_background_fill="*neutral_50", body_background_fill_dark="*neutral_950",
        background_fill_primary_dark="*neutral_900", background_fill_secondary_dark="*neutral_950",
        block_background_fill="white", block_background_fill_dark="*neutral_900",
        block_border_width="1px", block_border_color="*neutral_200", block_border_color_dark="*neutral_800",
        block_shadow="none", block_shadow_dark="none",
        block_label_background_fill="transparent", block_label_background_fill_dark="transparent",
        block_label_border_width="0px", block_label_border_width_dark="0px", block_label_text_color="*neutral_600",
        block_title_text_weight="600", block_title_text_color="*neutral_700", block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_500", block_info_text_color_dark="*neutral_400",
        input_background_fill="*neutral_50", input_background_fill_dark="*neutral_950",
        input_border_width="1px", input_border_width_dark="1px", input_border_color="*neutral_200", input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500", input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500", button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="white", button_primary_text_color_dark="white",
        button_secondary_background_fill="white", button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800", button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300", button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px", button_large_text_weight="600", button_transition="background-color .15s, border-color .15s",
        slider_color="*primary_500", slider_color_dark="*primary_400",
        checkbox_label_background_fill="*neutral_50", checkbox_label_background_fill_dark="*neutral_950",
        checkbox_label_background_fill_selected="*primary_50", checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_background_color_selected="*primary_600", checkbox_border_color_selected="*primary_600",
    )


def head() -> str:
    """Into the page's head: the few lines of script that Gradio has no component for."""
    return f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
