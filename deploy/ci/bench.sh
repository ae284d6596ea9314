#!/usr/bin/env bash
# Measures this machine briefly and holds the figures against stored ones: the benchmark stage of
# the three pipelines. Leaves with what `mgeo bench` leaves with: 1 when a figure is worse by more
# than allowed, 4 when there is nothing to compare with.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
Usage: bench.sh

Variables:
  BENCH_BASELINE        figures of an earlier run; default: benchmarks/baseline.json. Where there
                        are none, the new ones are kept and the job leaves with 4
  BENCH_MAX_REGRESSION  by so much of the baseline a figure may be worse; default 0.15
  BENCH_MODEL           what is measured: starter, base-random or a VERSION; default: starter
  BENCH_REPORT          where the new figures go; default: reports/bench.json
and mgeo's own, of which the figures depend: MGEO_DEVICE, MGEO_TOKEN_BUDGET, MGEO_SEQUENCE_LENGTH …
TEXT
  exit 2
}

[ $# -eq 0 ] || usage
baseline=${BENCH_BASELINE:-benchmarks/baseline.json}
report=${BENCH_REPORT:-reports/bench.json}
mgeo=$(command -v mgeo || echo "${VENV:-.venv}/bin/mgeo") # what `make setup` has made
mkdir -p "$(dirname "$report")"
arguments=(bench --quick --only throughput --model "${BENCH_MODEL:-starter}" --json "$report")
if [ -f "$baseline" ]; then
  exec "$mgeo" "${arguments[@]}" --against "$baseline" --max-regression "${BENCH_MAX_REGRESSION:-0.15}"
fi
"$mgeo" "${arguments[@]}"
echo "There is no $baseline: nothing was compared. Commit $report there, if this machine was idle." >&2
exit 4
