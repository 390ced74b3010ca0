"""Queries and jobs of memory.py."""

from typing import NamedTuple


class Query(NamedTuple):
    """`{texts}` stands for a table. Without `peer` DuckDB runs the same SQL; where it is empty, DuckDB has nothing like it."""

    name: str
    sql: str
    ordered: bool = False
    peer: str | None = None
    to: str = "parquet"


def minhash(table):
    return f"SELECT id, keep, duplicate_of FROM minhash_dedup((SELECT id, text FROM {table}), text => text, id => id, threshold => 0.7, unit => 'word')"


IS_FIRST = "SELECT id, row_number() OVER (PARTITION BY text ORDER BY id) = 1 AS keep FROM {texts}"

QUERIES = [
    # Sorts
    Query("sort texts", "SELECT * FROM {texts} ORDER BY text, id", True),
    Query("sort texts, three keys", "SELECT * FROM {texts} ORDER BY kind, text DESC, id", True),
    Query("sort texts by length", "SELECT * FROM {texts} ORDER BY length(text), id", True),
    Query("sort texts, limit 50,000", "SELECT * FROM {texts} ORDER BY text, id LIMIT 50000", True),
    Query("top 100 texts", "SELECT * FROM {texts} ORDER BY text DESC, id LIMIT 100", True),
    Query("sort long", "SELECT * FROM {long} ORDER BY name DESC, id", True),
    Query("sort huge", "SELECT * FROM {huge} ORDER BY text", True),
    Query("sort wide", "SELECT * FROM {wide} ORDER BY s7, id", True),
    Query("sort vectors", "SELECT * FROM {vectors} ORDER BY label, id", True),
    Query("sort nested", "SELECT * FROM {nested} ORDER BY key, id", True),
    # DISTINCT and groups
    Query("distinct texts", "SELECT DISTINCT text FROM {texts}"),
    Query("distinct names", "SELECT DISTINCT name FROM {long}"),
    Query("distinct wide rows", "SELECT DISTINCT * FROM {wide}"),
    Query("distinct lists", "SELECT DISTINCT tags FROM {nested}"),
    Query("group by name", "SELECT name, count(*) AS n, max(id) AS last FROM {long} GROUP BY name"),
    Query("group by hash, max(text)", "SELECT sha256(text) AS hash, max(text) AS text FROM {texts} GROUP BY sha256(text)"),
    Query("group wide, 50 aggregates", "SELECT key, " + ", ".join(f"max(s{at}) AS s{at}" for at in range(50)) + " FROM {wide} GROUP BY key"),
    Query("count distinct texts", "SELECT count(DISTINCT text) AS n FROM {texts}"),
    Query("count distinct by kind", "SELECT kind, count(DISTINCT text) AS n FROM {texts} GROUP BY kind"),
    Query("array_agg of ids by text", "SELECT text, array_agg(id ORDER BY id) AS ids FROM {texts} GROUP BY text"),
    Query("string_agg of texts", "SELECT id % 20011 AS part, string_agg(text, ' ' ORDER BY id) AS texts FROM {texts} GROUP BY id % 20011"),
    Query("array_agg of structs", "SELECT key, array_agg(meta ORDER BY id) AS metas FROM {nested} GROUP BY key"),
    # Windows
    Query("row_number by text", "SELECT id, row_number() OVER (PARTITION BY text ORDER BY id) AS n FROM {texts}"),
    Query("frame of 20 rows", "SELECT id, max(text) OVER (ORDER BY id ROWS BETWEEN 10 PRECEDING AND 10 FOLLOWING) AS most FROM {texts}"),
    Query("lag and lead", "SELECT id, lag(name) OVER (ORDER BY key) AS before, lead(name, 2) OVER (ORDER BY key) AS after FROM {long}"),
    Query("whole partitions", "SELECT id, text, max(length(text)) OVER (PARTITION BY kind) AS longest FROM {texts}"),
    Query("shares of all rows", "SELECT id, name, count(*) OVER () AS n, max(key) OVER () AS most FROM {long}"),
    # Joins and sets
    Query("join on text", "SELECT a.id, b.id AS other FROM {texts} a JOIN {texts} b ON a.text = b.text AND a.id < b.id AND a.id % 50 = 0"),
    Query("left join", "SELECT a.id, b.name FROM {long} a LEFT JOIN {long} b ON a.key = b.id"),
    Query("full join, wide", "SELECT a.id, b.id AS other, a.s1, b.s2 FROM {wide} a FULL JOIN {wide} b ON a.id = b.key"),
    Query("semi join, nested", "SELECT * FROM {nested} WHERE id IN (SELECT key FROM {nested})"),
    Query("anti join", "SELECT a.* FROM {texts} a WHERE NOT EXISTS (SELECT 1 FROM {long} b WHERE b.key = a.id AND b.id % 3 = 0)"),
    Query("not in", "SELECT id FROM {texts} WHERE text NOT IN (SELECT text FROM {texts} WHERE kind = 3)"),
    Query("union of texts", "SELECT text FROM {texts} WHERE kind < 4 UNION SELECT text FROM {texts} WHERE kind > 2"),
    Query("intersect", "SELECT text FROM {texts} WHERE kind < 4 INTERSECT SELECT text FROM {texts} WHERE kind > 2"),
    Query("except", "SELECT key FROM {long} EXCEPT SELECT id * 3 FROM {long}"),
    # Operators
    Query("exact_dedup", "SELECT id, keep FROM exact_dedup({texts}, text => text, id => id)", peer=IS_FIRST),
    Query("minhash_dedup", minhash("{texts}"), peer=""),
    Query("semantic_dedup", "SELECT id, keep FROM semantic_dedup((SELECT id, vector FROM {vectors}), vector => vector, id => id, threshold => 0.95)", peer=""),
    Query("kmeans", "SELECT n, centroid FROM kmeans((SELECT id, vector FROM {vectors}), vector => vector, id => id, k => 20, iterations => 5)", peer=""),
    # Other files
    Query("JSON lines, sorted to them", "SELECT * FROM {nested.jsonl} ORDER BY key, id", True, to="jsonl"),
    Query("CSV, sorted to it", "SELECT * FROM {texts.csv} ORDER BY text, id", True, to="csv"),
    Query("Parquet to JSON lines", "SELECT * FROM {huge}", True, to="jsonl"),
    Query("CSV to Parquet", "SELECT id, text FROM {texts.csv} WHERE kind <> 3"),
]


