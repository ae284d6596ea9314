#!/usr/bin/env bash
# Brings a candidate model to production, one short step at a time, and moves callers: the script
# behind the three pipelines in this folder. Every step may be repeated or killed; the rollout
# itself lives in the controller. Exit codes are those of `mgeo rollout` (see README.md).
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
Usage: promote.sh STEP

Steps, in order:
  install   install mgeo, unless the image has it; a checkout's own goes into out/ci-venv
  check     find the candidate: the one that is named, else a model of the hub that is new
  add       put the checkpoint into the model store
  verify    read it back byte by byte, and parse known addresses with it
  compare   compare it with the serving model on labelled addresses
  shadow    start the rollout, or attach to it, and wait until it has passed
  approve   sign the decision
  promote   wait until the candidate serves everything
  comment   publish the report's summary on the merge request
To stop:
  abort     end the rollout; what serves stays, or comes back
  rollback  put the previous model back, and wait until it serves everything
The gateways:
  switch       send callers to the colour SWITCH_TO
  switch-back  send them back

Variables:
  PROMOTE_VERSION  the candidate's version, for example mgeo-base-v7-20261101; without it, and
                   without PROMOTE_MODEL, check looks for one
  PROMOTE_MODEL    its directory, or modelscope:ID@REVISION; without it the store has it already
  PROMOTE_HUB      models of the hub to look for, ID[@BRANCH] separated by spaces; default: every
                   one that the store has something from
  PROMOTE_MIN_RIGHT  share of the known addresses' components that verify wants right; default 0.5
  PROMOTE_POLICY   the policy; default: rollout.yaml beside this script
  PROMOTE_GOLDEN   labelled addresses for compare; without them the step says so and is skipped
  PROMOTE_WAIT     longest wait of one try; default 50m, below the usual limit of an hour
  PROMOTE_TRIES    tries within one job; default 1, for most CI servers repeat jobs themselves
  PROMOTE_PAUSE    before another try where there was no answer; default: 10s
  PROMOTE_KEY      file of the private key that approves
  PROMOTE_KEY_ID   the key's name in the controller's keyring; default: ci
  PROMOTE_ROLLOUT  the rollout that abort and rollback end, or "current"; default: the one that
                   shadow started
  PROMOTE_REPORTS  folder for reports; default: reports
  PROMOTE_SET      changes to the policy, K=V separated by spaces; default: none
  PROMOTE_INSTALL  what pip installs, words separated by spaces; default: mgeo-stream[worker];
                   with a word . or .[EXTRAS] this checkout, also where the image has an mgeo
  PROMOTE_CHILD    file to which check writes the GitLab pipeline that comes next
  PROMOTE_PIPELINE  what that pipeline includes; default: deploy/ci/gitlab-promote.yml
  SWITCH_TO        blue or green
and mgeo's own: MGEO_KAFKA_BOOTSTRAP_SERVERS, MGEO_MODEL_STORE, MGEO_DEVICE, MGEO_TOKEN_BUDGET,
MGEO_SEQUENCE_LENGTH …
TEXT
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
policy=${PROMOTE_POLICY:-$here/rollout.yaml}
reports=${PROMOTE_REPORTS:-reports}
wait_for=${PROMOTE_WAIT:-50m}
tries=${PROMOTE_TRIES:-1}
candidate_file=$reports/candidate
id_file=$reports/rollout-id
decision_file=$reports/decision
read -ra to_install <<<"${PROMOTE_INSTALL:-mgeo-stream[worker]}"
venv=$PWD/out/ci-venv
answer=''
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

