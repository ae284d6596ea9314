"""``python -m tests.kubernetes.plane``: build the control plane's programs that are missing."""

from tests.kubernetes.plane.binaries import build, directory

if __name__ == "__main__":
    build()
    print(directory())
