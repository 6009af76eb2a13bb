"""What can go wrong, in four families. Each message says what was found, what is allowed and what to do next."""


class FlywheelError(Exception):
    """A problem that a person can fix. `exit_code` is what the command exits with; no traceback is shown."""

    exit_code = 1


class ConfigError(FlywheelError):
    """The configuration is wrong: an unknown key, a value out of range, a clock outside the data."""

    exit_code = 2


class DataError(FlywheelError):
    """Something is wrong with the data, or with the disk it is on."""

    exit_code = 3


class GateFailed(FlywheelError):
    """The evidence does not support releasing the candidate."""

    exit_code = 4


class RemoteError(FlywheelError):
    """Git's origin or GitHub did not answer, or refused for a reason that may pass. The same command may work later."""

    exit_code = 5