# The candidate is named by variables, else it is the one that `check` has found.
candidate() {
  if [ -z "${PROMOTE_VERSION:-}" ] && [ -s "$candidate_file" ]; then
    read -r PROMOTE_VERSION PROMOTE_MODEL <"$candidate_file"
  fi
  need PROMOTE_VERSION
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

# follow FILE|- ARGUMENT...: run mgeo, its output into the file or to ours, and hand a signal on,
# so that a cancelled job detaches at once instead of being killed after its grace: bash alone
# would hold the signal back until mgeo has ended.
follow() {
  local out=$1 code signalled
  shift
  if [ "$out" = - ]; then # not by /dev/stdout: where that is a socket it cannot be opened
    mgeo "$@" &
  else
    mgeo "$@" >"$out" &
  fi
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

# Again and again while only the time has run out, or Kafka or the hub is away.
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
    say "Once more: try $try of $tries."
    [ "$code" != 6 ] || sleep "${PROMOTE_PAUSE:-10s}"
  done
}

# ask ARGUMENT...: the same, and what mgeo prints is then in the file $answer. No command
# substitution: it would hold a signal back.
ask() {
  [ -n "$answer" ] || answer=$(mktemp)
  follow_patiently "$answer" "$@"
}

# In words; on GitHub, which knows only success and failure, also as a notice on the run's page.
explain() {
  local text=''
  case $1 in
    0) return 0 ;;
    1)
      case $step in
        check) text="A model could not be looked up; nothing is known of it." ;;
        abort | rollback | switch*)
          text="It was refused, or ended otherwise; the lines above say why."
          ;;
        *) text="The candidate failed, or the rollout was ended; the report says why." ;;
      esac
      ;;
    2) text="Nothing was asked for: the command or the policy is wrong." ;;
    3) text="Inconclusive: shown neither good nor bad. What serves is unchanged. Run it again." ;;
    4) text="There was no data, or only stale data, to judge by. What serves is unchanged." ;;
    5) text="It waits for an approval: run the step 'approve'." ;;
    6) text="No answer came. A rollout that runs goes on; repeat this job to attach." ;;
    7) text="Another rollout is running; repeat this job when it has ended." ;;
    124) text="The rollout goes on; repeat this job to attach to it again." ;;
    *) text="mgeo left with $1." ;;
  esac
  say "$text"
  case $1 in
    3 | 4 | 5 | 6 | 7 | 124) [ -z "${GITHUB_ACTIONS:-}" ] || echo "::warning title=Not done::$text" ;;
  esac
}

# Codes after which the rollout of this candidate is known to the controller.
is_ours() {
  case $1 in
    0 | 1 | 3 | 4 | 5 | 124) return 0 ;;
    *) return 1 ;;
  esac
}

# Whether it is this checkout that is to be installed.
is_checkout() {
  local word
  for word in "${to_install[@]}"; do
    case $word in
      . | .\[*) return 0 ;;
    esac
  done
  return 1
}

step_install() {
  if is_checkout; then
    install_checkout
  elif command -v mgeo >/dev/null; then
    say "mgeo $(mgeo --version) is there already."
  else
    python3 -m pip install --quiet --disable-pip-version-check "${to_install[@]}"
  fi
}

# An agent that is kept from build to build has the mgeo of an earlier commit, and a file of its
# own beside the environment says of which.
install_checkout() {
  local wanted noted=$venv/installed
  wanted=$(what_is_here)
  if [ -n "$wanted" ] && [ -s "$noted" ] && [ "$wanted" = "$(cat "$noted")" ]; then
    say "mgeo $("$venv/bin/mgeo" --version) of this commit is there already."
    return 0
  fi
  rm -f "$noted"
  # One that was left half made, or whose Python has gone, has no pip that runs.
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    if ! python3 -m venv "$venv"; then
      rm -rf "$venv"
      say "promote.sh: python3 makes no virtual environment (Debian: apt-get install python3-venv)"
      exit 2
    fi
  fi
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${to_install[@]}"
  printf '%s\n' "$wanted" >"$noted"
}

# The commit and what is taken of it. Nothing where no git can say so or a file was changed
# since: then it is installed anew.
what_is_here() {
  local commit
  if git diff --quiet HEAD 2>/dev/null && commit=$(git rev-parse HEAD 2>/dev/null); then
    printf '%s %s\n' "$commit" "${to_install[*]}"
  fi
}

# Leaves with 0 whether or not there is a candidate; there is one exactly when its file exists.
step_check() {
  rm -f "$candidate_file"
  if [ -n "${PROMOTE_VERSION:-}${PROMOTE_MODEL:-}" ]; then
    need PROMOTE_VERSION
    printf '%s %s\n' "$PROMOTE_VERSION" "${PROMOTE_MODEL:-}" >"$candidate_file"
  else
    local models updates=$reports/updates.json
    read -ra models <<<"${PROMOTE_HUB:-}"
    follow_patiently "$updates" model check-updates ${models[@]+"${models[@]}"} --output json
    first_new <"$updates" >"$candidate_file"
    [ -s "$candidate_file" ] || rm -f "$candidate_file"
  fi
  local version='' model=''
  if [ -s "$candidate_file" ]; then
    read -r version model <"$candidate_file"
    say "The candidate is $version${model:+, from $model}."
  else
    say "Nothing is new: there is nothing to promote."
  fi
  if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf 'version=%s\nmodel=%s\n' "$version" "$model" >>"$GITHUB_OUTPUT"
  fi
  if [ -n "${PROMOTE_CHILD:-}" ]; then
    gitlab_child "$version" "$model" >"$PROMOTE_CHILD"
  fi
}

