"""What can go wrong while running the system here: each error is one sentence and a way out.

The command line turns these into standard error and an exit code; nothing here prints.
"""

from __future__ import annotations

from contracts.errors import MgeoError


class DeployError(MgeoError):
    """A failure of the local stack that a person can mend.

    ``details`` is more text for that person, such as the end of a log. Hint and details are also
    the exception's notes, so that a traceback shows them.
    """

    default_code = "deploy_failed"

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message, hint=hint)
        self.details = details
        for note in (hint, details):
            if note:
                self.add_note(note)


class JarsUntrustedError(DeployError):
    """A broker jar is missing or does not match its pinned digest."""

    default_code = "jars_untrusted"


class JarsUnavailableError(DeployError):
    """The broker's jars could not be downloaded."""

    default_code = "jars_unavailable"


class JavaMissingError(DeployError):
    """No Java that can run the broker was found."""

    default_code = "java_missing"


class DiskFullError(DeployError):
    """There is not enough free disk for a broker."""

    default_code = "disk_full"


class DataFolderError(DeployError):
    """The broker's data folder is half written or belongs to something else."""

    default_code = "data_folder_unusable"


class BrokerStartError(DeployError):
    """The broker ended, or did not answer in time, while starting."""

    default_code = "broker_start_failed"


class DockerUnavailableError(DeployError):
    """The docker command is missing, or its daemon does not answer."""

    default_code = "docker_unavailable"
