"""The one exception that users are meant to read."""


class XaibenchError(Exception):
    """A mistake or a lack that the user can mend.

    The message is one or two sentences: what is wrong, naming the file or the option, and what to
    do about it. The command line prints it without a traceback and exits with 2.
    """
