#!/usr/bin/env bash
# Builds the images, and pushes them, with docker or, where there is no daemon, buildah: the image
# stage of the three pipelines.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
Usage: image.sh build    build the images
       image.sh push     build them and push them

Variables:
  IMAGE_REGISTRY  where the images live, for example registry.example.org/mgeo-stream (needed)
  IMAGE_USER      who pushes, with IMAGE_PASSWORD; default: whoever is logged in
  IMAGE_TAG       default: what git calls this commit
  IMAGE_TARGETS   targets of the Dockerfile; default: worker gateway controller
  IMAGE_TOOL      docker or buildah; default: the first that is there
  IMAGE_ARGS      further arguments of the build, separated by spaces
TEXT
  exit 2
}

[ $# -eq 1 ] || usage
if [ -z "${IMAGE_REGISTRY:-}" ]; then
  echo "image.sh: IMAGE_REGISTRY is not set" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# A repository's name may have capitals, an image's may not.
registry=$(tr '[:upper:]' '[:lower:]' <<<"$IMAGE_REGISTRY")
revision=$(git -C "$here" rev-parse HEAD 2>/dev/null || true)
tag=${IMAGE_TAG:-${revision:0:12}}
tool=${IMAGE_TOOL:-$(command -v docker || command -v buildah || true)}
if [ -z "$tool" ]; then
  echo "image.sh: neither docker nor buildah is here" >&2
  exit 2
fi
read -ra arguments <<<"${IMAGE_ARGS:-}"
read -ra targets <<<"${IMAGE_TARGETS:-worker gateway controller}"
# OCI's own format has no place for a health check.
[ "$(basename "$tool")" != buildah ] || arguments+=(--format docker)

case $1 in
  build | push) ;;
  *) usage ;;
esac
if [ "$1" = push ] && [ -n "${IMAGE_USER:-}" ]; then
  "$tool" login --username "$IMAGE_USER" --password-stdin "${registry%%/*}" \
    <<<"${IMAGE_PASSWORD:-}"
fi
for target in "${targets[@]}"; do
  name=$registry/$target:$tag
  "$tool" build ${arguments[@]+"${arguments[@]}"} --target "$target" --tag "$name" \
    --build-arg "VERSION=$tag" --build-arg "REVISION=$revision" "$here"
  [ "$1" != push ] || "$tool" push "$name"
  echo "$name"
done
