"""What may come of a request."""


class Refused(Exception):
    """The server has understood the request, and will not do it."""


class NotAccepted(Refused):
    """The server does not accept the command now; it has not begun, and this request will not begin it later."""


class Lost(Exception):
    """The connection broke, or what came back cannot be read: nobody knows whether the request was carried out."""
