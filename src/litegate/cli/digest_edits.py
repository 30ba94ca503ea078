"""Edit digests in a syntax tree, and keep all else: comments, quotes, line ends, tabs.

Between two elements libcst stores the white space and comments in the comma before; after the last
one, in the closing brace. Here all of it is a list of gaps: one before each element, and the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libcst as cst

from litegate.cli.model_source import ARGUMENT, Declared, key_of, keywords

Gap = cst.BaseParenthesizableWhitespace


def with_digests(declared: Declared, digests: Mapping[str, str]) -> bytes:
    """Return the source with these digests in the place of the declared ones."""
    node, source = declared.node, declared.source
    if isinstance(node, cst.Dict):
        edited: cst.CSTNode = _edited(node, digests, _indentation(declared, node))
    else:
        indentation = _indentation(declared, keywords(node)[-1])
        call = node
        if not any(character in source.module.code_for_node(call) for character in "\r\n"):
            call = _in_lines(call, indentation)
            start, level = indentation
            indentation = level, level + level.removeprefix(start)
        edited = _with_argument(call, digests, indentation)
    changed = source.module.deep_replace(node, edited)
    return cst.ensure_type(changed, cst.Module).bytes


def _indentation(declared: Declared, node: cst.CSTNode) -> tuple[str, str]:
    """Return the white space at the start of a node's line, and that of one level more."""
    module = declared.source.module
    text = module.code.splitlines()[declared.source.line(node) - 1]
    start = text[: len(text) - len(text.lstrip())]
    return start, start + ("\t" if "\t" in start else module.default_indent)


def _edited(node: cst.Dict, digests: Mapping[str, str], indentation: tuple[str, str]) -> cst.Dict:
    elements = list(node.elements)
    gaps = _gaps(node)
    for index in reversed(range(len(elements))):
        if key_of(elements[index]) not in digests:
            is_last = index == len(elements) - 1
            gaps[index : index + 2] = [_merged(gaps[index], gaps[index + 1], is_last=is_last)]
            del elements[index]
    declared = [_with_value(element, digests[key_of(element)]) for element in elements]
    known = {key_of(element) for element in declared}
    added = [_element(name, digest) for name, digest in digests.items() if name not in known]
    if added:
        gaps = _stretched(gaps, len(added), indentation)
    return _dictionary(
        [*declared, *added], gaps, has_trailing_comma=_has_trailing_comma(node, added)
    )


def _gaps(node: cst.Dict) -> list[Gap]:
    commas = [element.comma for element in node.elements[:-1]]
    between = [comma.whitespace_after for comma in commas if isinstance(comma, cst.Comma)]
    if not node.elements:
        opening = node.lbrace.whitespace_after
        is_empty = isinstance(opening, cst.SimpleWhitespace)
        return [node.rbrace.whitespace_before if is_empty else opening]
    return [node.lbrace.whitespace_after, *between, node.rbrace.whitespace_before]


def _merged(before: Gap, after: Gap, *, is_last: bool) -> Gap:
    """Return the gap in the place of an element and the gaps around it.

    Comments on lines of their own stay; the one at the end of the element's line goes with it.
    """
    if isinstance(before, cst.ParenthesizedWhitespace) and isinstance(
        after, cst.ParenthesizedWhitespace
    ):
        return after.with_changes(
            first_line=before.first_line, empty_lines=[*before.empty_lines, *after.empty_lines]
        )
    if isinstance(after, cst.ParenthesizedWhitespace):
        return after
    return after if is_last and isinstance(before, cst.SimpleWhitespace) else before


def _stretched(gaps: Sequence[Gap], count: int, indentation: tuple[str, str]) -> list[Gap]:
    """Return the gaps of a dictionary with `count` more elements at its end, each on its line."""
    *inner, last = gaps
    outer, level = indentation
    broken = [gap for gap in inner if isinstance(gap, cst.ParenthesizedWhitespace)]
    line = _line_break(level)
    if broken:
        line = line.with_changes(indent=broken[0].indent, last_line=broken[0].last_line)
    elif inner:
        inner = [line] * len(inner)
    first, end = line, _line_break(outer)
    if isinstance(last, cst.ParenthesizedWhitespace):  # its comments belong to what is before them
        first = last.with_changes(indent=line.indent, last_line=line.last_line)
        end = end.with_changes(indent=last.indent, last_line=last.last_line)
    return [*inner, first, *[line] * (count - 1), end]


