"""What can go wrong, in four families. Each message says what was found, what is allowed and what to do next."""

import errno


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
    """Git's origin, GitHub or a database did not answer, or refused for a reason that may pass. It may work later."""

    exit_code = 5


# The environment variable that names the file in which a stage that fails leaves its exit code and message, for whoever asks:
# DVC hands on neither.
FAILURE = "FLYWHEEL_FAILURE"

# What the disk, the calendar or a file's bytes may raise anywhere: problems that a person can mend, not mistakes of this code.
OUTSIDE = (OSError, OverflowError, UnicodeDecodeError)


MENDING = (
    ((errno.EROFS, errno.EACCES, errno.EPERM), "Give yourself the right to read and write there"),
    ((errno.ENOSPC, errno.EFBIG, errno.EDQUOT), "Free some space"),
    ((errno.EISDIR, errno.ENOTDIR), "Put a file where a folder stands, or a folder where a file stands"),
    ((errno.ENOENT,), "Restore it with Git"),
)


def told(error: OSError | OverflowError | UnicodeDecodeError) -> FlywheelError:
    """An error from outside in a sentence that says what to do."""
    if isinstance(error, OverflowError):
        return ConfigError(
            f"a number, of days perhaps, is beyond the calendar or too large to hold ({error}). Look at the windows and days "
            "in conf/, then at numbers and dates such as 9999-12-31 in the tables."
        )
    if isinstance(error, UnicodeDecodeError):
        return DataError(f"a file is not UTF-8 ({error}). Save it as UTF-8.")
    named = f"{error.filename}: " if error.filename else ""
    return DataError(f"{named}{refusal(error)}")


def refusal(error: OSError) -> str:
    """Why the system refused, and what to do about it, without the file's name."""
    mend = next((words for kinds, words in MENDING if error.errno in kinds), "Look at it")
    return f"{error.strerror or error}. {mend}, then run again."


def chain(error: BaseException) -> str:
    """An error and its causes in one sentence, the cause last; what repeats is said once."""
    said: list[str] = []
    at: BaseException | None = error
    while at is not None:
        text = " ".join(str(at).split()).rstrip(".") or type(at).__name__
        if not any(text in before for before in said):
            said.append(text)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return ": ".join(said)
