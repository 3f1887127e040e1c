"""Declared types, partitions and properties as Iceberg holds them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medflow.errors import DeclarationError
from medflow.lakehouse.schema import (
    iceberg_schema,
    iceberg_type,
    normal_type,
    partition_spec,
    sort_order,
    spark_type,
    table_properties,
)
from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from medflow.specs.table import Column
from tests.lakehouse.small_lake import table

ATOMS = st.sampled_from(["string", "int", "bigint", "double", "boolean", "date", "timestamp", "decimal(12,2)", "decimal(38, 0)"])
NAMES = st.sampled_from(["rule_id", "column", "message", "a"])


def _wider(inner):
    structs = st.dictionaries(NAMES, inner, min_size=1).map(
        lambda fields: f"struct<{', '.join(f'{name}: {kind}' for name, kind in fields.items())}>"
    )
    maps = st.tuples(st.just("string"), inner).map(lambda pair: f"map<{pair[0]}, {pair[1]}>")
    return inner.map(lambda kind: f"ARRAY<{kind}>") | maps | structs


@given(st.recursive(ATOMS, _wider, max_leaves=6))
def test_every_type_comes_back_from_iceberg(text):
    """Spark text to Iceberg and back is the same text in one spelling, however nested."""
    assert spark_type(iceberg_type(text)) == normal_type(text)


@pytest.mark.parametrize("text", ["float", "decimal(12)", "array<string", "array<int,int>", "map<string>", "struct<a>", "", "set<int>"])
def test_other_types_are_problems_all_at_once(text):
    """Each wrong column is named, with what is allowed."""
    columns = (Column(name="fine", type="int"), Column(name="wrong", type=text), Column(name="also", type="varchar"))
    with pytest.raises(DeclarationError, match="allowed: string") as error:
        iceberg_schema(table("toy.t", columns=columns))
    assert [problem.split(":")[0] for problem in error.value.problems] == ["toy.t.also", "toy.t.wrong"]


def test_every_declared_table_has_an_iceberg_shape():
    """All shipped declarations convert; every column is optional, ids run from 1 and are told apart."""
    knowledge_base = load_knowledge_base(packaged_knowledge_base())
    for spec in knowledge_base.table_specs:
        schema = iceberg_schema(spec)
        ids = [schema.find_field(name).field_id for name in schema.column_names]
        assert [field.name for field in schema.columns] == list(spec.column_names)
        assert [field.field_id for field in schema.columns] == list(range(1, len(spec.columns) + 1))
        assert len(set(ids)) == len(ids) and not any(field.required for field in schema.columns)
        assert len(partition_spec(spec, schema).fields) == len(spec.partition)
        assert len(sort_order(spec, schema).fields) == len(spec.sort)


def test_partitions_have_the_names_that_spark_gives():
    """A column by itself, or column and transform."""
    spec = table("toy.t", "payer", "day(day)")
    fields = partition_spec(spec, iceberg_schema(spec)).fields
    assert [(field.name, str(field.transform)) for field in fields] == [("payer", "identity"), ("day_day", "day")]


def test_private_columns_leave_no_statistics():
    """Also below a map or list; other columns keep theirs."""
    columns = (
        Column(name="raw", type="string", private=True),
        Column(name="fields", type="map<string,string>", private=True),
        Column(name="open", type="string"),
    )
    spec = table("toy.t", columns=columns)
    hidden = {name for name, mode in table_properties(spec, iceberg_schema(spec)).items() if mode == "none"}
    modes = "write.metadata.metrics.column."
    assert hidden == {f"{modes}{name}" for name in ("raw", "fields", "fields.key", "fields.value")}