# Of what check-updates says, the first model that is new: VERSION MODEL, or nothing. Having
# looked for nothing is no good news.
first_new() {
  python3 -c 'import json, sys
updates = json.load(sys.stdin)
if not updates:
    sys.exit("promote.sh: no model of the store came from the hub: set PROMOTE_HUB")
new = [update for update in updates if update["new"]]
for update in new[:1]:
    print(update["version"], update["model"])
for update in new[1:]:
    print("Also new, for the next pipeline:", update["model"], file=sys.stderr)' || exit 2
}

quoted() {
  python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"
}

# GitLab shows a pipeline with a manual job as blocked, so the one that promotes is made only for
# a candidate; a pipeline without any job would be an error.
gitlab_child() {
  if [ -n "$1" ]; then
    cat <<YAML
include:
  - local: $(quoted "/${PROMOTE_PIPELINE:-deploy/ci/gitlab-promote.yml}")
variables:
  PROMOTE_VERSION: $(quoted "$1")
  PROMOTE_MODEL: $(quoted "$2")
YAML
    # As they are in this job. Handed on by GitLab itself they would be the file's defaults, and
    # those would count more than what is set in the project.
    local name
    for name in PROMOTE_SET PROMOTE_MIN_RIGHT PROMOTE_INSTALL \
      MGEO_DEVICE MGEO_TOKEN_BUDGET MGEO_SEQUENCE_LENGTH; do
      if [ -n "${!name:-}" ]; then
        echo "  $name: $(quoted "${!name}")"
      fi
    done
  else
    cat <<'YAML'
nothing-new:
  script:
    - echo "The store has the newest models already."
YAML
  fi
}

step_add() {
  candidate
  if [ -n "${PROMOTE_MODEL:-}" ]; then
    follow_patiently - model add "$PROMOTE_MODEL" --version "$PROMOTE_VERSION"
  else
    say "No PROMOTE_MODEL: $PROMOTE_VERSION must be in the store."
    follow_patiently /dev/null model show "$PROMOTE_VERSION"
  fi
}

step_verify() {
  candidate
  follow_patiently - model verify "$PROMOTE_VERSION"
  follow_patiently - model selfcheck "$PROMOTE_VERSION" --min-right "${PROMOTE_MIN_RIGHT:-0.5}"
}

step_compare() {
  candidate
  if [ -z "${PROMOTE_GOLDEN:-}" ]; then
    say "No labelled addresses (PROMOTE_GOLDEN): not compared. The rollout will say so too."
    return 0
  fi
  local stable change
  ask rollout status --output json
  stable=$(field serving.stable.version <"$answer")
  local arguments=(model compare "$stable" "$PROMOTE_VERSION" --golden "$PROMOTE_GOLDEN"
    --policy "$policy" --report "$reports/compare")
  for change in ${PROMOTE_SET:-}; do
    arguments+=(--set "$change")
  done
  follow_patiently - "${arguments[@]}"
}

step_shadow() {
  candidate
  # What an earlier build has left in this folder is not ours.
  rm -f "$id_file" "$decision_file"
  local code=0 change
  local arguments=(rollout start --candidate "$PROMOTE_VERSION" --policy "$policy"
    --until PASSED --timeout "$wait_for" --report "$reports/shadow" --output json)
  for change in ${PROMOTE_SET:-}; do
    arguments+=(--set "$change")
  done
  ask "${arguments[@]}" || code=$?
  cat "$answer"
  if is_ours "$code"; then
    if [ -s "$answer" ]; then
      field rollout_id <"$answer" >"$id_file"
      field decision.digest <"$answer" >"$decision_file"
    fi
  fi
  return "$code"
}

step_approve() {
  need PROMOTE_KEY
  local id decision=''
  id=$(rollout_id)
  [ ! -s "$decision_file" ] || decision=$(cat "$decision_file")
  local arguments=(rollout approve "$id" --yes
    --key "$PROMOTE_KEY" --key-id "${PROMOTE_KEY_ID:-ci}")
  # Only the decision whose report this pipeline has shown; not another one of the same rollout.
  [ -z "$decision" ] || arguments+=(--decision "$decision")
  follow_patiently - "${arguments[@]}"
}

