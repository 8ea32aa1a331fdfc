"""The starter model made anew: one command over declared sources (recipe.toml)."""
