import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MasteryError
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.schemas.registry_errors import RegistryUnavailable, UnknownSchema

ONE = KnownSchema("a-value", 1, 11, '"string"')
TWO = KnownSchema("a-value", 2, 12, '"long"')
OTHER = KnownSchema("b-value", 1, 21, '"int"')


@given(
    st.lists(
        st.builds(
            KnownSchema,
            st.sampled_from(["a", "b", "c"]),
            st.integers(1, 5),
            st.integers(1, 2**31 - 1),
            st.just("{}"),
        ),
        unique_by=(lambda known: known.schema_id, lambda known: (known.subject, known.version)),
    )
)
def test_everything_put_in_is_found_every_way(schemas):
    catalogue = SchemaCatalogue(schemas)
    assert catalogue.subjects() == sorted({known.subject for known in schemas})
    assert catalogue.schemas() == sorted(schemas, key=lambda known: (known.subject, known.version))
    for known in schemas:
        assert catalogue.by_id(known.schema_id) == known.text
        assert catalogue.version(known.subject, known.version) == known
        assert known.version in catalogue.versions(known.subject)
    for subject in catalogue.subjects():
        assert list(catalogue.versions(subject)) == sorted(catalogue.versions(subject))


@pytest.mark.parametrize(
    "look_up",
    [
        lambda catalogue: catalogue.by_id(99),
        lambda catalogue: catalogue.versions("z-value"),
        lambda catalogue: catalogue.version("a-value", 9),
        lambda catalogue: catalogue.version("z-value", 1),
    ],
)
def test_what_is_not_there_is_an_unknown_schema(look_up):
    with pytest.raises(UnknownSchema) as unknown:
        look_up(SchemaCatalogue([ONE]))
    assert isinstance(unknown.value, KeyError)
    assert isinstance(unknown.value, MasteryError)
    assert not str(unknown.value).startswith("'")


def test_the_unknown_is_looked_for_where_schemas_are_kept():
    catalogue = SchemaCatalogue([ONE], lambda: [ONE, TWO, OTHER])
    assert catalogue.versions("a-value") == [1]
    assert catalogue.by_id(12) == TWO.text
    assert catalogue.versions("a-value") == [1, 2]
    assert catalogue.subjects() == ["a-value", "b-value"]


def test_what_is_known_asks_nobody():
    def never() -> list[KnownSchema]:
        raise AssertionError

    catalogue = SchemaCatalogue([ONE], never)
    assert catalogue.by_id(11) == ONE.text
    assert catalogue.version("a-value", 1) == ONE


def test_many_that_ask_for_the_unknown_ask_the_keeper_once():
    asked = []
    catalogue = SchemaCatalogue([ONE], lambda: asked.append(1) or [ONE], reload_interval=60)

    def ask() -> None:
        with pytest.raises(UnknownSchema):
            catalogue.by_id(99)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_after_the_interval_the_keeper_is_asked_again():
    kept = [ONE]
    catalogue = SchemaCatalogue([ONE], lambda: list(kept), reload_interval=0)
    with pytest.raises(UnknownSchema):
        catalogue.by_id(12)
    kept.append(TWO)
    assert catalogue.by_id(12) == TWO.text


def test_a_keeper_that_does_not_answer_is_not_a_schema_that_does_not_exist():
    def down() -> list[KnownSchema]:
        raise RegistryUnavailable("down")

    catalogue = SchemaCatalogue([ONE], down, reload_interval=60)
    for _ in range(2):  # also while nobody is asked again
        with pytest.raises(RegistryUnavailable):
            catalogue.by_id(99)
    assert catalogue.by_id(11) == ONE.text
