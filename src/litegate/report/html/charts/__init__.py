"""Draw plots as small SVG or HTML: each function turns plain values into markup."""
