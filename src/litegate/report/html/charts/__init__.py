"""Plots as small SVG or HTML, a function each: plain values in, markup out."""