class Job(NamedTuple):
    """A job: its source, and its lines from `text` or `steps` on."""

    name: str
    source: str
    yaml: str
    sink: str = "parquet"


JOBS = [
    Job("job: rules, exact", "texts", """text: text
steps:
  - { name: some, sql: "SELECT id, kind, text FROM input WHERE kind <> 3" }
  - { name: rules, rules: { short: length(text) > 300 } }
  - { name: exact, recipe: exact_dedup }
"""),
    Job("job: no keep column", "texts", """text: text
steps:
  - { name: some, sql: "SELECT id, upper(text) AS text FROM input WHERE kind <> 3" }
  - { name: again, sql: "SELECT id, text, length(text) AS size FROM input" }
"""),
    Job("job: fuzzy", "texts", """text: text
steps:
  - { name: fuzzy, recipe: minhash_dedup }
""", "jsonl"),
    Job("job: CSV", "texts.csv", """text: text
steps:
  - { name: rules, rules: { short: length(text) > 300 } }
""", "csv"),
    Job("job: wide", "wide", """steps:
  - { name: some, sql: SELECT * FROM input WHERE key % 3 <> 0 }
"""),
    Job("job: nested", "nested.jsonl", """steps:
  - { name: some, sql: SELECT * FROM input WHERE key % 3 <> 0 }
"""),
]