def _line_break(indentation: str) -> cst.ParenthesizedWhitespace:
    return cst.ParenthesizedWhitespace(
        first_line=cst.TrailingWhitespace(),
        indent=False,
        last_line=cst.SimpleWhitespace(indentation),
    )


def _has_trailing_comma(node: cst.Dict, added: Sequence[cst.DictElement]) -> bool:
    old = node.elements and isinstance(node.elements[-1].comma, cst.Comma)
    return bool(added or old)


def _dictionary(
    elements: Sequence[cst.BaseDictElement], gaps: Sequence[Gap], *, has_trailing_comma: bool
) -> cst.Dict:
    commas: list[cst.Comma | cst.MaybeSentinel] = [
        cst.Comma(whitespace_after=gap) for gap in gaps[1:-1]
    ]
    commas.append(cst.Comma() if has_trailing_comma else cst.MaybeSentinel.DEFAULT)
    opening, closing = (gaps[0] if elements else cst.SimpleWhitespace("")), gaps[-1]
    return cst.Dict(
        [e.with_changes(comma=comma) for e, comma in zip(elements, commas, strict=False)],
        lbrace=cst.LeftCurlyBrace(whitespace_after=opening),
        rbrace=cst.RightCurlyBrace(whitespace_before=closing),
    )


def _element(name: str, digest: str) -> cst.DictElement:
    return cst.DictElement(_string(name), _string(digest))


def _string(text: str, quote: str = '"') -> cst.SimpleString:
    shown = repr(text)[1:-1].replace(quote, f"\\{quote}") if quote in text else repr(text)[1:-1]
    return cst.SimpleString(f"{quote}{shown}{quote}")


def _with_value(element: cst.BaseDictElement, digest: str) -> cst.BaseDictElement:
    """Return the element with this digest, in the quotes of the old one."""
    old = element.value if isinstance(element, cst.DictElement) else None
    if not isinstance(old, cst.SimpleString):
        return element.with_changes(value=_string(digest))
    if old.evaluated_value == digest:
        return element
    return element.with_changes(value=_string(digest, old.quote))


def _in_lines(call: cst.Call, indentation: tuple[str, str]) -> cst.Call:
    """Return a call that stands on one line with each argument on a line of its own."""
    outer, level = indentation
    gaps = [_line_break(level)] * (len(call.args) - 1) + [_line_break(outer)]
    args = [
        arg.with_changes(
            comma=cst.Comma(whitespace_after=gap), whitespace_after_arg=cst.SimpleWhitespace("")
        )
        for arg, gap in zip(call.args, gaps, strict=True)
    ]
    return call.with_changes(args=args, whitespace_before_args=_line_break(level))


def _with_argument(
    call: cst.Call, digests: Mapping[str, str], indentation: tuple[str, str]
) -> cst.Call:
    """Return the call with the digests as the last but one argument.

    The last one keeps what closes the call: a trailing comma or none, comments, the parenthesis.
    """
    *before, last = call.args
    comma = before[-1].comma if before else None
    gap = comma.whitespace_after if isinstance(comma, cst.Comma) else call.whitespace_before_args
    line: Gap = cst.SimpleWhitespace(" ")
    if isinstance(gap, cst.ParenthesizedWhitespace):
        line, gap = (
            gap.with_changes(first_line=cst.TrailingWhitespace()),
            gap.with_changes(empty_lines=[]),
        )
    gaps = _stretched([cst.SimpleWhitespace("")], len(digests), indentation)
    value = _dictionary(
        [_element(*pair) for pair in digests.items()], gaps, has_trailing_comma=True
    )
    new = cst.Arg(
        value,
        keyword=cst.Name(ARGUMENT),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
        comma=cst.Comma(whitespace_after=line),
    )
    if not before:
        return call.with_changes(args=[new, last], whitespace_before_args=gap)
    before[-1] = before[-1].with_changes(comma=cst.Comma(whitespace_after=gap))
    return call.with_changes(args=[*before, new, last])
