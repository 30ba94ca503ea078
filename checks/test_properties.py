"""Check properties for any input in the declared domain, not only for the test samples."""

import pytest

from litegate.measures.properties import PROPERTIES, property_violations


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.name)
def test_property_holds_for_any_input(candidate, prop, keep, require):
    """No input of the declared domain breaks the property."""
    require(property_violations(candidate, prop, keep=keep) <= 0)
