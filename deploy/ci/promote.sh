#!/usr/bin/env bash
# Brings a candidate model to production, one short step at a time: the script behind the three
# pipelines in this folder. Every step may be repeated or killed; the rollout itself lives in
# the controller. Exit codes are those of `mgeo rollout` (see README.md).
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
Usage: promote.sh STEP

Steps, in order:
  install   install mgeo, unless the image has it
  add       put the checkpoint into the model store
  compare   compare it with the serving model on labelled addresses
  shadow    start the rollout, or attach to it, and wait until it has passed
  approve   sign the decision
  promote   wait until the candidate serves everything
  comment   publish the report's summary on the merge request
To stop:
  abort     end the rollout; what serves stays, or comes back
  rollback  put the previous model back

Variables:
  PROMOTE_VERSION  the candidate's version, for example mgeo-base-v7-20261101 (needed)
  PROMOTE_MODEL    its directory, or modelscope:ID@REVISION (needed by add)
  PROMOTE_POLICY   the policy; default: rollout.yaml beside this script
  PROMOTE_GOLDEN   labelled addresses for compare; without them the step says so and is skipped
  PROMOTE_WAIT     longest wait of one try; default 50m, below the usual limit of an hour
  PROMOTE_TRIES    tries within one job; default 1, for most CI servers repeat jobs themselves
  PROMOTE_KEY      file of the private key that approves
  PROMOTE_KEY_ID   the key's name in the controller's keyring; default: ci
  PROMOTE_REPORTS  folder for reports; default: reports
  PROMOTE_SET      changes to the policy, K=V separated by spaces; default: none
  PROMOTE_INSTALL  what pip installs; default: mgeo-stream[worker]
and mgeo's own: MGEO_KAFKA_BOOTSTRAP_SERVERS, MGEO_MODEL_STORE, …
TEXT
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
policy=${PROMOTE_POLICY:-$here/rollout.yaml}
reports=${PROMOTE_REPORTS:-reports}
wait_for=${PROMOTE_WAIT:-50m}
tries=${PROMOTE_TRIES:-1}
id_file=$reports/rollout-id
decision_file=$reports/decision
child=''
cancelled=0

say() { printf '%s\n' "$*" >&2; }

need() {
  local name
  for name in "$@"; do
    if [ -z "${!name:-}" ]; then
      say "promote.sh: $name is not set"
      exit 2
    fi
  done
}

# One field of a JSON document on standard input, by its path: field rollout_id
field() {
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value.get(name) if isinstance(value, dict) else None
print("" if value is None else value)' "$1"
}

# The rollout that `shadow` has noted; a job of its own gets the note as an artifact. Assign it
# before it is used: within an argument its failure would not stop the script.
rollout_id() {
  if [ ! -s "$id_file" ]; then
    say "promote.sh: $id_file is missing: run the step 'shadow' first"
    exit 2
  fi
  cat "$id_file"
}

# Run mgeo and hand a signal on, so that a cancelled job detaches at once instead of being
# killed after its grace: bash alone would hold the signal back until mgeo has ended.
follow() {
  local out=$1 code signalled
  shift
  mgeo "$@" >"$out" &
  child=$!
  trap 'signalled=1; cancelled=1; kill -TERM "$child" 2>/dev/null || true' TERM INT HUP
  while :; do
    code=0
    signalled=0
    wait "$child" || code=$?
    [ "$signalled" = 1 ] || break
  done
  trap - TERM INT HUP
  return "$code"
}

# Wait for a phase, again and again while only the time has run out or Kafka is away.
follow_patiently() {
  local try=1 code
  while :; do
    code=0
    follow "$@" || code=$?
    case $code in
      6 | 124) ;;
      *) return "$code" ;;
    esac
    if [ "$cancelled" = 1 ] || [ "$try" -ge "$tries" ]; then
      return "$code"
    fi
    try=$((try + 1))
    say "Attaching again: try $try of $tries."
    [ "$code" != 6 ] || sleep 10
  done
}

explain() {
  case $1 in
    0) ;;
    1) say "The candidate failed, or the rollout was ended; the report says why." ;;
    2) say "Nothing was asked of the controller: the command or the policy is wrong." ;;
    3) say "Inconclusive: shown neither good nor bad. What serves is unchanged. Run it again." ;;
    4) say "There was no data, or only stale data, to judge by. What serves is unchanged." ;;
    5) say "It waits for an approval: run the step 'approve'." ;;
    6) say "Kafka did not answer. A rollout that runs goes on; repeat this job to attach." ;;
    7) say "Another rollout is running; repeat this job when it has ended." ;;
    124) say "The rollout goes on; repeat this job to attach to it again." ;;
    *) say "mgeo left with $1." ;;
  esac
}

