"""One calm theme: one accent, one neutral scale, system fonts, a 4/8 px grid, light and dark.

The tokens live in `assets/tokens.css`; Gradio's own components are pointed at the same tokens here.
"""

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")

_TOKENS = {
    "body_background_fill": "ground",
    "body_text_color": "ink",
    "body_text_color_subdued": "ink-soft",
    "background_fill_primary": "surface",
    "background_fill_secondary": "ground",
    "block_background_fill": "surface",
    "block_border_color": "line",
    "block_label_text_color": "ink-soft",
    "block_title_text_color": "ink",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent": "accent",
    "color_accent_soft": "accent-soft",
    "link_text_color": "accent",
    "link_text_color_hover": "accent",
    "link_text_color_active": "accent",
    "link_text_color_visited": "accent",
    "input_background_fill": "surface",
    "input_border_color": "line-strong",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_text_color": "on-accent",
    "button_secondary_background_fill": "surface",
    "button_secondary_text_color": "ink",
    "error_background_fill": "surface",
    "error_border_color": "line-strong",
    "error_text_color": "ink",
    "loader_color": "accent",
}


def theme() -> gr.themes.Base:
    """Gradio's bare theme, painted with the page's tokens; they change with dark mode by themselves."""
    base = gr.themes.Base(
        primary_hue="neutral",
        secondary_hue="neutral",
        neutral_hue="neutral",
        spacing_size="md",
        radius_size="md",
        text_size="md",
        font=SANS,
        font_mono=MONO,
    )
    painted = {name: f"var(--fk-{token})" for name, token in _TOKENS.items()}
    painted |= {f"{name}_dark": value for name, value in painted.items() if hasattr(base, f"{name}_dark")}
    return base.set(**painted, block_border_width="0px", block_shadow="none", block_padding="0px")
