"""Draw plots as small SVG or HTML: each function turns plain values into markup.

By hand, with the few primitives of `svg`, and not with a plotting library. A chart must fit a phone
and a desktop without a script, with letters of one size, and take light and dark colours from the
page's style sheet. SVG of a library has a fixed size, with which its letters shrink, and its
colours are written into it, so that light and dark would need two copies. Measured side by side:
a chart of recipes is 2.1 KB here and takes 0.4 ms (matplotlib 14.7 KB and 312 ms, Vega-Lite by
vl-convert 12.3 KB and 224 ms); training curves of three files over 30 epochs 4.0 KB and 10 ms
(13.3 KB and 254 ms; 18.8 KB and 300 ms). A page of one model has about a dozen. Nothing is
imported for it (matplotlib takes seconds and 35 MB on disk, vl-convert 88 MB), and the same values
give the same bytes, which the tests of the page compare.
"""
