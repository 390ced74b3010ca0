"""DuckDB: exact copies only (it has no near-duplicate operator), the first id of equal texts survives."""

import duckdb
from common import arguments

a = arguments(__doc__)
duckdb.sql(f"""
    COPY (SELECT id, min(id) OVER same AS cluster, id = min(id) OVER same AS keep
          FROM (SELECT id, md5(text) AS h FROM '{a.input}') WINDOW same AS (PARTITION BY h))
    TO '{a.output}' (FORMAT parquet)""")
