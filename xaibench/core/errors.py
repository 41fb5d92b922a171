"""The exceptions that users are meant to read, and how others are told."""


class XaibenchError(Exception):
    """A mistake or a lack that the user can fix.

    The message is one or two sentences: what is wrong, naming the file or the option, and what to
    do about it. The command line prints it without a traceback and exits with 2.
    """


def reason_of(error: Exception) -> str:
    """Return what a table says of a failure: a user's mistake in its own words, a fault by kind."""
    return str(error) if isinstance(error, XaibenchError) else repr(error)


class StorageError(XaibenchError):
    """Results can't be stored: a full disk ends a run, and is no plugin's failure."""


class OutOfMemoryError(XaibenchError, MemoryError):
    """Memory ran out: less at once may fit, so that it is no plugin's failure either."""


class DataNotFoundError(XaibenchError):
    """A dataset does not lie below this root; another root may hold it."""

    def __init__(self, missing: str, remedy: str) -> None:
        super().__init__(f"{missing}; {remedy}")
        self.missing, self.remedy = missing, remedy


class Unsupported(XaibenchError):  # noqa: N818 (what a method says, no mistake)
    """A method can't explain this network or dataset: it is skipped, and nothing has failed."""
