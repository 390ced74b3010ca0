#!/bin/sh
# A virtual environment with the peers, pinned, from PyPI.    usage: setup.sh DIR [PYTHON]
set -eu
"${2:-python3}" -m venv "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 pyarrow scikit-learn==1.9.1 faiss-cpu==1.15.1
