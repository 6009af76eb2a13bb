"""What can go wrong, as four families: each message says what was found, what is allowed and what to do next."""


class FlywheelError(Exception):
    """A problem that a person can mend. `exit_code` is what the command exits with; no traceback is shown."""

    exit_code = 1


class ConfigError(FlywheelError):
    """The configuration is wrong: an unknown key, a value out of range, a clock outside the data."""

    exit_code = 2


class DataError(FlywheelError):
    """The data, or the disk it is on, does not allow to go on."""

    exit_code = 3


class GateFailed(FlywheelError):
    """The evidence does not allow the candidate into production."""

    exit_code = 4


class RemoteError(FlywheelError):
    """Git's origin or GitHub did not answer, or refused for a reason that may pass: the same command may work later."""

    exit_code = 5
