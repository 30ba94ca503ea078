"""Graphs with one thing changed, for tests of what is read off a graph."""

from dataclasses import replace

from litegate.spec import Recipe


def tensor(graph, name):
    """The tensor of that name in the main graph."""
    return next(one for one in graph.main.tensors if one.name == name)


def altered(graph, name, **fields):
    """The graph with other fields in the tensor `name`."""
    changed = tuple(
        replace(one, **fields) if one.name == name else one for one in graph.main.tensors
    )
    return replace(graph, subgraphs=(replace(graph.main, tensors=changed),))


def renamed(graph, number, name):
    """The graph with another operator in the place of operator `number`."""
    changed = tuple(
        replace(one, name=name) if one.index == number else one for one in graph.main.operators
    )
    return replace(graph, subgraphs=(replace(graph.main, operators=changed),))


def recipe(kind):
    return Recipe(name=kind.value, kind=kind)
