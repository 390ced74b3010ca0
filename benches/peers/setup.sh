#!/bin/sh
# Virtual environments of the peers, pinned, from PyPI.    usage: setup.sh DIR [PYTHON]
# main: all that live together; datatrove: wants xxhash 3 (and spaCy for its English words); textdedup: its own old pins.
set -eu
dir=$1 python=${2:-python3}
make_venv() {
  name=$1; shift
  "$python" -m venv "$dir/$name"
  "$dir/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
}
make_venv main daft==0.7.26 rensa==0.5.0 datasketch==2.0.0 duckdb==2.0.0 pyarrow==24.0.0 numpy==2.4.6 scipy==1.17.1 xxhash==4.1.0
make_venv datatrove 'datatrove[io,processing]==0.10.0' spacy==3.8.18 xxhash==3.8.2 pyarrow==26.0.1 numpy==2.4.6
make_venv textdedup text-dedup==0.4.0 datasets==4.8.5
