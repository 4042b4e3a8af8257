"""Instructions with the alert's values filled in: what is known, what is missing, and what is the shell's own."""

import pytest

from servicedesk.domain.parameters import Parameter, fill_text, resolve

PARAMETERS = (Parameter("ns", "name", ("namespace",)), Parameter("pod", "name", ("pod",)))
TEXT = 'NS=${ns} POD=${pod}; echo "${HOME}" $${ns}'


@pytest.mark.feature("P2")
def test_known_values_are_filled_in_and_the_rest_stays() -> None:
    values = resolve(PARAMETERS, {"namespace": "shop", "pod": "x; rm -rf /"})
    assert fill_text(TEXT, PARAMETERS, values) == 'NS=shop POD=<pod>; echo "${HOME}" ${ns}'


def test_without_parameters_nothing_changes() -> None:
    assert fill_text(TEXT, (), resolve((), {})) == TEXT
