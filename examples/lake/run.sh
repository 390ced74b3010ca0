#!/bin/sh
# A lake of tables derived from one another: listed, compared, planned, set aside, brought back.
#   examples/lake/run.sh [FOLDER]        LIMPID names the program
set -eu
limpid=${LIMPID:-limpid}
folder=${1:-lake-example}
here=$(cd "$(dirname "$0")" && pwd)

"$limpid" lake demo "$folder/lake" --roots 2
# A table that limpid itself writes: some rows of another.
"$limpid" sql -c "COPY (SELECT * FROM '$folder/lake/r000/root.parquet' LIMIT 20) TO '$folder/lake/first.parquet'"

echo; echo "== What is there"
"$limpid" lake scan "$folder/lake" | head -12
echo; echo "== What is contained in what"
"$limpid" lake containment "$folder/lake" --rows multiset | head -12
echo; echo "== What is cheaper to rebuild than to keep"
"$limpid" lake plan "$folder/lake" --prices "$here/prices.yaml" --save "$folder/plan.json" --report "$folder/report.html" | head -12
echo; echo "== Set aside, each after a rehearsal"
"$limpid" lake apply "$folder/plan.json"
echo; echo "== Brought back"
"$limpid" lake restore "$folder/lake" --rebuild