step_promote() {
  local id
  id=$(rollout_id)
  follow_patiently - rollout wait "$id" --until PROMOTED \
    --timeout "$wait_for" --report "$reports/promote" --output json
}

# Which rollout a person wants ended: by default ours, never just the one that happens to run.
named_rollout() {
  case ${PROMOTE_ROLLOUT:-} in
    '') rollout_id ;;
    current) ;;
    *) printf '%s\n' "$PROMOTE_ROLLOUT" ;;
  esac
}

step_abort() {
  local id
  id=$(named_rollout)
  if [ -z "$id" ]; then
    # By its id it may be asked for again. "The one that runs" is none, or another one, once a
    # try whose answer was lost has been obeyed.
    ask rollout status --output json
    id=$(field rollout_id <"$answer")
  fi
  ask rollout abort ${id:+"$id"} --output json --reason "${PROMOTE_REASON:-aborted from CI}"
  cat "$answer" >&2
  # Where the candidate has served already it takes a moment until all has returned.
  if [ "$(field phase <"$answer")" = ROLLING_BACK ]; then
    id=$(field rollout_id <"$answer")
    follow_patiently - rollout wait "$id" --until ABORTED \
      --timeout "$wait_for" --report "$reports/abort" --output json
  fi
}

# Without an id it may be asked for again, too: a rollout that was taken back stays the one that
# is meant.
step_rollback() {
  local id
  id=$(named_rollout)
  ask rollout rollback ${id:+"$id"} --output json \
    --reason "${PROMOTE_REASON:-rolled back from CI}"
  cat "$answer" >&2
  id=$(field rollout_id <"$answer")
  follow_patiently - rollout wait "$id" --until ROLLED_BACK \
    --timeout "$wait_for" --report "$reports/rollback" --output json
}

step_switch() {
  need SWITCH_TO
  follow_patiently - deploy switch --to "$SWITCH_TO"
  follow_patiently - deploy status
}

step_switch_back() {
  follow_patiently - deploy switch-back
  follow_patiently - deploy status
}

# By Python, which is there: slim images have no curl. The token stays out of the arguments.
gitlab_note() {
  python3 -c 'import os, sys, urllib.parse, urllib.request
env = os.environ
project, request = env["CI_PROJECT_ID"], env["CI_MERGE_REQUEST_IID"]
url = env["CI_API_V4_URL"] + f"/projects/{project}/merge_requests/{request}/notes"
with open(sys.argv[1], encoding="utf-8") as page:
    body = urllib.parse.urlencode({"body": page.read()}).encode()
headers = {"PRIVATE-TOKEN": env["PROMOTE_GITLAB_TOKEN"]}
urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30).close()' "$1" 2>/dev/null
}

# Publishing must never decide a job: without a place or a token it says so and is content.
step_comment() {
  local page='' found
  for found in "$reports"/{rollback,abort,promote,shadow,compare}/*.md; do
    if [ -s "$found" ]; then
      page=$found
      break
    fi
  done
  if [ -z "$page" ]; then
    say "There is no report to publish."
  elif [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    cat "$page" >>"$GITHUB_STEP_SUMMARY"
  elif [ -n "${CI_MERGE_REQUEST_IID:-}" ] && [ -n "${PROMOTE_GITLAB_TOKEN:-}" ]; then
    gitlab_note "$page" || say "The comment could not be published."
  else
    cat "$page"
  fi
}

[ $# -eq 1 ] || usage
mkdir -p "$reports"
step=$1
trap 'code=$?; rm -f "$answer"; explain "$code"' EXIT
# What `install` has put there comes before what the machine has.
if [ "$step" != install ] && is_checkout && [ -x "$venv/bin/mgeo" ]; then
  PATH=$venv/bin:$PATH
fi
case $step in
  install) step_install ;;
  check) step_check ;;
  verify) step_verify ;;
  add) step_add ;;
  compare) step_compare ;;
  shadow) step_shadow ;;
  approve) step_approve ;;
  promote) step_promote ;;
  abort) step_abort ;;
  rollback) step_rollback ;;
  switch) step_switch ;;
  switch-back) step_switch_back ;;
  comment) step_comment ;;
  *)
    trap - EXIT
    usage
    ;;
esac