# Codes after which the rollout of this candidate is known to the controller.
is_ours() {
  case $1 in
    0 | 1 | 3 | 4 | 5 | 124) return 0 ;;
    *) return 1 ;;
  esac
}

step_install() {
  if command -v mgeo >/dev/null; then
    say "mgeo $(mgeo --version) is there already."
  else
    python3 -m pip install --quiet --disable-pip-version-check \
      "${PROMOTE_INSTALL:-mgeo-stream[worker]}"
  fi
}

step_add() {
  need PROMOTE_VERSION PROMOTE_MODEL
  mgeo model add "$PROMOTE_MODEL" --version "$PROMOTE_VERSION"
}

step_compare() {
  need PROMOTE_VERSION
  if [ -z "${PROMOTE_GOLDEN:-}" ]; then
    say "No labelled addresses (PROMOTE_GOLDEN): not compared. The rollout will say so too."
    return 0
  fi
  local stable
  stable=$(mgeo rollout status --output json | field serving.stable.version)
  mgeo model compare "$stable" "$PROMOTE_VERSION" --golden "$PROMOTE_GOLDEN" \
    --policy "$policy" --report "$reports/compare"
}

step_shadow() {
  need PROMOTE_VERSION
  local code=0 change answer
  local arguments=(rollout start --candidate "$PROMOTE_VERSION" --policy "$policy"
    --until PASSED --timeout "$wait_for" --report "$reports/shadow" --output json)
  for change in ${PROMOTE_SET:-}; do
    arguments+=(--set "$change")
  done
  answer=$(mktemp)
  follow_patiently "$answer" "${arguments[@]}" || code=$?
  cat "$answer"
  if is_ours "$code"; then
    if [ -s "$answer" ]; then
      field rollout_id <"$answer" >"$id_file"
      field decision.digest <"$answer" >"$decision_file"
    fi
  fi
  rm -f "$answer"
  return "$code"
}

step_approve() {
  need PROMOTE_KEY
  local id
  id=$(rollout_id)
  local arguments=(rollout approve "$id" --yes
    --key "$PROMOTE_KEY" --key-id "${PROMOTE_KEY_ID:-ci}")
  # Only the decision whose report this pipeline has shown; not another one of the same rollout.
  [ ! -s "$decision_file" ] || arguments+=(--decision "$(cat "$decision_file")")
  mgeo "${arguments[@]}"
}

step_promote() {
  local id
  id=$(rollout_id)
  follow_patiently /dev/stdout rollout wait "$id" --until PROMOTED \
    --timeout "$wait_for" --report "$reports/promote" --output json
}

step_abort() {
  local id
  id=$(rollout_id)
  mgeo rollout abort "$id" --reason "${PROMOTE_REASON:-aborted from CI}"
}

step_rollback() {
  local id
  id=$(rollout_id)
  mgeo rollout rollback "$id" --reason "${PROMOTE_REASON:-rolled back from CI}"
}

# Publishing must never decide a job: without a place or a token it says so and is content.
step_comment() {
  local page='' candidate
  for candidate in "$reports"/promote/*.md "$reports"/shadow/*.md "$reports"/compare/*.md; do
    if [ -s "$candidate" ]; then
      page=$candidate
      break
    fi
  done
  if [ -z "$page" ]; then
    say "There is no report to publish."
  elif [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    cat "$page" >>"$GITHUB_STEP_SUMMARY"
  elif [ -n "${CI_MERGE_REQUEST_IID:-}" ] && [ -n "${PROMOTE_GITLAB_TOKEN:-}" ]; then
    curl --silent --show-error --fail --output /dev/null \
      --header "PRIVATE-TOKEN: $PROMOTE_GITLAB_TOKEN" --data-urlencode "body@$page" \
      "$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes" ||
      say "The comment could not be published."
  else
    cat "$page"
  fi
}

[ $# -eq 1 ] || usage
mkdir -p "$reports"
trap 'explain $?' EXIT
case $1 in
  install) step_install ;;
  add) step_add ;;
  compare) step_compare ;;
  shadow) step_shadow ;;
  approve) step_approve ;;
  promote) step_promote ;;
  abort) step_abort ;;
  rollback) step_rollback ;;
  comment) step_comment ;;
  *)
    trap - EXIT
    usage
    ;;
esac
